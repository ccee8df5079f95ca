package router

import (
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/internal/machine"
	"routerd/routing"
	"routerd/routing/protocol"
)

// Routes that come in many pieces are taken, and gathered while the table has just been
// copied for some of them, until no more come; the first piece and what comes late never
// wait.
func TestBurstIsGathered(t *testing.T) {
	r := newBench(t).router
	begin, now := now, now
	slots := &routing.Slots{}
	p := newPost(r.mail, routing.SourceRIP, slots)
	r.protocols = append(r.protocols, &Protocol{post: p})
	offer := func(from, n int) {
		for i := range n {
			a := netip.AddrFrom4([4]byte{10, 100 + byte((from+i)>>8), byte(from + i), 0})
			id := slots.Take(netip.PrefixFrom(a, 24))
			s := slots.At(id)
			s.Distance, s.Metric, s.Action = 120, 2, routing.Blackhole
			slots.Offer(id)
		}
		p.publish()
	}
	poll := func(want int) {
		t.Helper()
		pollAll(t, r, now)
		if got := r.FIB().Len4(); got != want {
			t.Errorf("after %v %d routes forward, want %d", now.Sub(begin), got, want)
		}
	}
	due := func(want time.Time) {
		t.Helper()
		if got := r.Deadline(); !got.Equal(want) {
			t.Errorf("after %v due after %v, want %v", now.Sub(begin), got.Sub(begin), want.Sub(begin))
		}
	}
	own := r.FIB().Len4()
	offer(0, 10_000)
	poll(own + 10_000)
	due(time.Time{})
	wait := gatherTime(own + 10_000)
	until, quiet := now.Add(wait), wait/8
	sent := 10_000
	more := func() {
		offer(sent, 10)
		sent += 10
	}
	// A burst goes on: it forwards when the time is over, all of it.
	for now.Before(until) {
		more()
		poll(own + 10_000)
		if got, want := taken(r), own+sent; got != want {
			t.Errorf("after %v the RIB has taken %d routes, want %d", now.Sub(begin), got, want)
		}
		if at := now.Add(quiet); at.Before(until) {
			due(at)
		} else {
			due(until)
		}
		now = now.Add(quiet - 1)
	}
	more()
	poll(own + sent)
	// One that ends forwards soon.
	quiet = gatherTime(own+sent) / 8
	more()
	poll(own + sent - 10)
	due(now.Add(quiet))
	now = now.Add(quiet - 1)
	poll(own + sent - 10)
	now = now.Add(1)
	poll(own + sent)
	now = now.Add(time.Second)
	offer(sent, 1)
	poll(own + sent + 1)
	offer(sent+1, 1) // one change copies a path alone
	poll(own + sent + 2)
}

// taken is how many IPv4 prefixes the RIB has.
func taken(r *Router) int {
	v4, _ := r.rib.Len()
	return v4
}

// pollAll polls until everything that was offered by the first slice forwards.
func pollAll(t *testing.T, r *Router, now time.Time) (slices int) {
	t.Helper()
	for {
		if _, err := r.Poll(now); err != nil {
			t.Fatal(err)
		}
		if slices++; !r.taking && (!r.rib.Unsettled() || r.gathered.some) {
			return slices
		}
		select {
		case <-r.Waiting():
		default:
			t.Fatal("there is more to do, and nobody is told to poll again")
		}
		if slices > 10_000 {
			t.Fatal("the polls do not come to an end")
		}
	}
}

// A table that comes at once is taken up in slices and appears whole; a link that
// dies in between is seen at the next batch, in the View and in what it comes to.
func TestCarrierBetweenSlicesOfALoad(t *testing.T) {
	b := newBench(t)
	r := b.router
	slots := &routing.Slots{}
	p := newPost(r.mail, routing.SourceRIP, slots)
	r.protocols = append(r.protocols, &Protocol{post: p, Inbox: machine.New[protocol.Input](16)})
	lan := r.View().Named("lan0")
	const routes = 5000
	for i := range routes {
		id := slots.Take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100 + byte(i>>8), byte(i), 0}), 24))
		s := slots.At(id)
		s.NextHops = []routing.NextHop{{Interface: lan.ID}}
		slots.Offer(id)
	}
	p.publish()
	own := r.FIB().Len4()
	for n := 0; !r.rib.Settling(); n++ {
		if _, err := r.Poll(now); err != nil || n > routes {
			t.Fatalf("no settling is under way after %d polls: %v", n, err)
		}
		if got := r.FIB().Len4(); got != own {
			t.Fatalf("%d routes forward while not all are taken up, want %d", got, own)
		}
	}
	if err := r.PortChanged("lan0", port.Event{Up: false}, now); err != nil {
		t.Fatal(err)
	}
	if r.View().Named("lan0").Up {
		t.Error("lan0 has no carrier, and the View does not say so while the load is settled")
	}
	if !r.rib.Settling() {
		t.Error("the settling came to an end with the carrier's loss")
	}
	for r.rib.Settling() {
		if _, err := r.Poll(now); err != nil {
			t.Fatal(err)
		}
		if got := r.FIB().Len4(); got > own && got != own+routes && r.rib.Settling() {
			t.Fatalf("%d of %d routes forward, want all or none", got-own, routes)
		}
	}
	pollAll(t, r, now)
	if got := r.FIB().Len4(); got >= own {
		t.Errorf("%d routes forward with lan0 down, want fewer than the %d before", got, own)
	}
}

// Routes that change make no interface, martian or list of addresses anew.
func TestRoutesLeaveTheRestOfTheView(t *testing.T) {
	r := newBench(t).router
	slots := &routing.Slots{}
	p := newPost(r.mail, routing.SourceRIP, slots)
	r.protocols = append(r.protocols, &Protocol{post: p})
	before := r.View()
	id := slots.Take(netip.MustParsePrefix("198.51.100.0/24"))
	s := slots.At(id)
	s.Distance, s.Metric, s.Action = 120, 2, routing.Blackhole
	slots.Offer(id)
	p.publish()
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
