package rip

import (
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// table has all routes, including dead ones that are still announced. Each list
// is in the order in which its elements fall due, so no route needs a timer.
type table struct {
	routes map[netip.Prefix]*route
	all    list[route] // in the order in which updates send them
	heard  list[path]  // the least recently refreshed first
	dying  list[route] // in the order in which they died

	changed []*route // for the next triggered update, or for the open one
	again   []*route // sent by the open one and changed since
	offered []*route // to be written to the slots
	learned int      // routes with paths
}

func (t *table) init() {
	t.routes = map[netip.Prefix]*route{}
	t.all.init()
	t.heard.init()
	t.dying.init()
}

// route is a destination. This is its state machine (RFC 2453 §3.8, §3.9.2);
// "!" means that a triggered update is sent, "?" that the neighbours are asked
// for their tables:
//
//	event                                 absent    learned        dying      own
//	heard, metric below 16                learned!  see below      learned!   -
//	heard, metric 16 or refused, its path -         path lost      -          -
//	path not heard of for Invalid         -         path lost      -          -
//	interface down, neighbour lost        -         path lost      -          -
//	last path lost                        -         dying! ?       -          -
//	dead for Flush-Invalid                -         -              absent     -
//	redistributed, connected              own!      own!           own!       own!
//	the same taken back                   -         -              -          dying! ?
//
// Heard again while learned, compared with the route's metric:
//
//	          by a router it goes by             by another one
//	better    that path alone, metric!           the new path alone, metric!
//	equal     heard now                          one more path!, up to MaximumPaths;
//	                                             else in place of one half timed out!
//	worse     the only one: metric!;             -
//	          one of several: path lost
//
// An own route that is less preferred than learned ones (see Config.Distance)
// does not prevent learning, and takes over when the last path is lost.
type route struct {
	prefix netip.Prefix
	paths  []*path // all of the same metric
	own    [numOwn]*own
	metric uint8 // of the paths
	// since is when it last changed.
	since time.Time
	// announced are the interfaces where it was last announced as reachable, so
	// that it has to be poisoned there when it no longer is.
	announced bits

	told             uint32 // number of the triggered update that sent it last
	changed, offered bool   // in the table's lists
	installed        bool   // its slot offers it to the RIB
	slot             routing.SlotID
	hasSlot          bool
	inAll, inDying   node[route]
}

// path is a neighbour through which a route is reachable.
type path struct {
	route    *route
	neighbor *neighbor
	nextHop  netip.Addr
	tag      uint16
	heard    time.Time
	inHeard  node[path]
}

// ownKind says where an own route comes from; of several the first kind wins.
type ownKind uint8

const (
	ownConnected ownKind = iota
	ownDefault
	ownRedistributed
	numOwn
)

// own is a route that the router itself contributes.
type own struct {
	source   routing.Source
	distance uint8
	metric   uint8
	tag      uint16
	hop      routing.NextHop
}

// ours returns the own route to the destination, or nil.
func (r *route) ours() *own {
	for _, o := range r.own {
		if o != nil {
			return o
		}
	}
	return nil
}

// pathOf returns the neighbour's path, or nil.
func (r *route) pathOf(n *neighbor) *path {
	for _, p := range r.paths {
		if p.neighbor == n {
			return p
		}
	}
	return nil
}

// learn processes a neighbour's announcement of a prefix. The interface's
// metric is already added to metric.
func (m *Machine) learn(n *neighbor, prefix netip.Prefix, nextHop netip.Addr, metric uint8, tag uint16) {
	r := m.table.routes[prefix]
	if r == nil {
		if metric >= Infinity {
			return // RFC 2453 §3.9.2: no point in adding an unusable route
		}
		if len(m.table.routes) >= m.cfg.MaxRoutes {
			n.iface.counters.TableFull++
			m.event(TableFull, n.iface, n.addr, nil)
			return
		}
		if m.full(n) {
			return
		}
		r = m.create(prefix)
	}
	if o := r.ours(); o != nil && o.distance <= m.cfg.Distance {
		return
	}
	p := r.pathOf(n)
	switch {
	case p == nil && (metric >= Infinity || len(r.paths) > 0 && metric > r.metric): // no better than the present paths
	case p == nil && m.full(n):
	case p == nil && (len(r.paths) == 0 || metric < r.metric):
		m.adopt(r, metric)
		m.add(r, n, nextHop, tag)
	case p == nil:
		m.join(r, n, nextHop, tag)
	case metric >= Infinity, metric > r.metric && len(r.paths) > 1:
		m.lost(p)
	default:
		m.refresh(p, nextHop, metric, tag)
	}
}

// adopt gives the route a new metric and no paths.
func (m *Machine) adopt(r *route, metric uint8) {
	for len(r.paths) > 0 {
		m.remove(r.paths[len(r.paths)-1])
	}
	r.metric = metric
}

// join adds a path of equal metric if there is room, or else replaces one that
// shows signs of timing out (RFC 2453 §3.9.2).
func (m *Machine) join(r *route, n *neighbor, nextHop netip.Addr, tag uint16) {
	if len(r.paths) >= m.cfg.MaximumPaths {
		oldest := slices.MinFunc(r.paths, func(a, b *path) int { return a.heard.Compare(b.heard) })
		if m.now.Sub(oldest.heard) < m.cfg.Invalid/2 {
			return
		}
		m.remove(oldest)
	}
	m.add(r, n, nextHop, tag)
}

// refresh processes an announcement from a neighbour that is already a path
// of the route.
func (m *Machine) refresh(p *path, nextHop netip.Addr, metric uint8, tag uint16) {
	r := p.route
	p.heard = m.now
	p.inHeard.remove()
	m.table.heard.push(&p.inHeard, p)
	if metric == r.metric && nextHop == p.nextHop && tag == p.tag {
		return
	}
	if metric < r.metric {
		for i := len(r.paths) - 1; i >= 0; i-- {
			if r.paths[i] != p {
				m.remove(r.paths[i])
			}
		}
	}
	r.metric, p.nextHop, p.tag = metric, nextHop, tag
	m.touch(r)
}

func (m *Machine) add(r *route, n *neighbor, nextHop netip.Addr, tag uint16) {
	p := &path{route: r, neighbor: n, nextHop: nextHop, tag: tag, heard: m.now}
	m.table.heard.push(&p.inHeard, p)
	if len(r.paths) == 0 {
		m.table.learned++
	}
	r.paths = append(r.paths, p)
	n.paths++
	m.touch(r)
}

// remove removes a path and leaves the consequences to the caller.
func (m *Machine) remove(p *path) {
	r := p.route
	p.inHeard.remove()
	p.neighbor.paths--
	at := slices.Index(r.paths, p)
	r.paths = slices.Delete(r.paths, at, at+1)
	if len(r.paths) == 0 {
		m.table.learned--
	}
}

// lost removes a path that is dead.
func (m *Machine) lost(p *path) {
	r := p.route
	m.remove(p)
	m.touch(r)
	if len(r.paths) == 0 {
		m.asking.wanted = true
	}
}

// setOwn sets the own route of a kind to a prefix; nil removes it.
func (m *Machine) setOwn(prefix netip.Prefix, kind ownKind, o *own) {
	r := m.table.routes[prefix]
	switch {
	case r == nil && o == nil:
		return
	case r == nil:
		r = m.create(prefix)
	}
	was := r.ours()
	if r.own[kind] == o || r.own[kind] != nil && o != nil && *r.own[kind] == *o {
		return
	}
	r.own[kind] = o
	is := r.ours()
	if is != nil && is.distance <= m.cfg.Distance {
		for len(r.paths) > 0 {
			m.remove(r.paths[len(r.paths)-1])
		}
	}
	if is != was {
		m.touch(r)
	}
	if is == nil && len(r.paths) == 0 {
		m.asking.wanted = true
	}
}

func (m *Machine) create(prefix netip.Prefix) *route {
	r := &route{prefix: prefix}
	m.table.routes[prefix] = r
	m.table.all.push(&r.inAll, r)
	return r
}

// touch notes that the route has changed, and keeps it in the dying list while
// it is unreachable.
func (m *Machine) touch(r *route) {
	r.since = m.now
	if r.inDying.in() {
		r.inDying.remove()
	}
	if len(r.paths) == 0 && r.ours() == nil {
		r.metric = Infinity
		m.table.dying.push(&r.inDying, r)
	}
	m.queueTriggered(r)
	if !r.offered {
		r.offered = true
		m.table.offered = append(m.table.offered, r)
	}
}

// queueTriggered puts the route in the next triggered update.
func (m *Machine) queueTriggered(r *route) {
	if r.changed {
		return
	}
	r.changed = true
	open := m.trigger.open(m.now)
	if open && r.told == m.trigger.number {
		m.table.again = append(m.table.again, r)
		return
	}
	// A change that came too late to join belongs to the next update, which
	// nothing joins yet.
	m.trigger.joining = open && (m.trigger.joining || len(m.table.changed) == 0)
	m.table.changed = append(m.table.changed, r)
}

// forget deletes a route that has been dead long enough.
func (m *Machine) forget(r *route) {
	r.inDying.remove()
	m.pass(r)
	r.inAll.remove()
	delete(m.table.routes, r.prefix)
	if r.hasSlot {
		m.slots.Free(r.slot)
	}
}

// offer writes the changed routes to the slots for the RIB.
func (m *Machine) offer() {
	if len(m.table.offered) == 0 {
		return
	}
	var hops []routing.NextHop // shared by many routes, to save allocations
	for _, r := range m.table.offered {
		r.offered = false
		if len(r.paths) == 0 {
			if r.installed {
				m.slots.Withdraw(r.slot)
			}
			r.installed = false
			continue
		}
		if cap(hops)-len(hops) < len(r.paths) {
			hops = make([]routing.NextHop, 0, max(len(r.paths), min(len(m.table.offered), 64)))
		}
		first := len(hops)
		for _, p := range r.paths {
			hop := routing.NextHop{Address: p.nextHop, Interface: p.neighbor.iface.id}
			if !slices.Contains(hops[first:], hop) { // several paths may have the same next hop
				hops = append(hops, hop)
			}
		}
		r.installed = true
		if !r.hasSlot {
			r.hasSlot, r.slot = true, m.slots.Take(r.prefix)
		}
		s := m.slots.At(r.slot)
		s.Distance, s.Metric, s.Tag = m.cfg.Distance, uint32(r.metric), uint32(r.paths[0].tag)
		s.NextHops = hops[first:len(hops):len(hops)]
		m.slots.Offer(r.slot)
	}
	m.table.offered = m.table.offered[:0]
}

// bits is a set of interfaces, which is small while their numbers are small.
type bits struct {
	low  uint64
	high []uint64
}

func (b *bits) has(id routing.InterfaceID) bool {
	word, bit := int(id)/64, id%64
	switch {
	case word == 0:
		return b.low>>bit&1 != 0
	case word > len(b.high):
		return false
	}
	return b.high[word-1]>>bit&1 != 0
}

func (b *bits) set(id routing.InterfaceID, to bool) {
	word, bit := int(id)/64, id%64
	if word > len(b.high) {
		if !to {
			return
		}
		b.high = append(b.high, make([]uint64, word-len(b.high))...)
	}
	w := &b.low
	if word > 0 {
		w = &b.high[word-1]
	}
	*w &^= 1 << bit
	if to {
		*w |= 1 << bit
	}
}
