package bgp

import (
	"math/bits"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// group is the neighbours that are sent the same of a family, whatever it is: an update
// group. What policies and terms make of a route is found out once for all of them, and
// encoded once. Only routes that one of them has sent itself, or is the next hop of, are
// something else to that one.
type group struct {
	family wire.Family
	key    groupKey
	hops   HopTerms // without Peer
	export Policy
	lanes  []*lane
}

// groupKey is what the neighbours of a group have in common, besides next hops and the
// policy: whatever else what they are sent depends on.
type groupKey struct {
	terms   Terms
	session wire.Session
	mrai    time.Duration
	paths   int // how many of a prefix, 0 = the best, without an identifier
	// neighbor is set where nobody else can be sent the same: where the policy asks which
	// neighbour it is, or with ownDefault, where the neighbour is sent a default route of its
	// own (see [DefaultOriginate]).
	neighbor   neighborKey
	ownDefault bool
}

// outgoing is what a neighbour is sent of a family: it rides on a lane of its group.
type outgoing struct {
	neighbor *neighbor
	lane     *lane  // nil: the family is not spoken
	at       uint64 // the block of the lane that comes next
	// except is what of the lane the neighbour does not have, since it is its own.
	except     routing.SlotSet
	exceptions int       // bits of except
	next       time.Time // it may be sent changes from then on (RFC 4271 §9.2.1.1)
	variant    int       // for it in the block that is made, and one
}

// open reports whether the family is spoken.
func (o *outgoing) open() bool { return o.lane != nil }

// count is how many prefixes the neighbour has been sent, or paths.
func (o *outgoing) count() int {
	switch l := o.lane; {
	case l == nil:
		return 0
	case l.paths != nil:
		return l.paths.count - l.paths.from[o.neighbor]
	}
	return o.lane.count - o.exceptions
}

// has reports whether the neighbour has been sent a prefix.
func (o *outgoing) has(n uint32) bool {
	id := routing.SlotID(n)
	if o.lane != nil && o.lane.paths != nil {
		for p := range o.lane.paths.all(n) {
			if p.from != o.neighbor {
				return true
			}
		}
		return false
	}
	return o.lane != nil && o.lane.sent.Has(id) && !o.except.Has(id)
}

// idle reports whether the neighbour has been sent all that there is.
func (o *outgoing) idle() bool {
	l := o.lane
	return l == nil || o.at == l.end() && l.idle() && len(l.held.list) == 0 && !l.gathering
}

// pending reports whether something of a prefix is still to be sent, besides what the FIB
// does not have yet.
func (o *outgoing) pending(n uint32) bool {
	l, id := o.lane, routing.SlotID(n)
	return l.waiting.in.Has(id) || l.held.in.Has(id) || n < l.dump || slices.Contains(l.again, n) || o.at < l.end()
}

// sent is what of the terms matters for what a neighbour is sent.
func (t *Terms) sent() Terms {
	x := *t
	x.AllowOwnAS, x.LocalASNoPrepend = 0, false
	if !x.ASOverride && x.RemovePrivate == KeepPrivate {
		x.AS = 0
	}
	return x
}

// group gives the group of a neighbour whose session is up.
func (m *Machine) group(n *neighbor, f wire.Family) *group {
	agreed := n.session.Agreed()
	g := &group{family: f, hops: n.hops, export: n.cfg.Families[f].Export}
	g.hops.Peer = netip.Addr{}
	g.key = groupKey{terms: n.terms.sent(), mrai: n.cfg.MRAI, session: wire.Session{
		External: agreed.External, FourOctetAS: agreed.FourOctetAS, ExtendedMessage: agreed.ExtendedMessage,
		EnhancedRefresh: agreed.EnhancedRefresh, SendPaths: agreed.SendPaths & wire.Of(f),
	}}
	if agreed.SendPaths.Has(f) {
		g.key.paths = n.cfg.Families[f].SendPaths
	}
	g.key.ownDefault = n.ownDefault(f)
	if g.key.ownDefault || g.export.Chain.Depends()&policy.OnNeighbor != 0 {
		g.key.neighbor = n.cfg.key()
	}
	for _, other := range m.groups[f] {
		if other.key == g.key && reflect.DeepEqual(other.hops, g.hops) && other.export.same(&g.export) {
			return other
		}
	}
	m.groups[f] = append(m.groups[f], g)
	m.ribs[f].paths = m.ribs[f].paths || g.key.paths != 0
	return g
}

// sendsNothing reports that no route of the table passes, since there is no policy (RFC 8212).
func (g *group) sendsNothing() bool { return g.export.refuses(g.key.terms.External) }

// dumping reports whether a lane of the group is sending the table to neighbours that have
// come up.
func (g *group) dumping() bool {
	return slices.ContainsFunc(g.lanes, func(l *lane) bool { return l.ending && !l.gathering })
}

// gatherTime is how long neighbours that come up wait at most for others like them, while
// one is being sent the table already.
const gatherTime = 200 * time.Millisecond

// join has a neighbour that has come up sent the family.
func (m *Machine) join(n *neighbor, f wire.Family) {
	g := m.group(n, f)
	o := &n.out[f]
	*o = outgoing{neighbor: n}
	for _, l := range g.lanes {
		if l.gathering {
			o.lane, o.at = l, l.end()
			l.riders = append(l.riders, o)
			return
		}
	}
	gathering := g.dumping()
	l := m.newLane(g)
	l.ending, l.gathering = true, gathering
	if gathering {
		m.tasks.Set(&l.wake.timer, m.now.Add(gatherTime))
	} else {
		l.dump = m.ribs[f].table.Numbers()
	}
	o.lane = l
	l.riders = append(l.riders, o)
}

// gathered reports whether a lane may begin, and has it begin.
func (m *Machine) gathered(l *lane) bool {
	if !l.gathering {
		return true
	}
	if l.wake.timer.IsSet() && l.group.dumping() {
		return false
	}
	m.tasks.Stop(&l.wake.timer)
	l.gathering = false
	r := m.ribs[l.group.family]
	for _, n := range l.waiting.list { // all of it comes anyway
		l.waiting.in.Remove(routing.SlotID(n))
		r.vacate(n)
	}
	l.waiting.list = l.waiting.list[:0]
	l.dump = r.table.Numbers()
	return true
}

// leave ends what a neighbour is sent.
func (m *Machine) leave(o *outgoing) {
	l := o.lane
	if l == nil {
		return
	}
	*o = outgoing{}
	l.riders = slices.DeleteFunc(l.riders, func(r *outgoing) bool { return r == o })
	m.trim(l)
}

// resend has a neighbour sent all of a family again, as one that asks for it (RFC 2918 §4)
// or whose policy is another now.
func (m *Machine) resend(o *outgoing) {
	if o.lane != nil {
		m.regroup(o, true)
	}
}

// regroup has a neighbour ride where its configuration wants it, on a lane that sends all
// again if again is given. What it was sent counts as sent.
func (m *Machine) regroup(o *outgoing, again bool) {
	l, g := o.lane, m.group(o.neighbor, o.lane.group.family)
	if g == l.group && !again {
		return
	}
	for _, x := range g.lanes { // others of this step, with the same behind them
		if x.origin == l && x.originAt == o.at && x.originAgain == again {
			l.riders = slices.DeleteFunc(l.riders, func(r *outgoing) bool { return r == o })
			x.riders = append(x.riders, o)
			o.lane = x
			m.trim(l)
			return
		}
	}
	x := l
	if g != l.group || len(l.riders) > 1 {
		x = m.split(l, g, func(r *outgoing) bool { return r == o })
		x.origin, x.originAt, x.originAgain = l, o.at, again
	}
	switch {
	case !again:
	case x.ending: // RFC 7313 §4: no refresh before the end of the RIB
		x.refresh = true
	default:
		m.dumpAgain(x)
	}
}

// dumpAgain has all who ride on a lane sent everything again.
func (m *Machine) dumpAgain(l *lane) {
	l.refresh = false
	l.dump, l.again, l.owed, l.owing = m.ribs[l.group.family].table.Numbers(), nil, nil, 0
	l.next = time.Time{} // nothing has changed that would have to wait
	for _, o := range l.riders {
		o.next = time.Time{}
	}
	if l.group.key.session.EnhancedRefresh {
		l.begin, l.finish = true, true
	}
}

// merge has lanes that have come to the same point go on as one.
func (m *Machine) merge(g *group) {
	all := true
	for i := 0; i < len(g.lanes); i++ {
		x := g.lanes[i]
		for _, y := range g.lanes {
			switch {
			case x == y || !x.moved && !y.moved:
				continue
			case !m.near(x, y):
				all = false
				continue
			case !x.joins(y):
				continue
			}
			m.board(x, y)
			i--
			break // of the lanes that x might go on by
		}
	}
	for _, l := range g.lanes {
		l.moved = l.moved && !all
	}
}

// near reports whether those who ride on x have been sent all that there is, or that y is
// still to send, and may be sent more as soon as those of y.
func (m *Machine) near(x, y *lane) bool {
	if x.busy() || y.busy() || len(x.blocks) > 0 || len(y.blocks) > 0 || x.group.key.mrai == 0 && len(y.waiting.list) > 0 {
		return false
	}
	from := m.now // y may send changes from then on
	if !y.round && y.next.After(from) {
		from = y.next
	}
	for _, o := range x.riders {
		if o.next.After(from) {
			return false
		}
	}
	for _, q := range [...]*queue{&x.waiting, &x.held} {
		for _, n := range q.list {
			if id := routing.SlotID(n); !y.waiting.in.Has(id) && !y.held.in.Has(id) {
				return false
			}
		}
	}
	return true
}

// joins reports whether those who ride on x can go on by y: what either has sent and the other
// has not is noted then.
func (x *lane) joins(y *lane) bool { return x.paths == nil || x.paths.same(y.paths) }

// board has all of x ride on y.
func (m *Machine) board(x, y *lane) {
	for _, o := range y.riders { // such as what is their own
		o.lacks(x.sent, y.sent)
	}
	for _, o := range x.riders { // y is still to withdraw that, or to replace it
		o.lacks(y.sent, x.sent)
		o.lane, o.at = y, y.end()
	}
	for i, word := range x.sent {
		if i == len(y.sent) {
			y.sent = append(y.sent, 0)
		}
		y.count += bits.OnesCount64(word &^ y.sent[i])
		y.sent[i] |= word
	}
	y.riders = append(y.riders, x.riders...)
	x.riders = nil
	m.trim(x)
}

// lacks notes that the neighbour has not been sent what is in one set and not in another.
func (o *outgoing) lacks(in, less routing.SlotSet) {
	for i, word := range in {
		if i < len(less) {
			word &^= less[i]
		}
		if word == 0 {
			continue
		}
		for len(o.except) <= i {
			o.except = append(o.except, 0)
		}
		o.exceptions += bits.OnesCount64(word &^ o.except[i])
		o.except[i] |= word
	}
}
