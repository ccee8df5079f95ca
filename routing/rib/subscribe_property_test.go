package rib

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
)

// listener is a subscriber as it would be: it believes what it is told and
// knows nothing else.
type listener struct {
	name      string
	speaks    routing.Source
	wants     []routing.Source
	family    int
	policy    int // which of the policies
	routes    map[netip.Prefix]routing.Route
	hops      map[trackedHop]routing.NextHopState
	tracks    map[trackedHop]bool
	mark      uint64
	installed uint64
}

var policies = []Policy{
	nil,
	func(rt *routing.Route) Decision { return Decision{Accept: rt.Tag != 1} },
	func(rt *routing.Route) Decision {
		rt.Metric, rt.Tag = 77+rt.Tag, 9
		return Decision{Accept: rt.Source != routing.SourceConnected, MetricSet: true, TagSet: true}
	},
	func(*routing.Route) Decision { return Decision{} },
}

const configuredMetric, configuredTag = 20, 7

func (l *listener) subscription() Subscribe {
	in := Subscribe{Name: l.name, Speaks: []routing.Source{l.speaks}, Family: l.family}
	for _, s := range l.wants {
		in.Redistribute = append(in.Redistribute, Redistribution{
			Source: s, Metric: configuredMetric, KeepMetric: s == routing.SourceStatic,
			Tag: map[routing.Source]uint32{routing.SourceConnected: configuredTag}[s], Policy: policies[l.policy],
		})
	}
	return in
}

// hear drains up to max notices, which have to be news.
func (l *listener) hear(t *rapid.T, r *RIB, max int) {
	n, more := r.Drain(l.name, max)
	if len(n.Routes)+len(n.NextHops) > max {
		t.Fatalf("%s hears %d notices at once, want at most %d", l.name, len(n.Routes)+len(n.NextHops), max)
	}
	if more != slices.Contains(r.Waiting(), l.name) {
		t.Fatalf("%s is told that more is waiting: %v; it is among %v", l.name, more, r.Waiting())
	}
	if n.Installed != 0 {
		l.installed = n.Installed
	}
	for _, h := range n.NextHops {
		k := trackedHop{h.Address, h.Interface}
		if was, ok := l.hops[k]; ok && was == h || !l.tracks[k] {
			t.Fatalf("%s hears of next hop %+v, which is no news to it", l.name, h)
		}
		l.hops[k] = h
	}
	for _, d := range n.Routes {
		was, known := l.routes[d.Route.Prefix]
		switch {
		case d.Withdraw && (!known || was.Source != d.Route.Source):
			t.Fatalf("%s hears that %v of %v is gone, and knows %+v", l.name, d.Route.Prefix, d.Route.Source, was)
		case d.Withdraw:
			delete(l.routes, d.Route.Prefix)
			continue
		case known && sameRoute(&was, &d.Route):
			t.Fatalf("%s hears of %+v again", l.name, d.Route)
		}
		l.routes[d.Route.Prefix] = d.Route
	}
}

// event changes what one listener wants.
func (l *listener) event(t *rapid.T, w *world, now time.Time) {
	step := func(in Input) {
		if err := w.rib.Step(now, in); err != nil {
			t.Fatal(err)
		}
	}
	switch rapid.IntRange(0, 6).Draw(t, l.name) {
	case 0:
		l.wants = rapid.SliceOfNDistinct(rapid.SampledFrom([]routing.Source{
			routing.SourceConnected, routing.SourceStatic, routing.SourceEBGP, routing.SourceOSPF,
		}), 0, 4, rapid.ID[routing.Source]).Draw(t, "wants")
		l.wants = slices.DeleteFunc(l.wants, func(s routing.Source) bool { return s == l.speaks })
		l.family = rapid.SampledFrom([]int{0, 4, 6}).Draw(t, "family")
		l.policy = rapid.IntRange(0, len(policies)-1).Draw(t, "policy")
		step(l.subscription())
	case 1, 2:
		h := trackedHop{drawAddress(t, "tracked"), routing.NoInterface}
		if rapid.IntRange(0, 3).Draw(t, "on") == 0 {
			h.iface = routing.InterfaceID(rapid.IntRange(0, len(names)-1).Draw(t, "interface"))
		}
		l.tracks[h] = true
		step(Track{l.name, h.address, h.iface})
	case 3:
		for _, h := range slices.SortedFunc(maps.Keys(l.tracks), trackedHop.compare) {
			delete(l.tracks, h)
			delete(l.hops, h)
			step(Untrack{l.name, h.address, h.iface})
			break
		}
	case 4: // it goes and comes back, and knows nothing
		step(Unsubscribe{l.name})
		step(l.subscription())
		clear(l.routes)
		clear(l.hops)
		clear(l.tracks)
		l.mark, l.installed = 0, 0
	case 5:
		l.mark++
		step(Mark{l.name, l.mark})
	default:
		l.hear(t, w.rib, rapid.IntRange(1, 3).Draw(t, "chunk"))
	}
}

