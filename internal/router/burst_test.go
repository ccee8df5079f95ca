package router

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
)

// Routes that come in many pieces are gathered while the table has just been
// copied for some of them; the first piece and what comes late never wait.
func TestBurstIsGathered(t *testing.T) {
	r := newBench(t).router
	begin, now := now, now
	p, slots := newPost(r.mail), &routing.Slots{}
	r.protocols = append(r.protocols, &Protocol{post: p})
	offer := func(from, n int) {
		for i := range n {
			a := netip.AddrFrom4([4]byte{10, 100 + byte((from+i)>>8), byte(from + i), 0})
			id := slots.Take(netip.PrefixFrom(a, 24))
			s := slots.At(id)
			s.Distance, s.Metric, s.Action = 120, 2, routing.Blackhole
			slots.Offer(id)
		}
		p.publish(routing.SourceRIP, slots)
	}
	poll := func(want int) {
		t.Helper()
		if _, err := r.Poll(now); err != nil {
			t.Fatal(err)
		}
		if got := r.FIB().Len4(); got != want {
			t.Errorf("after %v %d routes forward, want %d", now.Sub(begin), got, want)
		}
	}
	own := r.FIB().Len4()
	offer(0, 10_000)
	poll(own + 10_000)
	offer(10_000, 100)
	poll(own + 10_000)
	if due, want := r.Deadline(), now.Add(calm(own+10_000)); !due.Equal(want) {
		t.Errorf("due at %v, want %v", due, want)
	}
	now = r.Deadline().Add(-1)
	poll(own + 10_000)
	now = now.Add(1)
	poll(own + 10_100)
	now = now.Add(time.Second)
	offer(10_100, 1)
	poll(own + 10_101)
	offer(10_101, 1) // one change copies a path alone
	poll(own + 10_102)
}

// Routes that change make no interface, martian or list of addresses anew.
func TestRoutesLeaveTheRestOfTheView(t *testing.T) {
	r := newBench(t).router
	p, slots := newPost(r.mail), &routing.Slots{}
	r.protocols = append(r.protocols, &Protocol{post: p})
	before := r.View()
	id := slots.Take(netip.MustParsePrefix("198.51.100.0/24"))
	s := slots.At(id)
	s.Distance, s.Metric, s.Action = 120, 2, routing.Blackhole
	slots.Offer(id)
	p.publish(routing.SourceRIP, slots)
	if _, err := r.Poll(now); err != nil {
		t.Fatal(err)
	}
	after := r.View()
	lan := after.Named("lan0")
	if lan != before.Named("lan0") || after.Generation != before.Generation+1 {
		t.Errorf("generation %d follows %d, lan0 is the same: %v; want one more and the same", after.Generation, before.Generation, lan == before.Named("lan0"))
	}
	dst := netip.MustParseAddr("198.51.100.1")
	if after.FIB(lan).Lookup(dst) == nil || before.FIB(lan).Lookup(dst) != nil {
		t.Error("the route is to be in the new View and not in the one before")
	}
}
