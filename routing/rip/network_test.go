package rip

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/corpus"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// network is machines on links that lose, delay and reorder, under a clock of
// its own.
type network struct {
	t        complainer
	protocol Protocol
	now      time.Time
	rand     *rand.Rand
	loss     float64
	nodes    []*station
	links    []*segment
	flying   flights
	sent     int
}

type station struct {
	name  string
	m     *Machine
	ports []*port
	slots *routing.Slots
	rib   map[netip.Prefix]routing.Route
}

type port struct {
	station   *station
	id        routing.InterfaceID
	name      string
	addresses []netip.Prefix
	link      *segment // nil: a loopback
}

type segment struct {
	ports []*port
	down  bool
}

// complainer is a test of either kind.
type complainer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// flight is a datagram on its way.
type flight struct {
	at  time.Time
	seq int
	to  *port
	in  protocol.Received
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].seq < f[j].seq
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any     { x := (*f)[len(*f)-1]; *f = (*f)[:len(*f)-1]; return x }

func newNetwork(t complainer, p Protocol, seed uint64) *network {
	return &network{t: t, protocol: p, now: start, rand: rand.New(rand.NewPCG(seed, 1))}
}

// router adds a machine that speaks on the ports added to it so far by port.
func (w *network) router(name string) *station {
	n := &station{name: name, rib: map[netip.Prefix]routing.Route{}}
	w.nodes = append(w.nodes, n)
	return n
}

func (n *station) port(name string, link *segment, addresses ...netip.Prefix) *port {
	p := &port{station: n, id: routing.InterfaceID(len(n.ports) + 1), name: name, link: link, addresses: addresses}
	n.ports = append(n.ports, p)
	if link != nil {
		link.ports = append(link.ports, p)
	}
	return p
}

// begin makes the machines, and brings their ports up.
func (w *network) begin(change func(*Config)) {
	for at, n := range w.nodes {
		cfg := DefaultConfig(w.protocol)
		for _, p := range n.ports {
			cfg.Interfaces[p.name] = DefaultInterface()
		}
		if change != nil {
			change(&cfg)
		}
		n.slots = &routing.Slots{}
		n.m = New(w.protocol, protocol.Start{Seed: uint64(at), Slots: n.slots})
		w.step(n, protocol.Configure{Config: cfg})
		for _, p := range n.ports {
			w.step(n, protocol.LinkUp{Link: p.id, Name: p.name, Addresses: p.addresses, MTU: 1500})
		}
	}
}

func (w *network) set(l *segment, down bool) {
	l.down = down
	for _, p := range l.ports {
		if down {
			w.step(p.station, protocol.LinkDown{Link: p.id})
		} else {
			w.step(p.station, protocol.LinkUp{Link: p.id, Name: p.name, Addresses: p.addresses, MTU: 1500})
		}
	}
}

// step steps a machine and carries out what it says.
func (w *network) step(n *station, in protocol.Input) {
	for _, e := range n.m.Step(w.now, in, nil) {
		if e, ok := e.(protocol.Send); ok {
			w.send(n.ports[e.Link-1], e)
		}
	}
	takeUp(n.slots, n.rib)
}

func (w *network) send(from *port, e protocol.Send) {
	if from.link == nil || from.link.down {
		return
	}
	for _, p := range from.link.ports {
		here := slices.ContainsFunc(p.addresses, func(a netip.Prefix) bool { return a.Addr() == e.Dst })
		if p == from || !here && !e.Dst.IsMulticast() || w.rand.Float64() < w.loss {
			continue
		}
		w.sent++
		heap.Push(&w.flying, flight{
			w.now.Add(time.Duration(100+w.rand.IntN(900)) * time.Microsecond), w.sent, p,
			datagram(p.id, e.Src, e.Dst, families[w.protocol].port, e.HopLimit, e.Payload),
		})
	}
}

// run lets time pass, or until a condition holds, which it reports.
func (w *network) run(d time.Duration, until func() bool) bool {
	for end := w.now.Add(d); ; {
		if until != nil && until() {
			return true
		}
		at, who := end, (*station)(nil)
		for _, n := range w.nodes {
			if due := n.m.Deadline(); !due.IsZero() && due.Before(at) {
				at, who = due, n
			}
		}
		if len(w.flying) > 0 && !w.flying[0].at.After(at) {
			f := heap.Pop(&w.flying).(flight)
			w.now = f.at
			if !f.to.link.down {
				w.step(f.to.station, f.in)
			}
			continue
		}
		w.now = at
		if who == nil {
			return false
		}
		w.step(who, protocol.Tick{})
	}
}

