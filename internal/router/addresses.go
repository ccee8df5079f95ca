package router

import (
	"net/netip"
	"slices"
	"time"

	"routerd/arp"
	"routerd/routing"
)

// AddressEvent processes what the neighbour machine found out about one of the
// router's own addresses: an arp.AddressUsable or arp.AddressDuplicate.
func (r *Router) AddressEvent(effect arp.Effect, now time.Time) error {
	var id routing.InterfaceID
	var prefix netip.Prefix
	usable := false
	switch e := effect.(type) {
	case arp.AddressUsable:
		id, prefix, usable = e.Interface, e.Prefix, true
	case arp.AddressDuplicate:
		id, prefix = e.Interface, e.Prefix
	default:
		return nil
	}
	for _, l := range r.links {
		if l.id != id {
			continue
		}
		if !l.configured(prefix) {
			l.formed = netip.Prefix{}
			if usable {
				l.formed = prefix
			}
		} else if l.duplicate == nil {
			l.duplicate = map[netip.Prefix]bool{prefix: !usable}
		} else {
			l.duplicate[prefix] = !usable
		}
		if a := prefix.Addr(); a.Is6() && a.IsLinkLocalUnicast() {
			l.linkLocal = netip.Addr{}
			if usable {
				l.linkLocal = a
			}
		}
		return r.linkChanged(l, now)
	}
	return nil
}

// Duplicates returns the configured addresses that the router does not use
// because another host has them, in the configuration's order. An address that
// another of its interfaces has and uses is not among them.
func (r *Router) Duplicates() []netip.Addr {
	var list []netip.Addr
	used := map[netip.Addr]bool{}
	for _, ic := range r.cfg.Dataplane.Interfaces {
		for _, a := range ic.Addresses {
			if l := r.links[ic.Name]; l != nil && l.duplicate[a.Prefix] {
				list = append(list, a.Prefix.Addr())
			} else {
				used[a.Prefix.Addr()] = true
			}
		}
	}
	return slices.DeleteFunc(list, func(a netip.Addr) bool { return used[a] })
}

func (l *link) configured(p netip.Prefix) bool {
	for _, a := range l.cfg.Addresses {
		if a.Prefix == p {
			return true
		}
	}
	return false
}

// addresses returns the addresses in use: the configured ones that are not
// duplicates, and the link-local one that the neighbour machine formed.
func (l *link) addresses() []netip.Prefix {
	var list []netip.Prefix
	for _, a := range l.cfg.Addresses {
		if !l.duplicate[a.Prefix] {
			list = append(list, a.Prefix)
		}
	}
	if l.formed.IsValid() {
		list = append(list, l.formed)
	}
	return list
}
