package ospf

import (
	"slices"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// offers are the routes as the RIB is told them. Only what is another one is
// written to the slots.
type offers struct {
	slots   *routing.Slots
	routes  []offered // by number of the prefix
	lists   map[listKey]*hopList
	ways    []*hopList // by set of the table's hops, as long as it keeps them
	resets  int        // of those
	discard []int32    // numbers of active ranges, ascending
	said    Offer      // that the policy looks at
	round   uint64     // of forget
}

// offered is the route to one prefix.
type offered struct {
	prefix prefixKey
	// hops, and what they say, is what the RIB was told last, before the policy; nil
	// is that there is no route.
	hops     *hopList
	backup   *backup // nil: none
	area     wire.ID
	metric   uint32
	tag      uint32
	slot     routing.SlotID
	kind     PathType
	hasSlot  bool
	accepted bool // by the policy
}

// hopList is the next hops that slots share. It is the same pointer as long as the
// hops are the same.
type hopList struct {
	hops    []routing.NextHop
	backups map[Hop]*backup
	discard bool
	round   uint64 // of offers, the last one that found a route with it
}

// backup is a list of next hops with one more behind it, for when they are dead.
type backup struct{ hops []routing.NextHop }

type listKey string

var discarding = &hopList{discard: true}

// reset withdraws everything.
func (o *offers) reset() {
	for i := range o.routes {
		if r := &o.routes[i]; r.hasSlot {
			o.slots.Free(r.slot)
		}
	}
	o.routes, o.lists, o.ways, o.discard = nil, nil, nil, nil
}

// again has every route written anew, by other rules.
func (o *offers) again() {
	o.lists, o.ways = nil, nil // their number may be bounded otherwise
	for i := range o.routes {
		o.routes[i].hops = nil
	}
}

// offering is what routes are offered by.
type offering struct {
	table *Table
	cfg   *Config
	// alternates are nil until they are those of the table. A backup stays until
	// then where the next hops are the same.
	alternates *Alternates
}

// all offers the routes of a table. It gives how many are others than before.
func (o *offers) all(f *offering) (n int) {
	o.begin(f)
	for i := range f.table.routes {
		if o.one(f, int32(i)) {
			n++
		}
	}
	o.forget(f.table.state.Prefixes)
	return n
}

// some offers the routes to some prefixes.
func (o *offers) some(f *offering, prefixes []int32) (n int) {
	o.begin(f)
	for _, i := range prefixes {
		if o.one(f, i) {
			n++
		}
	}
	return n
}

func (o *offers) begin(f *offering) {
	if h := &f.table.Hops; o.lists == nil || o.resets != h.resets {
		o.ways, o.resets = refill(o.ways, len(h.sets), nil), h.resets
	}
	for len(o.ways) < len(f.table.Hops.sets) {
		o.ways = append(o.ways, nil)
	}
	if n := len(f.table.routes); n > cap(o.routes) {
		grown := make([]offered, n, n+n/8)
		copy(grown, o.routes)
		o.routes = grown
	} else if n > len(o.routes) {
		o.routes = o.routes[:n]
	}
	if o.lists == nil {
		o.lists = map[listKey]*hopList{}
	}
	o.release(f.table.state.Prefixes)
}

// release frees the slots of numbers that are no longer their prefix's, before the
// prefix may have a slot by another number: freed later, it would withdraw that one.
func (o *offers) release(prefixes *Prefixes) {
	for _, n := range prefixes.released {
		if int(n) >= len(o.routes) {
			continue
		}
		if r := &o.routes[n]; r.hasSlot && (prefixes.uses[n] == 0 || prefixes.key(n) != r.prefix) {
			o.slots.Free(r.slot)
			*r = offered{}
		}
	}
	prefixes.released = prefixes.released[:0]
}

// one offers the route to one prefix. It reports whether it is another one.
func (o *offers) one(f *offering, n int32) bool {
	was := &o.routes[n]
	r := &f.table.routes[n]
	if was.says(r) && f.alternates == nil && o.list(f, r.Ways) == was.hops && f.table.state.Prefixes.key(n) == was.prefix {
		return false // most are what they were
	}
	now := offered{prefix: f.table.state.Prefixes.key(n), kind: r.Type, area: r.Area, metric: r.Cost, tag: r.Tag}
	if r.Type == External2 {
		now.metric = r.Metric
	}
	if r.Type != noPath {
		now.hops = o.list(f, r.Ways)
	}
	if _, discards := slices.BinarySearch(o.discard, n); discards && now.hops == nil && r.Type != IntraArea {
		now = offered{prefix: now.prefix, hops: discarding, kind: InterArea} // RFC 2328 §11.1
	}
	if was.hasSlot && was.prefix != now.prefix { // the number has become another prefix's
		o.slots.Free(was.slot)
		*was = offered{}
	}
	switch {
	case now.hops == nil || now.hops.discard:
	case f.alternates != nil:
		if a := f.alternates.Of(n); a.Why == Protected {
			now.backup = now.hops.backup(a.Hop)
		}
	case was.hops == now.hops:
		now.backup = was.backup
	}
	now.hasSlot, now.slot, now.accepted = was.hasSlot, was.slot, was.accepted
	if now == *was {
		return false
	}
	*was = now
	return o.write(f, was)
}

// says reports whether a route that has hops says the same as one of the table but
// for the hops.
func (w *offered) says(r *Route) bool {
	metric := r.Cost
	if r.Type == External2 {
		metric = r.Metric
	}
	return w.hops != nil && w.kind == r.Type && w.area == r.Area && w.metric == metric && w.tag == r.Tag
}

// write has the slot say what the route is.
func (o *offers) write(f *offering, r *offered) bool {
	if r.hops == nil {
		r.accepted = false
		changed := r.hasSlot && o.slots.Offered(r.slot)
		if changed {
			o.slots.Withdraw(r.slot)
		}
		return changed
	}
	x := &o.said
	*x = Offer{Prefix: r.prefix.prefix(), Type: r.kind, Area: r.area, NextHops: r.nextHops(), Metric: r.metric, Tag: r.tag}
	r.accepted = r.hops.discard || f.cfg.Import == nil || f.cfg.Import.Apply(x)
	if !r.accepted {
		changed := r.hasSlot && o.slots.Offered(r.slot)
		if changed {
			o.slots.Withdraw(r.slot)
		}
		return changed
	}
	if !r.hasSlot {
		r.slot, r.hasSlot = o.slots.Take(x.Prefix), true
	}
	s := o.slots.At(r.slot)
	s.NextHops, s.Metric, s.Tag, s.Distance, s.Action = x.NextHops, x.Metric, x.Tag, f.cfg.Distance.of(r.kind), routing.Forward
	if r.hops.discard {
		s.Action = routing.Unreachable
	}
	o.slots.Offer(r.slot)
	return true
}

// of is the distance of routes of a type.
func (d *Distances) of(t PathType) uint8 {
	switch t {
	case IntraArea:
		return d.IntraArea
	case InterArea:
		return d.InterArea
	}
	return d.External
}

// list gives the next hops of a set, nil of what the router is attached to itself:
// those networks are connected ones.
func (o *offers) list(f *offering, set int32) *hopList {
	if set == 0 {
		return nil
	}
	if l := o.ways[set]; l != nil {
		return l
	}
	if f.table.Hops.onto(set) {
		return nil
	}
	var key []byte
	hops := f.table.Hops.Append(nil, set, f.cfg.MaximumPaths)
	for _, h := range hops {
		a := h.Address.As4()
		key = append(append(key, byte(h.Interface>>8), byte(h.Interface)), a[:]...)
	}
	l := o.lists[listKey(key)]
	if l == nil {
		l = &hopList{}
		for _, h := range hops {
			l.hops = append(l.hops, routing.NextHop{Address: h.Address, Interface: h.Interface})
		}
		o.lists[listKey(key)] = l
	}
	o.ways[set] = l
	return l
}

// backup gives the hops and behind them one for when they are dead. It is the same
// pointer each time.
func (l *hopList) backup(h Hop) *backup {
	b := l.backups[h]
	if b == nil {
		b = &backup{append(slices.Clone(l.hops), routing.NextHop{Address: h.Address, Interface: h.Interface, Backup: true})}
		if l.backups == nil {
			l.backups = map[Hop]*backup{}
		}
		l.backups[h] = b
	}
	return b
}

// nextHops gives those of a route, the backup behind the others.
func (w *offered) nextHops() []routing.NextHop {
	if w.backup != nil {
		return w.backup.hops
	}
	return w.hops.hops
}

// forget frees what nothing has any more: lists of hops, and slots of prefixes that
// no LSA names.
func (o *offers) forget(prefixes *Prefixes) {
	o.round++
	for i := range o.routes {
		if r := &o.routes[i]; r.hops != nil {
			if !r.hops.discard { // discarding is not this machine's alone
				r.hops.round = o.round
			}
		} else if r.hasSlot && prefixes.uses[i] == 0 {
			o.slots.Free(r.slot)
			*r = offered{}
		}
	}
	for key, l := range o.lists {
		if l.round != o.round {
			delete(o.lists, key)
			o.ways = o.ways[:0]
		}
	}
}
