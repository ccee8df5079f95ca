package bgp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

// A prefix whose routes are gone keeps its number and its slot for a while, and counts for
// nothing meanwhile.
func TestVacantNumbers(t *testing.T) {
	s := newStand(t, 2, nil)
	a, b := s.peers[0], s.peers[1]
	s.connectNow(a)
	s.connectNow(b)
	x := manyPrefixes(1)[0]
	r := s.machine.ribs[wire.IPv4Unicast]
	want := func(what string, prefixes, numbers int) {
		t.Helper()
		if got := s.machine.Status().Families[wire.IPv4Unicast].Prefixes; got != prefixes || r.table.Prefixes() != numbers || len(b.holds) != prefixes {
			t.Errorf("%s: %d prefixes are shown, %d have numbers, and a neighbour has %d; want %d and %d", what, got, r.table.Prefixes(), len(b.holds), prefixes, numbers)
		}
		if list, _ := s.machine.RoutePage(wire.IPv4Unicast, &RouteFilter{}, netip.Prefix{}, 10); len(list) != prefixes {
			t.Errorf("%s: a page has %d prefixes, want %d", what, len(list), prefixes)
		}
		if _, ok := s.machine.PrefixStatus(x); ok != (prefixes > 0) {
			t.Errorf("%s: the prefix has a status: %v", what, ok)
		}
	}
	s.say(a, a.route(1, a.address, x))
	want("announced", 1, 1)
	n, _ := r.table.Number(x)
	slot := r.at(n).slot
	for range 3 {
		s.say(a, a.withdrawal(0, x))
		s.run(vacantTime / 2)
		want("withdrawn", 0, 1)
		s.say(a, a.route(1, a.address, x))
		want("announced again", 1, 1)
		if again, _ := r.table.Number(x); again != n || r.at(n).slot != slot {
			t.Errorf("announced again it has number %d and slot %d, before %d and %d", again, r.at(n).slot, n, slot)
		}
	}
	s.run(2 * vacantTime)
	want("some time later", 1, 1)
	s.lose(a)
	want("lost", 0, 1)
	s.run(2 * vacantTime)
	want("long lost", 0, 0)
	if s.slots.Len() != 1 || s.machine.freeing() || s.machine.Deadline().Sub(s.now) < time.Second {
		t.Errorf("%d slots, freeing goes on: %v, due at %v", s.slots.Len(), s.machine.freeing(), s.machine.Deadline())
	}
}

// A neighbour that announces new prefixes again and again does not take more and more memory.
func TestVacantNumbersAreBounded(t *testing.T) {
	s := newStand(t, 1, nil)
	a := s.peers[0]
	s.connectNow(a)
	r := s.machine.ribs[wire.IPv4Unicast]
	const some = 1 << 10
	for i := range 3 * mostVacant / some {
		var list []netip.Prefix
		for k := range some {
			k += i * some
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(k>>16), byte(k >> 8), byte(k), 0}), 24))
		}
		s.say(a, a.route(1, a.address, list[:some/2]...))
		s.say(a, a.route(1, a.address, list[some/2:]...))
		for ; len(list) > 0; list = list[some/2:] {
			s.say(a, a.withdrawal(0, list[:some/2]...))
		}
	}
	if most := uint32(mostVacant + 10*some + sweepAtOnce); r.table.Numbers() > most {
		t.Errorf("%d numbers were given, of %d prefixes at a time: want at most %d", r.table.Numbers(), some, most)
	}
	s.run(2 * vacantTime)
	if r.table.Prefixes() != 0 || r.vacated != 0 {
		t.Errorf("in the end %d prefixes have numbers, and %d are vacant", r.table.Prefixes(), r.vacated)
	}
}

// A number that cannot be freed yet when its time has come is freed afterwards.
func TestVacantNumbersThatAreKept(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(s *stand) // what keeps it
		end   func(s *stand)
	}{
		{"the FIB is slow", func(s *stand) { s.slow = true }, func(s *stand) { s.forwards() }},
		{"a neighbour is not to be told yet", func(*stand) {}, func(s *stand) { s.run(time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 2, func(i int, n *NeighborConfig) { n.MRAI = time.Minute })
			a, b := s.peers[0], s.peers[1]
			s.connectNow(a)
			s.connectNow(b)
			list := manyPrefixes(2)
			s.say(a, a.route(1, a.address, list[0]))
			s.run(2 * time.Minute)
			c.begin(s)
			s.say(a, a.route(1, a.address, list[1]))
			s.say(a, a.withdrawal(0, list...))
			s.run(2*vacantTime + time.Second)
			r := s.machine.ribs[wire.IPv4Unicast]
			if r.table.Prefixes() == 0 {
				t.Fatal("nothing keeps a number: the test shows nothing")
			}
			c.end(s)
			s.run(2 * time.Minute)
			if r.table.Prefixes() != 0 || r.vacated != 0 || len(b.holds) != 0 {
				t.Errorf("in the end %d prefixes have numbers, %d are vacant, and the neighbour has %d", r.table.Prefixes(), r.vacated, len(b.holds))
			}
		})
	}
}
