package ospf

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// network is machines on links that lose, delay and reorder, under a clock of its
// own.
type network struct {
	t      complainer
	now    time.Time
	rand   *rand.Rand
	loss   float64
	mix    bool // packets overtake each other
	nodes  []*station
	links  []*segment
	flying flights
	sent   int
	steps  int
}

type station struct {
	w     *network
	name  string
	m     *Machine
	cfg   Config
	ports []*port
	slots *routing.Slots
	off   bool
	saved []byte
	// events are what it said, in words; of each step.
	events []string
	// sent is what it sent, and watches what it asked of BFD.
	sent    []wire.Packet
	watches []protocol.Effect
	groups  map[string]bool
	expects map[protocol.Expect]bool
	claims  map[protocol.Claim]bool
}

type port struct {
	station   *station
	id        routing.InterfaceID
	name      string
	kind      protocol.LinkKind
	addresses []netip.Prefix
	mtu       int
	link      *segment // nil: a loopback
	down      bool
	last      time.Time // when a packet arrives last
}

type segment struct {
	ports []*port
	down  bool
	// eat, if not nil, loses packets.
	eat func(from *port, p *wire.Packet) bool
}

// complainer is a test of either kind.
type complainer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// flight is a packet on its way.
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

var bedStart = time.Unix(1_700_000_000, 0)

func newNetwork(t complainer, seed uint64) *network {
	return &network{t: t, now: bedStart, rand: rand.New(rand.NewPCG(seed, 1))}
}

// router adds a machine with a router ID.
func (w *network) router(id string) *station {
	n := &station{w: w, name: id, cfg: DefaultConfig(), groups: map[string]bool{}}
	n.cfg.RouterID = wire.IDOf(netip.MustParseAddr(id))
	w.nodes = append(w.nodes, n)
	return n
}

func (w *network) segment() *segment {
	l := &segment{}
	w.links = append(w.links, l)
	return l
}

// port adds an interface that speaks in area 0 on a network of the type, which
// change may have otherwise.
func (n *station) port(link *segment, t NetworkType, address string, change func(*InterfaceConfig)) *port {
	p := &port{station: n, id: routing.InterfaceID(len(n.ports) + 1), link: link, mtu: 1500}
	p.name = fmt.Sprintf("eth%d", p.id)
	if t == PointToPoint {
		p.kind = protocol.PointToPoint
	}
	if link == nil {
		p.kind = protocol.Loopback
	}
	if address != "" {
		p.addresses = []netip.Prefix{netip.MustParsePrefix(address)}
	}
	cfg := DefaultInterface(t)
	if change != nil {
		change(&cfg)
	}
	n.cfg.Interfaces[p.name] = cfg
	n.ports = append(n.ports, p)
	if link != nil {
		link.ports = append(link.ports, p)
	}
	return p
}

// begin switches all machines on.
func (w *network) begin() {
	for _, n := range w.nodes {
		n.begin()
	}
}

// begin switches a machine on, with what was saved.
func (n *station) begin() {
	if err := n.cfg.Check(); err != nil {
		n.w.t.Fatalf("%s: %v", n.name, err)
	}
	n.slots, n.off, n.groups = &routing.Slots{}, false, map[string]bool{}
	n.expects, n.claims = map[protocol.Expect]bool{}, map[protocol.Claim]bool{}
	n.m = New(protocol.Start{Seed: n.w.rand.Uint64(), Slots: n.slots})
	n.w.step(n, protocol.Configure{Config: n.cfg, Saved: n.saved})
	for _, p := range n.ports {
		p.raise()
	}
}

// end switches a machine off without a goodbye.
func (n *station) end() { n.off = true }

func (p *port) raise() {
	p.station.w.step(p.station, protocol.LinkUp{Link: p.id, Name: p.name, Kind: p.kind, Addresses: p.addresses, MTU: p.mtu, Speed: 1_000_000_000})
	p.down = false
}

