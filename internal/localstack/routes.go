package localstack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// routes manages the routes of the namespace. All lead into the TUN; they
// differ in the default source address.
type routes struct{ handle *netlink.Handle }

func openRoutes(name string) (*routes, error) {
	ns, err := netns.GetFromPath(device.NamespacePath(name))
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %q: %w", name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket in network namespace %q: %w", name, err)
	}
	return &routes{h}, nil
}

// wanted returns the routes for cfg with their source addresses. Of two
// interfaces in one subnet the first counts.
func wanted(cfg Config) map[netip.Prefix]netip.Addr {
	w := map[netip.Prefix]netip.Addr{}
	add := func(to netip.Prefix, src netip.Addr) {
		if _, taken := w[to]; !taken {
			w[to] = src
		}
	}
	for _, a := range cfg.Addresses {
		if !served(a.Addr()) {
			continue
		}
		if !a.IsSingleIP() {
			add(a.Masked(), a.Addr())
		}
		every := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if a.Addr().Is6() {
			every = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		add(every, a.Addr())
	}
	return w
}

// sync sets the routes of cfg. All are set again, since the kernel has dropped
// those whose source address is gone.
func (r *routes) sync(cfg Config) error {
	lo, err := r.handle.LinkByName("lo")
	if err == nil {
		err = r.handle.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("setting the loopback of network namespace %q up: %w", cfg.Netns, err)
	}
	link, err := r.handle.LinkByName(cfg.Device)
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		err = device.Missing(err)
	}
	if err != nil {
		return fmt.Errorf("looking up device %s in network namespace %q: %w", cfg.Device, cfg.Netns, err)
	}
	want := wanted(cfg)
	have, err := r.handle.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{
		LinkIndex: link.Attrs().Index, Protocol: unix.RTPROT_STATIC,
	}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("listing the routes of network namespace %q: %w", cfg.Netns, err)
	}
	for i := range have {
		if src, stays := want[destination(&have[i])]; stays && have[i].Src.Equal(src.AsSlice()) {
			delete(want, destination(&have[i]))
			continue
		}
		if err := r.handle.RouteDel(&have[i]); err != nil {
			return fmt.Errorf("removing the route %s from network namespace %q: %w", have[i].Dst, cfg.Netns, err)
		}
	}
	for to, src := range want {
		route := &netlink.Route{
			LinkIndex: link.Attrs().Index, Dst: ipNet(to),
			Src: src.AsSlice(), Protocol: unix.RTPROT_STATIC, Table: unix.RT_TABLE_MAIN,
		}
		if to.Addr().Is4() {
			route.Scope = netlink.SCOPE_LINK
		}
		if err := r.handle.RouteReplace(route); err != nil {
			return fmt.Errorf("adding the route %s from %s in network namespace %q: %w", to, src, cfg.Netns, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// destination returns the prefix of a route listed by the kernel. The default
// route has none in some versions of the library, and 0.0.0.0/0 in others.
func destination(r *netlink.Route) netip.Prefix {
	if r.Dst == nil {
		if r.Family == netlink.FAMILY_V6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	a, _ := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	if r.Family == netlink.FAMILY_V4 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, bits)
}