// expected computes the metric of each prefix at a station by breadth-first
// search: that of its own subnets is 1, and each link adds 1.
func (w *network) expected(n *station) map[netip.Prefix]uint32 {
	metric := map[netip.Prefix]uint32{}
	seen := map[*station]bool{n: true}
	for level, d := []*station{n}, uint32(1); len(level) > 0 && d < wire.Infinity; d++ {
		var next []*station
		for _, at := range level {
			for _, p := range at.ports {
				if p.link != nil && p.link.down {
					continue
				}
				for _, a := range p.addresses {
					if _, known := metric[a.Masked()]; !known && wire.Destination(a.Masked()) && a.Addr().Is4() == (w.protocol == RIP) {
						metric[a.Masked()] = d
					}
				}
				if p.link == nil {
					continue
				}
				for _, q := range p.link.ports {
					if !seen[q.station] {
						seen[q.station] = true
						next = append(next, q.station)
					}
				}
			}
		}
		level = next
	}
	for p, d := range metric {
		if d == 1 {
			delete(metric, p) // connected: not RIP's to offer
		}
	}
	return metric
}

// wrong says how the tables differ from what they should be, or nothing.
func (w *network) wrong() string {
	for _, n := range w.nodes {
		want := w.expected(n)
		for p, d := range want {
			if r, ok := n.rib[p]; !ok || r.Metric != d {
				return fmt.Sprintf("%s has %v with metric %d (%v), want %d", n.name, p, r.Metric, ok, d)
			}
		}
		for p, r := range n.rib {
			if _, ok := want[p]; !ok {
				return fmt.Sprintf("%s has %v with metric %d, want none", n.name, p, r.Metric)
			}
		}
	}
	return ""
}

// link makes a segment between nodes, with a subnet of either family.
func (w *network) link(nodes ...*station) *segment {
	l := &segment{}
	at := len(w.links)
	w.links = append(w.links, l)
	for k, n := range nodes {
		v4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(at >> 8), byte(at), byte(k + 1)}), 24)
		ll := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0x80, 13: byte(k + 1), 14: byte(at >> 8), 15: byte(at)}), 64)
		v6 := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 6: byte(at >> 8), 7: byte(at), 15: byte(k + 1)}), 64)
		n.port(fmt.Sprintf("eth%d", len(n.ports)), l, v4, ll, v6)
	}
	return l
}

// Any network that loses packets and whose links come and go agrees, when it
// is left alone, on the shortest ways.
func TestNetworks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		protocol := rapid.SampledFrom([]Protocol{RIP, RIPng}).Draw(t, "protocol")
		w := newNetwork(t, protocol, rapid.Uint64().Draw(t, "seed"))
		count := rapid.IntRange(2, 8).Draw(t, "routers")
		for n := range count {
			w.router(fmt.Sprintf("r%d", n))
		}
		for n := 1; n < count; n++ { // a tree, and more
			w.link(w.nodes[n], w.nodes[rapid.IntRange(0, n-1).Draw(t, "to")])
		}
		for range rapid.IntRange(0, 4).Draw(t, "more links") {
			a, b := rapid.IntRange(0, count-1).Draw(t, "a"), rapid.IntRange(0, count-1).Draw(t, "b")
			if a != b {
				w.link(w.nodes[a], w.nodes[b])
			}
		}
		horizon := rapid.SampledFrom([]SplitHorizon{PoisonReverse, Simple, NoHorizon}).Draw(t, "horizon")
		w.begin(func(c *Config) {
			for name := range c.Interfaces {
				i := DefaultInterface()
				i.SplitHorizon = horizon
				c.Interfaces[name] = i
			}
		})
		w.loss = rapid.SampledFrom([]float64{0, 0.02, 0.2}).Draw(t, "loss")
		for range rapid.IntRange(0, 10).Draw(t, "changes") {
			w.run(time.Duration(rapid.IntRange(0, 20000).Draw(t, "ms"))*time.Millisecond, nil)
			l := rapid.SampledFrom(w.links).Draw(t, "link")
			w.set(l, !l.down)
		}
		w.loss = 0
		// A router that lost all poison of a route keeps the route until it times out.
		if !w.run(300*time.Second, func() bool { return w.wrong() == "" }) {
			t.Fatalf("after 300 s: %s", w.wrong())
		}
		w.run(30*time.Second, nil)
		if wrong := w.wrong(); wrong != "" {
			t.Fatalf("30 s after agreement: %s", wrong)
		}
		for _, n := range w.nodes {
			n.m.sound(t)
		}
	})
}

