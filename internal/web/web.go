package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// Policy is the Content-Security-Policy of the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"

// below is where all files but index.html are, before the hash.
const below = "/web/"

// hashPlace is what index.html has in place of the hash.
const hashPlace = "{{hash}}"

// kinds are the media types of the files, by the ends of their names.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is a file as it is served.
type file struct {
	content []byte
	kind    string
	tag     string // ETag
}

// site is all that is served.
type site struct {
	hash  string
	index file
	files map[string]file // by path below /web/HASH/
}

var load = sync.OnceValue(func() *site {
	s, err := newSite(static)
	if err != nil {
		panic("web: reading the files in the binary: " + err.Error()) // the tests read them too
	}
	return s
})

func newSite(from fs.FS) (*site, error) {
	s := &site{files: map[string]file{}}
	all := sha256.New()
	err := fs.WalkDir(from, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%s %d\n", name, len(content))
		all.Write(content)
		if kind := kinds[path.Ext(name)]; kind != "" {
			s.files[strings.TrimPrefix(name, "static/")] = file{content, kind, tagOf(content)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.hash = hex.EncodeToString(all.Sum(nil))[:16]
	index, ok := s.files["index.html"]
	if !ok {
		return nil, fmt.Errorf("there is no static/index.html")
	}
	delete(s.files, "index.html")
	index.content = bytes.ReplaceAll(index.content, []byte(hashPlace), []byte(s.hash))
	index.tag = tagOf(index.content)
	s.index = index
	return s, nil
}

func tagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// Handler serves the page at / and below /web/ without a login, and passes all other
// requests on to next. It has no state and never waits.
func Handler(next http.Handler) http.Handler {
	s := load()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rest, inside := strings.CutPrefix(req.URL.Path, below)
		if req.URL.Path != "/" && !inside {
			next.ServeHTTP(w, req)
			return
		}
		header := w.Header()
		setPolicy(header)
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			header.Set("Allow", http.MethodGet)
			http.Error(w, req.Method+" "+req.URL.Path+": wanted GET", http.StatusMethodNotAllowed)
			return
		}
		hash, name, _ := strings.Cut(rest, "/")
		f, ok := s.files[name]
		switch {
		case !inside:
			header.Set("Cache-Control", "no-cache") // it names the hash
			s.index.serve(w, req)
		case ok && hash == s.hash:
			header.Set("Cache-Control", "public, max-age=31536000, immutable")
			f.serve(w, req)
		default:
			header.Set("Cache-Control", "no-store")
			http.Error(w, "the page has no such file; the router may have been updated: load the page again", http.StatusNotFound)
		}
	})
}

// setPolicy says what a browser may do with what is served.
func setPolicy(header http.Header) {
	header.Set("Content-Security-Policy", Policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// serve answers with the file, or that the client has it (RFC 9110 §13.1.2).
func (f *file) serve(w http.ResponseWriter, req *http.Request) {
	header := w.Header()
	header.Set("ETag", f.tag)
	have := strings.Split(req.Header.Get("If-None-Match"), ",")
	if slices.ContainsFunc(have, func(tag string) bool {
		return strings.TrimPrefix(strings.TrimSpace(tag), "W/") == f.tag || strings.TrimSpace(tag) == "*"
	}) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", f.kind)
	header.Set("Content-Length", fmt.Sprint(len(f.content)))
	if req.Method != http.MethodHead {
		w.Write(f.content) // an error means that the client is gone
	}
}
