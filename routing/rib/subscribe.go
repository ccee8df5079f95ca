package rib

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
)

// Subscribe makes a protocol's instance a subscriber of notices, or changes
// what the subscriber of that name wants: it then gets the difference, with
// withdrawals of routes that it no longer wants.
type Subscribe struct {
	Name string // of the instance: "rip", "ripng", "bgp"
	// Speaks are the sources that the subscriber's own routes are offered as. It never gets
	// routes of those.
	Speaks []routing.Source
	Family int // of redistributed routes: 4, 6, or 0 for both
	// Redistribute has at most one element for each source.
	Redistribute []Redistribution
}

// Redistribution offers the routes of a source to a subscriber while packets
// are forwarded by them.
type Redistribution struct {
	Source routing.Source
	// Metric is the metric that routes get unless the policy sets one, since
	// the metrics of two protocols mean different things. With KeepMetric
	// routes keep their own.
	Metric     uint32
	KeepMetric bool
	Tag        uint32 // tag that routes get unless the policy sets one; 0 = their own
	Policy     Policy // nil accepts everything
	// Trace explains how Policy decides, a line for each statement; may be nil.
	Trace func(*routing.Route) []string
}

// Policy decides about a route, which has its own metric and tag, and may
// change all of it but the prefix. The next hops are shared: to change them it
// replaces the slice. It has to decide the same for the same route until the
// next [Subscribe].
type Policy func(*routing.Route) Decision

// Decision is a policy's decision about a route.
type Decision struct {
	Accept bool
	// MetricSet and TagSet say that the policy gave the route its metric and
	// tag, which are then not those of the [Redistribution].
	MetricSet, TagSet bool
}

// Unsubscribe removes a subscriber with all that it tracks and all pending
// notices.
type Unsubscribe struct{ Name string }

// Track notifies a subscriber of the state of a next hop: with the next Flush,
// and then whenever it changes. An address with an interface is on that link;
// with NoInterface it is resolved through the table.
type Track struct {
	Name      string
	Address   netip.Addr
	Interface routing.InterfaceID
}

// Untrack ends a Track.
type Untrack Track

// Mark numbers what a subscriber has offered up to here. After the next Flush
// it gets Installed with this number.
type Mark struct {
	Name   string
	Number uint64 // growing, from 1
}

func (Subscribe) input()   {}
func (Unsubscribe) input() {}
func (Track) input()       {}
func (Untrack) input()     {}
func (Mark) input()        {}

// subscriber is a subscriber with its outbox. The outbox holds at most one
// notice for each prefix and next hop, so it is never longer than the table and
// nobody ever waits for room in it.
type subscriber struct {
	Subscribe
	wants   [routing.NumSources]*Redistribution
	renewed bool // the next Flush has to look at all routes

	outbox offers

	hops      map[trackedHop]*tracking
	hopsMoved []*tracking

	marked, installed uint64
	installedDue      bool
}

func (r *RIB) subscriber(name string) (*subscriber, error) {
	i, ok := r.subscriberAt(name)
	if !ok {
		return nil, fmt.Errorf("stepping the rib: %q has not subscribed", name)
	}
	return r.subscribers[i], nil
}

// subscriberAt finds the subscriber in the list, which is sorted by name.
func (r *RIB) subscriberAt(name string) (int, bool) {
	return slices.BinarySearchFunc(r.subscribers, name, func(s *subscriber, name string) int {
		return cmp.Compare(s.Name, name)
	})
}

func (r *RIB) subscribe(in Subscribe) error {
	var wants [routing.NumSources]*Redistribution
	for i := range in.Redistribute {
		d := in.Redistribute[i]
		switch {
		case d.Source == routing.SourceNone, int(d.Source) >= routing.NumSources:
			return fmt.Errorf("subscribing %s: there are no routes of source %v to redistribute", in.Name, d.Source)
		case slices.Contains(in.Speaks, d.Source.Offerer()):
			return fmt.Errorf("subscribing %s: it offers the routes of %v itself, which are not redistributed to it", in.Name, d.Source)
		case wants[d.Source] != nil:
			return fmt.Errorf("subscribing %s: source %v is redistributed twice, want once", in.Name, d.Source)
		}
		wants[d.Source] = &d
	}
	at, known := r.subscriberAt(in.Name)
	if !known {
		s := &subscriber{hops: map[trackedHop]*tracking{}}
		r.subscribers = slices.Insert(r.subscribers, at, s)
	}
	s := r.subscribers[at]
	if known && s.Subscribe.same(&in) {
		return nil // nothing would come of looking at all routes again
	}
	s.Subscribe, s.wants, s.renewed = in, wants, true
	return nil
}

// same reports whether two subscriptions want the same. Of policies nobody knows.
func (in *Subscribe) same(o *Subscribe) bool {
	return in.Family == o.Family && slices.Equal(in.Speaks, o.Speaks) &&
		slices.EqualFunc(in.Redistribute, o.Redistribute, func(a, b Redistribution) bool {
			return a.Source == b.Source && a.Metric == b.Metric && a.KeepMetric == b.KeepMetric && a.Tag == b.Tag &&
				a.Policy == nil && b.Policy == nil && a.Trace == nil && b.Trace == nil
		})
}

func (r *RIB) unsubscribe(name string) {
	at, known := r.subscriberAt(name)
	if !known {
		return
	}
	s := r.subscribers[at]
	// In a deterministic order, not that of the map.
	for _, key := range slices.SortedFunc(maps.Keys(s.hops), trackedHop.compare) {
		r.untrack(s, key)
	}
	r.subscribers = slices.Delete(r.subscribers, at, at+1)
	r.sweepAllHeld()
}

// Waiting gives the names of the subscribers with notices in their outbox; none
// while the table is being settled.
func (r *RIB) Waiting() []string {
	var names []string
	if r.Settling() {
		return nil
	}
	for _, s := range r.subscribers {
		if s.installedDue || len(s.hopsMoved) > 0 || s.outbox.waiting() > 0 {
			names = append(names, s.Name)
		}
	}
	return names
}

// Drain takes up to max notices from the outbox of a subscriber and reports
// whether there are more. Call it after the changes of the last Flush have been
// published: Installed says that they are in use.
func (r *RIB) Drain(name string, max int) (n routing.Notices, more bool) {
	at, known := r.subscriberAt(name)
	if !known || r.Settling() {
		return n, false
	}
	s := r.subscribers[at]
	if s.installedDue {
		n.Installed, s.installedDue = s.installed, false
	}
	for len(s.hopsMoved) > 0 && len(n.NextHops) < max {
		t := s.hopsMoved[0]
		s.hopsMoved = s.hopsMoved[1:]
		if st, ok := t.drain(); ok {
			n.NextHops = append(n.NextHops, st)
		}
	}
	for left := s.outbox.waiting(); left > 0 && s.outbox.waiting() > 0 && len(n.NextHops)+len(n.Routes) < max; left-- {
		if d, ok := r.drain(s); ok {
			n.Routes = append(n.Routes, d)
		}
	}
	if len(s.hopsMoved) == 0 {
		s.hopsMoved = nil // it may be long
	}
	if s.outbox.waiting() == 0 {
		s.outbox.list, s.outbox.head = paged[number]{}, 0
	}
	return n, len(s.hopsMoved)+s.outbox.waiting() > 0
}
