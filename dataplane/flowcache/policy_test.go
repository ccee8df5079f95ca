package flowcache

import (
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
)

func TestPolicyTakes(t *testing.T) {
	none := dataplane.Usage{}
	small := func(frames, runs uint32) dataplane.Usage {
		return dataplane.Usage{Frames: frames, Bytes: 92 * frames, Runs: runs}
	}
	large := func(frames, runs uint32) dataplane.Usage {
		return dataplane.Usage{Frames: frames, Bytes: 1400 * frames, Runs: runs}
	}
	for _, tt := range []struct {
		name        string
		proto       uint8
		segment     int
		before, now dataplane.Usage
		want        bool
	}{
		{"TCP", packet.ProtoTCP, 0, none, large(16, 1), true},
		{"TCP acknowledgements in long rows", packet.ProtoTCP, 0, small(9999, 100), small(16, 1), true},
		{"super-packets of UDP", packet.ProtoUDP, 1200, none, large(2, 1), true},
		{"large packets of UDP", packet.ProtoUDP, 0, none, large(16, 1), true},
		{"large packets of UDP in long rows", packet.ProtoUDP, 0, large(40000, 600), large(16, 1), true},
		{"small packets, new", packet.ProtoUDP, 0, none, small(2, 2), true},
		{"small packets, new, in one row", packet.ProtoUDP, 0, none, small(16, 1), true},
		{"small packets, slow", packet.ProtoUDP, 0, small(20, 20), small(16, 16), true},
		{"small packets, 50,000 a second", packet.ProtoUDP, 0, small(5000, 3000), small(16, 10), true},
		{"small packets in long rows", packet.ProtoUDP, 0, small(5000, 200), small(16, 1), false},
		{"small packets in long rows now", packet.ProtoUDP, 0, none, small(128, 4), false},
		{"small packets, many", packet.ProtoUDP, 0, small(60000, 20000), small(16, 4), false},
	} {
		o := dataplane.Offer{Proto: tt.proto, Segment: tt.segment, Before: tt.before, Now: tt.now}
		if got := auto.takes(&o); got != tt.want {
			t.Errorf("%s: taken %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPolicyReturns(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		packets, bytes, supers uint64
		in                     time.Duration
		want                   bool
	}{
		{"few small packets", 5000, 5000 * 106, 0, 100 * time.Millisecond, false},
		{"many small packets", 50000, 50000 * 106, 0, 100 * time.Millisecond, true},
		{"as many in more time", 50000, 50000 * 106, 0, time.Second, false},
		{"many large packets", 50000, 50000 * 1014, 0, 100 * time.Millisecond, false},
		{"many packets in super-packets", 50000, 50000 * 106, 4, 100 * time.Millisecond, false},
		{"no time", 50000, 50000 * 106, 0, 0, false},
	} {
		if got := auto.returns(tt.packets, tt.bytes, tt.supers, tt.in); got != tt.want {
			t.Errorf("%s: returned %v, want %v", tt.name, got, tt.want)
		}
	}
	if taken := uint64(auto.most) * 2; auto.returned < taken {
		t.Errorf("a flow is taken below %d packets and returned above %d: it would go to and fro", auto.most, auto.returned)
	}
}

// A flow whose small packets become many is returned, and stays with the stages for a
// while; one that is carried whatever it is stays carried.
func TestReturned(t *testing.T) {
	for _, always := range []bool{false, true} {
		s := newSite(t, 8)
		if !always {
			s.change(func(v *dataplane.View) {
				v.Interfaces[lan0].Carried = &dataplane.Carried{Device: device(lan0)}
				Worth(dataplane.OffloadAuto, v.Interfaces[lan0].Carried)
			})
		}
		o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
		s.cache.policy.returned /= 10 // to take less time
		o.Before = dataplane.Usage{Frames: 100, Bytes: 10000, Runs: 90}
		s.carry(o)
		s.now = s.now.Add(lookEvery)
		s.step()
		if !s.passes(&o) {
			t.Fatal("a flow of few packets is returned")
		}
		for range int(accountEvery/lookEvery) + 2 { // it is noticed at the next accounting, and watched then
			for range 2500 {
				s.passes(&o)
			}
			s.now = s.now.Add(lookEvery - reapEvery)
			s.step()
		}
		if got := s.passes(&o); got != always {
			t.Errorf("always %v: carried %v", always, got)
		}
		if always {
			continue
		}
		for range 2 {
			s.cache.Offer([]dataplane.Offer{o})
			s.step()
		}
		if n := s.cache.Totals(); n.Flows != 0 || n.Ended[EndReturned] != 1 || n.Refused[RefusedSlower] != 2 {
			t.Errorf("%+v, want it returned once and refused twice", n)
		}
		s.now = s.now.Add(returnTime)
		s.carry(o)
	}
}

// No more flows are made in a second than makings, and a tenth of that at once.
func TestBudget(t *testing.T) {
	b, now, made := budget{}, start, 0
	for range 1000 {
		for range 100 {
			if b.allows(now) {
				made++
			}
		}
		now = now.Add(time.Millisecond)
	}
	if made < makings || made > makings+makings/10+100 {
		t.Errorf("%d were made in a second, want about %d", made, makings)
	}
	now = now.Add(time.Minute)
	for made = 0; b.allows(now); made++ {
	}
	if made != makings/10 {
		t.Errorf("%d were made at once, want %d", made, makings/10)
	}
}
