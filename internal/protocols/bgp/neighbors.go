package bgp

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/bgp"
)

// NeighborQuery selects neighbours. The zero query selects all.
type NeighborQuery struct {
	Neighbor NeighborName `query:"neighbor,arg,complete=bgp/neighbor"` // its address, with its interface if that is link-local
	Detail   bool         `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
}

// OnInterface implements running.Query.
func (NeighborQuery) OnInterface() string { return "" }

// NeighborList is the neighbours, in the order of the configuration.
type NeighborList struct {
	Neighbors []Neighbor `json:"neighbors" show:",rows"`
}

// Neighbor is a router that the configuration has a session with.
type Neighbor struct {
	Address     netip.Addr `json:"address" show:"neighbor"`                            // with its interface if it is link-local
	Interface   string     `json:"interface,omitempty" show:"interface,wide,optional"` // of one that is known by its interface
	AS          uint32     `json:"as" show:"as,right,blank"`                           // 0 of one of any other AS that was not up yet
	Description string     `json:"description,omitempty" show:"description,wide,optional"`
	// Range is the prefix of [bgp.listen-range] that it has connected from; absent if it is configured.
	Range    netip.Prefix `json:"listen_range,omitzero" show:"range,wide,optional"`
	State    string       `json:"state" show:"state,good=established,bad=idle"`
	Since    time.Time    `json:"since"`
	For      float64      `json:"for" show:"for,seconds"` // seconds that it is up, or down
	RouterID netip.Addr   `json:"router_id,omitzero" show:"router id,wide,optional"`
	Local    netip.Addr   `json:"local,omitzero" show:"local,wide,optional"` // the address that it is spoken to from
	Accepted int          `json:"accepted" show:"accepted,amount"`           // routes of all families
	Sent     int          `json:"sent" show:"sent,amount"`                   // prefixes of all families
	// Remark is why there is no session, or why no route passes.
	Remark    string           `json:"remark,omitempty" show:"remark,optional"`
	Shutdown  bool             `json:"shutdown"`
	HoldTime  float64          `json:"hold_time,omitzero"` // seconds, as agreed; absent while it is down, and without one
	Keepalive float64          `json:"keepalive_interval,omitzero"`
	Families  []NeighborFamily `json:"families"`
	Counts    NeighborCounts   `json:"counts"`
	// Last is how the last connection ended; absent if none has.
	Last *Ending `json:"last_ending,omitempty"`
}

// NeighborFamily is what holds for one family of a neighbour's routes.
type NeighborFamily struct {
	Family     string `json:"family" show:"family"`
	Negotiated bool   `json:"negotiated" show:"negotiated,yes=yes,no=no"`         // both sides speak it
	Announced  uint64 `json:"announced" show:"announced,amount"`                  // announcements since it is up
	Accepted   int    `json:"accepted" show:"accepted,amount"`                    // routes
	Counted    int    `json:"counted,omitzero"`                                   // routes that the limit is for
	Maximum    int    `json:"max_prefixes,omitzero" show:"limit,amount,optional"` // of these; absent = any number
	Stale      int    `json:"stale" show:"stale,amount"`                          // kept while it restarts
	Sent       int    `json:"sent" show:"sent,amount"`                            // prefixes, or paths
	// AddPath is which way several paths of a prefix go: "receive", "send" or "both"; absent
	// if none does.
	AddPath string `json:"add_path,omitempty" show:"add-path,optional"`
	// LongLivedUntil is when those that are stale go at the latest that are kept for longer
	// than a restart takes (RFC 9494); absent if none are.
	LongLivedUntil time.Time `json:"long_lived_until,omitzero"`
	// Kept are routes as they came, before policies, with soft-reconfiguration;
	// KeptOctets is the memory that they have, without their attributes. KeptAll: none of
	// those that came is missing.
	Kept       int  `json:"kept" show:"kept,amount"`
	KeptOctets int  `json:"kept_octets" show:"kept bytes,bytes,blank,optional"`
	KeptAll    bool `json:"kept_all"`
	// NoImportPolicy and NoExportPolicy: no route passes, since it is of another AS and
	// there is no policy (RFC 8212).
	NoImportPolicy bool `json:"no_import_policy" show:"import,yes=no policy,no=,optional"`
	NoExportPolicy bool `json:"no_export_policy" show:"export,yes=no policy,no=,optional"`
}

// NeighborCounts count what came from a neighbour and what it was sent, of all sessions.
type NeighborCounts struct {
	Updates       uint64 `json:"updates"`       // messages that came
	Announcements uint64 `json:"announcements"` // that came
	Withdrawals   uint64 `json:"withdrawals"`   // that came
	Refused       uint64 `json:"refused"`       // announcements, with a fault or by what the neighbour is
	NoPolicy      uint64 `json:"no_policy"`     // announcements, since there is no import policy
	Filtered      uint64 `json:"filtered"`      // announcements, by the import policies
	OverLimit     uint64 `json:"over_limit"`    // announcements, since there were as many prefixes as there may be
	Sent          uint64 `json:"sent"`          // prefixes that were announced to it
	Withdrawn     uint64 `json:"withdrawn"`     // prefixes that were withdrawn from it
}

// Ending is how a connection ended.
type Ending struct {
	At   time.Time `json:"at"`
	Ago  float64   `json:"ago"` // seconds
	Text string    `json:"text"`
}

func neighborNoun() running.Noun {
	return show.Spec[running.Protocol, NeighborQuery, NeighborList]{
		Path: name + "/neighbor",
		Help: show.Help{
			Aliases: []string{"neighbors"}, Args: "[ADDRESS] [detail]",
			Short: "The neighbors, and how far the sessions with them have come",
			Long: `The neighbors, and how far the sessions with them have come.

ACCEPTED are the routes of a neighbor that the import policies let pass, SENT the
prefixes that it has been sent. REMARK says why there is no session, or why no
route passes. With detail, KEPT are routes as they came, before policies, and the
memory that they have, where soft-reconfiguration is configured.`,
		},
		Ask:       running.Answered(name, neighborList),
		Arguments: neighborArguments,
		Nothing: func(q *NeighborQuery) error {
			if q.Neighbor != "" {
				return fmt.Errorf("bgp has no neighbor %s", q.Neighbor)
			}
			return nil
		},
		Drawn: func(q *NeighborQuery) bool { return q.Detail },
		Draw: func(s *show.Screen, _ *NeighborQuery, l *NeighborList) {
			blocks(s, l.Neighbors, func(n *Neighbor) { n.draw(s) })
		},
	}.Noun()
}

// neighborArguments reads a neighbour, and the word detail.
func neighborArguments(q *NeighborQuery, args []string) error {
	for _, arg := range args {
		if arg == "detail" && !q.Detail {
			q.Detail = true
			continue
		}
		if q.Neighbor != "" {
			return fmt.Errorf("%q: wanted one neighbor, and the word detail", arg)
		}
		if err := q.Neighbor.Set(arg); err != nil {
			return fmt.Errorf("%q: %w", arg, err)
		}
	}
	return nil
}

func neighborList(c core, q *running.Question[NeighborQuery]) NeighborList {
	list := NeighborList{Neighbors: []Neighbor{}}
	for _, n := range c.Neighbors() {
		if q.Query.Neighbor.is(&n) {
			list.Neighbors = append(list.Neighbors, neighborOf(&n, q.Protocol, q.Now))
		}
	}
	return list
}

func neighborOf(n *bgp.NeighborStatus, _ running.Protocol, now time.Time) Neighbor {
	x := Neighbor{
		Address: zoned(n.Address, n.Interface), AS: n.AS, Description: n.Description, Range: n.Dynamic, State: n.State.String(),
		Since: n.Since.UTC(), For: since(n.Since, now), RouterID: addressOf(n.RouterID), Local: n.Local,
		Remark: remark(n), Shutdown: n.Shutdown, HoldTime: n.HoldTime.Seconds(), Keepalive: n.Keepalive.Seconds(),
		Counts: countsOf(&n.Counts), Families: []NeighborFamily{},
	}
	for f := range n.Families {
		s := &n.Families[f]
		if !s.Enabled {
			continue
		}
		x.Accepted += s.Accepted
		x.Sent += s.Sent
		x.Families = append(x.Families, NeighborFamily{
			Family: families[f], Negotiated: s.Spoken, Announced: s.Announced, Accepted: s.Accepted, Counted: s.Counted, Maximum: s.Maximum, Stale: s.Stale, Sent: s.Sent,
			AddPath: addPathWord(s), LongLivedUntil: utc(s.LongLivedUntil),
			Kept: s.Kept, KeptOctets: s.KeptOctets, KeptAll: s.Whole,
			NoImportPolicy: s.NoImport, NoExportPolicy: s.NoExport,
		})
	}
	if n.Unnumbered {
		x.Interface = n.Interface
	}
	if text := endingText(&n.Last); text != "" {
		x.Last = &Ending{At: n.Last.Time.UTC(), Ago: since(n.Last.Time, now), Text: text}
	}
	return x
}

// addPathWord says which way several paths of a prefix go.
func addPathWord(s *bgp.FamilyStatus) string {
	switch {
	case s.PathsReceived && s.PathsSent:
		return "both"
	case s.PathsReceived:
		return "receive"
	case s.PathsSent:
		return "send"
	}
	return ""
}

// utc is a time in UTC, and none if it is none.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func countsOf(n *bgp.NeighborCounts) NeighborCounts {
	return NeighborCounts{
		Updates: n.Updates, Announcements: n.Announcements, Withdrawals: n.Withdrawals, Refused: n.Refused,
		NoPolicy: n.NoPolicy, Filtered: n.Filtered, OverLimit: n.OverLimit, Sent: n.Sent, Withdrawn: n.Withdrawn,
	}
}

// endingText says how a connection ended, "" if none has.
func endingText(e *bgp.Ending) string {
	if e.Time.IsZero() {
		return ""
	}
	return e.Error()
}

// draw writes all that there is to say of a neighbour, a line for each thing.
func (n *Neighbor) draw(s *show.Screen) {
	fmt.Fprintf(s, "%s, AS %d", n.Address, n.AS)
	if n.Description != "" {
		fmt.Fprintf(s, ", %s", n.Description)
	}
	fmt.Fprintln(s)
	line(s, "state", "%s for %s", n.State, s.Seconds(n.For))
	if n.Range.IsValid() {
		line(s, "connected from", "the range %s", n.Range)
	}
	if n.Remark != "" {
		line(s, "remark", "%s", n.Remark)
	}
	if n.RouterID.IsValid() {
		line(s, "router ID", "%s", n.RouterID)
	}
	if n.Local.IsValid() {
		line(s, "spoken to from", "%s", n.Local)
	}
	if n.HoldTime > 0 {
		line(s, "hold time", "%s, a KEEPALIVE every %s", s.Seconds(n.HoldTime), s.Seconds(n.Keepalive))
	}
	c := &n.Counts
	line(s, "came", "%d updates: %d announcements, %d withdrawals", c.Updates, c.Announcements, c.Withdrawals)
	line(s, "not accepted", "%d refused, %d filtered, %d without a policy, %d above the limit", c.Refused, c.Filtered, c.NoPolicy, c.OverLimit)
	line(s, "sent", "%d announcements, %d withdrawals", c.Sent, c.Withdrawn)
	if n.Last != nil {
		line(s, "last ending", "%s, %s ago", n.Last.Text, s.Seconds(n.Last.Ago))
	}
	fmt.Fprintln(s)
	show.Rows(s, n.Families)
}
