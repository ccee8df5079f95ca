package tun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/internal/packet"
)

// SamePort says whether a living port of configuration a can become b by
// Apply. It cannot where the device would be another one.
func SamePort(a, b Config) bool {
	return a.Name == b.Name &&
		a.Host.Device == b.Host.Device &&
		namespacePath(a.Host.Netns) == namespacePath(b.Host.Netns) &&
		queueCount(a) == queueCount(b)
}

// Apply changes MTU, addresses and routes of the kernel's side to those of
// cfg, for which SamePort has to hold. What did not change is not touched,
// the device stays and no packet in it is lost. On an error the old
// configuration is put back as far as the kernel lets it.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.apply(cfg); err != nil {
		return fmt.Errorf("changing TUN port %s: %w", p.name, err)
	}
	return nil
}

func (p *Port) apply(cfg Config) error {
	if p.closed.Load() {
		return errors.New("it is closed")
	}
	if !SamePort(p.cfg, cfg) {
		return errors.New("another name, namespace, device or number of queues needs another port")
	}
	if err := check(cfg); err != nil {
		return err
	}
	link, err := p.handle.LinkByIndex(p.index)
	if err != nil {
		return fmt.Errorf("looking up device %s: %w", p.device, err)
	}
	if err := p.change(link, p.cfg, cfg); err != nil {
		if back := p.change(link, cfg, p.cfg); back != nil {
			return fmt.Errorf("%w; and putting back what was there: %w", err, back)
		}
		return err
	}
	p.cfg = cfg
	return nil
}

// change turns old into new. New addresses come before old ones go, since the
// kernel forgets every route of a device that loses its last address; and
// then what is to stay is made sure of, since it also forgets the other
// addresses of a subnet whose first one goes, and all IPv6 below its
// smallest MTU.
func (p *Port) change(link netlink.Link, old, new Config) error {
	if old.MTU != new.MTU {
		if err := p.setMTU(link, new.MTU); err != nil {
			return err
		}
	}
	if err := p.addAddresses(link, new); err != nil {
		return err
	}
	for _, r := range old.Host.Routes {
		if !slices.Contains(new.Host.Routes, r) {
			if err := p.removeRoute(r); err != nil {
				return err
			}
		}
	}
	for _, a := range old.Host.Addresses {
		if !slices.Contains(new.Host.Addresses, a) {
			if err := p.removeAddress(link, a); err != nil {
				return err
			}
		}
	}
	if err := p.addAddresses(link, new); err != nil {
		return err
	}
	return p.addRoutes(new)
}

// bringUp configures a device that was just made.
func (p *Port) bringUp(link netlink.Link, cfg Config) error {
	if err := p.setMTU(link, cfg.MTU); err != nil {
		return err
	}
	if err := p.addAddresses(link, cfg); err != nil {
		return err
	}
	if err := p.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting device %s up: %w", p.device, err)
	}
	return p.addRoutes(cfg)
}

// restore puts back what the kernel forgot while the device was down or its
// MTU too small: all its routes and its IPv6 addresses. What cannot be put
// back, IPv6 at an MTU that somebody made too small for it, keeps nothing
// else from it and is tried again at the next change.
func (p *Port) restore(link netlink.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.cfg.Host.Addresses {
		_ = p.addAddress(link, a, p.cfg)
	}
	for _, r := range p.cfg.Host.Routes {
		_ = p.addRoute(r, p.cfg)
	}
}

func (p *Port) setMTU(link netlink.Link, mtu int) error {
	if err := p.handle.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("setting the MTU of device %s to %d: %w", p.device, mtu, err)
	}
	return nil
}

func (p *Port) addAddresses(link netlink.Link, cfg Config) error {
	for _, a := range cfg.Host.Addresses {
		if err := p.addAddress(link, a, cfg); err != nil {
			return err
		}
	}
	return nil
}

func (p *Port) addRoutes(cfg Config) error {
	for _, r := range cfg.Host.Routes {
		if err := p.addRoute(r, cfg); err != nil {
			return err
		}
	}
	return nil
}

// addAddress adds an address unless the device has it.
func (p *Port) addAddress(link netlink.Link, a netip.Prefix, cfg Config) error {
	err := p.handle.AddrAdd(link, address(a))
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	err = fmt.Errorf("giving device %s the address %s: %w", p.device, a, err)
	switch {
	case a.Addr().Is4():
	case cfg.MTU < packet.IPv6MinMTU:
		return fmt.Errorf("%w: IPv6 wants an MTU of %d or more, not %d", err, packet.IPv6MinMTU, cfg.MTU)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: IPv6 is disabled in %s", err, describeNamespace(cfg.Host.Netns))
	}
	return err
}

// addRoute adds a route unless the device has it. One that leads elsewhere is
// never replaced.
func (p *Port) addRoute(r netip.Prefix, cfg Config) error {
	err := p.handle.RouteAdd(p.route(r))
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EEXIST) {
		ours, listErr := p.leadsHere(r)
		if ours || listErr != nil {
			return listErr
		}
		return fmt.Errorf("adding the route %s by device %s: %s has a route for it by another device: %w",
			r, p.device, describeNamespace(cfg.Host.Netns), err)
	}
	return fmt.Errorf("adding the route %s by device %s: %w", r, p.device, err)
}

// removeAddress removes an address that may be gone already: EADDRNOTAVAIL,
// or ENXIO where the new MTU took all IPv6 with it.
func (p *Port) removeAddress(link netlink.Link, a netip.Prefix) error {
	err := p.handle.AddrDel(link, address(a))
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("removing the address %s from device %s: %w", a, p.device, err)
	}
	return nil
}

// removeRoute removes a route that addRoutes made, if it is still there. One
// that the kernel made for an address is of another protocol and stays.
func (p *Port) removeRoute(r netip.Prefix) error {
	if err := p.handle.RouteDel(p.route(r)); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("removing the route %s by device %s: %w", r, p.device, err)
	}
	return nil
}

// leadsHere says whether the namespace has a route for the prefix by the
// port's device.
func (p *Port) leadsHere(prefix netip.Prefix) (bool, error) {
	want := p.route(prefix)
	family := netlink.FAMILY_V4
	if prefix.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := p.handle.RouteListFiltered(family, &netlink.Route{
		LinkIndex: p.index, Dst: want.Dst, Table: unix.RT_TABLE_MAIN,
	}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, fmt.Errorf("listing the routes by device %s: %w", p.device, err)
	}
	return len(routes) > 0, nil
}

// address is how netlink wants a: no peer, and without duplicate address
// detection, for there is nobody else on the link to ask (RFC 4862 §5.4).
func address(a netip.Prefix) *netlink.Addr {
	n := &netlink.Addr{IPNet: ipNet(a)}
	if a.Addr().Is6() {
		n.Flags = unix.IFA_F_NODAD
	}
	return n
}

// route is how netlink wants the route for prefix by the port's device.
func (p *Port) route(prefix netip.Prefix) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: p.index,
		Dst:       ipNet(prefix.Masked()),
		Table:     unix.RT_TABLE_MAIN,
		Protocol:  unix.RTPROT_STATIC,
	}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	return r
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