// A triangle fails over well within half a second when a carrier goes, of the
// own link and, with no other route known, by asking.
func TestFailover(t *testing.T) {
	for _, protocol := range []Protocol{RIP, RIPng} {
		var worst time.Duration
		for seed := range uint64(20) {
			w := newNetwork(t, protocol, seed)
			a, b, c := w.router("a"), w.router("b"), w.router("c")
			ab, _, _ := w.link(a, b), w.link(b, c), w.link(c, a)
			w.link(b) // b's own network
			w.begin(nil)
			w.run(time.Duration(100+seed)*time.Second, nil)
			if wrong := w.wrong(); wrong != "" {
				t.Fatal(wrong)
			}
			cut := w.now
			w.set(ab, true)
			own := b.ports[len(b.ports)-1].addresses[0].Masked()
			if protocol == RIPng {
				own = b.ports[len(b.ports)-1].addresses[2].Masked()
			}
			if !w.run(500*time.Millisecond, func() bool { _, ok := a.rib[own]; return ok && a.rib[own].Metric == 3 }) {
				t.Fatalf("%v, seed %d: 0.5 s after the cut a has %v", protocol, seed, a.rib[own])
			}
			worst = max(worst, w.now.Sub(cut))
		}
		t.Logf("%v: %v at worst, of which the links' delays are up to 2 ms", protocol, worst)
	}
}

// A network that nobody can reach any more is counted to infinity by nobody:
// all have forgotten it soon.
func TestPartition(t *testing.T) {
	w := newNetwork(t, RIP, 1)
	for n := range 6 {
		w.router(fmt.Sprintf("r%d", n))
	}
	for n := range 6 {
		w.link(w.nodes[n], w.nodes[(n+1)%6])
	}
	stub := w.link(w.nodes[0])
	w.begin(nil)
	w.run(200*time.Second, nil)
	w.set(stub, true)
	gone := w.run(60*time.Second, func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *station) bool { _, ok := n.rib[pfx("10.0.6.0/24")]; return ok })
	})
	if !gone {
		t.Errorf("60 s after its only link went some still have it: %s", w.wrong())
	}
}

// Machines in the places of another implementation's learn what those did.
func TestCorpusTopologies(t *testing.T) {
	for name, protocol := range map[string]Protocol{"holo-ripv2-topo1-1": RIP, "holo-ripng-topo1-1": RIPng} {
		t.Run(name, func(t *testing.T) {
			topo := corpus.ReadTopology(t, name)
			w := newNetwork(t, protocol, 1)
			segments := map[string]*segment{} // by end
			for _, l := range topo.Links {
				s := &segment{}
				segments[l[0]], segments[l[1]] = s, s
			}
			for _, r := range topo.Routers {
				n := w.router(r.Name)
				for _, i := range r.Interfaces {
					n.port(i.Name, segments[r.Name+":"+i.Name], i.Addresses...)
				}
			}
			w.begin(nil)
			w.run(60*time.Second, nil)
			for at, n := range w.nodes {
				want := topo.Routers[at].Installed
				if len(n.rib) != len(want) {
					t.Errorf("%s has %d routes, want %d", n.name, len(n.rib), len(want))
				}
				for _, r := range want {
					got := n.rib[r.Prefix]
					// They keep one next hop of several that are equal.
					known := slices.ContainsFunc(got.NextHops, func(h routing.NextHop) bool { return h.Address == r.NextHop })
					if got.Metric != r.Metric || !known {
						t.Errorf("%s has %v by %v with metric %d, want %d by %v", n.name, r.Prefix, got.NextHops, got.Metric, r.Metric, r.NextHop)
					}
				}
			}
		})
	}
}