// wanted is what the listener should know of the routes.
func (l *listener) wanted(w *world, table map[netip.Prefix]*naiveResult) map[netip.Prefix]routing.Route {
	out := map[netip.Prefix]routing.Route{}
	for p, res := range table {
		if !slices.Contains(l.wants, res.source) || l.family == 6 || res.action == routing.Broadcast {
			continue
		}
		if in := w.model.interfaces[res.owner]; res.action == routing.Local &&
			(!in.Up || !slices.Contains(in.Addresses, Address{Prefix: p})) {
			continue
		}
		rt := routing.Route{Prefix: p, Source: res.source, Action: res.action, Distance: res.distance, Metric: res.metric, Tag: res.tag}
		d := Decision{Accept: true}
		if f := policies[l.policy]; f != nil {
			d = f(&rt)
		}
		if !d.Accept {
			continue
		}
		if !d.MetricSet && res.source != routing.SourceStatic {
			rt.Metric = configuredMetric
		}
		if !d.TagSet && res.source == routing.SourceConnected {
			rt.Tag = configuredTag
		}
		if rt.Action == routing.Local {
			rt.Action = routing.Forward
		}
		out[p] = rt
	}
	return out
}

// check compares all that the listener was told with the model.
func (l *listener) check(t *rapid.T, w *world, table map[netip.Prefix]*naiveResult) {
	want := l.wanted(w, table)
	for p, got := range l.routes {
		exp, ok := want[p]
		hops := got.NextHops
		got.NextHops = nil
		if !ok || !sameRoute(&got, &exp) {
			t.Fatalf("%s knows %+v, want %+v (%v)\n%s", l.name, got, exp, ok, w)
		}
		if shares := table[p].shares; len(shares) > 0 && len(hops) != len(shares) {
			t.Fatalf("%s knows %v by %v, want %v", l.name, p, hops, shares)
		} else if len(shares) > 0 {
			for _, h := range hops {
				if shares[neighbour{h.Address, h.Interface}] == 0 {
					t.Fatalf("%s knows %v by %v, want %v", l.name, p, hops, shares)
				}
			}
		}
		delete(want, p)
	}
	if len(want) > 0 {
		t.Fatalf("%s was not told of %v\n%s", l.name, want, w)
	}
	for h := range l.tracks {
		got, told := l.hops[h]
		if exp := w.model.track(h, table); !told || !sameState(got, exp, table) {
			t.Fatalf("%s was told (%v) %+v, want %+v\n%s", l.name, told, got, exp, w)
		}
	}
	if l.installed != l.mark {
		t.Fatalf("%s heard that %d is installed, it has sent %d", l.name, l.installed, l.mark)
	}
}

// track is what should be known of a next hop, but for the neighbour.
func (n naive) track(h trackedHop, table map[netip.Prefix]*naiveResult) routing.NextHopState {
	st := routing.NextHopState{Address: h.address, Interface: h.iface, Out: routing.NoInterface}
	for _, in := range n.interfaces {
		for _, o := range offersOf(in) {
			if o.action != routing.Forward && o.prefix == hostPrefix(h.address) {
				return st
			}
		}
	}
	if h.iface != routing.NoInterface {
		if st.Reachable = n.interfaces[h.iface].Up; st.Reachable {
			st.Gateway, st.Out = h.address, h.iface
		}
		return st
	}
	for bits := 32; bits >= 0; bits-- {
		if res := table[netip.PrefixFrom(h.address, bits).Masked()]; res != nil {
			st.Reachable, st.Action, st.Via = true, res.action, netip.PrefixFrom(h.address, bits).Masked()
			st.Source, st.Distance, st.Metric = res.source, res.distance, res.metric
			break
		}
	}
	return st
}

