package rib

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/fib"
)

// naive is the meaning of a RIB written down without a thought for speed:
// everything is worked out from scratch, by searching lists.
type naive struct {
	interfaces map[routing.InterfaceID]Interface
	config     Config
	deltas     map[naiveKey]routing.Route
}

type naiveKey struct {
	source routing.Source
	prefix netip.Prefix
}

type naiveRoute struct {
	source   routing.Source
	action   routing.Action
	distance uint8
	metric   uint32
	tag      uint32
	owner    routing.InterfaceID
	order    int
	hops     []naiveHop
}

type naiveHop struct {
	routing.NextHop
	missing bool
	tag     uint32 // of its route
}

// naiveResult is what the FIB should hold; a nil one is no entry.
type naiveResult struct {
	action   routing.Action
	source   routing.Source
	distance uint8
	metric   uint32
	tag      uint32
	owner    routing.InterfaceID
	shares   map[neighbour]float64 // adding up to 1
}

type naiveSolver struct {
	naive
	routes map[netip.Prefix][]naiveRoute
	known  map[netip.Prefix]*naiveResult
	loops  map[string]bool // prefix and next hop
	waits  map[netip.Prefix][]naiveWait
}

type naiveWait struct {
	address netip.Addr
	on      netip.Prefix
}

// solve gives what the FIB should hold.
func (n naive) solve() map[netip.Prefix]*naiveResult {
	s := naiveSolver{naive: n, known: map[netip.Prefix]*naiveResult{}, loops: map[string]bool{}}
	s.collect()
	for len(s.known) < len(s.routes) {
		s.waits = map[netip.Prefix][]naiveWait{}
		progress := false
		for p := range s.routes {
			if _, ok := s.known[p]; ok {
				continue
			}
			if result, waits := s.try(p); len(waits) > 0 {
				s.waits[p] = waits
			} else {
				s.known[p], progress = result, true
			}
		}
		if !progress {
			s.refuseCircles()
		}
	}
	out := map[netip.Prefix]*naiveResult{}
	for p, r := range s.known {
		if r != nil {
			out[p] = r
		}
	}
	return out
}

// refuseCircles marks the hops of every prefix that can be come back to from
// wherever its waiting leads.
func (s *naiveSolver) refuseCircles() {
	reach := map[netip.Prefix]map[netip.Prefix]bool{}
	for p := range s.waits {
		seen := map[netip.Prefix]bool{}
		todo := []netip.Prefix{p}
		for len(todo) > 0 {
			q := todo[0]
			todo = todo[1:]
			for _, w := range s.waits[q] {
				if !seen[w.on] {
					seen[w.on] = true
					todo = append(todo, w.on)
				}
			}
		}
		reach[p] = seen
	}
	for p, seen := range reach {
		closed := true
		for q := range seen {
			closed = closed && reach[q][p]
		}
		if closed {
			for _, w := range s.waits[p] {
				s.loops[fmt.Sprint(p, w.address)] = true
			}
		}
	}
}

// collect writes all routes down, best first.
func (s *naiveSolver) collect() {
	s.routes = map[netip.Prefix][]naiveRoute{}
	put := func(p netip.Prefix, r naiveRoute) { s.routes[p] = append(s.routes[p], r) }
	for id := range routing.InterfaceID(8) {
		in, ok := s.interfaces[id]
		if !ok {
			continue
		}
		for _, o := range offersOf(in) {
			put(o.prefix, naiveRoute{source: routing.SourceConnected, action: o.action, owner: id, order: int(id)})
		}
	}
	for i, c := range s.config.Static {
		r := naiveRoute{
			source: routing.SourceStatic, action: c.Action, distance: s.distance(routing.SourceStatic, c.Distance),
			tag: c.Tag, owner: routing.NoInterface, order: i,
		}
		for _, h := range c.NextHops {
			hop := naiveHop{routing.NextHop{Address: h.Address, Interface: routing.NoInterface, Weight: h.Weight}, h.Interface != "", c.Tag}
			for id, in := range s.interfaces {
				if in.Name == h.Interface {
					hop.Interface, hop.missing = id, false
				}
			}
			r.hops = append(r.hops, hop)
		}
		put(c.Prefix, r)
	}
	for k, d := range s.deltas {
		r := naiveRoute{
			source: k.source, action: d.Action, distance: s.distance(k.source, d.Distance),
			metric: d.Metric, tag: d.Tag, owner: routing.NoInterface,
		}
		for _, h := range d.NextHops {
			r.hops = append(r.hops, naiveHop{h, false, d.Tag})
		}
		put(k.prefix, r)
	}
	special := func(a routing.Action) int {
		return slices.Index([]routing.Action{routing.Local, routing.Broadcast}, a) & 3
	}
	for _, rs := range s.routes {
		slices.SortFunc(rs, func(a, b naiveRoute) int {
			x := []int{special(a.action), int(a.distance), int(a.metric), int(a.source), a.order}
			y := []int{special(b.action), int(b.distance), int(b.metric), int(b.source), b.order}
			return slices.Compare(x, y)
		})
	}
}

