package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// InterfaceQuery selects interfaces. The zero query selects all.
type InterfaceQuery struct {
	Interface string `query:"interface,arg,complete=ospf/interface"`
	Detail    bool   `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
}

// OnInterface implements running.Query.
func (q InterfaceQuery) OnInterface() string { return q.Interface }

// InterfaceList is the interfaces that speak the protocol, and virtual links.
type InterfaceList struct {
	Interfaces []Interface `json:"interfaces" show:",rows"`
}

// Interface is an interface that speaks the protocol or is passive, or a virtual
// link.
type Interface struct {
	Name       string       `json:"name" show:"interface"`
	Area       netip.Addr   `json:"area" show:"area"`
	Address    netip.Prefix `json:"address,omitzero" show:"address,wide"` // that it sends from
	Unnumbered bool         `json:"unnumbered" show:"unnumbered,optional,wide"`
	Network    string       `json:"network" show:"network"`
	Passive    bool         `json:"passive" show:"mode,yes=passive,no=active,wide"`
	State      string       `json:"state" show:"state,bad=down,faint"`
	Since      time.Time    `json:"since,omitzero"`
	Cost       int          `json:"cost" show:"cost,right"`
	MTU        int          `json:"mtu" show:"mtu,right,wide"`
	MTUIgnore  bool         `json:"mtu_ignore"`
	Priority   int          `json:"priority" show:"priority,right,wide"`
	// DR and BDR are router IDs, or addresses while these are not known; absent
	// where there is none.
	DR        netip.Addr `json:"dr,omitzero" show:"dr,optional"`
	BDR       netip.Addr `json:"bdr,omitzero" show:"bdr,optional"`
	Neighbors int        `json:"neighbors" show:"neighbors,right"`
	Full      int        `json:"full" show:"full,right"`

	// Timers are in seconds.
	HelloInterval      float64 `json:"hello_interval"`
	DeadInterval       float64 `json:"dead_interval"`
	RetransmitInterval float64 `json:"retransmit_interval"`
	TransmitDelay      float64 `json:"transmit_delay"`
	NextHello          float64 `json:"next_hello,omitempty" show:"hello,seconds,blank,wide"` // absent if none is sent
	Wait               float64 `json:"wait,omitempty"`                                       // until the first election; absent when that is over

	Auth           string     `json:"auth,omitempty" show:"auth,optional"`      // absent without
	Keys           []int      `json:"keys,omitempty" show:"keys,optional,wide"` // ids, never secrets
	BFD            string     `json:"bfd,omitempty" show:"bfd,optional,wide"`   // how its neighbours are watched
	VirtualPeer    netip.Addr `json:"virtual_peer,omitzero"`                    // of a virtual link: the router at the other end
	VirtualTransit netip.Addr `json:"virtual_transit,omitzero"`                 // and the area between
	LSAs           int        `json:"lsas" show:"lsas,amount,wide"`             // of the link's scope
	ToFlood        int        `json:"to_flood"`
	ToAcknowledge  int        `json:"to_acknowledge"`

	Sent          Counts   `json:"sent" show:"sent,right"`                  // packets, by type
	Received      Counts   `json:"received" show:"received,right"`          // packets that were used, by type
	Retransmitted uint64   `json:"retransmitted" show:"resent,amount,wide"` // LSAs
	LSAsReceived  Counts   `json:"lsas_received"`                           // by what they were to the database
	Refused       Refusals `json:"refused" show:"refused,right"`            // packets and LSAs that were not used, by reason
	// LastRefusal is the last one in words, with what came and what was wanted;
	// absent if there was none.
	LastRefusal *Refusal `json:"last_refusal,omitempty"`
}

// Refusal is something that was not used.
type Refusal struct {
	Reason string     `json:"reason"`
	What   string     `json:"what"`
	From   netip.Addr `json:"from"`
	Ago    float64    `json:"ago"` // seconds
}

func interfaceNoun() running.Noun {
	return show.Spec[running.Protocol, InterfaceQuery, InterfaceList]{
		Path: name + "/interface",
		Help: show.Help{
			Aliases: []string{"interfaces"}, Args: "[NAME] [detail]",
			Short: "The interfaces that speak it: settings, DR and BDR, and what went in and out",
			Long: `The interfaces that speak it: settings, DR and BDR, and what went in and out.

REFUSED counts packets and LSAs that were not used. With detail it says why, and
of the last one which field differed, theirs and ours.`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[InterfaceQuery]) (list InterfaceList) {
			for _, i := range c.Interfaces() {
				if q.Chooses(i.Interface) {
					list.Interfaces = append(list.Interfaces, interfaceOf(&i, q.Now))
				}
			}
			slices.SortStableFunc(list.Interfaces, func(x, y Interface) int {
				if x.VirtualPeer.IsValid() || y.VirtualPeer.IsValid() {
					return 0 // they are behind the others
				}
				return strings.Compare(x.Name, y.Name)
			})
			return list
		}),
		Arguments: func(q *InterfaceQuery, args []string) error {
			for _, arg := range args {
				switch {
				case arg == "detail" && !q.Detail:
					q.Detail = true
				case q.Interface == "":
					q.Interface = arg
				default:
					return fmt.Errorf("%q: wanted the name of one interface, and no more than detail", arg)
				}
			}
			return nil
		},
		Nothing: func(q *InterfaceQuery) error {
			if q.Interface != "" {
				return fmt.Errorf("%s does not speak ospf now", q.Interface)
			}
			return nil
		},
		Drawn: func(q *InterfaceQuery) bool { return q.Detail },
		Draw: func(s *show.Screen, _ *InterfaceQuery, l *InterfaceList) {
			blocks(s, l.Interfaces, func(i *Interface) { i.draw(s) })
		},
	}.Noun()
}

func interfaceOf(i *ospf.InterfaceInfo, now time.Time) Interface {
	c := &i.Config
	x := Interface{
		Name: linkName(i.Interface, i.Name, i.Peer), Area: i.Area.Addr(), Address: i.Address, Unnumbered: i.Unnumbered,
		Network: i.Network.String(), Passive: c.Passive, State: i.State.String(), Since: i.Since.UTC(),
		Cost: int(i.Cost), MTU: i.MTU, MTUIgnore: c.MTUIgnore, Priority: int(c.Priority),
		DR: called(i.RouterDR, i.DR), BDR: called(i.RouterBDR, i.BDR), Neighbors: i.Neighbors, Full: i.Full,
		HelloInterval: c.HelloInterval.Seconds(), DeadInterval: c.DeadInterval.Seconds(),
		RetransmitInterval: c.RetransmitInterval.Seconds(), TransmitDelay: c.TransmitDelay.Seconds(),
		NextHello: until(i.NextHello, now), Wait: until(i.WaitUntil, now),
		LSAs: i.LSAs, ToFlood: i.ToFlood, ToAcknowledge: i.ToAcknowledge,
	}
	if c.Auth.Type != wire.AuthNone {
		x.Auth = authType{c.Auth.Type, c.Auth.Algorithm}.String()
		for _, k := range c.Auth.Keys {
			x.Keys = append(x.Keys, int(k.ID))
		}
	}
	if c.BFD != nil {
		x.BFD = bfdText(c.BFD)
	}
	if i.Virtual {
		x.VirtualPeer, x.VirtualTransit = i.Peer.Addr(), i.Transit.Addr()
	}
	x.Sent, x.Received, x.LSAsReceived, x.Refused = countsOf(&i.Counters)
	x.Retransmitted = i.Counters.Retransmitted
	if r := &i.Refused; !r.Refusal.OK() {
		x.LastRefusal = &Refusal{Reason: r.Refusal.Reason.String(), What: r.Refusal.String(), From: r.From, Ago: since(r.At, now)}
	}
	return x
}

// called gives a router ID, or the name on the network while that is not known.
func called(router, name wire.ID) netip.Addr {
	if router == 0 {
		return address(name)
	}
	return router.Addr()
}

func bfdText(b *ospf.BFD) string {
	text := b.Profile
	if text == "" {
		text = "default"
	}
	if b.Strict {
		text += " strict"
	}
	return text
}

// draw writes all that there is to say of an interface, a line for each thing.
func (i *Interface) draw(s *show.Screen) {
	mode := ""
	if i.Passive {
		mode = ", passive"
	}
	fmt.Fprintf(s, "%s, area %s%s\n", i.Name, i.Area, mode)
	line(s, "state", "%s, %s, cost %d", i.State, i.Network, i.Cost)
	if i.VirtualPeer.IsValid() {
		line(s, "through", "area %s, to router %s", i.VirtualTransit, i.VirtualPeer)
	}
	if i.Address.IsValid() {
		text := i.Address.String()
		if i.Unnumbered {
			text += ", that of another interface"
		}
		if i.MTU > 0 { // of a virtual link there is none
			text += fmt.Sprintf(", MTU %d", i.MTU)
		}
		line(s, "address", "%s", text)
	}
	if i.DR.IsValid() || i.BDR.IsValid() {
		line(s, "elected", "DR %s, BDR %s; priority here %d", orNone(i.DR), orNone(i.BDR), i.Priority)
	}
	if !i.Passive {
		line(s, "timers", "hello %gs, dead %gs, retransmit %gs, transmit delay %gs", i.HelloInterval, i.DeadInterval, i.RetransmitInterval, i.TransmitDelay)
		line(s, "neighbors", "%d, of them %d full", i.Neighbors, i.Full)
	}
	if i.Auth != "" {
		line(s, "authentication", "%s, keys %v", i.Auth, i.Keys)
	}
	if i.BFD != "" {
		line(s, "bfd", "%s", i.BFD)
	}
	line(s, "sent", "%s", i.Sent.some())
	line(s, "received", "%s", i.Received.some())
	line(s, "LSAs received", "%s; %d sent again", i.LSAsReceived.some(), i.Retransmitted)
	line(s, "refused", "%s", Counts(i.Refused).some())
	if r := i.LastRefusal; r != nil {
		line(s, "last refusal", "%s; from %s, %s ago", r.What, r.From, s.Seconds(r.Ago))
	}
}
