package ospf

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// NeighborQuery selects neighbours. The zero query selects all.
type NeighborQuery struct {
	Neighbor  netip.Addr `query:"neighbor,arg"` // its router ID or its address
	Interface string     `query:"interface,complete=ospf/interface" help:"only those on the interface <NAME>"`
	Detail    bool       `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
}

// OnInterface implements running.Query.
func (q NeighborQuery) OnInterface() string { return q.Interface }

// NeighborList is the neighbours, by interface.
type NeighborList struct {
	Neighbors []Neighbor `json:"neighbors" show:",rows"`
}

// Neighbor is a router on a link.
type Neighbor struct {
	RouterID  netip.Addr `json:"router_id,omitzero" show:"router id,none=unknown"` // absent until it is heard
	Address   netip.Addr `json:"address" show:"address"`
	Interface string     `json:"interface" show:"interface"`
	Area      netip.Addr `json:"area" show:"area,wide"`
	State     string     `json:"state" show:"state,good=full|2-way,bad=down"`
	Since     time.Time  `json:"since"`
	For       float64    `json:"for" show:"for,seconds"`                   // seconds in this state
	Role      string     `json:"role,omitempty" show:"role,optional"`      // dr | bdr | other; absent where nobody is elected
	Priority  int        `json:"priority" show:"priority,right,wide"`      //
	DR        netip.Addr `json:"dr,omitzero"`                              // as its Hellos name it
	BDR       netip.Addr `json:"bdr,omitzero"`                             //
	DeadIn    float64    `json:"dead_in,omitzero" show:"dead,seconds"`     // seconds, unless it is heard
	Heard     float64    `json:"heard,omitzero" show:"heard,seconds,wide"` // seconds since its last Hello
	Options   []string   `json:"options" show:"options,wide"`
	// Configured: it is in the configuration, and not found by multicast.
	Configured bool `json:"configured"`
	// BFD is watched, or down where its session is; absent where BFD does not watch
	// it.
	BFD string `json:"bfd,omitempty" show:"bfd,optional,bad=down"`
	// Grace is the seconds for which it counts as adjacent though it restarts;
	// absent if it does not. LastGrace is why the last such time ended, or was
	// refused.
	Grace       float64 `json:"grace,omitzero" show:"grace,seconds,blank,optional"`
	GraceReason string  `json:"grace_reason,omitempty"`
	LastGrace   string  `json:"last_grace,omitempty"`

	Master         bool   `json:"master"` // this router leads the exchange of databases
	Sequence       uint32 `json:"sequence"`
	ToDescribe     int    `json:"to_describe"`                             // LSAs that it is still to be told of
	Requested      int    `json:"requested" show:"requested,amount"`       // LSAs that it is asked for
	Unacknowledged int    `json:"unacknowledged" show:"unacked,amount"`    // LSAs that it has not acknowledged
	Retransmitted  uint64 `json:"retransmitted" show:"resent,amount,wide"` // LSAs
	StateChanges   uint64 `json:"state_changes" show:"changes,amount,wide"`
}

func neighborNoun() running.Noun {
	return show.Spec[running.Protocol, NeighborQuery, NeighborList]{
		Path: name + "/neighbor",
		Help: show.Help{
			Aliases: []string{"neighbors"}, Args: "[ROUTER|ADDRESS] [detail]",
			Short: "The routers on its links, and how far the adjacencies have come",
			Long: `The routers on its links, and how far the adjacencies have come.

On a network with a DR, two routers that are neither DR nor BDR stay in 2-way.
DEAD is when the neighbor is lost unless it is heard. REQUESTED and UNACKED count
LSAs that it is asked for, and that it has not acknowledged yet.`,
		},
		Ask:       running.Answered(name, neighbors),
		Arguments: neighborArguments,
		Nothing: func(q *NeighborQuery) error {
			if q.Neighbor.IsValid() {
				return fmt.Errorf("ospf has no neighbor %s", q.Neighbor)
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
		a, err := netip.ParseAddr(arg)
		if err != nil || !a.Is4() || q.Neighbor.IsValid() {
			return fmt.Errorf("%q: wanted the router ID or the address of a neighbor, such as 10.0.0.1", arg)
		}
		q.Neighbor = a
	}
	return nil
}

func neighbors(c core, q *running.Question[NeighborQuery]) (list NeighborList) {
	for _, n := range c.Neighbors() {
		if q.Chooses(n.Interface) && q.Query.chooses(&n) {
			list.Neighbors = append(list.Neighbors, neighborOf(&n, q.Now))
		}
	}
	return list
}

func (q NeighborQuery) chooses(n *ospf.NeighborInfo) bool {
	return !q.Neighbor.IsValid() || q.Neighbor == n.Address || q.Neighbor == n.Router.Addr()
}

func neighborOf(n *ospf.NeighborInfo, now time.Time) Neighbor {
	x := Neighbor{
		RouterID: address(n.Router), Address: n.Address, Interface: linkName(n.Interface, n.Name, n.Router), Area: n.Area.Addr(),
		State: n.State.String(), Since: n.Since.UTC(), For: since(n.Since, now), Role: n.Role.String(), Priority: int(n.Priority),
		DR: address(n.DR), BDR: address(n.BDR), DeadIn: until(n.DeadAt, now), Heard: since(n.Heard, now), Options: optionNames(n.Options),
		Configured: n.Configured, Master: n.Master, Sequence: n.Sequence,
		ToDescribe: n.Described, Requested: n.Requested, Unacknowledged: n.Unacknowledged,
		Retransmitted: n.Counters.Retransmitted, StateChanges: n.Counters.StateChanges,
	}
	if x.Grace = until(n.GraceUntil, now); x.Grace > 0 {
		x.GraceReason = n.GraceReason.String()
	}
	if n.GraceEnded != nil {
		x.LastGrace = n.GraceEnded.Error()
	}
	switch {
	case n.Dead:
		x.BFD = "down"
	case n.BFD != nil:
		x.BFD = "watched"
	}
	return x
}

var optionBits = []struct {
	bit  wire.Options
	name string
}{
	{wire.OptionMT, "MT"},
	{wire.OptionE, "E"},
	{wire.OptionMC, "MC"},
	{wire.OptionNP, "NP"},
	{wire.OptionL, "L"},
	{wire.OptionDC, "DC"},
	{wire.OptionO, "O"},
	{wire.OptionDN, "DN"},
}

func optionNames(o wire.Options) []string {
	list := []string{}
	for _, b := range optionBits {
		if o&b.bit != 0 {
			list = append(list, b.name)
		}
	}
	return list
}

// draw writes all that there is to say of a neighbour, a line for each thing.
func (n *Neighbor) draw(s *show.Screen) {
	who := "a neighbor that was not heard"
	if n.RouterID.IsValid() {
		who = n.RouterID.String()
	}
	fmt.Fprintf(s, "%s at %s on %s, area %s\n", who, n.Address, n.Interface, n.Area)
	line(s, "state", "%s for %s, %d changes", n.State, s.Seconds(n.For), n.StateChanges)
	if n.Role != "" {
		line(s, "role", "%s, priority %d; it says the DR is %s and the BDR %s", n.Role, n.Priority, orNone(n.DR), orNone(n.BDR))
	}
	if n.Heard > 0 {
		line(s, "heard", "%s ago, lost in %s", s.Seconds(n.Heard), s.Seconds(n.DeadIn))
	}
	if n.Configured {
		line(s, "configured", "yes")
	}
	line(s, "options", "%v", n.Options)
	if n.BFD != "" {
		line(s, "bfd", "%s", n.BFD)
	}
	if n.Grace > 0 {
		line(s, "restart", "%s; counts as adjacent for %s", n.GraceReason, s.Seconds(n.Grace))
	}
	if n.LastGrace != "" {
		line(s, "last restart", "%s", n.LastGrace)
	}
	master := "it"
	if n.Master {
		master = "this router"
	}
	line(s, "exchange", "led by %s, sequence %d", master, n.Sequence)
	line(s, "LSAs", "%d to describe, %d requested, %d unacknowledged, %d sent again", n.ToDescribe, n.Requested, n.Unacknowledged, n.Retransmitted)
}

func orNone(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}