// distance is what the configuration makes of a route's own.
func (n naive) distance(s routing.Source, own uint8) uint8 {
	if own == 0 {
		own = n.config.Distance[s]
	}
	if own == 0 {
		own = s.DefaultDistance()
	}
	return own
}

func (r naiveRoute) result(action routing.Action, shares map[neighbour]float64) *naiveResult {
	return &naiveResult{
		action: action, source: r.source, distance: r.distance, metric: r.metric, tag: r.tag,
		owner: r.owner, shares: shares,
	}
}

// try decides one prefix if all that it needs is known.
func (s *naiveSolver) try(p netip.Prefix) (*naiveResult, []naiveWait) {
	rs := s.routes[p]
	for i := 0; i < len(rs); i++ {
		r := rs[i]
		if r.distance == 255 {
			continue
		}
		if r.action != routing.Forward {
			return r.result(r.action, nil), nil
		}
		if r.source == routing.SourceConnected {
			return r.result(routing.Forward, map[neighbour]float64{{iface: r.owner}: 1}), nil
		}
		hops := slices.Clone(r.hops)
		for i+1 < len(rs) && r.source == routing.SourceStatic && rs[i+1].source == r.source &&
			rs[i+1].distance == r.distance && rs[i+1].action == r.action {
			i++
			hops = append(hops, rs[i].hops...)
		}
		out := r.result(routing.Forward, map[neighbour]float64{})
		var waits []naiveWait
		any := false
		for _, h := range hops {
			usable, wait := s.tryHop(p, h, out)
			if usable && !any {
				out.tag = h.tag // equals may differ in it: the first that leads anywhere has its say
			}
			any = any || usable
			if wait.IsValid() {
				waits = append(waits, naiveWait{h.Address, wait})
			}
		}
		if len(waits) > 0 {
			return nil, waits
		}
		if any {
			out.normalise()
			return out, nil
		}
	}
	return nil, nil
}

func (s *naiveSolver) tryHop(p netip.Prefix, h naiveHop, out *naiveResult) (bool, netip.Prefix) {
	weight := float64(max(h.Weight, 1))
	var none netip.Prefix
	if h.missing {
		return false, none
	}
	if h.Address.IsValid() {
		for _, r := range s.routes[hostPrefix(h.Address)] {
			if r.action == routing.Local || r.action == routing.Broadcast {
				return false, none
			}
		}
	}
	if h.Interface != routing.NoInterface {
		if !s.interfaces[h.Interface].Up {
			return false, none
		}
		out.shares[neighbour{h.Address, h.Interface}] += weight
		return true, none
	}
	if s.loops[fmt.Sprint(p, h.Address)] {
		return false, none
	}
	for bits := h.Address.BitLen(); bits >= 0; bits-- {
		q := netip.PrefixFrom(h.Address, bits).Masked()
		if len(s.routes[q]) == 0 {
			continue
		}
		if q == p {
			if q.IsSingleIP() {
				continue
			}
			return false, none
		}
		result, ok := s.known[q]
		if !ok {
			return false, q
		}
		if result == nil {
			continue
		}
		if result.action != routing.Forward {
			if out.action == routing.Forward {
				out.action = result.action
			}
			return true, none
		}
		for n, part := range result.shares {
			if !n.address.IsValid() {
				n.address = h.Address
			}
			out.shares[n] += weight * part
		}
		return true, none
	}
	return false, none
}

func (r *naiveResult) normalise() {
	if len(r.shares) > 0 {
		r.action = routing.Forward
	}
	var sum float64
	for _, v := range r.shares {
		sum += v
	}
	for n := range r.shares {
		r.shares[n] /= sum
	}
}

// differs says how an entry of the FIB is not what it should be; empty if it
// is. Weights are whole numbers up to 255, so shares are rounded.
func (r *naiveResult) differs(e *fib.Entry) string {
	switch {
	case e.Action != r.action:
		return fmt.Sprintf("its action is %v, want %v", e.Action, r.action)
	case e.Distance != r.distance || e.Metric != r.metric:
		return fmt.Sprintf("its distance is %d and its metric %d, want %d and %d", e.Distance, e.Metric, r.distance, r.metric)
	case e.Source != r.source || e.Interface != r.owner:
		return fmt.Sprintf("it is from %v of interface %d, want %v of %d", e.Source, e.Interface, r.source, r.owner)
	case (e.Group == nil) != (len(r.shares) == 0):
		return fmt.Sprintf("its group is %v, want %v", e.Group, r.shares)
	case e.Group == nil:
		return ""
	case len(e.Group.Hops()) != len(r.shares):
		return fmt.Sprintf("its hops are %v, want %v", e.Group.Hops(), r.shares)
	}
	var sum float64
	for _, h := range e.Group.Hops() {
		sum += float64(h.Weight)
	}
	for _, h := range e.Group.Hops() {
		want, ok := r.shares[neighbour{h.Address, h.Interface}]
		if got := float64(h.Weight) / sum; !ok || math.Abs(got-want) > 0.02 {
			return fmt.Sprintf("its hops are %v, want %v", e.Group.Hops(), r.shares)
		}
	}
	return ""
}
