package lab

import (
	"net/netip"
	"time"
)

// Kind is the kind of a node, as the topology names it.
type Kind string

// The kinds of node.
const (
	KindHost   Kind = "host"
	KindRouter Kind = "router" // routerd
	KindSwitch Kind = "switch" // a bridge of the kernel's
	KindBIRD   Kind = "bird"
	KindFRR    Kind = "frr"
)

// kinds are all of them, in the order in which they are offered.
var kinds = []Kind{KindHost, KindRouter, KindSwitch, KindBIRD, KindFRR}

// routes reports whether a node of the kind forwards packets.
func (k Kind) routes() bool { return k == KindRouter || k.foreign() }

// foreign reports whether BIRD or FRR does the node's routing, and its kernel
// the forwarding.
func (k Kind) foreign() bool { return k == KindBIRD || k == KindFRR }

// Wire is what joins a router and a host.
type Wire string

// The wires: a TUN of the router's in the host, or a veth pair that the router
// makes.
const (
	WireTUN  Wire = "tun"
	WireVeth Wire = "veth"
)

// Wires are all of them, in the order in which they are offered.
var Wires = []Wire{WireTUN, WireVeth}

// Topology is one lab as its file describes it, checked: every name that it
// mentions exists, every address is valid.
type Topology struct {
	Name  string
	Nodes []Node // in the file's order
	Links []Link
	Tests []Test
}

// Node is one station of the lab, or a switch between some.
type Node struct {
	Name   string
	Kind   Kind
	Config map[string]any // a router's own tables; nil on others

	// The configuration of BIRD or FRR, which is not checked: its text, or the
	// name of its file.
	Text string
	File string
}

// Link joins the interfaces of two nodes.
type Link struct {
	Ends [2]End
	MTU  int  // bytes of an IP packet; 0 leaves it to the port's default
	Wire Wire // between a router and a host; "" on other links
}

// End is one end of a link.
type End struct {
	Node      string
	Interface string
	Addresses []netip.Prefix // with their host bits
	Routes    []netip.Prefix // what a host reaches through this end
	Given     bool           // the file gives Routes, perhaps none
}

// String gives the end as the file writes it.
func (e End) String() string { return e.Node + ":" + e.Interface }

// Test is one claim about the lab: a command and its expected result.
type Test struct {
	Name    string
	Node    string
	Run     string // a line for sh
	Exit    int
	Expect  []Pattern
	Reject  []Pattern
	Tools   []string // programs without which the test is skipped
	Needs   []string // nodes without whose daemons the test is skipped
	Timeout time.Duration
	Within  time.Duration // 0 = one try
	Show    bool
	Serve   *Serve
}

// Serve is a server that runs on a node during a test.
type Serve struct {
	Node string
	Run  string
	Port int // TCP or UDP; the test starts when it is in use
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

// kind gives a node's kind, "" if there is no such node.
func (t *Topology) kind(node string) Kind {
	n, _ := t.Node(node)
	return n.Kind
}

// attachment is an end of a link as its own node sees it.
type attachment struct {
	near, far End
	to        Kind // of the far end
	mtu       int
	wire      Wire
}

// ends gives the ends of links at a node with their far ends, in the file's
// order.
func (t *Topology) ends(node string) (ends []attachment) {
	for _, l := range t.Links {
		for i, e := range l.Ends {
			if e.Node == node {
				far := l.Ends[1-i]
				ends = append(ends, attachment{near: e, far: far, to: t.kind(far.Node), mtu: l.MTU, wire: l.Wire})
			}
		}
	}
	return ends
}

// virtual reports whether a router makes the link: a TUN in a host or a veth pair,
// or a TAP in a switch. Every other link is a veth pair of the lab's.
func (t *Topology) virtual(l Link) bool {
	a, b := t.kind(l.Ends[0].Node), t.kind(l.Ends[1].Node)
	return a == KindRouter && (b == KindHost || b == KindSwitch) || b == KindRouter && (a == KindHost || a == KindSwitch)
}

// lone reports whether a link has only one device of the kernel's, a TUN or TAP at
// the node at the router's other end.
func (t *Topology) lone(l Link) bool { return t.virtual(l) && l.Wire != WireVeth }

// ethernet reports whether a link is an Ethernet: all but a TUN are.
func (l Link) ethernet() bool { return l.Wire != WireTUN }

// rewire has all links between routers and hosts use the same wire.
func (t *Topology) rewire(w Wire) {
	for i := range t.Links {
		if t.Links[i].Wire != "" {
			t.Links[i].Wire = w
		}
	}
}
