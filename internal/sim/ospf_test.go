package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
	"routerd/routing/rib"
)

// The areas of random networks by number, and the timers of their links.
const (
	ospfAreas  = 4
	ospfHello  = 2 * time.Second
	ospfDead   = 8 * time.Second
	ospfStub   = 2 // a stub area
	ospfNSSA   = 3
	ospfSettle = 30 * time.Second // longer than any silence is unnoticed, and than several retransmissions
)

// ospfSite is a random network of OSPF routers, each with a loopback 10.255.N.1/32
// and a stub 10.1.N.0/24.
type ospfSite struct {
	*Network
	routers []*ospfRouter
	of      map[*Node]*ospfRouter
	area    map[*Link]int
	links   int
}

// ospfRouter is what the topology knows of a router.
type ospfRouter struct {
	node       *Node
	number     int
	areas      []int // sorted; the loopback and the stub are in the first one
	interfaces []string
	config     ospf.Config
	externals  []ospfExternal
}

// ospfExternal is a route that a router redistributes.
type ospfExternal struct {
	prefix netip.Prefix
	metric uint32
	type1  bool
}

func loopbackOf(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, byte(i >> 8), byte(i)}), 32)
}

func newOSPFSite(seed uint64, size int) *ospfSite {
	s := &ospfSite{Network: New(seed), of: map[*Node]*ospfRouter{}, area: map[*Link]int{}}
	for i := range size {
		c := ospf.DefaultConfig()
		c.RouterID = wire.ID(i + 1)
		c.Interfaces["lo"] = ospf.DefaultInterface(ospf.NetworkByKind)
		stub := ospf.DefaultInterface(ospf.NetworkByKind)
		stub.Passive, stub.Cost = true, uint16(1+s.Rand().IntN(5))
		c.Interfaces["stub"] = stub
		node := s.Add(fmt.Sprintf("r%d", i))
		if size > 100 {
			node.Router.BatchSize = 1 // memory of a busy worker that thousands of them need not have
		}
		r := &ospfRouter{node: node, number: i, config: c, interfaces: []string{
			"lo " + loopbackOf(i).String(), fmt.Sprintf("stub %s/24", stubOf(i).Addr().Next()),
		}}
		s.routers = append(s.routers, r)
		s.of[r.node] = r
	}
	return s
}

// put has a router be in an area.
func (r *ospfRouter) put(area int) {
	if !slices.Contains(r.areas, area) {
		r.areas = append(r.areas, area)
		slices.Sort(r.areas)
	}
}

// join draws a link in an area with a subnet of its own. Its first router may
// always become its designated router.
func (s *ospfSite) join(t testing.TB, f Faults, area int, routers ...int) {
	t.Helper()
	s.links++
	network := ospf.Broadcast
	if len(routers) == 2 && s.Rand().IntN(2) == 0 {
		network = ospf.PointToPoint
	}
	var ends []string
	for at, n := range routers {
		r, iface := s.routers[n], fmt.Sprintf("l%d", s.links)
		r.put(area)
		ends = append(ends, r.node.Name+":"+iface)
		a := netip.AddrFrom4([4]byte{10, 100 + byte(s.links>>8), byte(s.links), byte(at + 1)})
		r.interfaces = append(r.interfaces, fmt.Sprintf("%s %s/24", iface, a))
		c := ospf.DefaultInterface(network)
		c.HelloInterval, c.DeadInterval = ospfHello, ospfDead
		c.Area, c.Cost, c.Priority = wire.ID(area), uint16(1+s.Rand().IntN(20)), uint8(s.Rand().IntN(3))
		if at == 0 {
			c.Priority++
		}
		r.config.Interfaces[iface] = c
	}
	l, err := s.Join(f, ends...)
	if err != nil {
		t.Fatal(err)
	}
	s.area[l] = area
}

