package bgp

import (
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// NeighborStatus is a neighbour for show.
type NeighborStatus struct {
	Address netip.Addr
	// Interface is the name of the link of a link-local Address, as configured.
	Interface   string
	Unnumbered  bool                // it is known by the interface; Address is invalid until it is found
	Link        routing.InterfaceID // that it is on, NoInterface if it is on none or down
	Local       netip.Addr          // that it is spoken to from, while it is up
	AS          uint32              // 0 if any would do and it was not up yet
	Dynamic     netip.Prefix        // the range that it has connected from, invalid if it is configured
	Description string
	Shutdown    bool          // by the configuration
	RouterID    wire.RouterID // 0 unless it is up
	State       State
	Since       time.Time // it is up, or down, since
	// AwaitsBFD: there is no session until BFD has found it.
	AwaitsBFD bool
	// Held: it had too many prefixes, and is left alone until it is cleared or Restart
	// has passed.
	Held     bool
	Last     Ending
	Families [wire.NumFamilies]FamilyStatus
	// HoldTime and Keepalive are the agreed ones, while it is up.
	HoldTime, Keepalive time.Duration
	Counts              NeighborCounts
}

// FamilyStatus is what holds for one family of a neighbour's routes.
type FamilyStatus struct {
	Enabled bool // by the configuration
	Spoken  bool // both sides speak it
	// Announced counts announcements since the session is up, of which the Accepted are
	// routes now.
	Announced uint64
	Accepted  int
	Stale     int // kept from before a restart
	// LongLived: they are kept for longer than a restart takes, until LongLivedUntil (RFC
	// 9494).
	LongLived bool
	// PathsReceived and PathsSent: several paths of a prefix come, and are sent (RFC 7911).
	PathsReceived, PathsSent bool
	LongLivedUntil           time.Time
	Sent                     int // prefixes
	// Kept are routes as they came, before policies, which cost KeptOctets besides their
	// attributes. Whole: these are all that came.
	Kept, KeptOctets int
	Whole            bool
	// Counted is how many routes the limit counts, of Maximum; 0 = there is none. NearLimit
	// is that the log has warned, OverLimit that there are more, or were some.
	Counted, Maximum     int
	NearLimit, OverLimit bool
	// NoImport and NoExport: no route passes because there is no policy (RFC 8212).
	NoImport, NoExport bool
}

// Neighbors are all neighbours, in the order of the configuration.
func (m *Machine) Neighbors() []NeighborStatus {
	list := make([]NeighborStatus, 0, len(m.order))
	for _, n := range m.order {
		s := NeighborStatus{
			Address: n.cfg.Address, Interface: n.cfg.Interface, Unnumbered: n.cfg.Unnumbered, Link: n.link, Description: n.cfg.Description, Shutdown: n.cfg.Shutdown,
			AS: n.terms.AS, Dynamic: n.dynamic, State: n.session.State(), Since: n.since,
			AwaitsBFD: n.session.AwaitsBFD(), Held: n.held, Last: n.session.Last(), Counts: n.messages,
		}
		for f := range s.Families {
			x, c := &s.Families[f], &n.cfg.Families[f]
			x.Enabled = c.Enabled
			if of := wire.Of(wire.Family(f)); n.source != nil {
				a := n.session.Agreed()
				x.PathsReceived, x.PathsSent = a.ReceivePaths&of != 0, a.SendPaths&of != 0
			}
			x.Spoken, x.Sent = n.out[f].open(), n.out[f].count()
			x.NoImport, x.NoExport = c.Enabled && c.Import.refuses(n.terms.External), c.Enabled && c.Export.refuses(n.terms.External)
			x.Maximum, x.NearLimit, x.OverLimit = c.MaximumPrefixes, n.limits[f].warned, n.limits[f].exceeded
			if n.source != nil {
				x.Accepted, x.Announced, s.RouterID = n.source.routes[f], n.source.announced[f], n.source.id
				x.Kept, x.Whole = n.source.kept[f], n.source.whole[f]
				x.KeptOctets = m.ribs[f].received.share(x.Kept)
				x.Counted = n.source.count(wire.Family(f), c.LimitReceived)
			}
			if n.stale != nil {
				x.Stale = n.stale.routes[f]
				if x.LongLived = n.stale.longLived.Has(wire.Family(f)); x.LongLived && n.lapse[f].timer.IsSet() {
					x.LongLivedUntil = n.lapse[f].timer.At()
				}
			}
		}
		if n.source != nil {
			s.Local = m.streams[n.session.main.stream].local
			s.HoldTime, s.Keepalive = n.session.Times()
		}
		list = append(list, s)
	}
	return list
}
