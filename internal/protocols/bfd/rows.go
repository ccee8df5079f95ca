package bfd

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
)

// List is the sessions, those on interfaces first.
type List struct {
	Sessions []Session `json:"sessions" show:",rows"`
	// Stray are packets that were of no session, by reason; those of all peers.
	Stray Refusals `json:"stray"`
}

// Session is one path that is watched.
type Session struct {
	Peer      netip.Addr `json:"peer" show:"peer"`
	Interface string     `json:"interface,omitempty" show:"interface,none=multihop"` // absent over several hops
	Source    netip.Addr `json:"source,omitzero" show:"source,wide"`                 // absent while nothing can be sent
	Multihop  bool       `json:"multihop"`
	State     string     `json:"state" show:"state,good=up,bad=down"` // admin-down | down | init | up
	Since     time.Time  `json:"since"`
	For       float64    `json:"for" show:"for,seconds"` // seconds in this state
	// Diagnostic says why it last went down; Speaks whether packets pass over the
	// neighbor for it.
	Diagnostic string   `json:"diagnostic" show:"diagnostic,wide"`
	Against    bool     `json:"against" show:"against,yes=yes,no=,optional,bad=yes"`
	Clients    []string `json:"clients" show:"clients,commas,none=none"` // who asked for it; a configured peer is none
	Configured bool     `json:"configured" show:"configured,wide"`
	Profile    string   `json:"profile" show:"profile,wide"`

	// Intervals are in seconds: those that are gone by, jitter aside, and what is
	// said to the neighbor.
	Transmit   Interval `json:"transmit" show:"transmit,right"`
	Detection  Interval `json:"detection,omitempty" show:"detection,right"` // absent before it was heard
	Desired    Interval `json:"desired_min_transmit"`
	Required   Interval `json:"required_min_receive"`
	Multiplier int      `json:"multiplier" show:"multiplier,right,wide"`
	Passive    bool     `json:"passive"`
	MinimumTTL int      `json:"minimum_ttl,omitempty"` // over several hops alone
	Auth       string   `json:"auth,omitempty" show:"auth,optional,wide"`
	Keys       []int    `json:"keys,omitempty"` // ids, never secrets

	LocalDiscriminator  uint32  `json:"local_discriminator" show:"local,right,wide"`
	RemoteDiscriminator uint32  `json:"remote_discriminator" show:"remote,right,wide"`
	Polling             bool    `json:"polling"`
	Remote              *Remote `json:"remote,omitempty"` // absent before it was heard

	Sent           uint64   `json:"sent" show:"sent,amount,wide"`
	Received       uint64   `json:"received" show:"received,amount,wide"`
	Ups            uint64   `json:"ups"`
	Downs          uint64   `json:"downs" show:"downs,amount"`
	LongestSilence Interval `json:"longest_silence" show:"longest silence,right,wide"` // seconds, while it was up
	Refused        Refusals `json:"refused" show:"refused,right"`                      // packets that were not used, by reason
	LastRefusal    string   `json:"last_refusal,omitempty"`
}

// Remote is what the neighbor said last. Intervals are in seconds.
type Remote struct {
	State      string   `json:"state"`
	Diagnostic string   `json:"diagnostic"`
	Age        Interval `json:"age"` // seconds since a packet of its was used
	Desired    Interval `json:"desired_min_transmit"`
	Required   Interval `json:"required_min_receive"`
	Echo       Interval `json:"required_min_echo_receive"`
	Multiplier int      `json:"multiplier"`
	Demand     bool     `json:"demand"` // it is in Demand mode
}

// Interval is a short time, in seconds. Nothing is shown of none.
type Interval float64

func intervalOf(d time.Duration) Interval { return Interval(d.Seconds()) }

// String gives it with its unit, to the microsecond.
func (i Interval) String() string {
	return time.Duration(float64(i) * float64(time.Second)).Round(time.Microsecond).String()
}

// Cell implements show.Celled.
func (i Interval) Cell(*show.Screen) show.Cell {
	if i == 0 {
		return show.Cell{}
	}
	return show.Cell{Text: i.String()}
}

// Count is how often packets were refused for a reason. All reasons are given.
type Count struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// Refusals are counts by reason. In a table they are their sum.
type Refusals []Count

// Cell implements show.Celled.
func (r Refusals) Cell(s *show.Screen) show.Cell {
	sum := uint64(0)
	for _, c := range r {
		sum += c.Count
	}
	c := show.Cell{Text: s.Amount(sum)}
	if sum > 0 {
		c.Style = show.Bad
	}
	return c
}

