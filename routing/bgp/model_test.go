package bgp

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// model is a network as an oracle sees it: routers with numbers, which know each other's
// best routes at once.
type model struct {
	w         *network
	as        []uint32
	neighbors [][]int
	prepends  map[[2]int]int  // how often one puts its AS once more before what it sends
	client    map[[2]int]bool // the second is a client of the first
	metrics   map[[2]int]uint32
}

// naive is a route in the oracle.
type naive struct {
	path       []uint32
	from       int // router; -1: its own
	external   bool
	exit       int // router of the AS where the next hop is
	originator int // -1: not reflected
	clusters   []int
}

// sent is what u sends v of its best route, nil if nothing.
func (m *model) sent(u, v int, b *naive) *naive {
	if b == nil || b.from == v {
		return nil
	}
	if m.as[u] != m.as[v] {
		path := slices.Clone(b.path)
		for range 1 + m.prepends[[2]int{u, v}] {
			path = slices.Insert(path, 0, m.as[u])
		}
		if slices.Contains(path, m.as[v]) {
			return nil
		}
		return &naive{path: path, from: u, external: true, exit: v, originator: -1}
	}
	r := &naive{path: b.path, from: u, exit: b.exit, originator: -1}
	if b.from >= 0 && !b.external {
		if !m.client[[2]int{u, b.from}] && !m.client[[2]int{u, v}] {
			return nil
		}
		r.originator, r.clusters = b.originator, append(slices.Clone(b.clusters), u)
		if r.originator < 0 {
			r.originator = b.from
		}
		if r.originator == v || slices.Contains(r.clusters, v) {
			return nil
		}
	}
	return r
}

