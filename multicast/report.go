package multicast

import (
	"net/netip"
	"slices"
	"time"

	"routerd/internal/packet"
)

// deadline is when expire has something to send.
func (l *link) deadline() time.Time {
	due := soonest(l.general, l.change)
	for _, old := range l.older {
		due = soonest(due, old)
	}
	for _, g := range l.groups {
		due = soonest(soonest(due, g.at), g.response)
	}
	return due
}

// due reports whether the time at has come.
func (l *link) due(at time.Time) bool { return !at.IsZero() && !at.After(l.m.now) }

// expire sends what is due.
func (l *link) expire() {
	l.adapt()
	if l.version < 3 {
		l.expireOlder()
		return
	}
	var records []record
	if l.due(l.change) {
		records = l.changes()
	}
	// RFC 3376 §5.2: the answer to a general query includes those to all other
	// queries.
	all := l.due(l.general)
	for _, g := range l.groups {
		if g.left || !all && !l.due(g.response) {
			continue
		}
		r := record{kind: isExclude, group: g.addr}
		if !all && len(g.sources) > 0 {
			// All sources are wanted, so also all that the query asks about.
			r.kind, r.sources = isInclude, g.sources
		}
		records = append(records, r)
		g.response, g.sources = time.Time{}, nil
	}
	if all {
		l.general = time.Time{}
	}
	l.send(records)
}

// changes gives the changes that are to be reported now, and schedules their
// repetition.
func (l *link) changes() (records []record) {
	l.change = time.Time{}
	for _, g := range slices.Clone(l.groups) {
		if g.repeats == 0 {
			continue
		}
		g.repeats--
		r := record{kind: toExclude, group: g.addr}
		if g.left {
			r.kind = toInclude
		}
		records = append(records, r)
		switch {
		case g.repeats > 0 && l.change.IsZero():
			l.change = l.m.after(unsolicited)
		case g.repeats == 0 && g.left:
			l.forget(g)
		}
	}
	return records
}

func (l *link) expireOlder() {
	for _, g := range l.groups {
		if !l.due(g.at) {
			continue
		}
		l.sendOlder(Report, g)
		g.at, g.last = time.Time{}, true
		if g.repeats > 0 {
			g.repeats--
		}
		if g.repeats > 0 {
			g.at = l.m.after(unsolicitedOlder)
		}
	}
}

func (l *link) sendOlder(kind Kind, g *group) {
	if l.six {
		l.emit(appendMLD(nil, kind, l.src, g.addr))
	} else {
		l.emit(appendIGMP(nil, kind, l.version, l.src, g.addr))
	}
}

// send sends records in as many packets as the MTU requires.
func (l *link) send(records []record) {
	room := max(l.mtu, packet.IPv4MinMTU*2) - packet.IPv4MinHeader - 4 - igmpLen
	if l.six {
		room = max(l.mtu, packet.IPv6MinMTU) - packet.IPv6Header - hopByHopLen - 8
	}
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && (n == 0 || size+records[n].len() <= room) {
			size += records[n].len()
			n++
		}
		if l.six {
			l.emit(appendMLD2(nil, l.src, records[:n]))
		} else {
			l.emit(appendIGMP3(nil, l.src, records[:n]))
		}
		records = records[n:]
	}
}

func (r *record) len() int {
	size := len(netip.Addr.AsSlice(r.group))
	return 4 + size + size*len(r.sources)
}

func (l *link) emit(p []byte) {
	l.iface.reports++
	l.m.out = append(l.m.out, Send{l.iface.id, p})
}
