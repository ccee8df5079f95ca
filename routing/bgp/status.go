package bgp

import (
	"net/netip"

	"routerd/routing/bgp/wire"
)

// Status is the machine for show.
type Status struct {
	AS        uint32
	RouterID  wire.RouterID
	ClusterID wire.RouterID
	// Listening is where connections are accepted, invalid where they are not.
	Listening [wire.NumFamilies]netip.AddrPort
	Strangers uint64 // connections of those who are no neighbours, closed
	Crowded   uint64 // dynamic neighbours without a session that had to go for others
	Families  [wire.NumFamilies]TableStatus
	Sets      int // of attributes that routes have
	SetOctets int // that these take
}

// TableStatus is the table of one family.
type TableStatus struct {
	Prefixes int // that have a route
	Routes   int
	Octets   int // of memory, without attributes
	// Kept are routes as they came, before policies, which have KeptOctets of memory.
	Kept, KeptOctets int
}

// Status is what holds for the whole machine.
func (m *Machine) Status() Status {
	s := Status{
		AS: m.cfg.AS, RouterID: m.cfg.RouterID, ClusterID: m.cfg.ClusterID, Strangers: m.strangers, Crowded: m.crowded,
		Sets: m.attributes.Len(), SetOctets: m.attributes.Octets(),
	}
	if s.ClusterID == 0 {
		s.ClusterID = m.cfg.RouterID
	}
	for f := range s.Families {
		if l := &m.listeners[f]; l.id != 0 {
			s.Listening[f] = l.at
		}
		t := m.ribs[f].table
		s.Families[f] = TableStatus{Prefixes: t.Routed(), Routes: t.Len(), Octets: t.Octets()}
		if r := m.ribs[f].received; r != nil {
			s.Families[f].Kept, s.Families[f].KeptOctets = r.Len(), r.Octets()
		}
	}
	return s
}
