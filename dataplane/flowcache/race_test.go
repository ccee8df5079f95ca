package flowcache

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
)

// Workers offer, the owner publishes, neighbours move, hops die and somebody looks, all
// beside the goroutine that steps: for the race detector, and nothing is left in the end.
func TestAllAtOnce(t *testing.T) {
	s := newSite(t, 32)
	const rounds = 300
	neighbors := s.view.Neighbors // the owner changes view
	var others sync.WaitGroup
	all := func(f func(round int)) {
		others.Go(func() {
			for round := range rounds {
				f(round)
			}
		})
	}
	for worker := range 2 {
		all(func(round int) {
			o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
			o.Src = netip.AddrPortFrom(o.Src.Addr(), uint16(1000*worker+round%100))
			s.cache.Offer([]dataplane.Offer{o})
		})
	}
	all(func(round int) {
		if round%2 == 0 {
			s.routes("10.20.0.0/16 wan1")
		} else {
			s.change(func(v *dataplane.View) { v.Interfaces[wan0].MTU = 1400 + round })
			s.routes("10.20.0.0/16 wan0")
		}
		for s.cache.Review() {
		}
	})
	all(func(round int) {
		e := &arp.Entry{Interface: wan0, State: arp.Reachable, MAC: arp.MAC{2, 0, 0, 0, 1, byte(round)}, Addr: gateway(wan0, false)}
		neighbors.Apply(arp.Publish{Entry: e})
	})
	all(func(round int) {
		s.cache.HopChanged()
		s.cache.SessionEnded(round%2 == 0, uint32(round))
	})
	all(func(int) {
		var list [8]Flow
		for cursor := uint32(0); ; {
			if _, cursor = s.cache.Flows(Filter{}, cursor, list[:]); cursor == 0 {
				break
			}
		}
		s.cache.Account(start)
		s.cache.Totals()
		s.cache.Clear(Filter{Dst: prefix("10.20.0.0/31")})
	})
	done := make(chan struct{})
	go func() { others.Wait(); close(done) }()
	now := start
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		now = now.Add(time.Millisecond)
		if _, err := s.cache.Step(now); err != nil {
			t.Fatal(err)
		}
	}
	s.now = now.Add(time.Second)
	s.settles()
}
