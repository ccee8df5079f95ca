package lab

import (
	"net/netip"
	"time"
)

// Kind is the topology's word for what a node is.
type Kind string

// The kinds of node.
const (
	KindHost   Kind = "host"
	KindRouter Kind = "router"
)

// Topology is one lab as its file describes it, checked: every name that it
// mentions exists, every address is valid.
type Topology struct {
	Name  string
	Nodes []Node // in the file's order
	Links []Link
	Tests []Test
}

// Node is a host or a router.
type Node struct {
	Name   string
	Kind   Kind
	Config map[string]any // a router's own tables; nil on a host
}

// Link joins the interfaces of two nodes.
type Link struct {
	Ends [2]End
	MTU  int // bytes of an IP packet; 0 leaves it to the port's default
}

// End is one end of a link.
type End struct {
	Node      string
	Interface string
	Addresses []netip.Prefix // with their host bits
	Routes    []netip.Prefix // what a host reaches through this end
	Given     bool           // the file gave Routes, be it none
}

// String gives the end as the file writes it.
func (e End) String() string { return e.Node + ":" + e.Interface }

// Test is one claim about the lab: a command and what shall come of it.
type Test struct {
	Name    string
	Node    string
	Run     string // a line for sh
	Exit    int
	Expect  []Pattern
	Reject  []Pattern
	Tools   []string // programs without which the test is skipped
	Timeout time.Duration
	Within  time.Duration // 0 = one try
	Show    bool
	Serve   *Serve
}

// Serve is a server that runs on a node while a test does.
type Serve struct {
	Node string
	Run  string
	Port int // TCP or UDP; the test starts once it is taken
}

// DefaultTimeout bounds one try of a test that gives no timeout.
const DefaultTimeout = 30 * time.Second

// Node finds a node by name.
func (t *Topology) Node(name string) (Node, bool) {
	for _, n := range t.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// ends gives the ends of links at a node together with what they lead to, in
// the file's order.
func (t *Topology) ends(node string) (ends []attachment) {
	for _, l := range t.Links {
		for i, e := range l.Ends {
			if e.Node == node {
				ends = append(ends, attachment{near: e, far: l.Ends[1-i], mtu: l.MTU, wired: t.wired(l)})
			}
		}
	}
	return ends
}

// wired reports whether a link joins two routers, which takes an Ethernet:
// towards a host a router has a TUN in it instead.
func (t *Topology) wired(l Link) bool {
	a, _ := t.Node(l.Ends[0].Node)
	b, _ := t.Node(l.Ends[1].Node)
	return a.Kind == KindRouter && b.Kind == KindRouter
}

type attachment struct {
	near, far End
	mtu       int
	wired     bool // to a router
}
