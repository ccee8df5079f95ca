package rip

import (
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// Updates of many packets are sent in bursts with a pause between them, so that
// they do not overrun the receivers' socket buffers: Linux's hold about 160 RIP
// packets by default.
const (
	burst = 10 // packets
	pause = 5 * time.Millisecond
)

// job is a series of packets being sent on an interface, to one destination
// from one source.
type job struct {
	target
	kind jobKind
	// The routes still to be sent: from next on in the table, or those in the
	// list of a triggered update.
	next    *route
	changed []*route
	joined  [][]*route // lists to send after that one
	// again: the same request came once more while it is being answered.
	again bool
}

// target is the source and destination of a job's packets.
type target struct {
	src  netip.Prefix
	dst  netip.Addr
	port uint16
}

type jobKind uint8

const (
	regular   jobKind = iota // all routes to all neighbours
	triggered                // changed routes
	answer                   // all routes, to the sender of a request
	goodbye                  // all announced routes as unreachable
)

// update starts the updates that are due and continues those under way.
func (m *Machine) update() {
	m.planAsking()
	for !m.stopping {
		t := m.updates.Due(m.now)
		if t == nil {
			break
		}
		m.regularUpdate(t.Of)
	}
	m.closeTriggered()
	if len(m.table.changed) > 0 && !m.now.Before(m.trigger.due()) && !m.stopping {
		m.triggeredUpdate()
	}
	m.trigger.urgent = m.trigger.urgent && len(m.table.changed)+len(m.table.again) > 0
	for _, i := range m.order {
		m.sendBurst(i)
	}
	if !m.asking.at.IsZero() && !m.now.Before(m.asking.at) && !m.stopping {
		m.askAll()
	}
}

// regularUpdate starts sending all routes to all neighbours on i (RFC 2453
// §3.8).
func (m *Machine) regularUpdate(i *iface) {
	jitter := m.cfg.Update / families[m.cfg.Protocol].jitter
	m.updates.Set(&i.nextUpdate, m.now.Add(m.cfg.Update+m.between(-jitter, jitter)))
	m.forgetSilent(i)
	for _, t := range m.targets(i) {
		// The last one may still be under way if the interval is too short for
		// the number of routes.
		if i.job(t, regular) == nil {
			i.jobs = append(i.jobs, &job{target: t, kind: regular, next: m.table.all.front()})
		}
	}
}

// targets returns the destinations of updates on i: the multicast group, from
// each subnet of the interface, and the configured neighbours.
func (m *Machine) targets(i *iface) []target {
	if !i.sends() {
		return nil
	}
	group, port := Group(m.cfg.Protocol)
	var list []target
	if !i.cfg.Passive {
		for _, s := range i.sources {
			list = append(list, target{s, group, port})
		}
	}
	for _, n := range i.cfg.Neighbors {
		list = append(list, target{i.sourceFor(n), n, port})
	}
	return list
}

// sourceFor returns the source address for packets to a host on the link.
func (i *iface) sourceFor(host netip.Addr) netip.Prefix {
	for _, s := range i.sources {
		if s.Contains(host) {
			return s
		}
	}
	return i.sources[0]
}

// job returns the job of a kind for a target, or nil.
func (i *iface) job(t target, kind jobKind) *job {
	for _, j := range i.jobs {
		if j.target == t && j.kind == kind {
			return j
		}
	}
	return nil
}

// goodbye starts announcing all routes that were announced on i as unreachable,
// to those targets.
func (m *Machine) goodbye(i *iface, to []target) {
	i.jobs = nil
	for _, t := range to {
		i.jobs = append(i.jobs, &job{target: t, kind: goodbye, next: m.table.all.front()})
	}
}

// pass moves the jobs whose next route is r, which is about to be deleted, to
// the route after it.
func (m *Machine) pass(r *route) {
	for _, i := range m.order {
		for _, j := range i.jobs {
			if j.next == r {
				j.next = r.inAll.next.of
			}
		}
	}
}

// sendBurst sends a burst of the jobs under way on i.
func (m *Machine) sendBurst(i *iface) {
	if len(i.jobs) == 0 || m.now.Before(i.resume) {
		return
	}
	s, ok := m.seal(i)
	if !ok {
		i.jobs = nil // nothing is sent without a key
		return
	}
	for sent := 0; len(i.jobs) > 0; {
		j := i.jobs[0]
		if sent == burst {
			i.resume = m.now.Add(pause)
			return
		}
		if m.fill(i, j, s) {
			m.send(i, j.target, s)
			i.counters.Updates[j.kind]++
			sent++
			continue
		}
		if j.again {
			j.again, j.next = false, m.table.all.front()
			continue
		}
		i.jobs = i.jobs[1:]
	}
	i.resume = m.now.Add(pause)
}

// fill builds the next packet of j in m.building, and reports whether it has
// any routes.
func (m *Machine) fill(i *iface, j *job, s wire.Seal) bool {
	room := m.cfg.Protocol.Capacity(i.mtu, s)
	b := &m.building
	*b = wire.Packet{Command: wire.Response, Version: families[m.cfg.Protocol].version, Entries: b.Entries[:0]}
	var hop netip.Addr
	for r := j.peek(); r != nil; r = j.peek() {
		e, ok := m.entryFor(i, j, r)
		if !ok {
			j.advance()
			continue
		}
		size := 1
		if m.cfg.Protocol == RIPng && e.NextHop != hop {
			size++ // a next hop entry, RFC 2080 §2.1.1
		}
		if room < size {
			break
		}
		room, hop = room-size, e.NextHop
		b.Entries = append(b.Entries, e)
		j.advance()
	}
	return len(b.Entries) > 0
}

// peek returns the next route to be sent, or nil.
func (j *job) peek() *route {
	if j.kind != triggered {
		return j.next
	}
	for {
		for len(j.changed) > 0 && !j.changed[0].inAll.in() {
			j.changed = j.changed[1:] // deleted since
		}
		if len(j.changed) > 0 {
			return j.changed[0]
		}
		if len(j.joined) == 0 {
			return nil
		}
		j.changed, j.joined = j.joined[0], j.joined[1:]
	}
}

func (j *job) advance() {
	if j.kind == triggered {
		j.changed = j.changed[1:]
		return
	}
	j.next = j.next.inAll.next.of
}

// entryFor returns the entry for r in an update on i, and false if r is left out.
func (m *Machine) entryFor(i *iface, j *job, r *route) (wire.Entry, bool) {
	e := wire.Entry{Prefix: r.prefix, Metric: Infinity}
	reverse := false
	if j.kind != goodbye {
		e, reverse = m.view(i, j.src, r)
	}
	if e.Metric < Infinity {
		r.announced.set(i.id, true)
		return e, true
	}
	// A route that was announced here as reachable and no longer is, for
	// whatever reason, is poisoned for as long as a dead route would be; by a
	// goodbye however long ago the route changed.
	announced := r.announced.has(i.id)
	if announced && j.kind != goodbye && m.now.Sub(r.since) >= m.garbage() {
		announced = false
		r.announced.set(i.id, false)
	}
	// RFC 2453 §3.10.1: a triggered update need not repeat unchanged routes.
	return e, announced || reverse && j.kind != triggered
}

// view returns the entry that announces r on i, with metric 16 if the routers
// there must not use it. The result reverse says that this is split horizon: r
// was learned there.
func (m *Machine) view(i *iface, src netip.Prefix, r *route) (e wire.Entry, reverse bool) {
	e = wire.Entry{Prefix: r.prefix, Metric: Infinity}
	var hop routing.NextHop
	source, metric := routing.SourceRIP, uint8(Infinity)
	here := false // its next hop is on this interface
	if len(r.paths) > 0 {
		p := r.paths[0]
		hop, metric, e.Tag = routing.NextHop{Address: p.nextHop, Interface: p.neighbor.iface.id}, r.metric, p.tag
		for _, p := range r.paths {
			here = here || p.neighbor.iface == i
		}
		reverse = here && i.cfg.SplitHorizon == PoisonReverse
	} else if o := r.ours(); o != nil {
		hop, metric, e.Tag, source = o.hop, o.metric, o.tag, o.source
		// All routers on the link have its subnet themselves.
		here = source == routing.SourceConnected && hop.Interface == i.id
	}
	if metric >= Infinity || here && i.cfg.SplitHorizon != NoHorizon {
		return e, reverse
	}
	metric = CapMetric(metric + i.cfg.OffsetOut)
	if i.cfg.Export != nil && metric < Infinity {
		o := Offer{r.prefix, i.id, source, hop.Address, metric, e.Tag}
		if !i.cfg.Export.Apply(&o) || o.Metric < 1 {
			return e, false
		}
		metric, e.Tag = CapMetric(o.Metric), o.Tag
	}
	e.Metric = metric
	// RFC 2453 §4.4: a next hop on the link itself avoids the detour through
	// us.
	if hop.Interface == i.id && hop.Address.IsValid() && src.Contains(hop.Address) &&
		(m.cfg.Protocol == RIP || hop.Address.IsLinkLocalUnicast()) {
		e.NextHop = hop.Address
	}
	return e, false
}

// send sends the packet in m.building.
func (m *Machine) send(i *iface, t target, s wire.Seal) {
	size := wire.HeaderSize + 3*wire.EntrySize + len(m.building.Entries)*wire.EntrySize
	payload := m.cfg.Protocol.Append(make([]byte, 0, size+s.Algorithm.Size()), &m.building, s)
	f := &families[m.cfg.Protocol]
	m.emit(protocol.Send{
		Link: i.id, Src: t.src.Addr(), Dst: t.dst, Protocol: udp, SrcPort: f.port, DstPort: t.port,
		HopLimit: f.hopLimit, Payload: payload,
	})
}
