package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/rip"
	"routerd/routing/rip/wire"
)

// due is what a node is to know of a prefix.
type due struct {
	metric uint32   // 1: it is connected
	ways   []string // "l3 10.100.3.2", sorted
}

// maximumPaths is how many equal ways a router uses unless told otherwise.
var maximumPaths = rip.DefaultConfig(rip.RIP).MaximumPaths

// by reports whether the ways, sorted, are those that are due, or as many of
// them as are used at all.
func (d *due) by(ways []string) bool {
	if len(d.ways) <= maximumPaths {
		return slices.Equal(ways, d.ways)
	}
	return len(ways) == maximumPaths && !slices.ContainsFunc(ways, func(w string) bool { return !slices.Contains(d.ways, w) })
}

// oracle works out by breadth-first searches what every node is to know, from
// nothing but the links: the subnets of the stubs and of the links that have a
// carrier, up to RIP's infinity.
func (s *site) oracle() map[*Node]map[netip.Prefix]due {
	owners := map[netip.Prefix][]*Node{}
	for i, n := range s.Nodes {
		owners[stubOf(i)] = []*Node{n}
	}
	for _, l := range s.Links {
		for _, e := range l.ends {
			if l.Up() {
				p := e.address().Masked()
				owners[p] = append(owners[p], e.Node)
			}
		}
	}
	distances := map[*Node]map[*Node]int{}
	for _, n := range s.Nodes {
		distances[n] = s.Distances(n)
	}
	far := func(n *Node, owners []*Node) int {
		least := farthest + 1
		for _, o := range owners {
			if d, ok := distances[n][o]; ok {
				least = min(least, d)
			}
		}
		return least
	}
	all := map[*Node]map[netip.Prefix]due{}
	for _, n := range s.Nodes {
		all[n] = map[netip.Prefix]due{}
		for p, of := range owners {
			d := far(n, of)
			if d > farthest {
				continue
			}
			x := due{metric: uint32(d + 1)}
			for _, e := range n.order {
				if d == 0 || e.Link == nil || !e.Link.Carries() {
					continue
				}
				for _, o := range e.Link.ends {
					if o != e && far(o.Node, of) == d-1 {
						x.ways = append(x.ways, e.Interface+" "+o.address().Addr().String())
					}
				}
			}
			slices.Sort(x.ways)
			all[n][p] = x
		}
	}
	return all
}

// address is the one that an end's interface is configured with.
func (e *End) address() netip.Prefix {
	return e.Node.Router.View().Named(e.Interface).Addresses[0]
}

// compare holds what a node knows and forwards by to what it is to know: no
// more and no less, and of what died nothing beyond its time.
func (s *site) compare(n *Node, want map[netip.Prefix]due) (wrong []string) {
	fault := func(format string, args ...any) { wrong = append(wrong, n.Name+" "+fmt.Sprintf(format, args...)) }
	name := func(id routing.InterfaceID) string { return n.Router.View().Interface(id).Name }
	m := machineOf(n, rip.RIP)
	if m == nil {
		return []string{n.Name + " does not speak yet"}
	}
	seen := 0
	for _, r := range m.Routes(netip.Prefix{}, 1<<20) {
		w, ok := want[r.Prefix]
		var ways []string
		for _, p := range r.Paths {
			ways = append(ways, name(p.Interface)+" "+p.NextHop.String())
		}
		slices.Sort(ways)
		switch {
		case r.State == "dying" && r.Expires.Before(s.Now()):
			fault("remembers the death of %v, which was to be forgotten at %v", r.Prefix, r.Expires.Sub(Epoch))
		case r.State == "dying" && !ok:
			continue
		case !ok || uint32(r.Metric) != w.metric || !w.by(ways):
			fault("knows %v as %s with metric %d by %v, want %+v", r.Prefix, r.State, r.Metric, ways, w)
		}
		seen++
	}
	if seen != len(want) {
		fault("knows %d routes, want %d", seen, len(want))
	}
	for p, w := range want {
		e := n.Router.FIB().Get(p)
		if e == nil {
			fault("does not forward %v, want %+v", p, w)
			continue
		}
		if w.metric == 1 {
			if e.Source != routing.SourceConnected {
				fault("forwards %v by %v, want connected", p, e.Source)
			}
			continue
		}
		var ways []string
		for _, h := range e.Group.Hops() {
			ways = append(ways, name(h.Interface)+" "+h.Address.String())
		}
		if slices.Sort(ways); e.Source != routing.SourceRIP || e.Metric != w.metric || !w.by(ways) {
			fault("forwards %v by %v with metric %d by %v, want %+v", p, e.Source, e.Metric, ways, w)
		}
	}
	for _, e := range n.Router.FIB().Walk(netip.Prefix{}, 1<<20) {
		if _, ok := want[e.Prefix]; !ok && e.Source == routing.SourceRIP {
			fault("forwards %v, which is nowhere", e.Prefix)
		}
	}
	return wrong
}

