package topology

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

func router(id string, links ...GraphLink) GraphNode {
	return GraphNode{Area: ip("0.0.0.0"), Kind: "router", ID: ip(id), Links: links}
}

func network(id, prefix string, routers ...string) GraphNode {
	n := GraphNode{Area: ip("0.0.0.0"), Kind: "network", ID: ip(id), Prefix: netip.MustParsePrefix(prefix)}
	for _, r := range routers {
		n.Links = append(n.Links, GraphLink{"router", ip(r), 0})
	}
	return n
}

func to(kind, id string, cost uint32) GraphLink { return GraphLink{kind, ip(id), cost} }

// example is r1: on core0 with r2 and r3, on core1 with r4, with hosts on lan0, and with
// a BGP neighbour that is on no link of its own. Behind them r2 and r5 share a network,
// r4 and r5 a line, and r3, r4 and r5 another network.
func example() *Input {
	return &Input{
		Router: "r1",
		Interfaces: []Interface{
			{Name: "core0", Up: true, State: "up", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.12.1/24")}, Stations: []netip.Addr{ip("10.0.12.2"), ip("10.0.12.3"), ip("10.0.12.77")}},
			{Name: "core1", Up: true, State: "up", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.14.1/31")}, Rates: &Rates{Received: 912.4e6, Sent: 1500}},
			{Name: "lan0", Up: true, State: "up", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}, Stations: []netip.Addr{ip("10.0.1.2"), ip("10.0.1.3")}},
			{Name: "lan1", State: "gone", Why: "device lan1 was deleted"},
		},
		Sessions: []Session{
			{Protocol: "ospf", Address: ip("10.0.12.2"), Interface: "core0", State: "full", Health: Up, RouterID: ip("10.255.0.2")},
			{Protocol: "ospf", Address: ip("10.0.12.3"), Interface: "core0", State: "exstart", Health: Changing, RouterID: ip("10.255.0.3")},
			{Protocol: "ospf", Address: ip("10.0.14.0"), Interface: "core1", State: "full", Health: Up, RouterID: ip("10.255.0.4")},
			{Protocol: "bgp", Address: ip("10.0.12.2"), State: "idle", Health: Down, AS: 65002},
			{Protocol: "bgp", Address: ip("198.51.100.9"), State: "established", Health: Up, RouterID: ip("198.51.100.9"), AS: 64500},
			{Protocol: "bfd", Address: ip("fe80::2"), Interface: "core0", State: "up", Health: Up},
		},
		Graphs: []Graph{{Protocol: "ospf", RouterID: ip("10.255.0.1"), Nodes: []GraphNode{
			router("10.255.0.1", to("network", "10.0.12.2", 10), to("router", "10.255.0.4", 7)),
			network("10.0.12.2", "10.0.12.0/24", "10.255.0.1", "10.255.0.2", "10.255.0.3"),
			router("10.255.0.2", to("network", "10.0.12.2", 11), to("network", "10.0.25.2", 3)),
			router("10.255.0.3", to("network", "10.0.12.2", 12), to("network", "10.9.0.3", 1)),
			router("10.255.0.4", to("router", "10.255.0.1", 8), to("router", "10.255.0.5", 5), to("network", "10.9.0.3", 1)),
			network("10.0.25.2", "10.0.25.0/24", "10.255.0.2", "10.255.0.5"),
			network("10.9.0.3", "10.9.0.0/24", "10.255.0.3", "10.255.0.4", "10.255.0.5"),
			router("10.255.0.5", to("network", "10.0.25.2", 4), to("router", "10.255.0.4", 6), to("network", "10.9.0.3", 2)),
		}}},
	}
}

// described writes a map's links in a line each.
func (m *Map) described() (list []string) {
	cost := func(c *uint32) string {
		if c == nil {
			return "-"
		}
		return fmt.Sprint(*c)
	}
	for _, l := range m.Links {
		list = append(list, fmt.Sprintf("%s %s %s: %s %s/%s %s", l.Kind, l.From, l.To, l.Interface, cost(l.CostFrom), cost(l.CostTo), l.Health))
	}
	slices.Sort(list)
	return list
}

// Each router and each network is there once, whoever knows of it, and each link has
// the costs of both of its ends.
func TestMap(t *testing.T) {
	m := example().Map(nil)
	want := []string{
		"attached interface:core0 address:fe80::2 on core0: core0 -/- up",
		"attached interface:core0 router:10.255.0.2: core0 -/11 up",
		"attached interface:core0 router:10.255.0.3: core0 -/12 changing",
		"graph network:0.0.0.0:10.9.0.3 router:10.255.0.3:  -/1 up",
		"graph network:0.0.0.0:10.9.0.3 router:10.255.0.4:  -/1 up",
		"graph network:0.0.0.0:10.9.0.3 router:10.255.0.5:  -/2 up",
		"graph router:10.255.0.2 router:10.255.0.5:  3/4 up",
		"graph router:10.255.0.4 router:10.255.0.5:  5/6 up",
		"interface self interface:core0: core0 10/- up",
		"interface self interface:lan0: lan0 -/- up",
		"interface self interface:lan1: lan1 -/- down",
		"interface self router:10.255.0.4: core1 7/8 up",
		"session self router:198.51.100.9:  -/- up",
	}
	if got := m.described(); !slices.Equal(got, want) {
		t.Errorf("the links are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r2 := m.Node("router:10.255.0.2")
	if r2 == nil || len(r2.Sessions) != 2 || r2.AS != 65002 || r2.Health != Up {
		t.Errorf("the neighbour of two protocols is %+v", r2)
	}
	if n := m.Node("interface:core0"); n == nil || n.Stations != 1 {
		t.Errorf("the network on core0 is %+v, want one station", n)
	}
	if self := m.Nodes[0]; self.Kind != KindSelf || self.RouterID != ip("10.255.0.1") || self.Name != "r1" {
		t.Errorf("the router itself is %+v", self)
	}
	ids := map[string]bool{}
	for _, l := range m.Links {
		if ids[l.ID] {
			t.Errorf("two links have the ID %s", l.ID)
		}
		ids[l.ID] = true
	}
}

// positions are where the nodes of a map are, without the frame of the drawing.
func positions(p *Places, m *Map) map[string]Point {
	at := map[string]Point{}
	for _, n := range m.Nodes {
		at[n.ID] = p.at[n.ID]
	}
	return at
}

// A node stays where it is when links, sessions and other nodes go, and come back.
func TestPlacesAreStable(t *testing.T) {
	var p Places
	before := positions(&p, p.Map(example()))
	for _, c := range []struct {
		name   string
		change func(*Input)
	}{
		{"nothing changes", func(*Input) {}},
		{"a link goes", func(in *Input) {
			in.Interfaces[1].Up, in.Sessions = false, slices.Delete(in.Sessions, 2, 3)
			in.Graphs[0].Nodes[0].Links = in.Graphs[0].Nodes[0].Links[:1]
		}},
		{"a session goes down, and its router's ID with it", func(in *Input) { in.Sessions[4].RouterID, in.Sessions[4].Health = netip.Addr{}, Down }},
		{"a router goes", func(in *Input) { in.Graphs[0].Nodes = in.Graphs[0].Nodes[:7] }},
		{"all comes back", func(*Input) {}},
	} {
		in := example()
		c.change(in)
		m := p.Map(in)
		for id, at := range positions(&p, m) {
			if was, there := before[id]; there && was != at {
				t.Errorf("%s: %s moves from %v to %v", c.name, id, was, at)
			}
			for other, there := range positions(&p, m) {
				if other != id && room(there, at) < 0.99 {
					t.Errorf("%s: %s and %s are at %v and %v", c.name, id, other, at, there)
				}
			}
		}
		if c.name != "nothing changes" && c.name != "all comes back" && len(m.Nodes) == 0 {
			t.Errorf("%s: nothing is left", c.name)
		}
	}
	var fresh Places
	for id, at := range positions(&fresh, fresh.Map(example())) {
		if before[id] != at {
			t.Errorf("another run puts %s at %v, not at %v", id, at, before[id])
		}
	}
}

// A new router has all arranged anew, and is somewhere.
func TestNewRouter(t *testing.T) {
	var p Places
	p.Map(example())
	in := example()
	in.Sessions = append(in.Sessions, Session{Protocol: "rip", Address: ip("10.0.1.9"), Interface: "lan0", Health: Up})
	m := p.Map(in)
	n := m.Node("address:10.0.1.9")
	if n == nil || n.X <= 0 || n.Y <= 0 || n.X >= m.Wide || n.Y >= m.Tall {
		t.Errorf("the new router is %+v in a drawing of %v by %v", n, m.Wide, m.Tall)
	}
}

// A map of a large network is bounded, and says what it lacks.
func TestMapIsBounded(t *testing.T) {
	in := example()
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})
		in.Sessions = append(in.Sessions, Session{Protocol: "bgp", Address: a, Health: Up})
		in.Graphs[0].Nodes = append(in.Graphs[0].Nodes, router(a.String()))
	}
	var p Places
	m := p.Map(in)
	if len(m.Nodes) != MaxNodes || m.LeftOut == 0 {
		t.Errorf("%d nodes, %d left out", len(m.Nodes), m.LeftOut)
	}
	for _, l := range m.Links {
		if m.Node(l.From) == nil || m.Node(l.To) == nil {
			t.Errorf("the link %s leads to no node", l.ID)
		}
	}
	m.SVG(false)
}

