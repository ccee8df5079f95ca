package rib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"routerd/routing"
)

// trackedHop is a next hop that a subscriber tracks.
type trackedHop struct {
	address netip.Addr
	iface   routing.InterfaceID
}

func (t trackedHop) compare(o trackedHop) int {
	return cmp.Or(t.address.Compare(o.address), cmp.Compare(t.iface, o.iface))
}

// tracking is one subscriber's tracking of one next hop. It uses a set of hops
// like a route with that hop, and is updated when the set is resolved again.
type tracking struct {
	subscriber *subscriber
	hops       *hopSet
	state      routing.NextHopState
	known      bool // state is set
	told       routing.NextHopState
	notified   bool // the subscriber has got a state
	queued     bool
}

func (r *RIB) track(in Track) error {
	s, err := r.subscriber(in.Name)
	if err != nil {
		return err
	}
	if !in.Address.IsValid() || in.Address.Is4In6() || in.Address.Zone() != "" {
		return fmt.Errorf("tracking next hop %v for %s: want an IPv4 or IPv6 address without a zone", in.Address, in.Name)
	}
	key := trackedHop{in.Address, in.Interface}
	if s.hops[key] != nil {
		return nil
	}
	hs := r.sets[r.acquireHops([]routing.NextHop{{Address: in.Address, Interface: in.Interface}}, nil)]
	t := &tracking{subscriber: s, hops: hs}
	s.hops[key] = t
	hs.trackers = append(hs.trackers, t)
	r.markStale(hs)
	return nil
}

func (r *RIB) untrack(s *subscriber, key trackedHop) {
	t := s.hops[key]
	if t == nil {
		return
	}
	delete(s.hops, key)
	if t.queued {
		s.hopsMoved = slices.DeleteFunc(s.hopsMoved, func(o *tracking) bool { return o == t })
	}
	i := slices.Index(t.hops.trackers, t)
	t.hops.trackers = slices.Delete(t.hops.trackers, i, i+1)
	r.releaseHops(t.hops.number)
}

// update updates the state of the next hop and queues it if it changed.
func (t *tracking) update(r *RIB) {
	now := r.stateOf(&t.hops.hops[0])
	if t.known && now == t.state {
		return
	}
	t.state, t.known = now, true
	if !t.queued {
		t.queued = true
		t.subscriber.hopsMoved = append(t.subscriber.hopsMoved, t)
	}
}

// drain gives the state of the next hop, and whether it changed since the last
// drain.
func (t *tracking) drain() (routing.NextHopState, bool) {
	news := !t.notified || t.told != t.state
	t.queued, t.notified, t.told = false, true, t.state
	return t.state, news
}

// stateOf is the state of h after a Flush.
func (r *RIB) stateOf(h *hop) routing.NextHopState {
	st := routing.NextHopState{Address: h.Address, Interface: h.Interface, Out: routing.NoInterface}
	res := r.resolveHop(h, 0)
	if res.why != usable {
		return st
	}
	st.Reachable = true
	if res.via == 0 {
		st.Gateway, st.Out = h.Address, res.iface
		return st
	}
	l, f := r.at(res.via).leads, r.installed(res.via)
	st.Action, st.Via = l.action(), r.prefix(res.via)
	st.Source, st.Distance, st.Metric = f.source, f.distance, f.metric
	if l >= firstGroup {
		to := gateway(r.led[l].Hops()[0], h.Address)
		st.Gateway, st.Out = to.address, to.iface
	}
	return st
}
