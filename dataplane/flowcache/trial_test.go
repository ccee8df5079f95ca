package flowcache

import (
	"testing"

	"routerd/dataplane"
)

// auto has flows that come in by lan0 carried as auto does.
func (s *site) auto() {
	s.change(func(v *dataplane.View) {
		v.Interfaces[lan0].Carried = &dataplane.Carried{Device: device(lan0)}
		Worth(dataplane.OffloadAuto, v.Interfaces[lan0].Carried)
	})
}

// interval has a flow send so many packets in an interval: what the kernel does not carry
// the stages forward, as many as they can, and offer again.
func (s *site) interval(o *dataplane.Offer, packets int, stages uint32) (carried int) {
	s.Helper()
	missed := 0
	for range packets {
		if s.passes(o) {
			carried++
		} else {
			missed++
		}
	}
	s.now = s.now.Add(lookEvery - reapEvery)
	if missed > 0 {
		o.Before, o.Now = o.Now, dataplane.Usage{Frames: stages, Bytes: 100 * stages, Runs: stages}
		s.cache.Offer([]dataplane.Offer{*o})
	}
	s.step()
	return carried
}

// A fast flow of small packets is tried both ways, and goes on by the faster one, as do
// the next ones of its way.
func TestTrial(t *testing.T) {
	const packets = fastPackets + 100
	for _, tt := range []struct {
		name   string
		stages uint32
		ends   bool // by the stages
	}{
		{"faster by the stages", 2 * packets, true},
		{"as fast", packets, false},
		{"slower by the stages", packets / 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, 8)
			s.auto()
			o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
			s.carry(o)
			carried := 0
			for range triedFor {
				carried += s.interval(&o, packets, tt.stages)
			}
			if carried != triedFor*packets {
				t.Fatalf("%d packets were carried while that was measured, want all of %d", carried, triedFor*packets)
			}
			for range partial + triedFor - 1 {
				if carried := s.interval(&o, packets, tt.stages); carried != 0 {
					t.Fatalf("%d packets were carried while the stages were measured", carried)
				}
			}
			for range 4 {
				s.interval(&o, packets, tt.stages)
			}
			if got := s.passes(&o); got == tt.ends {
				t.Errorf("in the end it is carried: %v", got)
			}
			next := offer(lan0, "10.0.1.2:4001", "10.20.0.1:5000")
			s.carry(next)
			for range 4 {
				s.interval(&next, packets, tt.stages)
			}
			if got := s.passes(&next); got == tt.ends {
				t.Errorf("another flow is carried: %v", got)
			}
			if n := s.cache.Totals(); tt.ends && n.Ended[EndReturned] != 2 || !tt.ends && n.Ended[EndReturned] != 1 {
				t.Errorf("%d were returned", n.Ended[EndReturned])
			}
			if !tt.ends {
				return
			}
			for range partial + 1 {
				next.Before = dataplane.Usage{Frames: 100, Bytes: 10000, Runs: 100}
				s.cache.Offer([]dataplane.Offer{next})
				s.step()
			}
			if !s.passes(&next) {
				t.Error("a flow that has become slow is not carried")
			}
		})
	}
}

// What is slow, large or carried whatever it costs is never returned.
func TestNoTrial(t *testing.T) {
	for _, tt := range []struct {
		name    string
		always  bool
		packets int
	}{
		{"a slow flow", false, slowPackets},
		{"a fast one that is always carried", true, fastPackets + 100},
	} {
		s := newSite(t, 8)
		if !tt.always {
			s.auto()
		}
		o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
		s.carry(o)
		for range 3 * triedFor {
			s.interval(&o, tt.packets, 0)
		}
		if n := s.cache.Totals(); n.Flows != 1 || n.Ended[EndReturned] != 0 {
			t.Errorf("%s: %+v", tt.name, n)
		}
	}
	if small(6, 0, 100, 5200) || small(17, 1200, 100, 10000) || small(17, 0, 100, 100*smallBytes) || !small(17, 0, 100, 10000) {
		t.Error("only UDP without super-packets is small")
	}
}
