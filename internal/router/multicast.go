package router

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/routing"
)

// everyLinkGroups are the groups that the router joins on every Ethernet interface:
// all hosts, all nodes, all routers (RFC 1112 §4, RFC 4291 §2.8).
var everyLinkGroups = []netip.Addr{
	netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("ff02::1"), netip.MustParseAddr("ff02::2"),
}

// listensTo returns the multicast groups that the router has joined on an
// Ethernet interface, sorted and without duplicates: those of every interface,
// those of the protocols there, and the solicited-node groups of its own
// addresses.
func (l *link) listensTo() []netip.Addr {
	list := append(slices.Clone(everyLinkGroups), l.listeners.Groups()...)
	addresses := []netip.Prefix{l.formed}
	for _, a := range l.cfg.Addresses {
		addresses = append(addresses, a.Prefix)
	}
	if e, ok := l.port.(port.Ethernet); ok && !l.formed.IsValid() { // probed before it is assigned (RFC 4862 §5.4.2)
		addresses = append(addresses, netip.PrefixFrom(arp.LinkLocal(e.HardwareAddr()), 64))
	}
	for _, a := range addresses {
		if a.IsValid() && a.Addr().Is6() {
			list = append(list, arp.SolicitedNode(a.Addr()))
			if all, ok := routing.SubnetRouterAnycast(a); ok {
				list = append(list, arp.SolicitedNode(all))
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// join makes the device of an Ethernet interface receive the multicast groups
// that the router has joined, and no longer those it has left. A card drops all
// other groups by itself.
func (l *link) join() error {
	e, ethernet := l.port.(port.Ethernet)
	if !ethernet {
		l.groups = nil
		return nil
	}
	wanted := map[arp.MAC]bool{}
	for _, g := range l.listensTo() {
		wanted[arp.MulticastMAC(g)] = true
	}
	var errs []error
	for g := range wanted {
		if !l.groups[g] {
			errs = append(errs, e.Join(g))
		}
	}
	for g := range l.groups {
		if !wanted[g] {
			errs = append(errs, e.Leave(g))
		}
	}
	l.groups = maps.Clone(wanted)
	if err := errors.Join(errs...); err != nil {
		return groupError{fmt.Errorf("joining multicast groups on %s: %w", l.cfg.Name, err)}
	}
	return nil
}

// ErrGroups means that a device refused to join multicast groups, as one that
// has just been removed does. Everything else was done.
var ErrGroups = errors.New("multicast groups are not joined")

type groupError struct{ error }

func (e groupError) Is(target error) bool { return target == ErrGroups }
func (e groupError) Unwrap() error        { return e.error }
