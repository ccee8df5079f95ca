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

// Plan is what a topology needs on this machine, in the order in which it is
// made; it is removed in the opposite order. It is only data.
type Plan struct {
	Namespaces []Namespace
	Bridges    []Bridge
	Veths      []Veth
	Routers    []Router
	Peers      []Peer
}

// Namespace is that of a node of any kind but router, or the one with a
// router's ends of veth pairs.
type Namespace struct {
	Node string
	Name string // below /run/netns
}

// Router is one routerd process.
type Router struct {
	Node       string
	Name       string   // of the router, and of its lock
	Config     string   // path of its configuration
	Text       []byte   // what stands in it
	Log        string   // path of what it prints
	Socket     string   // path of its API socket
	Namespaces []string // those with its devices: the hosts', the switches' and its own
}

// plan plans a topology, with dir as the directory for sockets.
func plan(t *Topology, dir string) (*Plan, error) {
	p := &Plan{}
	for _, n := range t.Nodes {
		name := namespaceOf(t, n.Name)
		switch {
		case n.Kind == KindRouter:
			r, err := planRouter(t, n, dir)
			if err != nil {
				return nil, err
			}
			p.Routers = append(p.Routers, r)
			if !slices.Contains(r.Namespaces, name) {
				continue
			}
		case n.Kind == KindSwitch:
			p.Bridges = append(p.Bridges, Bridge{Namespace: name})
		case n.Kind.foreign():
			peer, err := planPeer(t, n, dir)
			if err != nil {
				return nil, err
			}
			p.Peers = append(p.Peers, peer)
		}
		p.Namespaces = append(p.Namespaces, Namespace{Node: n.Name, Name: name})
	}
	for _, l := range t.Links {
		if !t.virtual(l) {
			p.Veths = append(p.Veths, planVeth(t, l))
		}
	}
	return p, nil
}

func planRouter(t *Topology, n Node, dir string) (r Router, err error) {
	own, name := labDir(dir, t.Name), namespaceOf(t, n.Name)
	r = Router{
		Node: n.Name, Name: name,
		Config: filepath.Join(own, n.Name+".toml"),
		Log:    filepath.Join(own, n.Name+".log"),
		Socket: filepath.Join(dir, name+".sock"),
	}
	if err := checkSocket(r.Socket, n.Name); err != nil {
		return r, err
	}
	// Its own namespace first, wherever the link stands in the file.
	for _, a := range t.ends(n.Name) {
		if (a.packet() || a.wire == WireVeth) && len(r.Namespaces) == 0 {
			r.Namespaces = append(r.Namespaces, name)
		}
	}
	for _, a := range t.ends(n.Name) {
		if far := namespaceOf(t, a.far.Node); !a.packet() && !slices.Contains(r.Namespaces, far) {
			r.Namespaces = append(r.Namespaces, far)
		}
	}
	r.Text, err = configure(t, n, r.Name, r.Socket)
	return r, err
}

// checkSocket refuses a path that is too long for a socket.
func checkSocket(path, node string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("socket %s of %s has %d bytes in its path: want at most %d", path, node, len(path), maxSocketPath)
	}
	return nil
}

// planVeth plans the veth pair of a link. The ends of hosts and of BIRD and FRR
// nodes get IP addresses; those of routers and switches do not.
func planVeth(t *Topology, l Link) Veth {
	v := Veth{MTU: cmp.Or(l.MTU, defaultMTU)}
	for i, e := range l.Ends {
		d := Device{Namespace: namespaceOf(t, e.Node), Name: e.Interface}
		switch kind := t.kind(e.Node); {
		case kind == KindSwitch:
			d.Bridge = bridgeName
		case kind == KindHost:
			d.Kernel, d.Addresses, d.Routes = true, e.Addresses, routes(t, e)
		case kind.foreign():
			d.Kernel, d.Addresses = true, e.Addresses
		}
		v.Ends[i] = d
	}
	return v
}

// namespaceOf is the name of a node's namespace, if it has one.
func namespaceOf(t *Topology, node string) string { return t.Name + "-" + node }

// defaultMTU is that of an Ethernet link, RFC 894, in bytes of an IP packet.
const defaultMTU = 1500

// maxSocketPath is sun_path of unix(7) less its final zero.
const maxSocketPath = 107

// configure writes a router's configuration: its own tables, and what follows
// from the links.
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

// packet reports whether a router's end of a link is a packet port.
func (a attachment) packet() bool { return a.to != KindHost && a.to != KindSwitch }

// port fills in the table of a router's interface for an end of a link. Towards
// another router its port is the end of a veth pair, whose device has the MTU;
// towards a switch a TAP at its bridge; towards a host a TUN inside the host, or a
// veth pair, of which the router's end is where those of its packet ports are.
func (t *Topology) port(a attachment, table map[string]any) {
	table["addresses"] = texts(a.near.Addresses)
	if a.packet() {
		table["kind"] = "packet"
		table["netns"] = namespaceOf(t, a.near.Node)
		table["device"] = a.near.Interface
		return
	}
	if a.mtu != 0 {
		table["mtu"] = a.mtu
	}
	host := map[string]any{
		"netns":  namespaceOf(t, a.far.Node),
		"device": a.far.Interface,
	}
	table["host"] = host
	if a.to == KindSwitch {
		table["kind"] = "tap"
		host["bridge"] = bridgeName
		return
	}
	table["kind"] = string(a.wire)
	if a.wire == WireVeth {
		table["netns"] = namespaceOf(t, a.near.Node)
		table["device"] = a.near.Interface
	}
	host["addresses"] = texts(a.far.Addresses)
	to := []string{}
	for _, r := range routes(t, a.far) {
		to = append(to, r.To.String())
	}
	host["routes"] = to
}

func texts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i := range prefixes {
		out[i] = prefixes[i].String()
	}
	return out
}

// labDir is the directory of everything of a lab but its sockets.
func labDir(dir, name string) string { return filepath.Join(dir, "lab-"+name) }
