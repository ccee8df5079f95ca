package multicast

import (
	"net/netip"
	"slices"
	"time"
)

// Timers and variables (RFC 3376 §8, RFC 3810 §9, RFC 2236 §8, RFC 2710 §7).
const (
	defaultRobustness = 2
	defaultInterval   = 125 * time.Second
	unsolicited       = time.Second      // between reports of a change, version 3
	unsolicitedOlder  = 10 * time.Second // the same, versions 1 and 2
	// maxSources is how many queried sources of a group are kept for the
	// answer; with more the answer is about the whole group, which includes
	// them.
	maxSources = 64
)

// link is one interface in one family.
type link struct {
	m     *Machine
	iface *iface
	six   bool
	mtu   int
	src   netip.Addr

	groups     []*group // by address
	version    Version
	older      [3]time.Time // until when a querier of version 1 or 2 counts as present
	robustness int          // the querier's
	interval   time.Duration

	general time.Time // when to answer a general query, version 3; zero: none to answer
	change  time.Time // when to report changes next, version 3
}

// group is a group that the router is a member of, or has left until that is
// reported often enough.
type group struct {
	addr    netip.Addr
	left    bool
	repeats int       // how many more times to report a change
	at      time.Time // versions 1 and 2: when to report it
	last    bool      // versions 1 and 2: the router was the last to report it

	response time.Time    // version 3: when to answer a query about it
	sources  []netip.Addr // the sources that the query asks about
}

func newLink(m *Machine, i *iface, six bool) *link {
	return &link{
		m: m, iface: i, six: six, src: unspecified(six),
		version: 3, robustness: defaultRobustness, interval: defaultInterval,
	}
}

func unspecified(six bool) netip.Addr {
	if six {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// speakFrom sets the source of reports. The first valid one has all groups
// reported again (RFC 3590 §4): routers may have ignored reports from the
// unspecified address.
func (l *link) speakFrom(src netip.Addr) {
	if !src.IsValid() {
		src = unspecified(l.six)
	}
	if l.src.IsUnspecified() && !src.IsUnspecified() {
		for _, g := range l.groups {
			l.changed(g)
		}
	}
	l.src = src
}

// listen sets the link's groups to those of its family in a sorted list.
func (l *link) listen(groups []netip.Addr) {
	for _, a := range groups {
		if a.Is6() != l.six || !Reportable(a) {
			continue
		}
		g, at := l.find(a)
		switch {
		case g == nil:
			g = &group{addr: a}
			l.groups = slices.Insert(l.groups, at, g)
		case !g.left:
			continue
		}
		g.left = false
		l.changed(g)
	}
	for _, g := range slices.Clone(l.groups) {
		if _, wanted := slices.BinarySearchFunc(groups, g.addr, netip.Addr.Compare); !wanted && !g.left {
			g.left = true
			l.changed(g)
		}
	}
}

func (l *link) find(a netip.Addr) (*group, int) {
	at, known := slices.BinarySearchFunc(l.groups, a, func(g *group, a netip.Addr) int { return g.addr.Compare(a) })
	if !known {
		return nil, at
	}
	return l.groups[at], at
}

func (l *link) forget(g *group) {
	l.groups = slices.DeleteFunc(l.groups, func(x *group) bool { return x == g })
}

// changed schedules the reports that g was joined or left: at once, and again
// in case that is lost (RFC 3376 §5.1, RFC 3810 §6.1; RFC 2236 §3, RFC 2710
// §4).
func (l *link) changed(g *group) {
	if l.version == 3 {
		g.repeats, l.change = l.robustness, l.m.now
		g.response, g.sources = time.Time{}, nil
		return
	}
	if g.left {
		if l.version == 2 && g.last {
			l.sendOlder(Leave, g)
		}
		l.forget(g)
		return
	}
	g.repeats, g.at = l.robustness, l.m.now
}

// queried processes a query: RFC 3376 §5.2 and §7.2.1, RFC 3810 §6.2 and
// §8.2.1.
func (l *link) queried(q *Message) {
	if q.Version == 3 {
		l.robustness, l.interval = q.Robustness, q.Interval
		if l.robustness == 0 {
			l.robustness = defaultRobustness
		}
		if l.interval == 0 {
			l.interval = defaultInterval
		}
	} else {
		// Older Version Querier Present Timeout.
		l.older[q.Version] = l.m.now.Add(time.Duration(l.robustness)*l.interval + q.MaxResponse)
		l.adapt()
	}
	if l.version == 3 {
		l.answer(q)
		return
	}
	for _, g := range l.groups {
		if q.Group.IsUnspecified() || q.Group == g.addr {
			g.at = soonest(g.at, l.m.after(q.MaxResponse))
		}
	}
}

// adapt sets the version to that of the oldest querier present. A change drops
// all pending reports (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
func (l *link) adapt() {
	v := Version(3)
	for old := Version(2); old > 0; old-- {
		if until := l.older[old]; until.After(l.m.now) {
			v = old
		} else {
			l.older[old] = time.Time{}
		}
	}
	if v == l.version {
		return
	}
	l.version, l.general, l.change = v, time.Time{}, time.Time{}
	l.groups = slices.DeleteFunc(l.groups, func(g *group) bool { return g.left })
	for _, g := range l.groups {
		*g = group{addr: g.addr}
	}
}

// answer schedules version 3's answer to a query, by the rules of RFC 3376
// §5.2 and RFC 3810 §6.2, in their order.
func (l *link) answer(q *Message) {
	at := l.m.after(q.MaxResponse)
	if !l.general.IsZero() && !l.general.After(at) {
		return // 1
	}
	if q.Group.IsUnspecified() {
		l.general = at // 2
		return
	}
	g, _ := l.find(q.Group)
	if g == nil || g.left {
		return
	}
	sources := q.Sources()
	switch {
	case g.response.IsZero(): // 3
		g.sources = sources
	case len(sources) == 0 || len(g.sources) == 0: // 4
		g.sources = nil
	default: // 5
		for _, s := range sources {
			if !slices.Contains(g.sources, s) {
				g.sources = append(g.sources, s)
			}
		}
	}
	if len(g.sources) > maxSources {
		g.sources = nil
	}
	g.response = soonest(g.response, at)
}

// overheard processes another listener's report of a group, in versions 1 and
// 2: one report is enough (RFC 2236 §3, RFC 2710 §4).
func (l *link) overheard(a netip.Addr) {
	if g, _ := l.find(a); g != nil && l.version < 3 && !g.at.IsZero() {
		g.at, g.repeats, g.last = time.Time{}, 0, false
	}
}
