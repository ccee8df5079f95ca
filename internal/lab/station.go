package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// errUnsettled means that a device lacks part of its configuration.
var errUnsettled = errors.New("it has not its addresses, routes or bridge")

// settle gives a device its addresses and routes. The addresses are usable at
// once: nobody else in a lab has them, so duplicate address detection (RFC 4862
// §5.4) would only delay the lab. Addresses from router advertisements are
// checked as usual.
func (d Device) settle() error {
	if len(d.Addresses)+len(d.Routes) == 0 {
		return nil
	}
	return inNamespace(d.Namespace, func() error {
		link, err := netlink.LinkByName(d.Name)
		if err != nil {
			return fmt.Errorf("finding device %s: %w", d, err)
		}
		for _, p := range d.Addresses {
			if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD}); err != nil {
				return fmt.Errorf("giving device %s the address %s: %w", d, p, err)
			}
		}
		for _, r := range d.Routes {
			route := netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(r.To), Gw: net.IP(r.Via.AsSlice())}
			if err := netlink.RouteReplace(&route); err != nil {
				return fmt.Errorf("giving device %s a route to %s via %s: %w", d, r.To, r.Via, err)
			}
		}
		return nil
	})
}

// decline has the device, in whose namespace we are, ignore router
// advertisements (RFC 4862 §5.5) if the topology gives it IPv6 addresses: it
// then sends from those and no others.
func (d Device) decline() error {
	if !slices.ContainsFunc(d.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		return nil
	}
	return write([]setting{{"ipv6/conf/" + d.Name + "/accept_ra", "0"}})
}

// settled reports whether the device, in whose namespace we are, has its
// configuration and bridge.
func (d Device) settled(link netlink.Link) bool {
	if master := link.Attrs().MasterIndex; (master != 0) != (d.Bridge != "") {
		return false
	} else if master != 0 {
		bridge, err := netlink.LinkByName(d.Bridge)
		if err != nil || bridge.Attrs().Index != master {
			return false
		}
	}
	if len(d.Addresses)+len(d.Routes) == 0 {
		return true
	}
	addresses, err := dumped(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return false
	}
	routes, err := dumped(func() ([]netlink.Route, error) { return netlink.RouteList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return false
	}
	for _, p := range d.Addresses {
		if !slices.ContainsFunc(addresses, func(a netlink.Addr) bool { return a.IPNet.String() == p.String() }) {
			return false
		}
	}
	for _, r := range d.Routes {
		if !slices.ContainsFunc(routes, func(have netlink.Route) bool {
			return have.Gw.Equal(net.IP(r.Via.AsSlice())) && (have.Dst == nil && r.To.Bits() == 0 || have.Dst != nil && have.Dst.String() == r.To.String())
		}) {
			return false
		}
	}
	return true
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
