package flowcache

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/dataplane/offload/offloadtest"
	"routerd/nat"
	"routerd/routing"
)

// between is a kernel that lets something happen between any two of its calls, as it
// may where the router's owner and other goroutines are at work beside the cache's.
type between struct {
	*offloadtest.Kernel
	happen func()
}

func (k *between) Ref(c offload.Cause) offload.Ref {
	k.happen()
	defer k.happen()
	return k.Kernel.Ref(c)
}

func (k *between) Put(key offload.Key, d offload.Decision, until ...offload.Ref) (offload.Flow, error) {
	k.happen()
	return k.Kernel.Put(key, d, until...)
}

// Whatever happens while flows are decided: neighbours that move, next hops that die and
// come back and sessions that end between any two looks at them, and routes, interfaces and
// settings that change between two turns of the cache: no packet is carried in another way
// than the stages would send it now.
func TestNothingIsCarriedByWhatIsWithdrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(t, 8)
		s.cache.kernel = &between{s.kernel, func() {
			if rapid.IntRange(0, 9).Draw(t, "meanwhile") == 0 {
				s.unpublished(t)
			}
		}}
		table := s.masquerade()
		table.OnEnd(func(session uint32) { s.cache.SessionEnded(false, session) })
		s.neighbor(lan0, macOf(lan0), arp.Reachable)
		var offers []dataplane.Offer
		for i, to := range []string{"10.20.0.1", "10.21.0.1", "10.22.0.1", "10.20.0.2"} {
			offers = append(offers, offer(lan0, fmt.Sprintf("10.0.1.2:%d", 4000+i), to+":5000"))
		}
		for i, to := range []string{"20", "21"} {
			offers = append(offers, offer(lan0, fmt.Sprintf("[2001:db8:1::2]:%d", 4000+i), "[2001:db8:"+to+"::1]:5000"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				o := rapid.SampledFrom(offers).Draw(t, "flow")
				if o.Src.Addr().Is4() {
					s.begin(&o)
				}
				s.cache.Offer([]dataplane.Offer{o})
				s.step()
			},
			"step": func(t *rapid.T) {
				s.now = s.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
				s.step()
			},
			"publish": func(t *rapid.T) { s.published(t) },
			"happen":  func(t *rapid.T) { s.unpublished(t) },
			"clear":   func(t *rapid.T) { s.cache.Clear(Filter{Dst: prefix("10.20.0.0/15")}) },
			"":        func(t *rapid.T) { s.carried += uint64(s.agrees(offers)) },
		})
		s.settles()
	})
}

// agrees sends a packet of each flow, and reports how many the kernel carried. Those have
// to leave as the stages would have them leave now.
func (s *site) agrees(offers []dataplane.Offer) (carried int) {
	s.Helper()
	for i := range offers {
		o := &offers[i]
		p, by, is := s.send(o)
		if !is {
			continue
		}
		carried++
		how, why := new(dataplane.Decider).Decide(s.view, o, s.now)
		if why != dataplane.Carriable {
			s.Fatalf("%s > %s is carried by device %d, but it %s", o.Src, o.Dst, by.Device, why.Sentence(&how))
		}
		if by.Device != how.Out.Carried.Device || [6]byte(p.Data) != how.MAC {
			s.Fatalf("%s > %s is carried by device %d to %x, want %d, %s", o.Src, o.Dst, by.Device, p.Data[:6], how.Out.Carried.Device, how.MAC)
		}
		if o.Src.Addr().Is4() && s.sourceOf(p) != how.NewSrc.Addr() {
			s.Fatalf("%s > %s leaves from %s, want %s", o.Src, o.Dst, s.sourceOf(p), how.NewSrc)
		}
	}
	return carried
}

// settles finds everything counted, and nothing left, once all is cleared.
func (s *site) settles() {
	s.Helper()
	s.cache.Clear(Filter{})
	for range 4 {
		s.step()
	}
	if n := s.cache.Totals(); n.Flows != 0 || len(s.cache.byKey) != 0 || s.cache.gone != 0 || len(s.cache.stopped) != 0 {
		s.Fatalf("%d flows, %d keys, %d to be reaped are left", n.Flows, len(s.cache.byKey), s.cache.gone)
	}
	for i := range s.cache.index {
		if n := s.cache.index[i].heads.Size(); n != 0 {
			s.Fatalf("%d addresses are left in index %d", n, i)
		}
	}
	if n := s.cache.Totals().Carried.Packets; n != s.carried {
		s.Fatalf("%d packets were counted, %d carried", n, s.carried)
	}
}

// published changes something of what the router's owner publishes.
func (s *site) published(t *rapid.T) {
	i := rapid.IntRange(int(lan0), int(wan1)).Draw(t, "interface")
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		to := rapid.SampledFrom([]string{"10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16", "10.20.0.0/31", "2001:db8:20::/48", "2001:db8:21::/64"}).Draw(t, "prefix")
		s.routes(to + rapid.SampledFrom([]string{"", " wan0", " wan1", " wan0 wan1"}).Draw(t, "by"))
	case 1:
		s.change(func(v *dataplane.View) { v.Interfaces[i].MTU = rapid.SampledFrom([]int{90, 1400, 1500}).Draw(t, "MTU") })
	case 2:
		s.change(func(v *dataplane.View) { v.Interfaces[i].Up = rapid.Bool().Draw(t, "up") })
	case 3:
		s.change(func(v *dataplane.View) {
			if v.Interfaces[i].Carried = nil; rapid.Bool().Draw(t, "carried") {
				v.Interfaces[i].Carried = &dataplane.Carried{Device: 10 + i, Frames: 1, Peer: rapid.Bool().Draw(t, "peer"), PeerMAC: macOf(wan0)}
			}
		})
	case 4:
		s.change(func(v *dataplane.View) {
			v.Interfaces[lan0].URPF = rapid.SampledFrom([]dataplane.URPF{0, 1, 2}).Draw(t, "check")
		})
	case 5:
		s.change(func(v *dataplane.View) {
			v.Martians = dataplane.NewMartians(nil, prefixes(rapid.SampledFrom([]string{"10.20.0.2/32", "2001:db8:21::/48", "10.9.0.0/16"}).Draw(t, "martian")))
		})
		for s.cache.Review() {
		}
	}
}

// unpublished changes something without the router's owner.
func (s *site) unpublished(t *rapid.T) {
	link := s.states.Link(routing.InterfaceID(rapid.IntRange(int(wan0), int(wan1)).Draw(t, "link")))
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		s.neighbor(wan0, rapid.SampledFrom([]arp.MAC{macOf(wan0), {2, 8}}).Draw(t, "MAC"), arp.Reachable)
	case 1:
		s.neighbor(wan1, rapid.SampledFrom([]arp.MAC{macOf(wan1), {}}).Draw(t, "MAC"), arp.Reachable)
	case 2:
		link.Set(routing.CauseCarrier, rapid.Bool().Draw(t, "alive"))
	case 3:
		s.view.NAT.Clear(nat.Filter{})
	}
}