func refusalsOf(n *bfd.Refusals) (list Refusals) {
	for reason, count := range n {
		list = append(list, Count{bfd.Reason(reason).String(), count})
	}
	return list
}

func sessionOf(x *bfd.SessionInfo, p running.Protocol, now time.Time) Session {
	s := Session{
		Peer: x.Address, Source: x.Source, Multihop: x.Multihop,
		State: x.State.String(), Since: x.Since.UTC(), For: now.Sub(x.Since).Seconds(),
		Diagnostic: x.Diagnostic.String(), Against: x.Failed, Clients: append([]string{}, x.Clients...), Configured: x.Configured,
		Profile: x.ProfileName, Transmit: intervalOf(x.Transmit), Detection: intervalOf(x.Detection),
		Desired: intervalOf(x.Profile.Transmit), Required: intervalOf(x.Profile.Receive), Multiplier: int(x.Profile.Multiplier), Passive: x.Profile.Passive,
		LocalDiscriminator: x.Local, RemoteDiscriminator: x.Remote, Polling: x.Polling,
		Sent: x.Counters.Sent, Received: x.Counters.Received, Ups: x.Counters.Ups, Downs: x.Counters.Downs,
		LongestSilence: intervalOf(x.Counters.LongestSilence), Refused: refusalsOf(&x.Counters.Refused), LastRefusal: x.Refused,
	}
	if s.Profile == "" {
		s.Profile = defaultProfile
	}
	if x.Link != routing.NoInterface {
		s.Interface = p.InterfaceName(x.Link)
	}
	if x.Multihop {
		s.MinimumTTL = int(x.Profile.MinimumTTL)
	}
	if x.Profile.Auth.Type != wire.AuthNone {
		s.Auth = x.Profile.Auth.Type.String()
		for _, k := range x.Profile.Auth.Keys {
			s.Keys = append(s.Keys, int(k.ID))
		}
	}
	if x.Heard {
		s.Remote = &Remote{
			State: x.RemoteState.String(), Diagnostic: x.RemoteDiag.String(), Desired: intervalOf(x.RemoteTransmit), Required: intervalOf(x.RemoteReceive),
			Echo: intervalOf(x.RemoteEcho), Multiplier: int(x.RemoteMultiplier), Demand: x.RemoteDemand,
		}
		if !x.LastHeard.IsZero() {
			s.Remote.Age = intervalOf(now.Sub(x.LastHeard))
		}
	}
	return s
}

// draw writes all that there is to say of a session, a line for each thing.
func (s *Session) draw(to *show.Screen) {
	where := "on " + s.Interface
	if s.Multihop {
		where = "over several hops"
	}
	line := func(name, format string, values ...any) {
		fmt.Fprintf(to, "  %-16s %s\n", name, fmt.Sprintf(format, values...))
	}
	fmt.Fprintf(to, "%s %s\n", s.Peer, where)
	line("state", "%s for %s, diagnostic: %s", s.State, time.Duration(s.For*float64(time.Second)).Round(time.Second), s.Diagnostic)
	line("clients", "%v, profile %s", s.Clients, s.Profile)
	if s.Source.IsValid() {
		line("source", "%s", s.Source)
	}
	line("discriminators", "%d here, %d there", s.LocalDiscriminator, s.RemoteDiscriminator)
	line("sends", "every %s; it wants to send every %s, receives every %s, multiplier %d", s.Transmit, s.Desired, s.Required, s.Multiplier)
	if r := s.Remote; r != nil {
		line("neighbor", "%s, diagnostic: %s, heard %s ago", r.State, r.Diagnostic, r.Age)
		line("", "wants to send every %s, receives every %s, multiplier %d", r.Desired, r.Required, r.Multiplier)
	}
	if s.Detection > 0 {
		line("detection time", "%s; longest silence while up %s", s.Detection, s.LongestSilence)
	}
	if s.Auth != "" {
		line("authentication", "%s, keys %v", s.Auth, s.Keys)
	}
	line("packets", "%d sent, %d received; %d times up, %d times down", s.Sent, s.Received, s.Ups, s.Downs)
	for _, c := range s.Refused {
		if c.Count > 0 {
			line("refused", "%d: %s", c.Count, c.Reason)
		}
	}
	if s.LastRefusal != "" {
		line("last refusal", "%s", s.LastRefusal)
	}
}

// ClearResult is what a clear has done.
type ClearResult struct {
	Cleared int `json:"cleared"` // sessions whose counters are zero now
}
