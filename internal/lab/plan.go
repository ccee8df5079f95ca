package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"
)

// Plan is what a topology takes on this machine, in the order in which it is
// made; it is taken down in the opposite order. It is data: making it touches
// nothing. Bridges will stand beside the veth pairs.
type Plan struct {
	Namespaces []Namespace
	Veths      []Veth
	Routers    []Router
}

// Namespace is a host, or where a router has its ends of links to routers.
type Namespace struct {
	Node string
	Name string // below /run/netns
}

// Router is one routerd process.
type Router struct {
	Node       string
	Name       string   // the router's own, and its lock's
	Config     string   // path of its configuration
	Text       []byte   // what stands in it
	Log        string   // path of what it prints
	Socket     string   // path of its API socket
	Namespaces []string // in which it has devices: the hosts' and its own
}

// plan lays a topology out below dir, the directory for sockets.
func plan(t *Topology, dir string) (*Plan, error) {
	p := &Plan{}
	own := labDir(dir, t.Name)
	for _, n := range t.Nodes {
		name := namespaceOf(t, n.Name)
		home := n.Kind == KindHost || slices.ContainsFunc(t.ends(n.Name), func(a attachment) bool { return a.wired })
		if home {
			p.Namespaces = append(p.Namespaces, Namespace{Node: n.Name, Name: name})
		}
		if n.Kind == KindHost {
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
		if home {
			r.Namespaces = append(r.Namespaces, name)
		}
		for _, a := range t.ends(n.Name) {
			if !a.wired {
				r.Namespaces = append(r.Namespaces, namespaceOf(t, a.far.Node))
			}
		}
		var err error
		if r.Text, err = configure(t, n, r.Name, r.Socket); err != nil {
			return nil, err
		}
		p.Routers = append(p.Routers, r)
	}
	for _, l := range t.Links {
		if t.wired(l) {
			v := Veth{MTU: cmp.Or(l.MTU, defaultMTU)}
			for i, e := range l.Ends {
				v.Ends[i] = Device{namespaceOf(t, e.Node), e.Interface}
			}
			p.Veths = append(p.Veths, v)
		}
	}
	return p, nil
}

// namespaceOf is the name of a node's namespace, if it has one.
func namespaceOf(t *Topology, node string) string { return t.Name + "-" + node }

// defaultMTU is that of an Ethernet link, RFC 894, in bytes of an IP packet.
const defaultMTU = 1500

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
		t.port(a, table)
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

// port fills in the table of a router's interface: the port that an end of a
// link takes. Towards a router that is the end of a veth pair, whose MTU the
// device itself has; towards a host it is a TUN inside the host.
func (t *Topology) port(a attachment, table map[string]any) {
	table["addresses"] = texts(a.near.Addresses)
	if a.wired {
		table["kind"] = "packet"
		table["netns"] = namespaceOf(t, a.near.Node)
		table["device"] = a.near.Interface
		return
	}
	table["kind"] = "tun"
	if a.mtu != 0 {
		table["mtu"] = a.mtu
	}
	table["host"] = map[string]any{
		"netns":     namespaceOf(t, a.far.Node),
		"device":    a.far.Interface,
		"addresses": texts(a.far.Addresses),
		"routes":    texts(routes(t, a.far)),
	}
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