// better compares two routes of a router (RFC 4271 §9.1.2.2, RFC 4456 §9).
func (m *model) better(v int, a, b *naive) int {
	id := func(r *naive) int {
		if r.originator >= 0 {
			return r.originator
		}
		return r.from
	}
	metric := func(r *naive) uint32 {
		if r.exit == v {
			return 0
		}
		return m.metrics[pair(v, r.exit)]
	}
	side := func(r *naive) int {
		if r.external {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(min(a.from, 0), min(b.from, 0)), // its own first
		cmp.Compare(len(a.path), len(b.path)),
		cmp.Compare(side(a), side(b)),
		cmp.Compare(metric(a), metric(b)),
		cmp.Compare(id(a), id(b)),
		cmp.Compare(len(a.clusters), len(b.clusters)),
		cmp.Compare(a.from, b.from),
	)
}

func pair(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// routes are the best routes of all routers to a prefix of one of them.
func (m *model) routes(t *rapid.T, origin int) []*naive {
	best := make([]*naive, len(m.as))
	for range 100 {
		changed := false
		for v := range best {
			var new *naive
			if v == origin {
				new = &naive{from: -1, exit: v, originator: -1}
			}
			for _, u := range m.neighbors[v] {
				if r := m.sent(u, v, best[u]); r != nil && (new == nil || m.better(v, r, new) < 0) {
					new = r
				}
			}
			old := best[v]
			if (old == nil) != (new == nil) || old != nil && (old.from != new.from || old.exit != new.exit || !slices.Equal(old.path, new.path)) {
				changed = true
			}
			best[v] = new
		}
		if !changed {
			return best
		}
	}
	t.Fatal("the oracle itself does not converge")
	return nil
}

// drawModel draws a small network: ASes with a full mesh or a reflector inside, and links
// between them.
func drawModel(t *rapid.T) *model {
	w := newNetwork(t, rapid.Uint64().Draw(t, "seed"))
	n := rapid.IntRange(2, 8).Draw(t, "routers")
	m := &model{
		w: w, neighbors: make([][]int, n), prepends: map[[2]int]int{}, client: map[[2]int]bool{}, metrics: map[[2]int]uint32{},
	}
	for range n {
		as := 65001 + rapid.Uint32Range(0, uint32(n-1)).Draw(t, "as")
		m.as = append(m.as, as)
		w.router(as)
	}
	reflects := map[uint32]bool{}
	for _, as := range m.as {
		if _, ok := reflects[as]; !ok {
			reflects[as] = rapid.Bool().Draw(t, "reflector")
		}
	}
	w.metric = func(a, b *router) uint32 { return m.metrics[pair(a.number, b.number)] }
	for a := range n {
		for b := a + 1; b < n; b++ {
			if m.as[a] == m.as[b] {
				m.inside(t, a, b, reflects[m.as[a]])
				continue
			}
			if rapid.IntRange(0, 2).Draw(t, "link") == 0 {
				continue
			}
			m.prepends[[2]int{a, b}] = rapid.IntRange(0, 2).Draw(t, "prepends")
			m.prepends[[2]int{b, a}] = rapid.IntRange(0, 2).Draw(t, "prepends")
			m.peer(a, b)
		}
	}
	return m
}

// inside makes two routers of an AS neighbours, if both are not clients of a reflector.
func (m *model) inside(t *rapid.T, a, b int, reflects bool) {
	m.metrics[pair(a, b)] = 10
	reflector := slices.Index(m.as, m.as[a])
	switch {
	case !reflects:
		m.metrics[pair(a, b)] = rapid.Uint32Range(1, 3).Draw(t, "metric")
	case a == reflector:
		m.client[[2]int{a, b}] = true
	default:
		return
	}
	m.peer(a, b)
}

func (m *model) peer(a, b int) {
	m.neighbors[a], m.neighbors[b] = append(m.neighbors[a], b), append(m.neighbors[b], a)
	m.w.peer(m.w.routers[a], m.w.routers[b], func(of *router, c *NeighborConfig) {
		other := a + b - of.number
		c.Client = m.client[[2]int{of.number, other}]
		if more := m.prepends[[2]int{of.number, other}]; more > 0 {
			text := ""
			for range more {
				text += " " + strconv.Itoa(int(of.config.AS))
			}
			chain, problems := statement(m.w.t, nil, map[string]any{"as-path-prepend": text})
			if len(problems) > 0 {
				m.w.t.Fatal(problems)
			}
			c.Families[wire.IPv4Unicast].Export.Chain = chain
		}
	})
}

// check compares all tables with the oracle. Missing are networks that are not there.
func (m *model) check(t *rapid.T, what string, missing map[int]bool) {
	for origin := range m.as {
		p := ownPrefix(origin)
		var want []*naive
		if missing[origin] {
			want = make([]*naive, len(m.as))
		} else {
			want = m.routes(t, origin)
		}
		for v, r := range m.w.routers {
			m.checkOne(t, what, r, p, want[v])
		}
	}
}

func (m *model) checkOne(t *rapid.T, what string, r *router, p netip.Prefix, want *naive) {
	got := r.best(p)
	slot, offered := r.offered[p]
	if want == nil || want.from < 0 {
		if offered || (got == nil) != (want == nil) {
			t.Fatalf("%s: router %d has %+v to %v, offered %v, want %+v", what, r.number, got, p, offered, want)
		}
		return
	}
	if got == nil || !offered {
		t.Fatalf("%s: router %d has no route to %v, want %+v; %+v", what, r.number, p, want, r.machine.Routes(p))
	}
	path := wire.Path(nil)
	for i := len(want.path) - 1; i >= 0; i-- {
		path = path.AppendPrepended(nil, want.path[i], 1)
	}
	from := m.neighbor(got.From)
	if from != want.from || got.Attributes.ASPath.String() != path.String() || slot.Internal == want.external {
		t.Fatalf("%s: router %d has path %v of router %d to %v, internal %v, want %+v; %+v",
			what, r.number, got.Attributes.ASPath, from, p, slot.Internal, want, r.machine.Routes(p))
	}
	if slot.NextHops[0].Interface != routing.NoInterface || slot.NextHops[0].Address != got.Attributes.NextHop.Address {
		t.Fatalf("%s: router %d offers %v by %+v, want %v", what, r.number, p, slot.NextHops, got.Attributes.NextHop)
	}
}

// neighbor is the router that has an address.
func (m *model) neighbor(a netip.Addr) int {
	return slices.IndexFunc(m.w.routers, func(r *router) bool { return r.has(a) })
}

// Whatever happens on the way, the tables are those of an oracle in the end.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := drawModel(rt)
		w := m.w
		w.start()
		w.run(3 * time.Minute)
		w.established()
		m.check(rt, "at first", nil)
		missing := map[int]bool{}
		for range rapid.IntRange(0, 6).Draw(rt, "events") {
			a := rapid.IntRange(0, len(m.as)-1).Draw(rt, "router")
			switch rapid.IntRange(0, 2).Draw(rt, "event") {
			case 0:
				if list := m.neighbors[a]; len(list) > 0 {
					w.cut(w.routers[a], w.routers[rapid.SampledFrom(list).Draw(rt, "from")])
				}
			case 1:
				r := w.routers[a]
				r.config.Networks = nil
				if missing[a] = !missing[a]; !missing[a] {
					r.config.Networks = []Network{{Prefix: ownPrefix(a), Always: true}}
				}
				w.configure(r)
			}
			for range rapid.IntRange(0, 60).Draw(rt, "deliveries") {
				w.deliver()
			}
		}
		w.run(5 * time.Minute)
		w.established()
		m.check(rt, "in the end", missing)
		for _, r := range w.routers {
			x := r.machine.ribs[wire.IPv4Unicast]
			if want := len(m.as) - len(missingOnly(missing)); x.table.Prefixes() > want {
				rt.Fatalf("router %d has numbers for %d prefixes, of which there are %d", r.number, x.table.Prefixes(), want)
			}
		}
	})
}

func missingOnly(m map[int]bool) (list []int) {
	for i, gone := range m {
		if gone {
			list = append(list, i)
		}
	}
	return list
}