// sameState leaves open which of several neighbours is the first.
func sameState(got, want routing.NextHopState, table map[netip.Prefix]*naiveResult) bool {
	if !want.Via.IsValid() || want.Action != routing.Forward {
		return got == want
	}
	for n := range table[want.Via].shares {
		if !n.address.IsValid() {
			n.address = want.Address
		}
		want.Gateway, want.Out = n.address, n.iface
		if got == want {
			return true
		}
	}
	return false
}

// restart is what happens to a whole source.
func (w *world) restart(t *rapid.T, now time.Time) {
	source := rapid.SampledFrom([]routing.Source{routing.SourceEBGP, routing.SourceOSPF}).Draw(t, "restart")
	var in Input
	sweep := func(due bool) {
		for k := range w.stale {
			if k.source == source && due {
				delete(w.model.deltas, k)
				delete(w.stale, k)
			}
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "stale") {
	case 0:
		in = Sweep{Source: source}
		sweep(true)
	case 1:
		in = Tick{}
		due := w.rib.Deadline()
		if !due.IsZero() {
			now = due
			for _, s := range w.rib.restarts {
				if !s.Until.After(now) {
					source = s.Source
					sweep(true)
				}
			}
		}
	default:
		in = Stale{Source: source, Until: now.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "until")) * time.Second)}
		for k := range w.model.deltas {
			if k.source == source {
				w.stale[k] = true
			}
		}
	}
	if err := w.rib.Step(now, in); err != nil {
		t.Fatal(err)
	}
}

// Whatever happened on the way and however often a subscriber listened, once
// it has heard everything it knows what is and nothing else.
func TestSubscribersAgreeWithTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		now := time.Unix(1000, 0)
		var all []*listener
		for name, speaks := range map[string]routing.Source{"bgp": routing.SourceEBGP, "ospf": routing.SourceOSPF} {
			l := &listener{
				name: name, speaks: speaks, routes: map[netip.Prefix]routing.Route{},
				hops: map[trackedHop]routing.NextHopState{}, tracks: map[trackedHop]bool{},
			}
			all = append(all, l)
			if err := w.rib.Step(now, l.subscription()); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(all, func(a, b *listener) int { return int(a.speaks) - int(b.speaks) })
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.IntRange(1, 4).Draw(t, "flushes") {
				for range rapid.IntRange(1, 3).Draw(t, "events") {
					w.event(t, now)
				}
				all[rapid.IntRange(0, 1).Draw(t, "who")].event(t, w, now)
				if rapid.IntRange(0, 3).Draw(t, "any restart") == 0 {
					w.restart(t, now)
				}
				w.flush(t)
			}
			w.check(t)
			w.checkTidy(t)
			table := w.model.solve()
			for _, l := range all {
				if n := outbox(w.rib, l.name); n > 2*(len(table)+len(l.routes))+len(l.tracks) {
					t.Fatalf("%s has %d notices waiting, for %d routes that it knows and %d that are", l.name, n, len(l.routes), len(table))
				}
				for i := 0; slices.Contains(w.rib.Waiting(), l.name); i++ {
					if i > 1000 {
						t.Fatalf("%s has always something to hear", l.name)
					}
					l.hear(t, w.rib, 2)
				}
				l.check(t, w, table)
			}
		}
	})
}

// outbox is how much waits for a subscriber.
func outbox(r *RIB, name string) int {
	i, _ := r.subscriberAt(name)
	s := r.subscribers[i]
	return len(s.hopsMoved) + s.outbox.waiting()
}

// sameRoute reports whether two routes are the same for a protocol.
func sameRoute(a, b *routing.Route) bool {
	return a.Source == b.Source && a.Action == b.Action && a.Distance == b.Distance &&
		a.Metric == b.Metric && a.Tag == b.Tag && slices.Equal(a.NextHops, b.NextHops)
}
