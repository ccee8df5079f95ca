package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// What is decided as routes come one by one, or of those of several prefixes together, is what is
// decided of each prefix by itself: which route is the best, and what is in the FIB beside it.
func TestChallengesAgreeWithDecisions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const peers = 5
		s := newStand(rt, peers+1, func(_ int, c *NeighborConfig) {
			if rapid.Bool().Draw(rt, "inside") {
				c.AS = standAS
			}
		})
		s.config.Rules = Rules{
			MultipathExternal: rapid.SampledFrom([]int{0, 0, 2}).Draw(rt, "multipath"),
			SequentialMED:     rapid.IntRange(0, 4).Draw(rt, "sequential") == 0,
			PreferOldest:      rapid.IntRange(0, 4).Draw(rt, "oldest") == 0,
		}
		s.configure()
		for _, p := range s.peers {
			s.connectNow(p)
		}
		s.machine.bulk = rapid.SampledFrom([]int{1, bulk}).Draw(rt, "bulk")
		list := manyPrefixes(3)
		drawn := rapid.SliceOfNDistinct(rapid.SampledFrom(list), 1, 3, rapid.ID[netip.Prefix])
		for range rapid.IntRange(1, 30).Draw(rt, "messages") {
			p := s.peers[rapid.IntRange(0, peers-1).Draw(rt, "of")]
			prefixes := drawn.Draw(rt, "prefixes")
			switch what := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case p.stream == 0:
				s.connect(p)
			case what == 0:
				s.lose(p)
			case what < 3:
				s.say(p, p.withdrawal(0, prefixes...))
			default:
				s.say(p, p.preferred(rapid.IntRange(1, 3).Draw(rt, "path"), rapid.Uint32Range(0, 1).Draw(rt, "MED"), prefixes...))
			}
			if rapid.Bool().Draw(rt, "more at once") {
				continue
			}
			s.run(time.Second)
			before := s.decisions(list)
			r := s.machine.ribs[wire.IPv4Unicast]
			for n := range r.table.Numbers() {
				r.touchAll(n, 1)
				s.step(protocol.Tick{})
			}
			if after := s.decisions(list); !slices.Equal(before, after) {
				rt.Fatalf("as routes came %s, and of each prefix by itself %s", before, after)
			}
		}
	})
}

// preferred is an announcement with a path of so many ASes, and a MED if that is not 0.
func (p *player) preferred(path int, med uint32, prefixes ...netip.Prefix) []byte {
	var a wire.Attributes
	a.ASPath = a.ASPath.AppendPrepended(nil, 7, path)
	if p.as != standAS {
		a.ASPath = a.ASPath.AppendPrepended(nil, p.as, 1)
	}
	a.NextHop.Address, a.MED, a.LocalPref = p.address, med, DefaultLocalPref
	list := []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop}
	if med != 0 {
		list = append(list, wire.AttrMED)
	}
	if p.as == standAS {
		list = append(list, wire.AttrLocalPref)
	}
	for _, code := range list {
		a.Set(code)
	}
	var k wire.Packer
	k.Begin(nil, &p.session)
	k.Announce(wire.IPv4Unicast, &a)
	for _, x := range prefixes {
		k.Add(0, x)
	}
	return k.Bytes()
}

// decisions are what was chosen for prefixes, and what is offered to the RIB.
func (s *stand) decisions(list []netip.Prefix) (words []string) {
	r := s.machine.ribs[wire.IPv4Unicast]
	for _, p := range list {
		n, ok := r.table.Number(p)
		if !ok {
			words = append(words, "none")
			continue
		}
		l := r.at(n)
		text := fmt.Sprintf("%v: %d of %d", p, l.attributes, l.source)
		if l.slot != 0 && s.slots.Offered(routing.SlotID(l.slot-1)) {
			text += fmt.Sprintf(" by %+v", s.slots.At(routing.SlotID(l.slot-1)).NextHops)
			s.slots.Offer(routing.SlotID(l.slot - 1))
		}
		words = append(words, text)
	}
	return words
}

// Only routes of prefixes that come together are offered each as it is.
func TestLoneRoutesAreOffered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStand(rt, 2, nil)
		for _, p := range s.peers {
			s.connectNow(p)
		}
		list := manyPrefixes(12)
		hops := []netip.Addr{s.peers[0].address, s.peers[1].address, netip.MustParseAddr("192.0.2.50")}
		type offered struct {
			med uint32
			hop netip.Addr
		}
		want := map[netip.Prefix]offered{}
		for range rapid.IntRange(1, 3).Draw(rt, "reads") {
			p := s.peers[rapid.IntRange(0, 1).Draw(rt, "of")]
			var data []byte
			for i, x := range list {
				if i%2 != slices.Index(s.peers, p) || rapid.Bool().Draw(rt, "left out") {
					continue
				}
				o := offered{rapid.Uint32Range(0, 1).Draw(rt, "MED"), rapid.SampledFrom(hops).Draw(rt, "hop")}
				address := p.address
				p.address = o.hop
				data = append(data, p.preferred(rapid.IntRange(1, 3).Draw(rt, "path"), o.med, x)...)
				p.address = address
				want[x] = o
			}
			s.say(p, data)
			s.run(time.Second)
			r := s.machine.ribs[wire.IPv4Unicast]
			for x, o := range want {
				n, _ := r.table.Number(x)
				slot := s.slots.At(routing.SlotID(r.at(n).slot - 1))
				s.slots.Offer(routing.SlotID(r.at(n).slot - 1))
				if len(slot.NextHops) != 1 || slot.NextHops[0].Address != o.hop || slot.Metric != o.med || slot.Prefix != x {
					rt.Fatalf("%v is offered as %+v, want %+v", x, slot, o)
				}
				if l := r.at(n); r.table.attributes.At(l.attributes-1).MED != o.med {
					rt.Fatalf("%v has MED %d, want %d", x, r.table.attributes.At(l.attributes-1).MED, o.med)
				}
			}
		}
	})
}
