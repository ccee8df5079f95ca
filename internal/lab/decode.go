package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/internal/packet"
	"routerd/internal/tomltext"
)

// Problems is every mistake of a topology file, sorted by place.
type Problems []tomltext.Problem

// Error lists the problems.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i := range p {
		texts[i] = p[i].String()
	}
	return strings.Join(texts, "\n")
}

// Decode reads a topology. Its error is a Problems with every mistake in the
// file, except that a syntax error ends the reading.
func Decode(file string, data []byte) (*Topology, error) {
	t, _, err := decodeText(file, data)
	return t, err
}

// decodeText is Decode, and returns the document too, whose problems then are
// warnings only.
func decodeText(file string, data []byte) (*Topology, *tomltext.Document, error) {
	doc, ok := tomltext.Parse(file, data)
	if !ok {
		return nil, nil, Problems(doc.Problems())
	}
	doc.Noun = "the topology"
	d := decoder{Document: doc, used: map[string]bool{}, router: map[string]*tomltext.Section{}}
	t := d.topology(doc.Root())
	// The neighbours of a node are only known in a file without mistakes.
	if !Problems(doc.Problems()).failed() {
		d.gateways(t)
		d.subnets(t)
	}
	if problems := Problems(doc.Problems()); problems.failed() {
		return nil, nil, problems
	}
	return t, doc, nil
}

// decoder decodes a topology. Every part reads its keys first and calls Done;
// then follow the checks that need more than one value.
type decoder struct {
	*tomltext.Document
	used   map[string]bool              // ends of links
	node   map[string]Kind              // nil if the file's nodes cannot be read
	router map[string]*tomltext.Section // a router's own tables
	wire   Wire                         // of links that name none
}

func (d *decoder) topology(top *tomltext.Section) *Topology {
	t := &Topology{Name: tomltext.Get(top, "name", "", labName)}
	d.wire = tomltext.Get(top, "wire", WireTUN, wireReading)
	nodes := top.Section("node")
	links, tests := top.Sections("link"), top.Sections("test")
	top.Done()
	if !top.Has("name") {
		d.Wrong(nil, "the lab has no name", `name = "...", which its namespaces begin with`)
	}
	if nodes.Table != nil || !top.Has("node") {
		d.node = map[string]Kind{}
		if len(nodes.Table) == 0 {
			d.Wrong(nil, "the lab has no nodes", "at least one [node.NAME]")
		}
	}
	for _, name := range nodes.Names() {
		t.Nodes = append(t.Nodes, d.oneNode(nodes, name))
	}
	d.tooLong(t)
	for _, s := range links {
		t.Links = append(t.Links, d.link(s))
	}
	for _, n := range t.Nodes {
		d.reserved(t, n)
	}
	seen := map[string]bool{}
	for _, s := range tests {
		test := d.test(s)
		if test.Name != "" && seen[test.Name] {
			d.Wrong(s.At.With("name"), fmt.Sprintf("a second test named %q", test.Name), "a name of its own")
		}
		seen[test.Name] = true
		t.Tests = append(t.Tests, test)
	}
	return t
}

func (d *decoder) oneNode(all *tomltext.Section, name string) Node {
	s := all.Section(name)
	n := Node{Name: name, Kind: tomltext.Get(s, "kind", "", kindReading)}
	d.node[name] = n.Kind
	if n.Kind.foreign() {
		n.Text = tomltext.Get(s, "config", "", tomltext.Text("the daemon's configuration as one text"))
		n.File = tomltext.Get(s, "config-file", "", tomltext.Text("the path of the daemon's configuration"))
	} else {
		config := s.Section("config")
		n.Config = config.Table
		if n.Kind == KindRouter {
			d.router[name] = config
		}
	}
	s.Done()
	if !isName(name) {
		d.WrongKey(s.At, fmt.Sprintf("%q cannot name a node", name), nameWanted)
	}
	if s.Table != nil && !s.Has("kind") {
		d.WrongKey(s.At, fmt.Sprintf("%s has no kind", s.At), "kind = one of "+tomltext.Quoted(kindWords()))
	}
	switch config := s.At.With("config"); {
	case (n.Kind == KindHost || n.Kind == KindSwitch) && s.Has("config"):
		d.WrongKey(config, fmt.Sprintf("%s %s has config, which only a router takes", n.Kind, name), "")
	case n.Kind.foreign() && s.Has("config") == s.Has("config-file"):
		d.WrongKey(s.At, fmt.Sprintf("%s %s has to be told what to do, once", n.Kind, name),
			`either config = """…""" or config-file = "…"`)
	}
	return n
}

