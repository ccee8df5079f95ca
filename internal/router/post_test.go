package router

import (
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/rib"
)

// ledger is what the RIB would know of one source: metrics, and which are
// stale.
type ledger struct {
	metrics map[netip.Prefix]uint32
	stale   map[netip.Prefix]bool
}

func newLedger() *ledger {
	return &ledger{metrics: map[netip.Prefix]uint32{}, stale: map[netip.Prefix]bool{}}
}

func (l *ledger) offer(p netip.Prefix, metric uint32) {
	l.metrics[p] = metric
	delete(l.stale, p)
}

func (l *ledger) withdraw(p netip.Prefix) {
	delete(l.metrics, p)
	delete(l.stale, p)
}

func (l *ledger) markStale() {
	for p := range l.metrics {
		l.stale[p] = true
	}
}

func (l *ledger) sweep() {
	for p := range l.stale {
		l.withdraw(p)
	}
}

// settled is what the RIB has of the source, once it is settled.
func settled(r *rib.RIB) *ledger {
	r.Flush()
	l := newLedger()
	for _, c := range r.Walk(netip.Prefix{}, 1<<20) {
		l.metrics[c.Prefix] = c.Metric
		if c.Stale {
			l.stale[c.Prefix] = true
		}
	}
	return l
}

// Whatever is taken up late, and however often slots are used again, the RIB
// ends up with what the core has offered, in the order of its restarts.
func TestPostAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMail()
		var slots routing.Slots
		p := newPost(m, routing.SourceRIP, &slots)
		ids := map[netip.Prefix]routing.SlotID{}
		want, r := newLedger(), rib.New()
		if err := r.Step(now, rib.Subscribe{Name: "rip"}); err != nil {
			t.Fatal(err)
		}
		read := func(max int) {
			if _, err := p.read(max, r, now); err != nil {
				t.Fatal(err)
			}
		}
		deliver := func() {
			for p.unread > 0 || p.waiting() {
				if p.unread == 0 {
					p.open()
				}
				read(3)
			}
		}
		prefix := func(t *rapid.T) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 9).Draw(t, "net")), 0, 0}), 16)
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				x := prefix(t)
				id, ok := ids[x]
				if !ok {
					id = slots.Take(x)
					ids[x] = id
				}
				metric := rapid.Uint32Range(1, 100).Draw(t, "metric")
				slots.At(id).Metric = metric
				slots.Offer(id)
				want.offer(x, metric)
				p.publish()
			},
			"free": func(t *rapid.T) {
				x := prefix(t)
				if id, ok := ids[x]; ok {
					slots.Free(id)
					delete(ids, x)
					want.withdraw(x)
				}
				p.publish()
			},
			"stale": func(*rapid.T) {
				p.barrier(rib.Stale{Source: routing.SourceRIP})
				want.markStale()
			},
			"sweep": func(*rapid.T) {
				p.barrier(rib.Sweep{Source: routing.SourceRIP})
				want.sweep()
				for x, id := range ids { // the core forgets what it has not offered again
					if _, ok := want.metrics[x]; !ok {
						slots.Free(id)
						delete(ids, x)
					}
				}
				p.publish()
			},
			"mark": func(*rapid.T) { p.barrier(rib.Mark{Name: "rip", Number: 1}) },
			"take": func(*rapid.T) { deliver() },
			"take some": func(t *rapid.T) {
				if p.unread == 0 {
					p.open()
				}
				read(rapid.IntRange(1, 4).Draw(t, "read"))
			},
			"settle": func(*rapid.T) { r.Flush() },
		})
		deliver()
		got := settled(r)
		if !maps.Equal(got.metrics, want.metrics) || !maps.Equal(got.stale, want.stale) {
			t.Fatalf("the RIB has %v, stale %v; want %v, stale %v", got.metrics, got.stale, want.metrics, want.stale)
		}
		if p.waiting() || m.waiting() {
			t.Fatal("something is left after all was taken")
		}
	})
}

// A route that flaps while nobody takes it up stands in the post once.
func TestPostKeepsTheLatest(t *testing.T) {
	m := newMail()
	var slots routing.Slots
	p := newPost(m, routing.SourceRIP, &slots)
	id := slots.Take(netip.MustParsePrefix("10.0.0.0/8"))
	for metric := range uint32(1000) {
		slots.At(id).Metric = metric
		slots.Offer(id)
		p.publish()
		slots.Withdraw(id)
		p.publish()
	}
	select {
	case <-m.signal:
	default:
		t.Error("the owner was not told")
	}
	p.open()
	if p.unread != 1 {
		t.Errorf("%d changes are to be read, want one", p.unread)
	}
	r := rib.New()
	if n, err := p.read(2, r, now); n != 1 || err != nil || len(settled(r).metrics) != 0 {
		t.Errorf("%d changes are read (%v), and the RIB has %v; want one, that the route is withdrawn", n, err, settled(r).metrics)
	}
}

// The owner is rung for once for each signal that it has not yet taken.
func TestMailRings(t *testing.T) {
	m := newMail()
	rung := 0
	m.ring = func() { rung++ }
	for want := 1; want <= 3; want++ {
		m.poke()
		m.poke()
		if rung != want {
			t.Errorf("rung %d times, want %d", rung, want)
		}
		<-m.signal
	}
}