// begin configures every router.
func (s *ospfSite) begin(t testing.TB) {
	t.Helper()
	for _, r := range s.routers {
		if err := s.start(r); err != nil {
			t.Fatal(err)
		}
	}
}

// start configures a router, at first or after a crash.
func (s *ospfSite) start(r *ospfRouter) error {
	cfg := config(r.node.Name, r.interfaces...)
	c := r.config
	for _, name := range []string{"lo", "stub"} {
		i := c.Interfaces[name]
		i.Area = wire.ID(r.areas[0])
		c.Interfaces[name] = i
	}
	for _, a := range r.areas {
		area := ospf.DefaultArea()
		switch a {
		case ospfStub:
			area.Type = ospf.Stub
		case ospfNSSA:
			area.Type = ospf.NSSA
		}
		c.Areas[wire.ID(a)] = area
	}
	if err := c.Check(); err != nil {
		return err
	}
	p := router.ProtocolConfig{Config: c}
	for _, e := range r.externals {
		cfg.RIB.Static = append(cfg.RIB.Static, rib.StaticRoute{Prefix: e.prefix, Action: routing.Blackhole})
		p.Redistribute = []rib.Redistribution{{Source: routing.SourceStatic, Metric: e.metric}}
	}
	cfg.Protocols = map[string]router.ProtocolConfig{"ospf": p}
	return r.node.Apply(cfg)
}

// redistribute has a router redistribute prefixes with a metric.
func (r *ospfRouter) redistribute(metric uint32, type1 bool, prefixes ...netip.Prefix) {
	r.config.Type1[routing.SourceStatic] = type1
	for _, p := range prefixes {
		r.externals = append(r.externals, ospfExternal{p, metric, type1})
	}
}

// randomOSPF is a network of so many areas, up to four, the backbone with two border routers or
// three to each other area, which is connected by itself: a random tree, more
// links at random, and a LAN of three to five.
func randomOSPF(t testing.TB, seed uint64, size, areas int, f func(*rand.Rand) Faults) *ospfSite {
	t.Helper()
	s := newOSPFSite(seed, size)
	r := s.Rand()
	share := size / areas
	members := make([][]int, areas)
	for i := range size {
		a := min(i/share, areas-1)
		members[a] = append(members[a], i)
		s.routers[i].put(a)
	}
	for a := 1; a < areas; a++ {
		for _, n := range r.Perm(len(members[0]))[:2+r.IntN(2)] {
			members[a] = append(members[a], members[0][n])
		}
	}
	for a, list := range members {
		order := r.Perm(len(list))
		for i := 1; i < len(list); i++ {
			s.join(t, f(r), a, list[order[r.IntN(i)]], list[order[i]])
		}
		for range len(list) / 2 {
			if x, y := r.IntN(len(list)), r.IntN(len(list)); x != y {
				s.join(t, f(r), a, list[x], list[y])
			}
		}
		var lan []int
		for _, n := range r.Perm(len(list))[:min(3+r.IntN(3), len(list))] {
			lan = append(lan, list[n])
		}
		s.join(t, f(r), a, lan...)
	}
	if areas > 1 {
		s.outside()
	}
	s.begin(t)
	return s
}

// outside has two routers inside the backbone or area 1 redistribute, one prefix in
// common.
func (s *ospfSite) outside() {
	r := s.Rand()
	common := netip.MustParsePrefix("203.0.113.0/24")
	var inside []*ospfRouter
	for _, x := range s.routers {
		if len(x.areas) == 1 && x.areas[0] < ospfStub {
			inside = append(inside, x)
		}
	}
	for _, n := range r.Perm(len(inside))[:min(2, len(inside))] {
		x := inside[n]
		x.redistribute(uint32(1+r.IntN(30)), r.IntN(2) == 0, common, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(x.number), 0}), 24))
	}
}