func (p *port) fall() {
	p.down = true
	p.station.w.step(p.station, protocol.LinkDown{Link: p.id})
}

func (n *station) reload(change func(*Config)) {
	change(&n.cfg)
	n.w.step(n, protocol.Configure{Config: n.cfg})
}

// step steps a machine and carries out what it says.
func (w *network) step(n *station, in protocol.Input) {
	if w.steps++; w.steps > 20_000_000 {
		w.t.Fatalf("a deadline does not move on: %v is due at %v, now it is %v", n.name, n.m.Deadline(), w.now)
	}
	for _, e := range n.m.Step(w.now, in, nil) {
		switch e := e.(type) {
		case protocol.Send:
			w.send(n, e)
		case protocol.Event:
			n.events = append(n.events, fmt.Sprintf("%s %v %v", e.What, e.Neighbor, e.Err))
		case protocol.Save:
			n.saved = e.Data
		case protocol.Watch, protocol.Unwatch:
			n.watches = append(n.watches, e)
		case protocol.Join:
			n.groups[fmt.Sprint(e.Link, e.Group)] = true
		case protocol.Leave:
			delete(n.groups, fmt.Sprint(e.Link, e.Group))
		case protocol.Expect:
			n.expects[e] = true
		case protocol.Unexpect:
			delete(n.expects, protocol.Expect(e))
		case protocol.Claim:
			n.claims[e] = true
		case protocol.Release:
			delete(n.claims, protocol.Claim(e))
		case protocol.Stopped:
			n.off = true
		}
	}
	n.slots.Publish()
}

func (w *network) send(n *station, e protocol.Send) {
	var p wire.Packet
	if r := wire.Decode(e.Payload, &p); !r.OK() {
		w.t.Fatalf("%s sent what cannot be read: %v", n.name, r)
	}
	n.sent = append(n.sent, p)
	if len(n.sent) > 1000 {
		n.sent = slices.Delete(n.sent, 0, 500)
	}
	if e.Link == routing.NoInterface {
		w.route(n, e)
		return
	}
	from := n.ports[e.Link-1]
	if from.link == nil || from.link.down || from.down || from.link.eat != nil && from.link.eat(from, &p) {
		return
	}
	for _, to := range from.link.ports {
		here := to.has(e.Dst) || e.Dst.IsMulticast() && to.station.groups[fmt.Sprint(to.id, e.Dst)]
		if to == from || !here || w.rand.Float64() < w.loss {
			continue
		}
		w.fly(to, e)
	}
}

func (p *port) has(a netip.Addr) bool {
	return slices.ContainsFunc(p.addresses, func(q netip.Prefix) bool { return q.Addr() == a })
}

// route brings a packet to the port that has its destination.
func (w *network) route(_ *station, e protocol.Send) {
	for _, n := range w.nodes {
		for _, p := range n.ports {
			if p.has(e.Dst) && p.link != nil && !p.link.down && w.rand.Float64() >= w.loss {
				w.fly(p, e)
				return
			}
		}
	}
}

func (w *network) fly(to *port, e protocol.Send) {
	w.sent++
	at := w.now.Add(time.Duration(100+w.rand.IntN(900)) * time.Microsecond)
	if at.Before(to.last) && !w.mix {
		at = to.last
	}
	to.last = at
	heap.Push(&w.flying, flight{
		at, w.sent, to,
		protocol.Received{Link: to.id, Src: e.Src, Dst: e.Dst, Protocol: e.Protocol, HopLimit: e.HopLimit, Payload: e.Payload},
	})
}

