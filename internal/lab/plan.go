package lab

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"
)

// Plan is what a topology takes on this machine, in the order in which it is
// made; it is taken down in the opposite order. It is data: making it touches
// nothing. Bridges and veth pairs will stand between the two lists.
type Plan struct {
	Namespaces []Namespace
	Routers    []Router
}

// Namespace is a host.
type Namespace struct {
	Node string
	Name string // below /run/netns
}

// Router is one routerd process.
type Router struct {
	Node       string
	Name       string // the router's own, and its lock's
	Config     string // path of its configuration
	Text       []byte // what stands in it
	Log        string // path of what it prints
	Socket     string // path of its API socket
	Namespaces []string
}

// plan lays a topology out below dir, the directory for sockets.
func plan(t *Topology, dir string) (*Plan, error) {
	p := &Plan{}
	own := labDir(dir, t.Name)
	for _, n := range t.Nodes {
		name := t.Name + "-" + n.Name
		if n.Kind == KindHost {
			p.Namespaces = append(p.Namespaces, Namespace{Node: n.Name, Name: name})
			continue
		}
		r := Router{
			Node: n.Name, Name: name,
			Config: filepath.Join(own, n.Name+".toml"),
			Log:    filepath.Join(own, n.Name+".log"),
			Socket: filepath.Join(dir, name+".sock"),
		}
		if len(r.Socket) > maxSocketPath {
			return nil, fmt.Errorf("socket %s of %s has %d bytes in its path: want at most %d", r.Socket, n.Name, len(r.Socket), maxSocketPath)
		}
		for _, a := range t.ends(n.Name) {
			r.Namespaces = append(r.Namespaces, t.Name+"-"+a.far.Node)
		}
		var err error
		if r.Text, err = configure(t, n, r.Name, r.Socket); err != nil {
			return nil, err
		}
		p.Routers = append(p.Routers, r)
	}
	return p, nil
}

// maxSocketPath is sun_path of unix(7) less its final zero.
const maxSocketPath = 107

// configure writes a router's configuration: its own tables and what the
// links make of it.
func configure(t *Topology, n Node, name, socket string) ([]byte, error) {
	tables := maps.Clone(n.Config)
	if tables == nil {
		tables = map[string]any{}
	}
	tables["name"] = name
	tables["api"] = map[string]any{"listen": []string{"unix://" + socket}}
	interfaces, _ := tables["interface"].(map[string]any)
	interfaces = maps.Clone(interfaces)
	if interfaces == nil {
		interfaces = map[string]any{}
	}
	for _, a := range t.ends(n.Name) {
		extra, _ := interfaces[a.near.Interface].(map[string]any)
		table := maps.Clone(extra)
		if table == nil {
			table = map[string]any{}
		}
		table["kind"] = "tun"
		table["addresses"] = texts(a.near.Addresses)
		if a.mtu != 0 {
			table["mtu"] = a.mtu
		}
		table["host"] = map[string]any{
			"netns":     t.Name + "-" + a.far.Node,
			"device":    a.far.Interface,
			"addresses": texts(a.far.Addresses),
			"routes":    texts(routes(t, a.far)),
		}
		interfaces[a.near.Interface] = table
	}
	tables["interface"] = interfaces
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Router %s of lab %s, written by routerd lab. What is changed here is lost.\n\n", n.Name, t.Name)
	encoder := toml.NewEncoder(&b)
	encoder.Indent = ""
	if err := encoder.Encode(tables); err != nil {
		return nil, fmt.Errorf("write the configuration of %s: %w", n.Name, err)
	}
	return b.Bytes(), nil
}

// routes is what a host reaches through one of its ends: what the file says,
// or, for a host that the file gives no routes at all, everything of each
// family through the first end that has an address of it.
func routes(t *Topology, e End) []netip.Prefix {
	all := t.ends(e.Node)
	if slices.ContainsFunc(all, func(a attachment) bool { return a.near.Given }) {
		return e.Routes
	}
	var routes []netip.Prefix
	for _, everything := range []netip.Prefix{
		netip.PrefixFrom(netip.IPv4Unspecified(), 0),
		netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	} {
		for _, a := range all {
			if !slices.ContainsFunc(a.near.Addresses, func(p netip.Prefix) bool {
				return p.Addr().Is4() == everything.Addr().Is4()
			}) {
				continue
			}
			if a.near.String() == e.String() {
				routes = append(routes, everything)
			}
			break
		}
	}
	return routes
}

func texts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i := range prefixes {
		out[i] = prefixes[i].String()
	}
	return out
}

// labDir is where a lab keeps everything but its sockets.
func labDir(dir, name string) string { return filepath.Join(dir, "lab-"+name) }
