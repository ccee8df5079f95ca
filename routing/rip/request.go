package rip

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// A router that loses a route asks its neighbours for their tables instead of
// waiting for their next regular updates: at once if its own link failed, and
// after a delay if a neighbour announced the loss, since the others may not
// know of it yet and would answer with dead routes.
const (
	askDelay = 100 * time.Millisecond
	// At most askLimit times in askSpan, since each request brings whole
	// tables.
	askSpan  = 15 * time.Second
	askLimit = 3
)

// maxAnswers bounds how many whole-table requests are answered on one interface
// at a time.
const maxAnswers = 16

// asking is the state of our own requests.
type asking struct {
	wanted bool      // something was lost in this Step
	at     time.Time // when to ask, zero for never
	last   [askLimit]time.Time
	count  int // entries ever put in last; the oldest is at count%askLimit
}

// planAsking sets the time of the request for what was lost in this Step.
func (m *Machine) planAsking() {
	a := &m.asking
	if !a.wanted {
		return
	}
	a.wanted = false
	at := m.now
	if !m.trigger.urgent {
		at = at.Add(askDelay)
	}
	if free := a.last[a.count%askLimit].Add(askSpan); a.count >= askLimit && at.Before(free) {
		at = free
	}
	if a.at.IsZero() || at.Before(a.at) {
		a.at = at
	}
}

// askAll asks all neighbours for their whole tables.
func (m *Machine) askAll() {
	a := &m.asking
	a.at = time.Time{}
	a.last[a.count%askLimit] = m.now
	a.count++
	for _, i := range m.order {
		m.ask(i)
	}
}

// ask asks all neighbours on i for their whole tables (RFC 2453 §3.9.1).
func (m *Machine) ask(i *iface) { m.askFor(i, m.targets(i)...) }

func (m *Machine) askFor(i *iface, targets ...target) {
	s, ok := m.seal(i)
	if !ok {
		return
	}
	for _, t := range targets {
		b := &m.building
		*b = wire.Packet{Command: wire.Request, Version: families[m.cfg.Protocol].version, Whole: true, Entries: b.Entries[:0]}
		m.send(i, t, s)
		i.counters.Asked++
	}
}

// request processes the request in m.packet (RFC 2453 §3.9.1, RFC 2080 §2.4.1).
func (m *Machine) request(i *iface, x protocol.Received) {
	switch {
	case len(i.sources) == 0:
		return
	case i.cfg.Passive && !i.neighborly(x.Src):
		return
	case !i.mayAsk(x.Src):
		i.counters.OffLink++
		return
	case m.cfg.Protocol == RIP && m.packet.Version == 1:
		// RFC 2453 §4.6: a router that sends version 2 only does not answer
		// version 1.
		i.counters.Version++
		return
	case !m.authentic(i, x):
		return
	}
	m.number(x.Src)
	i.counters.Requests++
	t := target{i.sourceFor(x.Src), x.Src, x.SrcPort}
	if _, port := Group(m.cfg.Protocol); m.cfg.Protocol == RIPng && x.SrcPort != port {
		t.src = i.globalSource() // RFC 2080 §2.5.2
	}
	if !m.packet.Whole {
		m.answerEntries(i, t)
		return
	}
	m.answerWhole(i, t)
	if i.newcomer(x, m.cfg.Protocol) {
		m.askFor(i, t)
	}
}

// newcomer reports whether the sender of a multicast request is one from which
// we have no routes yet, so that it should be asked in return: some routers
// start with a request and announce their routes only in their next regular
// update. A unicast request is not asked back for, or two new routers would ask
// each other for ever.
func (i *iface) newcomer(x protocol.Received, p Protocol) bool {
	group, port := Group(p)
	n := i.neighbors[x.Src]
	return x.Dst == group && x.SrcPort == port && i.onLink(x.Src) && (n == nil || n.paths == 0)
}

// neighborly reports whether the address is that of a configured neighbour.
func (i *iface) neighborly(a netip.Addr) bool {
	for _, n := range i.cfg.Neighbors {
		if n == a {
			return true
		}
	}
	return false
}

// mayAsk reports whether requests from an address are answered: it must be on
// the link, which in RIPng includes the link's global prefixes.
func (i *iface) mayAsk(a netip.Addr) bool {
	if i.onLink(a) {
		return true
	}
	for _, s := range i.addresses {
		if a.Is6() && s.Contains(a) {
			return true
		}
	}
	return false
}

func (i *iface) globalSource() netip.Prefix {
	for _, s := range i.addresses {
		if !s.Addr().IsLinkLocalUnicast() {
			return s
		}
	}
	return i.sources[0]
}

// answerWhole starts answering a whole-table request, with the routes that an
// update would have.
func (m *Machine) answerWhole(i *iface, t target) {
	if j := i.job(t, answer); j != nil {
		j.again = j.next != m.table.all.front()
		return
	}
	answers := 0
	for _, j := range i.jobs {
		if j.kind == answer {
			answers++
		}
	}
	if answers >= maxAnswers {
		i.counters.Unanswered++
		m.event(PacketRefused, i, t.dst, fmt.Errorf("%d whole-table requests are being answered already", answers))
		return
	}
	i.jobs = append(i.jobs, &job{target: t, kind: answer, next: m.table.all.front()})
}

// answerEntries answers a request for the metrics of certain prefixes, without
// split horizon, since such requests are for diagnosis only (RFC 2453 §3.9.1).
func (m *Machine) answerEntries(i *iface, t target) {
	s, ok := m.seal(i)
	if len(m.packet.Entries) == 0 || !ok {
		return
	}
	b := &m.building
	*b = wire.Packet{Command: wire.Response, Version: families[m.cfg.Protocol].version, Entries: b.Entries[:0]}
	for _, e := range m.packet.Entries {
		prefix := e.Prefix
		if e.NoMask {
			prefix = i.mask(prefix.Addr())
		}
		e.Metric, e.Tag, e.NextHop = Infinity, 0, netip.Addr{}
		if r := m.table.routes[prefix]; r != nil {
			e.Metric, e.Tag = r.best()
		}
		b.Entries = append(b.Entries, e)
	}
	m.send(i, t, s)
}

// best returns the route's metric and tag; the metric is 16 if the route is
// dead.
func (r *route) best() (metric uint8, tag uint16) {
	if len(r.paths) > 0 {
		return r.metric, r.paths[0].tag
	}
	if o := r.ours(); o != nil {
		return o.metric, o.tag
	}
	return Infinity, 0
}