// Two routers may say that they have thousands of links between them: the map has some,
// each with an ID of its own, says what it lacks, and still has the router's own links.
func TestParallelLinksAreBounded(t *testing.T) {
	in := example()
	x, y := router("172.16.0.1"), router("172.16.0.2")
	for range 3000 {
		x.Links = append(x.Links, GraphLink{Kind: "router", ID: y.ID, Cost: 1})
		y.Links = append(y.Links, GraphLink{Kind: "router", ID: x.ID, Cost: 1})
	}
	in.Graphs[0].Nodes = append(in.Graphs[0].Nodes, x, y)
	var p Places
	m := p.Map(in)
	ids, own := map[string]bool{}, 0
	for _, l := range m.Links {
		if ids[l.ID] {
			t.Errorf("two links have the ID %s", l.ID)
		}
		ids[l.ID] = true
		if l.Kind == LinkInterface {
			own++
		}
	}
	if known := len(m.Links) + m.LinksLeftOut; len(m.Links) > MaxLinks+len(in.Interfaces)+MaxNodes || known < 3000 || own != len(in.Interfaces) {
		t.Errorf("%d links, %d left out, %d of %d interfaces", len(m.Links), m.LinksLeftOut, own, len(in.Interfaces))
	}
}

// Whatever names a router is told, they are text in the drawing and nothing else.
func TestNamesAreNoMarkup(t *testing.T) {
	evil := `"><script>alert(1)</script><style>*{x:url(//evil)}</style>&lt;]]>` + "\x00\u202e"
	in := example()
	in.Router = evil
	in.Interfaces[0].Name, in.Interfaces[3].Name = evil, "a"+evil
	in.Interfaces[3].Why, in.Interfaces[3].State = evil, evil
	in.Sessions[0].Interface, in.Sessions[0].State, in.Sessions[0].Protocol = evil, evil, evil
	var p Places
	for _, bare := range []bool{false, true} {
		drawn := p.Map(in).SVG(bare)
		allowed := strings.Fields("svg title desc rect g line text circle")
		styles := 0
		d := xml.NewDecoder(bytes.NewReader(drawn))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("the drawing is no XML: %v", err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if start.Name.Local == "style" {
				styles++
				continue
			}
			if !slices.Contains(allowed, start.Name.Local) {
				t.Errorf("the drawing has the element %s", start.Name.Local)
			}
			for _, a := range start.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" || a.Name.Local == "href" {
					t.Errorf("an element %s has the attribute %s", start.Name.Local, a.Name.Local)
				}
			}
		}
		if want := map[bool]int{false: 1, true: 0}[bare]; styles != want {
			t.Errorf("a drawing, bare: %t, has %d styles", bare, styles)
		}
	}
}

