package sim

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/routing"
	"routerd/routing/fib"
)

// Target is an address that the whole network should reach, and the node that
// it belongs to: an address of its own or one in the subnet of its stub.
type Target struct {
	Addr netip.Addr
	Node *Node
}

// Fault is a packet's way that breaks a promise.
type Fault struct {
	From *Node
	To   Target
	What string   // a loop, a blackhole, a packet in the wrong place
	Path []string // the ends that the packet leaves by
}

// String is one line for a report.
func (f Fault) String() string {
	return fmt.Sprintf("%s to %s (%s): %s by %s", f.From.Name, f.To.Addr, f.To.Node.Name, f.What, strings.Join(f.Path, ", "))
}

// Neighbors gives the nodes that a node can send to at this moment, once each.
func (n *Network) Neighbors(of *Node) []*Node {
	var list []*Node
	seen := map[*Node]bool{of: true}
	for _, e := range of.order {
		if e.Link == nil || !e.Link.Carries() {
			continue
		}
		for _, other := range e.Link.ends {
			if !seen[other.Node] {
				seen[other.Node] = true
				list = append(list, other.Node)
			}
		}
	}
	return list
}

// Distances counts the links between from and every node that it has a way to.
func (n *Network) Distances(from *Node) map[*Node]int {
	distance := map[*Node]int{from: 0}
	queue := []*Node{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range n.Neighbors(at) {
			if _, ok := distance[next]; !ok {
				distance[next] = distance[at] + 1
				queue = append(queue, next)
			}
		}
	}
	return distance
}

// Forwarding follows every way that the tables give a packet from every node
// to every target, equal ways included, and gives the faults: a loop, whether
// a path exists or not; an end elsewhere than at the target while a path of
// at most reach links exists.
func (n *Network) Forwarding(targets []Target, reach int) []Fault {
	var faults []Fault
	for _, from := range n.Nodes {
		distance := n.Distances(from)
		for _, to := range targets {
			w := walk{net: n, from: from, to: to, on: map[*Node]bool{}}
			d, ok := distance[to.Node]
			w.must = ok && d <= reach
			w.follow(from)
			faults = append(faults, w.faults...)
		}
	}
	return faults
}

type walk struct {
	net    *Network
	from   *Node
	to     Target
	must   bool // it has to arrive
	on     map[*Node]bool
	path   []string
	faults []Fault
}

func (w *walk) fault(format string, args ...any) {
	w.faults = append(w.faults, Fault{w.from, w.to, fmt.Sprintf(format, args...), append([]string(nil), w.path...)})
}

// end is a packet's end other than at its target.
func (w *walk) end(format string, args ...any) {
	if w.must {
		w.fault(format, args...)
	}
}

func (w *walk) follow(at *Node) {
	if w.on[at] {
		w.fault("a loop through %s", at.Name)
		return
	}
	w.on[at] = true
	defer delete(w.on, at)
	entry := at.Router.FIB().Lookup(w.to.Addr)
	switch {
	case entry == nil:
		w.end("no route at %s", at.Name)
	case entry.Action == routing.Local:
		if at != w.to.Node {
			w.fault("arrived at %s", at.Name)
		}
	case entry.Action != routing.Forward:
		w.end("%s at %s", entry.Action, at.Name)
	default:
		for i := range entry.Group.Hops() {
			w.hop(at, &entry.Group.Hops()[i])
		}
	}
}

func (w *walk) hop(at *Node, h *fib.NextHop) {
	i := at.Router.View().Interface(h.Interface)
	if i == nil {
		w.end("%s sends to interface %d, which it does not have", at.Name, h.Interface)
		return
	}
	e := at.ends[i.Name]
	if e == nil {
		w.end("%s sends by %s, which has no port", at.Name, i.Name)
		return
	}
	w.path = append(w.path, e.String())
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if e.Link == nil { // a stub: everything on it is the node's own
		if at != w.to.Node {
			w.fault("arrived at the stub of %s", at.Name)
		}
		return
	}
	if !e.Link.Carries() {
		w.end("sent into the dead link %s", e.Link.name)
		return
	}
	next := h.Address
	if !next.IsValid() {
		next = w.to.Addr
	}
	for _, other := range e.Link.ends {
		if oi := other.Node.Router.View().Named(other.Interface); other != e && oi != nil && oi.Holds(next) {
			w.follow(other.Node)
			return
		}
	}
	w.end("%s sends to %s, which nobody on %s has", at.Name, next, e.Link.name)
}
