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

// take does what a letter says.
func (l *ledger) take(x *letter) {
	switch x.request.(type) {
	case nil:
		if x.delta.Withdraw {
			l.withdraw(x.delta.Route.Prefix)
		} else {
			l.offer(x.delta.Route.Prefix, x.delta.Route.Metric)
		}
	case rib.Stale:
		l.markStale()
	case rib.Sweep:
		l.sweep()
	}
}

// Whatever is taken up late, and however often slots are used again, the RIB
// ends up with what the core has offered, in the order of its restarts.
func TestPostAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMail()
		p := newPost(m)
		var slots routing.Slots
		ids := map[netip.Prefix]routing.SlotID{}
		want, got := newLedger(), newLedger()
		deliver := func() {
			p.open()
			for p.unread() {
				letters := p.read(3)
				for i := range letters {
					got.take(&letters[i])
				}
				p.done(letters)
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
				p.publish(routing.SourceRIP, &slots)
			},
			"free": func(t *rapid.T) {
				x := prefix(t)
				if id, ok := ids[x]; ok {
					slots.Free(id)
					delete(ids, x)
					want.withdraw(x)
				}
				p.publish(routing.SourceRIP, &slots)
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
				p.publish(routing.SourceRIP, &slots)
			},
			"take": func(*rapid.T) { deliver() },
		})
		deliver()
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
	p := newPost(m)
	var slots routing.Slots
	id := slots.Take(netip.MustParsePrefix("10.0.0.0/8"))
	for metric := range uint32(1000) {
		slots.At(id).Metric = metric
		slots.Offer(id)
		p.publish(routing.SourceRIP, &slots)
		slots.Withdraw(id)
		p.publish(routing.SourceRIP, &slots)
	}
	select {
	case <-m.signal:
	default:
		t.Error("the owner was not told")
	}
	p.open()
	if list := p.read(2); len(list) != 1 || !list[0].delta.Withdraw {
		t.Errorf("took %d letters, want one, that the route is withdrawn", len(list))
	}
}