// hear gathers what every end says of routes for a time.
func (s *site) hear(d time.Duration) (map[*End]map[netip.Prefix][]uint8, error) {
	said := map[*End]map[netip.Prefix][]uint8{}
	var p wire.Packet
	s.Watch = func(from *End, frame []byte) {
		const ip, udp, payload = 14, 34, 42 // no options are ever sent
		if from.Link == nil || len(frame) < payload || frame[ip] != 0x45 || binary.BigEndian.Uint16(frame[udp+2:]) != 520 {
			return
		}
		if rip.RIP.Decode(frame[payload:], &p) != nil || p.Command != wire.Response {
			return
		}
		if said[from] == nil {
			said[from] = map[netip.Prefix][]uint8{}
		}
		for _, e := range p.Entries {
			if list := said[from][e.Prefix]; !slices.Contains(list, e.Metric) {
				said[from][e.Prefix] = append(list, e.Metric)
			}
		}
	}
	err := s.Run(d)
	s.Watch = nil
	return said, err
}

// spoken holds what is said by each end within an update interval of a quiet
// network to poisoned reverse (RFC 2453 §3.4.3): of what leads to the link
// itself that it cannot be reached this way, the metric of everything else,
// nothing about the link's own subnet. What holds at the end has to have held
// throughout: where lost packets changed a table it waits for quiet and tries
// again, a few times.
func (s *site) spoken() (wrong []string, err error) {
	const tries = 5
	var said map[*End]map[netip.Prefix][]uint8
	for try := 1; ; try++ {
		before := s.changed
		if said, err = s.hear(ripUpdate * 4 / 3); err != nil {
			return nil, err
		}
		if s.changed == before {
			break
		}
		if try == tries {
			return nil, fmt.Errorf("%w: tables changed while each of %d update intervals was heard", ErrNotQuiet, tries)
		}
		if err := s.Quiet(0, 2*ripUpdate, 4*time.Hour); err != nil {
			return nil, err
		}
	}
	for n, known := range s.oracle() {
		for _, e := range n.order {
			if e.Link == nil || !e.Link.Up() {
				continue
			}
			for p, w := range known {
				if len(w.ways) > maximumPaths {
					continue // which of them are used is not ours to say
				}
				want := []uint8{uint8(w.metric)}
				if slices.ContainsFunc(w.ways, func(way string) bool { return way[:len(e.Interface)+1] == e.Interface+" " }) {
					want[0] = rip.Infinity
				}
				if p == e.address().Masked() {
					want = nil
				}
				if got := said[e][p]; !slices.Equal(got, want) {
					wrong = append(wrong, fmt.Sprintf("%s says of %v the metrics %v, want %v", e, p, got, want))
				}
			}
			for p, got := range said[e] {
				if _, ok := known[p]; !ok && !slices.Equal(got, []uint8{rip.Infinity}) {
					wrong = append(wrong, fmt.Sprintf("%s says of %v, which it does not know, the metrics %v", e, p, got))
				}
			}
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// until runs until nothing is wrong any more, and gives how long that took in
// the network's own time.
func (s *site) until(limit time.Duration, look func() []string) (time.Duration, error) {
	began := s.Now()
	for looked := (time.Time{}); ; {
		var wrong []string
		if passed := s.Now().Sub(began); s.changed != looked || passed%(5*time.Second) == 0 || passed >= limit {
			looked = s.changed
			if wrong = look(); len(wrong) == 0 {
				return passed, nil
			}
			if passed >= limit {
				return 0, fmt.Errorf("not within %v: %s", limit, wrong[0])
			}
		}
		if err := s.Run(200 * time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// agreed runs until every node knows what it is to know.
func (s *site) agreed(limit time.Duration) (time.Duration, error) {
	want := s.oracle()
	return s.until(limit, func() []string {
		for _, n := range s.Nodes { // one that differs is enough
			if wrong := s.compare(n, want[n]); len(wrong) > 0 {
				return wrong
			}
		}
		return nil
	})
}

// forwarded runs until there is no loop, and no blackhole while there is a path.
func (s *site) forwarded(limit time.Duration) (time.Duration, error) {
	return s.until(limit, s.astray)
}

func (s *site) differences(want map[*Node]map[netip.Prefix]due) (wrong []string) {
	for _, n := range s.Nodes {
		wrong = append(wrong, s.compare(n, want[n])...)
	}
	return wrong
}

// How soon a network without loss, whose links' failures are seen, has to
// forward again by any way there is, since whoever lost one asks for another;
// and to know all that it is to know, by triggered updates 1 to 5 s apart.
const (
	soonForwarded = 10 * time.Second
	soonAgreed    = 45 * time.Second
)

// Networks that lose nothing come round soon after each change, not only when
// they have been left alone for minutes.
func TestSeedsPrompt(t *testing.T) {
	count := uint64(8)
	if testing.Short() {
		count = 2
	}
	var forwarded, agreed time.Duration
	for n := range count {
		s := randomSite(t, n+1, 20, perfect)
		if _, err := s.agreed(time.Minute); err != nil {
			t.Fatalf("at first: %v\n%s", err, s.Report())
		}
		for range 4 {
			if err := s.Run(time.Duration(s.Rand().Int64N(int64(2 * time.Minute)))); err != nil {
				t.Fatal(err)
			}
			l := s.Links[s.Rand().IntN(len(s.Links))]
			l.SetUp(!l.Up())
			took, err := s.forwarded(soonForwarded)
			if err != nil {
				t.Fatalf("after the change of %s: %v\n%s", l, err, s.Report())
			}
			more, err := s.agreed(soonAgreed - took)
			if err != nil {
				t.Fatalf("after the change of %s: %v\n%s", l, err, s.Report())
			}
			forwarded, agreed = max(forwarded, took), max(agreed, took+more)
		}
	}
	t.Logf("after %v at worst all is forwarded again, after %v all agree", forwarded, agreed)
}
