package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/internal/packet"
)

// Host is the kernel's side of a port: where the device is and how the kernel's
// side of it is configured.
type Host struct {
	// Netns is the name of an existing network namespace under
	// /run/netns, or a path to one; "" is the namespace routerd runs in.
	Netns     string
	Device    string // name of the device inside Netns
	Addresses []netip.Prefix
	Routes    []netip.Prefix // prefixes the kernel reaches through this device
}

// Side is the whole configuration of the kernel's side of a device.
type Side struct {
	MTU  int // bytes of a network-layer packet
	Host Host
	// Via are the next hops of Host.Routes, the first of each family counting.
	// Without one of its family a route is on-link: right for a TUN, while on
	// Ethernet the kernel then resolves every destination itself.
	Via []netip.Addr
	// HardwareAddr is the link address of the kernel's device on Ethernet, not
	// the router's; if it is zero the kernel chooses one.
	HardwareAddr [6]byte
	// Bridge is the device in Host.Netns that the device becomes a port of;
	// "" for none.
	Bridge string
}

// Kernel is the kernel's side of a device that was made here. It keeps it as
// configured. Its methods may be called from any goroutine.
type Kernel struct {
	*Link
	mu    sync.Mutex // guards the rest, and changes to the kernel's side
	side  Side
	lacks []error // what of side the kernel did not take
}

// addrGenNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenNone = 1

// NewKernel is the kernel's side of a device that is not made yet.
func NewKernel(host Host) *Kernel {
	return &Kernel{Link: NewLink(host.Netns, host.Device)}
}

// BringUp configures a device that was just made, sets it up, and follows it;
// gone is as for Follow. On an error the caller removes the device.
func (k *Kernel) BringUp(side Side, gone func()) error {
	link, err := k.Find()
	if err != nil {
		return err
	}
	if err := k.bringUp(link, side); err != nil {
		return k.Lost(err)
	}
	k.side = side
	return k.Follow(k.risen, gone)
}

func (k *Kernel) bringUp(link netlink.Link, side Side) error {
	if err := k.setMTU(link, side.MTU); err != nil {
		return err
	}
	if side.HardwareAddr != ([6]byte{}) {
		if err := k.Handle.LinkSetHardwareAddr(link, side.HardwareAddr[:]); err != nil {
			return fmt.Errorf("giving device %s the link address % x: %w", k.Device, side.HardwareAddr, err)
		}
	}
	if side.Bridge != "" {
		// The kernel should send nothing of its own by a port of a bridge. This
		// fails only where there is no IPv6.
		_ = k.Handle.LinkSetIP6AddrGenMode(link, addrGenNone)
		if err := k.setBridge(link, side); err != nil {
			return err
		}
	}
	if err := k.addAddresses(link, side); err != nil {
		return err
	}
	if err := k.Handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting device %s up: %w", k.Device, err)
	}
	return k.addRoutes(side)
}

// risen restores addresses and routes of a device that was down, or whose state
// has changed.
func (k *Kernel) risen(link netlink.Link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.restore(link)
}

// Close stops following the device and closes the sockets; it waits for an
// Apply that is under way.
func (k *Kernel) Close() {
	k.Stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Link.Close()
}

func (k *Kernel) setMTU(link netlink.Link, mtu int) error {
	if err := k.Handle.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("setting the MTU of device %s to %d: %w", k.Device, mtu, err)
	}
	return nil
}

// setBridge makes the device a port of the bridge, or of none.
func (k *Kernel) setBridge(link netlink.Link, side Side) error {
	if side.Bridge == "" {
		if err := k.Handle.LinkSetNoMaster(link); err != nil {
			return fmt.Errorf("taking device %s out of its bridge: %w", k.Device, err)
		}
		return nil
	}
	bridge, err := k.findBridge(side)
	if err != nil {
		return err
	}
	if err := k.Handle.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("making device %s a port of bridge %s: %w", k.Device, side.Bridge, err)
	}
	return nil
}

func (k *Kernel) findBridge(side Side) (netlink.Link, error) {
	where := DescribeNamespace(side.Host.Netns)
	bridge, err := k.Handle.LinkByName(side.Bridge)
	if notFound(err) {
		return nil, Missing(fmt.Errorf("there is no bridge %q in %s: %w", side.Bridge, where, err))
	}
	if err != nil {
		return nil, fmt.Errorf("looking up bridge %s in %s: %w", side.Bridge, where, err)
	}
	if bridge.Type() != "bridge" {
		return nil, fmt.Errorf("device %s in %s is of type %s, and a bridge is wanted", side.Bridge, where, bridge.Type())
	}
	return bridge, nil
}

