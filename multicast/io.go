package multicast

import (
	"net/netip"
	"time"

	"routerd/routing"
)

// Input is an input of the machine.
type Input interface{ input() }

// InterfaceUp says that an Ethernet interface is up, or that something about it
// changed.
type InterfaceUp struct {
	Interface routing.InterfaceID
	MTU       int // of IP packets
	// Source4 and Source6, a link-local address, are the sources of reports;
	// invalid while there is none that may be used.
	Source4, Source6 netip.Addr
	// Groups are all groups that the router is a member of on the interface, of
	// both families. Groups that are never reported may be among them.
	Groups []netip.Addr
}

// InterfaceDown says that an interface is gone. With Announce it is about to
// go, packets can still be sent, and its groups are left.
type InterfaceDown struct {
	Interface routing.InterfaceID
	Announce  bool
}

// Received is an IP packet with an IGMP or MLD message. The machine does not
// keep it.
type Received struct {
	Interface routing.InterfaceID
	Packet    []byte
}

// Tick has the machine do what is due. It comes at Deadline at the latest.
type Tick struct{}

func (InterfaceUp) input()   {}
func (InterfaceDown) input() {}
func (Received) input()      {}
func (Tick) input()          {}

// Send asks to send an IP packet by the interface, to the group that is its
// destination. Packet belongs to the receiver.
type Send struct {
	Interface routing.InterfaceID
	Packet    []byte
}

// Listener is what `show interface` shows of an interface's groups.
type Listener struct {
	Interface routing.InterfaceID
	IGMP, MLD Version // the versions in use
	Groups    []netip.Addr
	Queries   uint64 // received
	Refused   uint64 // messages that a listener has to ignore
	Reports   uint64 // packets sent
}

// Walk calls yield with each interface, in no order. It may be called between
// Steps only.
func (m *Machine) Walk(yield func(Listener) bool) {
	for _, i := range m.ifaces {
		l := Listener{
			Interface: i.id, IGMP: i.links[0].version, MLD: i.links[1].version,
			Queries: i.queries, Refused: i.refused, Reports: i.reports,
		}
		for _, k := range i.links {
			for _, g := range k.groups {
				if !g.left {
					l.Groups = append(l.Groups, g.addr)
				}
			}
		}
		if !yield(l) {
			return
		}
	}
}

// soonest is the earlier of two times, of which the zero Time is never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