// The drawing says all in words, too.
func TestSVGSaysWhatIsThere(t *testing.T) {
	var p Places
	drawn := string(p.Map(example()).SVG(false))
	for _, want := range []string{
		`role="img"`, "<title id=\"topology-title\">The network around r1</title>", "6 other routers", "1 of the links down",
		"in 912 Mbit/s", "out 1.50 kbit/s", `class="node self `, `class="link interface down" data-id="self|interface:lan1|lan1"`,
		"device lan1 was deleted", "cost 7 there, 8 back", "AS 64500", "OSPF with 10.0.12.3 exstart",
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(drawn)
	}
}

func TestRate(t *testing.T) {
	for bits, want := range map[float64]string{0: "0 bit/s", 999: "999 bit/s", 999.7: "1.00 kbit/s", 1e6: "1.00 Mbit/s", 12.34e6: "12.3 Mbit/s", 912.4e6: "912 Mbit/s", 9.5e12: "9.50 Tbit/s", 2e16: "20000 Tbit/s"} {
		if got := Rate(bits); got != want {
			t.Errorf("%v bits a second are %q, want %q", bits, got, want)
		}
	}
}

// Texts of links keep clear of nodes and of each other while there is room, and go
// aside of the line where it is too short for them.
func TestLabelsKeepClear(t *testing.T) {
	room := &labels{taken: []box{{X: 0, Y: 0, Wide: 100, Tall: 40}, {X: 200, Y: 0, Wide: 100, Tall: 40}}}
	p, q := Point{0, 0}, Point{200, 0}
	for n := range 6 {
		before := slices.Clone(room.taken)
		got := room.place(p, q, []float64{0.5, 0.4, 0.6}, []string{"in 999 Mbit/s", "out 999 Mbit/s"})
		covered := 0.0
		for _, other := range before {
			covered += got.common(other)
		}
		if n < 2 && covered > 0 {
			t.Errorf("text %d at %.0f,%.0f covers %.0f of what was there", n, got.X, got.Y, covered)
		}
	}
	if got := (&labels{}).place(p, q, []float64{0.5, 0.4}, []string{"lan0"}); got.X != 100 || got.Y != 0 {
		t.Errorf("where all is free the text is at %.0f,%.0f, wanted the first part of the line", got.X, got.Y)
	}
}
