package bfd

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
)

// Counters count what a session sent and received. Of what was received and not
// used each packet counts once.
type Counters struct {
	Sent, Received uint64
	Ups, Downs     uint64 // how often it came up, and ceased to be
	// LongestSilence is the longest time between two packets while it was up.
	LongestSilence time.Duration
	Refused        Refusals
}

// SessionInfo is a session as show gives it.
type SessionInfo struct {
	Address, Source netip.Addr          // Source is invalid while nothing can be sent
	Link            routing.InterfaceID // NoInterface over several hops
	Multihop        bool
	Clients         []string // in order; a configured peer is none
	Configured      bool
	Profile         Profile
	ProfileName     string

	State, RemoteState     wire.State
	Diagnostic, RemoteDiag wire.Diagnostic
	Heard                  bool // the neighbour was, at all
	Local, Remote          uint32
	Since, LastHeard       time.Time
	// Transmit is the time between packets before jitter, Detection how long the
	// neighbour may be silent: 0 while it is not known.
	Transmit, Detection time.Duration
	// What the neighbour said last.
	RemoteTransmit, RemoteReceive, RemoteEcho time.Duration
	RemoteMultiplier                          uint8
	Polling, RemoteDemand                     bool
	Failed                                    bool // it speaks against the path

	Counters Counters
	Refused  string // the last refusal in words
}

// Sessions gives copies of all sessions, those on links first.
func (m *Machine) Sessions() []SessionInfo {
	list := make([]SessionInfo, 0, len(m.sessions))
	for _, s := range m.sessions {
		if len(s.watches) > 0 {
			list = append(list, m.info(s))
		}
	}
	slices.SortFunc(list, func(a, b SessionInfo) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Address.Compare(b.Address), a.Source.Compare(b.Source))
	})
	return list
}

// Stray gives how many packets were of no session, by reason.
func (m *Machine) Stray() Refusals { return m.stray }

// Summary is the machine as a whole. The counters have what sessions counted
// that are no more, and what was of no session; no Clear makes them less.
type Summary struct {
	Sessions [wire.Up + 1]int // by state
	Counters Counters
}

// Summary counts what there is.
func (m *Machine) Summary() Summary {
	x := Summary{Counters: m.totals}
	for _, s := range m.sessions {
		if len(s.watches) > 0 {
			x.Sessions[s.state]++
		}
	}
	return x
}

func (m *Machine) info(s *session) SessionInfo {
	x := SessionInfo{
		Address: s.address, Source: m.source(s), Link: s.link, Multihop: s.multihop, Profile: s.profile, ProfileName: s.profileName,
		State: s.state, RemoteState: s.remote.State, Diagnostic: s.diag, RemoteDiag: s.remote.Diagnostic, Heard: s.heard,
		Local: s.discriminator, Remote: s.remoteDiscr, Since: s.lastChange, LastHeard: s.lastHeard,
		Transmit: m.transmitInterval(s), Detection: s.detection(),
		RemoteTransmit: micros(s.remote.DesiredMinTx), RemoteReceive: micros(s.remote.RequiredMinRx), RemoteEcho: micros(s.remote.RequiredMinEchoRx),
		RemoteMultiplier: s.remote.DetectMult, Polling: s.polling, RemoteDemand: s.demanded(), Failed: s.hopDead,
		Counters: s.counters, Refused: s.refused,
	}
	for _, w := range s.watches {
		if w.peer != nil {
			x.Configured = true
		} else if !slices.Contains(x.Clients, w.client) {
			x.Clients = append(x.Clients, w.client)
		}
	}
	slices.Sort(x.Clients)
	return x
}
