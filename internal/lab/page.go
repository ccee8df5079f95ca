package lab

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// pageFiles are the files of the map's page.
//
//go:embed page
var pageFiles embed.FS

// Page is the page with the map of a lab that is up: its nodes and links with their
// states, and for each router a way to its own page.
type Page struct {
	Lab *Lab
	// Open returns the URL of the page of a router, which opens it once.
	Open func(node string) (string, error)
}

// pagePolicy lets the page load its own files alone. The map is an image, which brings
// its style with it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// statusTime bounds how long it is looked for what is up.
const statusTime = 10 * time.Second

// ServeHTTP answers the files of the page, /v1/lab, /v1/lab.svg and /v1/open/NODE. Who
// may ask has been found out.
func (p *Page) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		header.Set("Allow", http.MethodGet)
		http.Error(w, "wanted GET", http.StatusMethodNotAllowed)
		return
	}
	node, opens := strings.CutPrefix(req.URL.Path, "/v1/open/")
	switch path := req.URL.Path; {
	case opens:
		p.open(w, node)
	case path == "/v1/lab":
		p.status(w, req)
	case path == "/v1/lab.svg":
		p.drawing(w, req)
	default:
		p.file(w, path)
	}
}

// file answers a file of the page.
func (p *Page) file(w http.ResponseWriter, path string) {
	kinds := map[string]string{"/": "text/html; charset=utf-8", "/lab.js": "text/javascript; charset=utf-8", "/lab.css": "text/css; charset=utf-8"}
	kind, there := kinds[path]
	if !there {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return
	}
	name := "page" + path
	if path == "/" {
		name = "page/lab.html"
	}
	content, err := pageFiles.ReadFile(name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(content) // an error means that the browser is gone
}

// living is the state of the lab; all is down of one that is not up any more.
func (p *Page) living(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := p.Lab.Living(ctx)
	if errors.Is(err, ErrNotUp) {
		return p.Lab.Status(ctx)
	}
	return s, err
}

func (p *Page) status(w http.ResponseWriter, req *http.Request) {
	s, err := p.living(req.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // likewise
}

func (p *Page) drawing(w http.ResponseWriter, req *http.Request) {
	s, err := p.living(req.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // nothing else is in it
	_, _ = w.Write(p.Lab.Topology.SVG(Drawing{Addresses: true, Status: s}))
}

// open leads to the page of a router.
func (p *Page) open(w http.ResponseWriter, node string) {
	url, err := p.Open(node)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Location", url)
	w.WriteHeader(http.StatusSeeOther)
}

// Sockets are the routers of the lab that have a page, and the sockets of their APIs,
// in the topology's order.
func (l *Lab) Sockets() (list []NodeSocket) {
	for _, n := range l.Topology.Nodes {
		if r, ok := l.router(n.Name); ok && n.Kind == KindRouter {
			list = append(list, NodeSocket{n.Name, r.Socket})
		}
	}
	return list
}

// NodeSocket is a router of a lab, and the socket of its API.
type NodeSocket struct{ Node, Socket string }