func (d *decoder) link(s *tomltext.Section) Link {
	given := s.Elements("endpoints")
	ends := tomltext.List(s, "endpoints", endReading)
	addresses, routes := s.Section("addresses"), s.Section("routes")
	l := Link{MTU: tomltext.Get(s, "mtu", 0, tomltext.Whole(68, 65535))} // RFC 791 §3.2
	wire := tomltext.Get(s, "wire", d.wire, wireReading)
	s.Done()
	const two = `two, like endpoints = ["h1:eth0", "r1:lan0"]`
	if !s.Has("endpoints") {
		d.WrongKey(s.At, fmt.Sprintf("%s has no endpoints", s.At), two)
	} else if len(given) != 2 {
		d.Wrong(s.At.With("endpoints"), fmt.Sprintf("%s has %d endpoints", s.At, len(given)), two)
	}
	at := map[string][]tomltext.Item[netip.Prefix]{}
	for _, name := range addresses.Names() {
		at[name] = tomltext.List(addresses, name, tomltext.InterfaceAddress)
	}
	to := map[string][]tomltext.Item[netip.Prefix]{}
	for _, name := range routes.Names() {
		to[name] = tomltext.List(routes, name, tomltext.Subnet)
	}
	sound := true
	for _, e := range ends {
		sound = d.end(e) && sound
	}
	if len(given) != 2 || len(ends) != 2 {
		return l // its ends cannot be read, which is reported
	}
	for i := range l.Ends {
		e := &l.Ends[i]
		*e = ends[i].Value
		e.Addresses, e.Routes, e.Given = values(at[e.String()]), values(to[e.String()]), routes.Has(e.String())
		d.fits(*e, addresses, routes)
	}
	d.pair(s.At, &l)
	switch a, b := d.node[l.Ends[0].Node], d.node[l.Ends[1].Node]; {
	case a == KindRouter && b == KindHost || a == KindHost && b == KindRouter:
		l.Wire = wire
	case s.Has("wire") && a != "" && b != "":
		d.WrongKey(s.At.With("wire"), fmt.Sprintf("%s is for a link between a router and a host, and this one joins a %s and a %s", s.At.With("wire"), a, b), "")
	}
	if sound {
		d.strangers(&l, addresses)
		d.strangers(&l, routes)
	}
	six := slices.ContainsFunc(l.Ends[:], func(e End) bool {
		return slices.ContainsFunc(e.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	})
	if mtu := s.At.With("mtu"); six && l.MTU > 0 && l.MTU < packet.IPv6MinMTU {
		d.Wrong(mtu, fmt.Sprintf("%s is %d on a link with an IPv6 address", mtu, l.MTU), fmt.Sprintf("%d or more (RFC 8200 §5)", packet.IPv6MinMTU))
	}
	return l
}

func values[T any](items []tomltext.Item[T]) []T {
	var out []T
	for _, i := range items {
		out = append(out, i.Value)
	}
	return out
}

func (d *decoder) test(s *tomltext.Section) Test {
	t := Test{
		Name: tomltext.Get(s, "name", "", tomltext.Text("a name")),
		Exit: tomltext.Get(s, "exit", 0, tomltext.Whole(0, 255)),

		Expect: values(tomltext.List(s, "expect", patternReading)),
		Reject: values(tomltext.List(s, "reject", patternReading)),
		Tools:  values(tomltext.List(s, "tool", tomltext.Text("the name of a program"))),
		Needs:  d.nodes(s, "needs"),

		Timeout: tomltext.Get(s, "timeout", DefaultTimeout, durationReading),
		Within:  tomltext.Get(s, "within", 0, durationReading),
		Show:    tomltext.Get(s, "show", false, tomltext.Bool),
	}
	t.Node, t.Run = d.command(s)
	serve := s.Section("serve")
	s.Done()
	if !s.Has("name") {
		d.WrongKey(s.At, fmt.Sprintf("%s has no name", s.At), `name = "what it proves"`)
	}
	if serve.Table != nil {
		t.Serve = &Serve{Port: tomltext.Get(serve, "port", 0, tomltext.Whole(1, 65535))}
		t.Serve.Node, t.Serve.Run = d.command(serve)
		serve.Done()
		if !serve.Has("port") {
			d.WrongKey(serve.At, fmt.Sprintf("%s has no port", serve.At), "the port that its server listens to")
		}
	}
	return t
}

// command reads a command and the node that it runs on.
func (d *decoder) command(s *tomltext.Section) (node, run string) {
	node = tomltext.Get(s, "node", "", tomltext.Text("the name of a node"))
	run = tomltext.Get(s, "run", "", commandReading)
	switch at := s.At.With("node"); {
	case !s.Has("node"):
		d.WrongKey(s.At, fmt.Sprintf("%s has no node to run on", s.At), `node = "..."`)
	case node != "":
		d.known(at, node, node)
	}
	if !s.Has("run") {
		d.WrongKey(s.At, fmt.Sprintf("%s runs nothing", s.At), `run = "..."`)
	}
	return node, run
}

// nodes reads names of nodes.
func (d *decoder) nodes(s *tomltext.Section, key string) (names []string) {
	for _, n := range tomltext.List(s, key, tomltext.Text("the name of a node")) {
		d.known(n.At, n.Value, n.Value)
		names = append(names, n.Value)
	}
	return names
}
