package ospf

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/internal/corpus"
	"routerd/routing/ospf/wire"
)

// FuzzDatabase hands LSAs cut out of any octets to databases, one after the other:
// the routes follow from what is installed and not from how it came there, and
// no prefix is counted wrongly.
func FuzzDatabase(f *testing.F) {
	a, _ := grid(3)
	for _, t := range []wire.LSType{wire.RouterLSA, wire.NetworkLSA} {
		for e := range a.db.All(t) {
			p := wire.Packet{Type: wire.TypeUpdate, Updates: []wire.Update{{LSA: e.LSA()}}}
			f.Add(p.Append(nil, nil, 0, 0), uint8(1))
		}
	}
	for _, raw := range corpus.Hex(f, "ospfv2") {
		f.Add(raw, uint8(7))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seconds uint8) {
		s := newSite(0, 1)
		s.state.Areas[1].Type = NSSA
		s.attach(0, 100, 1, 2, 3)
		s.attach(1, 100, 2, 2, 3)
		// The root and a neighbour are there, so that some of it is reached.
		for _, id := range []wire.ID{0, 1} {
			a := s.areas[id]
			a.router(1, 0, p2p(2, 100, 1), p2p(3, 100, 1))
			a.router(2, bitBE, p2p(1, 1, 1))
		}
		now := start.Add(time.Hour)
		for len(raw) > 0 {
			n := min(len(raw), 20+int(raw[0])%64)
			l := repaired(raw[:n])
			raw = raw[n:]
			if !l.Check().OK() {
				continue
			}
			for _, a := range []*areaBed{s.areas[0], s.areas[1], s.as} {
				now = now.Add(time.Duration(seconds) * time.Second)
				for e, _ := a.db.Due(now); e != nil; e, _ = a.db.Due(now) {
					a.graph.Update(e)
				}
				if standing, _ := a.db.Judge(now, l, false); standing == Newer {
					e, _ := a.db.Install(now, l)
					a.graph.Update(e)
				}
				a.db.Sweep(now, false, func(e *Entry) { a.graph.Update(e) })
			}
		}
		got := s.routes()
		// The same from graphs that are made anew.
		for i, a := range s.state.Areas {
			a.Graph = NewGraph(a.Graph.db, s.state.Prefixes)
			if want := s.routes(); !slices.Equal(got, want) {
				t.Fatalf("graph %d made anew: routes\n%q, were\n%q", i, want, got)
			}
		}
		for _, key := range s.state.Prefixes.numbers.keys {
			n, known := s.state.Prefixes.numbers.find(key)
			if !known {
				continue
			}
			p := s.state.Prefixes.prefix(n)
			if uint64(keyOf(p)) != key || s.state.Prefixes.uses[n] < 1 || p != p.Masked() || p == (netip.Prefix{}) {
				t.Fatalf("prefix %v is number %d, used %d times", p, n, s.state.Prefixes.uses[n])
			}
		}
	})
}

// repaired is an LSA of the octets with a right length and a right checksum.
func repaired(raw []byte) wire.LSA {
	b := make([]byte, max(len(raw), wire.LSAHeaderSize))
	copy(b, raw)
	h := wire.LSA(b).Header()
	return wire.AppendLSA(nil, &h, wire.Opaque(b[wire.LSAHeaderSize:]))
}
