package flowcache

import (
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/verdict"
)

// What is carried is counted once, to the packet: in the interfaces' counters, for
// the session and for the flow; whoever looks when, and however the flow ends.
func TestCountedOnce(t *testing.T) {
	s := newSite(t, 8)
	table := s.masquerade()
	o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
	o6 := offer(lan0, "[2001:db8:1::2]:4000", "[2001:db8:21::1]:5000")
	s.begin(&o)
	session := table.Find(keyOf(&o)).Session
	var sent, sent6, slow uint64
	slow = 1 // what begin sent
	ways := []func(){
		func() { s.cache.Clear(Filter{}) },
		func() { s.routes("10.20.0.0/24 wan1", "2001:db8:21::/64 wan0") },
		func() { s.routes("10.20.0.0/24", "2001:db8:21::/64") },
		func() { s.cache.HopChanged() },
		func() { s.now = s.now.Add(idleTime) },
		func() { s.change(func(v *dataplane.View) { v.Interfaces[lan0].Carried = nil }) },
		func() {
			s.change(func(v *dataplane.View) {
				v.Interfaces[lan0].Carried = &dataplane.Carried{Device: device(lan0), Frames: 1}
			})
		},
	}
	for round := range 40 {
		s.cache.Offer([]dataplane.Offer{o, o6})
		s.step()
		for range 1 + round%5 {
			if s.passes(&o) {
				sent++
			}
			if s.passes(&o6) {
				sent6++
			}
		}
		if round%3 == 0 {
			s.cache.Account(s.now)
		}
		ways[round%len(ways)]()
		s.step()
	}
	s.cache.Clear(Filter{})
	for range 3 {
		s.step()
	}
	bytes := sent*frameSize(&o) + sent6*frameSize(&o6)
	in := s.cache.Counters(lan0)
	if want := (dataplane.Traffic{Packets: sent + sent6, Bytes: bytes}); sent < 40 || in.Received() != want || s.cache.Totals().Carried != want {
		t.Errorf("received %+v, in all %+v, want %+v", in.Received(), s.cache.Totals().Carried, want)
	}
	both := in.Sent(wan0)
	both.Add(in.Sent(wan1))
	if both != in.Received() || in.Verdict(verdict.Forwarded) != sent+sent6 {
		t.Errorf("sent %+v, forwarded %d", both, in.Verdict(verdict.Forwarded))
	}
	found, _ := table.Session(session)
	if n := found.Traffic; n.Packets != sent+slow || n.Bytes != (sent+slow)*(frameSize(&o)-arp.EthernetHeader) {
		t.Errorf("the session has %+v, want %d packets", n, sent+slow)
	}
	if n := s.cache.Totals(); n.Flows != 0 || len(s.cache.byKey) != 0 || s.cache.gone != 0 {
		t.Errorf("%+v, %d keys and %d flows to be reaped are left", n, len(s.cache.byKey), s.cache.gone)
	}
}

// What is shown of a flow.
func TestShown(t *testing.T) {
	s := newSite(t, 8)
	o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
	s.carry(o, offer(lan0, "10.0.1.3:4000", "10.21.0.1:5000"))
	since := s.now
	s.now = s.now.Add(10 * time.Millisecond)
	s.passes(&o)
	last := s.now
	s.now = s.now.Add(10 * time.Millisecond)
	s.cache.Account(s.now)
	f, _ := s.cache.Find(s.view.Interfaces[lan0], o.Proto, o.Src, o.Dst)
	if f.In != "lan0" || f.Out != "wan0" || f.NextHop != addr("10.0.2.2") || f.Peer || f.Since.After(since) || !f.Last.Equal(last) || f.Packets != 2 || f.Bytes != 2*frameSize(&o) {
		t.Errorf("%+v", f)
	}
	var list [1]Flow
	var got []Flow
	for cursor, n, calls := uint32(0), 0, 0; calls == 0 || cursor != 0; calls++ {
		n, cursor = s.cache.Flows(Filter{In: "lan0"}, cursor, list[:])
		got = append(got, list[:n]...)
		if calls > 9 {
			t.Fatal("it has no end")
		}
	}
	if len(got) != 2 || got[0].Src == got[1].Src {
		t.Errorf("a walk gives %+v", got)
	}
	for _, x := range []Filter{{In: "wan0"}, {Proto: 6}, {Src: prefix("10.0.2.0/24")}, {Dst: prefix("10.22.0.0/16")}} {
		if n, _ := s.cache.Flows(x, 0, list[:]); n != 0 {
			t.Errorf("%+v gives %+v", x, list[0])
		}
	}
}

// A stale neighbour by which packets are carried is used, once, as by the stages.
func TestNeighbourUsed(t *testing.T) {
	s := newSite(t, 8)
	o, other := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000"), offer(lan0, "10.0.1.3:4000", "10.21.0.1:5000")
	s.carry(o, other)
	s.cache.Account(s.now)
	s.neighbor(wan0, macOf(wan0), arp.Stale)
	s.passes(&other)
	s.cache.Account(s.now)
	if len(s.used) != 0 {
		t.Fatalf("used %+v by a flow by another neighbour", s.used)
	}
	for range 3 {
		s.passes(&o)
		s.cache.Account(s.now)
	}
	if len(s.used) != 1 || s.used[0].Kind != dataplane.PuntUsed || s.used[0].Entry.Addr != addr("10.0.2.2") || s.used[0].Target != addr("10.0.2.2") || s.used[0].Out != wan0 {
		t.Errorf("used %+v, want 10.0.2.2 on wan0 once", s.used)
	}
}

// Everything is accounted for each second, and until then a session is not idle.
func TestAccounted(t *testing.T) {
	s := newSite(t, 8)
	if got := s.cache.Accounted(s.now); !got.Equal(s.now) {
		t.Errorf("without a flow: %v, want %v", got, s.now)
	}
	o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
	s.carry(o)
	began := s.now
	for end := s.now.Add(3 * time.Second); s.now.Before(end); {
		s.passes(&o)
		s.step()
		if late := s.now.Sub(s.cache.Accounted(s.now)); late < 0 || late > accountEvery+reapEvery {
			t.Fatalf("%v after the flow was made it is known what was carried until %v ago", s.now.Sub(began), late)
		}
	}
}
