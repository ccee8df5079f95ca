package device

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/internal/packet"
)

// SamePlace says whether two sides are of the same device.
func SamePlace(a, b Host) bool {
	return a.Device == b.Device && NamespacePath(a.Netns) == NamespacePath(b.Netns)
}

// equal says whether two sides of the same place are the same.
func (s Side) equal(o Side) bool {
	return s.MTU == o.MTU && s.Bridge == o.Bridge && slices.Equal(s.Via, o.Via) &&
		slices.Equal(s.Host.Addresses, o.Host.Addresses) && slices.Equal(s.Host.Routes, o.Host.Routes)
}

// Fits returns an error if no kernel could take the side.
func (s Side) Fits() error {
	for _, a := range s.Host.Addresses {
		if a.Addr().Is6() && s.MTU < packet.IPv6MinMTU {
			return fmt.Errorf("giving device %s the address %s: IPv6 wants an MTU of %d or more, not %d", s.Host.Device, a, packet.IPv6MinMTU, s.MTU)
		}
	}
	return nil
}

// Check says why Apply could not change the kernel's side to new, and changes
// nothing: a bridge that does not exist or is no bridge, a route that would
// replace another. It looks only at what new adds to the present side: changes
// that others have made to the rest are no reason to refuse.
func (k *Kernel) Check(new Side) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Stopped() {
		return port.ErrClosed
	}
	if err := new.Fits(); err != nil {
		return err
	}
	if new.Bridge != "" && new.Bridge != k.side.Bridge {
		if _, err := k.findBridge(new); err != nil {
			return err
		}
	}
	for _, r := range new.Host.Routes {
		if slices.Contains(k.side.Host.Routes, r) {
			continue
		}
		if err := k.free(r, new); err != nil {
			return k.Lost(err)
		}
	}
	if slices.Equal(new.Via, k.side.Via) {
		return nil
	}
	for _, r := range new.Host.Routes {
		if via := new.via(r); via.IsValid() && !new.reaches(via) {
			return fmt.Errorf("adding the route %s by device %s: its next hop %s is in no subnet of the device", r, k.Device, via)
		}
	}
	return nil
}

// reaches reports whether a next hop is on the link.
func (s Side) reaches(via netip.Addr) bool {
	return via.IsLinkLocalUnicast() || slices.ContainsFunc(s.Host.Addresses, func(a netip.Prefix) bool { return a.Contains(via) })
}

// free returns an error if the namespace has a route for the prefix by another
// device: the kernel would refuse a second one too.
func (k *Kernel) free(r netip.Prefix, side Side) error {
	metric := 0
	if r.Addr().Is6() {
		metric = defaultMetric6
	}
	taken := false
	err := k.Handle.RouteListFilteredIter(family(r), &netlink.Route{Dst: ipNet(r.Masked()), Table: unix.RT_TABLE_MAIN},
		netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE, func(have netlink.Route) bool {
			taken = have.LinkIndex != k.Index && have.Priority == metric && have.Tos == 0
			return !taken
		})
	if err != nil {
		return fmt.Errorf("listing the routes of %s: %w", DescribeNamespace(side.Host.Netns), err)
	}
	if taken {
		return k.taken(r, side)
	}
	return nil
}

// defaultMetric6 is what the kernel gives an IPv6 route that names no metric:
// IP6_RT_PRIO_USER of linux/ipv6_route.h.
const defaultMetric6 = 1024

func (k *Kernel) taken(r netip.Prefix, side Side) error {
	return fmt.Errorf("adding the route %s by device %s: %s has a route for it by another device", r, k.Device, DescribeNamespace(side.Host.Netns))
}

// Apply changes the kernel's side to new, which has to be of the same place.
// Only what differs from the present configuration is touched: the device
// stays, no packet in it is lost, and changes that others have made to the rest
// stay. What the kernel does not take is left out, kept for Restore, and
// reported by Lacks. An error means that there is no device to change.
func (k *Kernel) Apply(new Side) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Stopped() {
		return port.ErrClosed
	}
	if k.side.equal(new) {
		k.side = new
		return nil
	}
	link, err := k.Handle.LinkByIndex(k.Index)
	if err != nil {
		return k.Lost(fmt.Errorf("looking up device %s: %w", k.Device, err))
	}
	old := k.side
	k.side = new
	k.change(link, old, new)
	return nil
}