// run lets time pass, or until a condition holds, which it reports.
func (w *network) run(d time.Duration, until func() bool) bool {
	for end := w.now.Add(d); ; {
		if until != nil && until() {
			return true
		}
		at, who := end, (*station)(nil)
		for _, n := range w.nodes {
			if n.m == nil || n.off {
				continue
			}
			if due := n.m.Deadline(); !due.IsZero() && due.Before(at) {
				at, who = due, n
			}
		}
		if len(w.flying) > 0 && !w.flying[0].at.After(at) {
			f := heap.Pop(&w.flying).(flight)
			w.now = f.at
			if f.to.link != nil && !f.to.link.down && !f.to.down && !f.to.station.off && f.to.station.m != nil {
				w.step(f.to.station, f.in)
			}
			continue
		}
		if at.After(w.now) {
			w.now = at
		}
		if who == nil {
			return false
		}
		w.step(who, protocol.Tick{})
	}
}

// want lets time pass until a condition holds.
func (w *network) want(d time.Duration, what string, until func() bool) {
	w.t.Helper()
	begun := w.now
	if !w.run(d, until) {
		w.t.Fatalf("after %v: not %s\n%s", w.now.Sub(begun), what, w)
	}
}

// String writes the states of all neighbours.
func (w *network) String() string {
	var b strings.Builder
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "%s:", n.name)
		for _, l := range n.m.order {
			if l.active() {
				fmt.Fprintf(&b, " [%s %v dr %v bdr %v", l.describe(), l.state, l.dr, l.bdr)
				for _, x := range l.neighbors {
					fmt.Fprintf(&b, " %v=%v asked %d of %d, %d unacked", x.router, x.state, x.asked, x.requests.len(), x.unacked.len())
				}
				if !l.refused.Refusal.OK() {
					fmt.Fprintf(&b, " refused %v from %v", l.refused.Refusal, l.refused.From)
				}
				b.WriteString("]")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// adjacent reports whether every pair of speaking routers on every segment that is
// up has come as far as it should, and nothing is left to be sent.
func (w *network) adjacent() bool {
	for _, n := range w.nodes {
		if n.off {
			continue
		}
		for _, p := range n.ports {
			if p.link == nil || p.link.down || p.down || !p.settled() {
				if p.link == nil || p.link.down || p.down {
					continue
				}
				return false
			}
		}
	}
	return true
}

// settled reports whether a port has all its neighbours.
func (p *port) settled() bool {
	l := p.station.m.links[p.id]
	if _, configured := p.station.cfg.Interfaces[p.name]; !configured {
		return true
	}
	if l == nil || !l.speaks() {
		return l != nil && l.active()
	}
	if l.state == InterfaceWaiting {
		return false
	}
	others := 0
	for _, o := range p.link.ports {
		if o != p && !o.down && !o.station.off {
			others++
		}
	}
	if len(l.neighbors) != others {
		return false
	}
	for _, n := range l.neighbors {
		want := NeighborFull
		if !p.station.m.adjacent(n) {
			want = NeighborTwoWay
		}
		if want == NeighborTwoWay && l.network == NBMA && n.state == NeighborDown {
			continue // neither of both may become DR: they need not greet each other
		}
		if n.state != want || n.unacked.len() > 0 {
			return false
		}
	}
	return true
}

// database writes what is in an area's database of a station, sorted, without ages.
func (n *station) database(id wire.ID) string {
	var list []string
	a := n.m.area(id)
	if a == nil {
		return "no area"
	}
	for _, s := range []scope{{db: a.db}, {db: n.m.as}} {
		if s.db == n.m.as && a.stub() {
			continue
		}
		for t := range wire.ASOpaque + 1 {
			for e := range s.db.All(t) {
				h := e.Header(n.w.now)
				list = append(list, fmt.Sprintf("%v %v %v %x %04x max-age %v", h.Type, h.ID, h.Router, uint32(h.Sequence), h.Checksum, e.maxAge))
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// equal reports whether all routers of area 0 that are on have the same database.
func (w *network) equal() bool {
	want := ""
	for _, n := range w.nodes {
		if n.off {
			continue
		}
		got := n.database(backbone)
		if want == "" {
			want = got
		}
		if got != want {
			return false
		}
	}
	return true
}
