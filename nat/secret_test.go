package nat

import (
	"math/rand/v2"
	"testing"

	"routerd/flow"
	"routerd/internal/verdict"
)

// draws is a source that gives numbers of a row, and one of them changed.
type draws struct {
	rand.Source
	drawn, change int
}

func (d *draws) Uint64() uint64 {
	v := d.Source.Uint64()
	if d.drawn++; d.drawn-1 == d.change {
		v ^= 1 << 40
	}
	return v
}

// secrets is what can be seen of each secret of a NAT: where sessions lie,
// where mappings lie, and which ports are chosen.
func secrets(t *testing.T, change int) (seen [3]uint64, drawn int) {
	source := &draws{Source: rand.NewPCG(7, 7), change: change}
	s := &site{t: t, n: New(Options{Random: source})}
	s.commit(lanOut())
	k := key("udp 192.168.10.2:5000 > 203.0.113.9:53")
	seen[0], seen[1] = s.n.sessions.Hash(&k), uint64(s.n.mappings.place(&k))
	for range 4 {
		seen[2] = seen[2]<<16 | s.n.random.Uint64()>>48
	}
	return seen, source.drawn
}

// Ports and identifiers are seen from outside, and those who see them must not
// learn where sessions and mappings lie, nor which port comes next.
func TestSecretsAreIndependent(t *testing.T) {
	as, drawn := secrets(t, -1)
	if want := 2 + 2 + 4; drawn != want {
		t.Errorf("%d numbers of 64 bits are drawn, want %d: two keys of 128 bits, and 256 bits for ports", drawn, want)
	}
	var changes [3]int
	for i := range drawn {
		other, _ := secrets(t, i)
		differ := 0
		for j := range as {
			if as[j] != other[j] {
				changes[j]++
				differ++
			}
		}
		if differ != 1 {
			t.Errorf("the number %d that is drawn is part of %d secrets, want 1", i, differ)
		}
	}
	if changes != [3]int{2, 2, 4} {
		t.Errorf("sessions, mappings and ports depend on %v numbers, want 2, 2 and 4", changes)
	}
}

// An attacker that knows the key of the mappings' index and sends from endpoints
// that share a place of it makes no chain longer than the bound; other hosts are
// served.
func TestMappingsBoundACollision(t *testing.T) {
	s := large(t, 1<<12, "203.0.113.0/26", flow.PortRange{})
	place := func(p Packet) uint32 { return s.n.mappings.place(&p.Key) & uint32(len(s.n.mappings.byInside)-1) }
	made, refused := 0, 0
	for i := 0; made+refused < 100; i++ {
		p := nth(i)
		if place(p) != 5 {
			continue
		}
		switch got := s.pass(p, wan); got.Verdict {
		case verdict.None:
			made++
		case verdict.NATSessionLimit:
			refused++
		default:
			t.Fatalf("flow %d: %s", i, got.Verdict)
		}
	}
	if made != mostChained || refused == 0 {
		t.Errorf("%d flows of one place are let in and %d refused, want %d let in", made, refused, mostChained)
	}
	for i := 0; ; i++ {
		p := nth(i)
		if place(p) == 5 {
			continue
		}
		if got := s.pass(p, wan); got.Session == NoSession {
			t.Errorf("a flow of another place: %s", got.Verdict)
		}
		break
	}
	s.n.Clear(Filter{})
	if s.n.mappings.n != 0 {
		t.Errorf("%d mappings are left without sessions", s.n.mappings.n)
	}
	for i, c := range s.n.mappings.byInside {
		if c != 0 || s.n.mappings.byRemote[i] != 0 {
			t.Fatalf("place %d of the empty indexes is %#x and %#x", i, uint32(c), uint32(s.n.mappings.byRemote[i]))
		}
	}
}

// A lower limit does not make chains longer than they may be.
func TestLowerLimitKeepsChainsShort(t *testing.T) {
	s := large(t, 1<<14, "203.0.113.0/26", flow.PortRange{})
	for i := range 1 << 13 {
		s.pass(nth(i), wan)
	}
	cfg := s.n.active.Load().cfg
	cfg.MaxSessions = 100
	s.commit(cfg)
	for _, c := range s.n.mappings.byInside {
		if !c.room() {
			t.Fatal("a chain is full that chance has made")
		}
	}
	if n := s.n.mappings.n; n != 1<<13 {
		t.Fatalf("%d mappings are left, want all %d", n, 1<<13)
	}
	k := nth(77).Key
	x := insideOf(&flow.Key{Src: k.Src, SrcPort: k.SrcPort, Proto: k.Proto}, 1, EndpointIndependent)
	if s.n.mappings.find(&x, s.n.mappings.insideHash(&x)) == 0 {
		t.Error("a mapping is not found after the limit was lowered")
	}
}