func (k *Kernel) addAddresses(link netlink.Link, side Side) error {
	for _, a := range side.Host.Addresses {
		if err := k.addAddress(link, a, side); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kernel) addRoutes(side Side) error {
	for _, r := range side.Host.Routes {
		if err := k.addRoute(r, side); err != nil {
			return err
		}
	}
	return nil
}

// addAddress adds an address unless the device has it.
func (k *Kernel) addAddress(link netlink.Link, a netip.Prefix, side Side) error {
	err := k.Handle.AddrAdd(link, address(a))
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	err = fmt.Errorf("giving device %s the address %s: %w", k.Device, a, err)
	switch {
	case a.Addr().Is4():
	case side.MTU < packet.IPv6MinMTU:
		return fmt.Errorf("%w: IPv6 wants an MTU of %d or more, not %d", err, packet.IPv6MinMTU, side.MTU)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: IPv6 is disabled in %s", err, DescribeNamespace(side.Host.Netns))
	}
	return err
}

// addRoute adds a route unless the device has it. It never replaces a route by
// another device.
func (k *Kernel) addRoute(r netip.Prefix, side Side) error {
	err := k.Handle.RouteAdd(k.route(r, side))
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EEXIST) {
		ours, listErr := k.leadsHere(r)
		if ours || listErr != nil {
			return listErr
		}
		return fmt.Errorf("%w: %w", k.taken(r, side), err)
	}
	return fmt.Errorf("adding the route %s by device %s: %w", r, k.Device, err)
}

// removeAddress removes an address that may be gone already: EADDRNOTAVAIL, or
// ENXIO if the new MTU has removed all IPv6.
func (k *Kernel) removeAddress(link netlink.Link, a netip.Prefix) error {
	err := k.Handle.AddrDel(link, address(a))
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("removing the address %s from device %s: %w", a, k.Device, err)
	}
	return nil
}

// removeRoute removes a route that addRoutes made, if it is still there. One
// that the kernel made for an address is of another protocol and stays.
func (k *Kernel) removeRoute(r netip.Prefix, side Side) error {
	if err := k.Handle.RouteDel(k.route(r, side)); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("removing the route %s by device %s: %w", r, k.Device, err)
	}
	return nil
}

// leadsHere says whether the namespace has a route for the prefix by the
// device.
func (k *Kernel) leadsHere(prefix netip.Prefix) (bool, error) {
	routes, err := k.Handle.RouteListFiltered(family(prefix), &netlink.Route{
		LinkIndex: k.Index, Dst: ipNet(prefix.Masked()), Table: unix.RT_TABLE_MAIN,
	}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, fmt.Errorf("listing the routes by device %s: %w", k.Device, err)
	}
	return len(routes) > 0, nil
}

func family(p netip.Prefix) int {
	if p.Addr().Is6() {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// address is how netlink wants a: without a peer, and without duplicate address
// detection, since the configuration gave it and a link between kernel and
// router has no other station to ask (RFC 4862 §5.4).
func address(a netip.Prefix) *netlink.Addr {
	n := &netlink.Addr{IPNet: ipNet(a)}
	if a.Addr().Is6() {
		n.Flags = unix.IFA_F_NODAD
	}
	return n
}

// route is how netlink wants the route for prefix by the device.
func (k *Kernel) route(prefix netip.Prefix, side Side) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: k.Index,
		Dst:       ipNet(prefix.Masked()),
		Table:     unix.RT_TABLE_MAIN,
		Protocol:  unix.RTPROT_STATIC,
	}
	if via := side.via(prefix); via.IsValid() {
		r.Gw = via.AsSlice()
		return r
	}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	return r
}

// via is the next hop of a route, the zero Addr for one that is on the link.
func (s Side) via(r netip.Prefix) netip.Addr {
	for _, via := range s.Via {
		if via.Is4() == r.Addr().Is4() {
			return via
		}
	}
	return netip.Addr{}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(n.IP)
	bits, of := n.Mask.Size()
	if of == 32 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, bits), ok
}