// slightly is a link that delays up to 10 ms, loses up to 5 % and duplicates up to
// 5 % of what crosses it, and keeps its order: where an LSA is overtaken by its own
// flush, it stays (RFC 2328 §13 (4)).
func slightly(r *rand.Rand) Faults {
	f := lossy(r)
	f.Loss, f.Jitter = f.Loss/4, 0
	return f
}

// trouble has links fail, seen and unseen, and routers crash, and most come back,
// at random times within d.
func (s *ospfSite) trouble(d time.Duration) {
	r := s.Rand()
	for range 3 + r.IntN(len(s.Nodes)) {
		l := s.Links[r.IntN(len(s.Links))]
		at := time.Duration(r.Int64N(int64(d)))
		silent, back := r.IntN(4) == 0, r.IntN(5) != 0
		away := time.Duration(r.Int64N(int64(d / 4)))
		s.At(at, func() {
			if silent {
				l.SetSilent(true)
			} else {
				l.SetUp(false)
			}
		})
		if back {
			s.At(at+away, func() { l.SetUp(true); l.SetSilent(false) })
		}
	}
	for range r.IntN(3) {
		x := s.routers[r.IntN(len(s.routers))]
		at := time.Duration(r.Int64N(int64(d / 2)))
		s.At(at, x.node.Crash)
		s.At(at+time.Duration(r.Int64N(int64(d/4))), func() {
			if err := s.start(x); err != nil {
				s.fail(err)
			}
		})
	}
}

func (s *ospfSite) rest() error { return s.settleDown(ospfSettle, ospfSettle, ospfSettle, time.Hour) }

// playOSPF is one random network from its beginning through rounds of trouble.
// What meddle does to it, where it is not nil, it has to find out.
func playOSPF(t testing.TB, seed uint64, rounds int, meddle func(*ospfSite)) error {
	s := randomOSPF(t, seed, 30, ospfAreas, slightly)
	s.Again = fmt.Sprintf("go test ./internal/sim -run '^TestOSPFSeeds$' -seed %d -rounds %d", seed, rounds)
	if meddle != nil {
		meddle(s)
	}
	return s.playRounds(rounds, 3*time.Minute, s.trouble, s.rest, sure(s.check))
}

// Random networks of 30 OSPF routers in four areas, whose links lose, duplicate,
// reorder, flap and fail in silence, and whose routers crash, keep every promise
// whenever they are quiet.
//
//	go test ./internal/sim -run TestOSPFSeeds -seeds 1000
//	go test ./internal/sim -run TestOSPFSeeds -seed 17      (one again)
func TestOSPFSeeds(t *testing.T) {
	playSeeds(t, quickOSPFSeeds, func(seed uint64) error { return playOSPF(t, seed, *troubles, nil) })
}

// A thousand routers in four areas converge, and again after the loss of a link.
//
//	go test ./internal/sim -run TestOSPFThousandRouters -large
func TestOSPFThousandRouters(t *testing.T) {
	if !*large {
		t.Skip("a network of 1,000 routers takes minutes; -large has it run")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	s := randomOSPF(t, 1, 1000, ospfAreas, perfect)
	look := func(when string) {
		t.Helper()
		began := s.Now()
		if err := s.Quiet(ospfSettle, ospfSettle, time.Hour); err != nil {
			t.Fatal(err)
		}
		var some []*ospfRouter
		for range 12 {
			some = append(some, s.routers[s.Rand().IntN(len(s.routers))])
		}
		if wrong := s.checkSome(some); len(wrong) > 0 {
			t.Fatalf("%s: %d promises broken, such as\n  %s", when, len(wrong), strings.Join(wrong[:min(len(wrong), 4)], "\n  "))
		}
		t.Logf("%s: %d routers and %d links agree after %v of their time; %d frames so far", when, len(s.routers), len(s.Links), s.changed.Sub(began), s.Frames)
	}
	look("at first")
	for range 3 {
		l := s.Links[s.Rand().IntN(len(s.Links))]
		l.SetUp(false)
		look("after the loss of " + l.String())
	}
}
