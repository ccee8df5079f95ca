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

// Groups that every Ethernet interface hears: all hosts, all nodes, all
// routers (RFC 1112 §4, RFC 4291 §2.8).
var everywhere = []netip.Addr{
	netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("ff02::1"), netip.MustParseAddr("ff02::2"),
}

// listensTo gives the multicast groups that the router takes part in on an
// Ethernet interface, each once and in order: those of every interface, of the
// protocols that are spoken there, and of its own addresses.
func (l *link) listensTo() []netip.Addr {
	list := append(slices.Clone(everywhere), l.listeners.Groups()...)
	addresses := []netip.Prefix{l.formed}
	for _, a := range l.cfg.Addresses {
		addresses = append(addresses, a.Prefix)
	}
	if e, ok := l.port.(port.Ethernet); ok && !l.formed.IsValid() { // asked about before it is formed (RFC 4862 §5.4.2)
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

// join has the device under an Ethernet interface receive the multicast groups
// that the router takes part in, and no longer those it has left: a card
// drops the others by itself.
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

// ErrGroups says that a device took part in no further multicast groups, as one
// does that has just gone. Everything else was done.
var ErrGroups = errors.New("multicast groups are not joined")

type groupError struct{ error }

func (e groupError) Is(target error) bool { return target == ErrGroups }
func (e groupError) Unwrap() error        { return e.error }
