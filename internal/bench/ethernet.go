package bench

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// coreLink is the number of the link between two routers, after those of the
// hosts (0 and 1).
const coreLink = 2

// core is router i's address on the link between the routers.
func (s *Site) core(i int) netip.Prefix { return s.address(coreLink, byte(i+1)) }

// setupKernel2 puts two router namespaces between the hosts, joined by a veth
// pair, and has the kernel forward in both.
func setupKernel2(_ context.Context, s *Site) error {
	routers, err := s.coreVeth()
	if err != nil {
		return err
	}
	for i, router := range routers {
		if err := s.veth(router, s.Hosts[i], i); err != nil {
			return fmt.Errorf("connect %q with %q: %w", router, s.Hosts[i], err)
		}
		err := withLinks(router, func(h *netlink.Handle) error {
			link, err := configureLink(h, coreDevice, s.core(i))
			if err != nil {
				return err
			}
			far := s.host(1 - i).Masked()
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(far), Gw: s.core(1 - i).Addr().AsSlice()}
			if err := h.RouteAdd(route); err != nil {
				return fmt.Errorf("add route to %s: %w", far, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := setKnobs(router, []knob{{"net/ipv4/ip_forward", "1"}, {"net/ipv6/conf/all/forwarding", "1"}}); err != nil {
			return err
		}
	}
	return nil
}

// coreDevice is either end of the veth pair between two routers.
const coreDevice = "core0"

// coreVeth makes two namespaces joined by a veth pair and returns their names.
func (s *Site) coreVeth() (ends [2]string, err error) {
	for i := range ends {
		if ends[i], err = s.namespace(fmt.Sprintf("r%d", i+1)); err != nil {
			return ends, err
		}
	}
	far, err := netns.GetFromName(ends[1])
	if err != nil {
		return ends, fmt.Errorf("open network namespace %q: %w", ends[1], err)
	}
	defer far.Close()
	return ends, withLinks(ends[0], func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = coreDevice, s.Options.MTU
		err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: coreDevice, PeerMTU: uint32(s.Options.MTU), PeerNamespace: netlink.NsFd(far)})
		if err != nil {
			return fmt.Errorf("make veth %s: %w", coreDevice, err)
		}
		return nil
	})
}

// setupRouterdPacket runs two daemons, each with its host on a TUN, that meet
// by packet ports on a veth pair.
func setupRouterdPacket(ctx context.Context, s *Site) error {
	ends, err := s.coreVeth()
	if err != nil {
		return err
	}
	return s.routerdPair(ctx, func(i int) string {
		return fmt.Sprintf("kind = \"packet\"\nnetns = %q\ndevice = %q\n", ends[i], coreDevice)
	})
}

// setupRouterdTAP is the same over TAPs on one bridge.
func setupRouterdTAP(ctx context.Context, s *Site) error {
	const bridge = "br0"
	sw, err := s.namespace("sw")
	if err != nil {
		return err
	}
	err = withLinks(sw, func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = bridge, s.Options.MTU
		link := &netlink.Bridge{LinkAttrs: attrs}
		if err := h.LinkAdd(link); err != nil {
			return fmt.Errorf("make bridge %s: %w", bridge, err)
		}
		if err := h.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", bridge, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.routerdPair(ctx, func(i int) string {
		return fmt.Sprintf("kind = \"tap\"\nmtu = %d\nhost = { netns = %q, device = \"tap%d\", bridge = %q }\n", s.Options.MTU, sw, i, bridge)
	})
}

// setupRouterdOwn runs one daemon and puts the sink on its own stack: what the
// other host's address would be is one of the router's.
func setupRouterdOwn(ctx context.Context, s *Site) error {
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	own := s.prefix + "own"
	var b strings.Builder
	fmt.Fprintf(&b, "name = %q\n\n[api]\nlisten = [%q]\n", s.prefix+"r1", "unix://"+filepath.Join(s.dir, "r1.sock"))
	// The limit is there to be hit by a flood, which UDP is here.
	fmt.Fprintf(&b, "\n[local-stack]\nnetns = %q\nrate = 1000000\n", own)
	writeTUN(&b, s, 0)
	a := s.host(1).Addr()
	fmt.Fprintf(&b, "\n[interface.lo]\nkind = \"loopback\"\naddresses = [\"%s/%d\"]\n", a, a.BitLen())
	if err := s.runRouterd(ctx, binary, "r1", b.String()); err != nil {
		return err
	}
	s.Hosts[1] = own // the daemon makes it and takes it away
	return nil
}

// routerdPair starts a daemon for each host; port is what router i's
// configuration says of its port towards the other one.
func (s *Site) routerdPair(ctx context.Context, port func(i int) string) error {
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	for i := range s.Hosts {
		if err := s.runRouterd(ctx, binary, fmt.Sprintf("r%d", i+1), pairConfig(s, i, port(i))); err != nil {
			return err
		}
	}
	return nil
}

// pairConfig is the configuration of router i of two: a TUN to its host, a
// port to the other router, and a static route to the other host's subnet.
func pairConfig(s *Site, i int, port string) string {
	var b strings.Builder
	// A TAP's link address is made of the router's name, so the two differ.
	me := fmt.Sprintf("r%d", i+1)
	fmt.Fprintf(&b, "name = %q\n\n[api]\nlisten = [%q]\n", s.prefix+me, "unix://"+filepath.Join(s.dir, me+".sock"))
	writeTUN(&b, s, i)
	fmt.Fprintf(&b, "\n[interface.core0]\n%saddresses = [%q]\n", port, s.core(i))
	fmt.Fprintf(&b, "\n[[static.route]]\nprefix = %q\nnext-hop = %q\n", s.host(1-i).Masked(), s.core(1-i).Addr())
	return b.String()
}