// change turns old into new. It adds new addresses before it removes old ones,
// since the kernel removes every route of a device that loses its last address.
// Then it adds again what should have stayed, since the kernel also removes the
// other addresses of a subnet with its first one, and all IPv6 when the MTU is
// below 1280.
func (k *Kernel) change(link netlink.Link, old, new Side) {
	stays := k.staying(link, old, new)
	var lacks []error
	note := func(err error) {
		if err != nil {
			lacks = append(lacks, err)
		}
	}
	if old.MTU != new.MTU {
		note(k.setMTU(link, new.MTU))
	}
	if old.Bridge != new.Bridge {
		note(k.setBridge(link, new))
	}
	for _, a := range new.Host.Addresses {
		if !slices.Contains(old.Host.Addresses, a) {
			_ = k.addAddress(link, a, new) // tried again below
		}
	}
	for _, r := range old.Host.Routes {
		if !slices.Contains(new.Host.Routes, r) || !slices.Equal(old.Via, new.Via) {
			note(k.removeRoute(r, old))
		}
	}
	for _, a := range old.Host.Addresses {
		if !slices.Contains(new.Host.Addresses, a) {
			note(k.removeAddress(link, a))
		}
	}
	for _, a := range stays.Addresses {
		note(k.addAddress(link, a, new))
	}
	for _, r := range stays.Routes {
		note(k.addRoute(r, new))
	}
	k.lacks = lacks
}

// staying gives the addresses and routes of new that the kernel should have
// after the change: all but those of old that somebody else has removed.
func (k *Kernel) staying(link netlink.Link, old, new Side) Host {
	has := map[netip.Prefix]bool{}
	if list, err := k.Handle.AddrList(link, netlink.FAMILY_ALL); err == nil {
		for _, a := range list {
			if p, ok := prefixOf(a.IPNet); ok {
				has[p] = true
			}
		}
	}
	var h Host
	for _, a := range new.Host.Addresses {
		if has[a] || !slices.Contains(old.Host.Addresses, a) {
			h.Addresses = append(h.Addresses, a)
		}
	}
	for _, r := range new.Host.Routes {
		here := !slices.Contains(old.Host.Routes, r)
		if !here {
			here, _ = k.leadsHere(r)
		}
		if here {
			h.Routes = append(h.Routes, r)
		}
	}
	return h
}

// Restore adds the addresses and routes that somebody, or the kernel when the
// device was down, has removed, and those that the kernel did not take before.
// It gives what cannot be added, as Lacks does.
func (k *Kernel) Restore() []string {
	k.mu.Lock()
	if !k.Stopped() {
		if link, err := k.Handle.LinkByIndex(k.Index); err == nil {
			k.restore(link)
		}
	}
	k.mu.Unlock()
	return k.Lacks()
}

// Lacks says in sentences, each once, what the kernel's side lacked of its
// configuration when it was last changed or restored.
func (k *Kernel) Lacks() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []string
	for _, err := range k.lacks {
		if s := err.Error(); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// restore is Restore with the lock held. If somebody has changed the MTU or set
// the device down, that is only reported: there may be a reason.
func (k *Kernel) restore(link netlink.Link) {
	k.lacks = nil
	a := link.Attrs()
	if a.MTU != k.side.MTU {
		k.lacks = append(k.lacks, fmt.Errorf("device %s has an MTU of %d, not %d", k.Device, a.MTU, k.side.MTU))
	}
	if k.side.Bridge != "" && a.MasterIndex == 0 {
		if err := k.setBridge(link, k.side); err != nil {
			k.lacks = append(k.lacks, err)
		}
	}
	if a.RawFlags&unix.IFF_UP == 0 {
		// A device that is down may have addresses, but no routes.
		k.lacks = append(k.lacks, fmt.Errorf("device %s is set down", k.Device))
		return
	}
	for _, a := range k.side.Host.Addresses {
		if err := k.addAddress(link, a, k.side); err != nil {
			k.lacks = append(k.lacks, err)
		}
	}
	for _, r := range k.side.Host.Routes {
		if err := k.addRoute(r, k.side); err != nil {
			k.lacks = append(k.lacks, err)
		}
	}
}
