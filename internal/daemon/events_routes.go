package daemon

import (
	"net/netip"
	"time"

	"routerd/internal/control"
	"routerd/internal/events"
	"routerd/routing/rib"
)

// Changes of routes are gathered, for each prefix once.
const (
	routeGather = 100 * time.Millisecond
	// mostGathered is how many prefixes are gathered; changes of others are only
	// counted then.
	mostGathered = events.MaxEvents / 4
	// routesTold is how many prefixes are told between two steps of the loop.
	routesTold = 100
	// deskRoom is how much room routes leave at the desk for others.
	deskRoom = events.MaxReports / 2
)

// gathering is the changes of routes that are not told yet. Only the loop uses it.
type gathering struct {
	prefixes map[netip.Prefix]gathered
	order    []netip.Prefix
	due      time.Time // zero while there are none
	counted  uint64    // changes of the FIB when nobody listened
	follows  bool
	missed   uint64 // changes that had no room
}

type gathered struct {
	cause events.Token
	isNew bool
}

// gather takes what the step before has changed of routes.
func (t *teller) gather(now time.Time) {
	g, r := &t.routes, t.d.router
	changes := r.RIB().Stats().Changes
	if n := changes - g.counted; !g.follows && n > 0 {
		t.ring.Unheard(t.topic.route, n)
	}
	g.counted = changes
	if wanted := t.ring.Wanted(t.topic.route, now); wanted != g.follows {
		r.Follow(wanted)
		g.follows = wanted
	}
	if !g.follows {
		return
	}
	f := r.TakeFollowed()
	if len(f.Touched) == 0 {
		return
	}
	because := t.because
	if because == 0 {
		about := make([]any, len(f.By))
		for i, name := range f.By {
			about[i] = name
		}
		because = t.causes.of(now, about...)
	}
	for _, x := range f.Touched {
		g.add(x, because)
	}
	if g.due.IsZero() {
		g.due = now.Add(routeGather)
	}
}

func (g *gathering) add(x rib.Touched, because events.Token) {
	if g.prefixes == nil {
		g.prefixes = map[netip.Prefix]gathered{}
	}
	was, there := g.prefixes[x.Prefix]
	switch {
	case there:
		if because == 0 {
			because = was.cause
		}
		g.prefixes[x.Prefix] = gathered{because, was.isNew}
	case len(g.prefixes) >= mostGathered:
		g.missed++
	default:
		g.prefixes[x.Prefix] = gathered{because, x.New}
		g.order = append(g.order, x.Prefix)
	}
}

// tellRoutes reports some of the prefixes that have been gathered for long
// enough.
func (t *teller) tellRoutes(now time.Time) {
	g, r := &t.routes, t.d.router.RIB()
	if g.due.IsZero() || now.Before(g.due) || r.Settling() {
		return
	}
	if t.desk.Room() < deskRoom+routesTold {
		g.due = now.Add(routeGather / 10)
		return
	}
	view := t.d.router.View()
	some := g.order[:min(len(g.order), routesTold)]
	for _, p := range some {
		item := control.PrefixRoutes{Prefix: p, Routes: []control.Route{}}
		list := r.Get(p)
		for i := range list {
			item.Routes = append(item.Routes, t.d.route(view, &list[i]))
		}
		x := g.prefixes[p]
		delete(g.prefixes, p)
		report := events.Report{Topic: t.topic.route, Time: now, Action: events.Changed, Key: p.String(), Item: item, Cause: x.cause}
		switch {
		case len(list) == 0 && x.isNew:
			continue // it came and went meanwhile
		case len(list) == 0:
			report.Action, report.Item = events.Removed, nil
		default:
			report.Origin = item.Routes[0].Origin
			if x.isNew {
				report.Action = events.Added
			}
		}
		t.desk.Report(report)
	}
	if g.order = g.order[len(some):]; len(g.order) > 0 {
		g.due = now // the rest after another step
		return
	}
	if g.missed > 0 {
		t.ring.Skip(t.topic.route, g.missed, events.TooMany)
		g.missed = 0
	}
	g.order, g.due = nil, time.Time{}
}
