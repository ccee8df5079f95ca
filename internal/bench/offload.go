package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
)

// setupOffload runs one daemon whose packet ports are the ends of the hosts'
// veths, with the flow cache as mode says.
func setupOffload(mode string) func(context.Context, *Site) error {
	return func(ctx context.Context, s *Site) error {
		binary, err := routerdBinary(ctx, s)
		if err != nil {
			return err
		}
		return s.runPacket(ctx, binary, mode)
	}
}

// setupOffloadVeth is the same on pairs that the daemon makes, as it makes TUNs.
func setupOffloadVeth(ctx context.Context, s *Site) error {
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	router, err := s.namespace("r")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(routerdHead(s))
	for i := range s.Hosts {
		writeHosted(&b, s, i, "veth")
		fmt.Fprintf(&b, "netns = %q\n", router)
	}
	return s.runRouterd(ctx, binary, "api", b.String())
}

// setupEarlierPacket is the same with an earlier daemon, which need not know the
// flow cache.
func setupEarlierPacket(ctx context.Context, s *Site) error {
	if s.Options.Earlier == "" {
		return errNoEarlier
	}
	return s.runPacket(ctx, s.Options.Earlier, "")
}

// setupEarlierTUN is setupRouterd with an earlier daemon.
func setupEarlierTUN(ctx context.Context, s *Site) error {
	if s.Options.Earlier == "" {
		return errNoEarlier
	}
	return s.runRouterd(ctx, s.Options.Earlier, "api", routerdConfig(s))
}

var errNoEarlier = fmt.Errorf("%w: no earlier daemon is named, wanted one by -earlier", ErrSkip)

func (s *Site) runPacket(ctx context.Context, binary, mode string) error {
	router, err := s.cables()
	if err != nil {
		return err
	}
	return s.runRouterd(ctx, binary, "api", routerdHead(s)+packetConfig(s, router, mode))
}

// setupOffloadNAT is setupOffload with the translation of setupKernelNAT.
func setupOffloadNAT(mode string) func(context.Context, *Site) error {
	return func(ctx context.Context, s *Site) error {
		router, err := s.cables()
		if err != nil {
			return err
		}
		return setupTracking(ctx, s, routerdHead(s)+packetConfig(s, router, mode)+natConfig())
	}
}

// routerPort is the device in the router's namespace that leads to host i.
func routerPort(i int) string { return fmt.Sprintf("eth%d", i) }

// cables makes the router's namespace with a veth to each host, and gives its name.
func (s *Site) cables() (router string, err error) {
	if router, err = s.namespace("r"); err != nil {
		return "", err
	}
	for i, host := range s.Hosts {
		if err := s.cable(router, host, routerPort(i), i); err != nil {
			return "", fmt.Errorf("connect %q with %q: %w", router, host, err)
		}
	}
	return router, nil
}

// packetConfig is what a configuration says of the packet ports of a router; with
// mode "" nothing of the flow cache.
func packetConfig(s *Site, router, mode string) string {
	var b strings.Builder
	for i := range s.Hosts {
		fmt.Fprintf(&b, "\n[interface.lan%d]\nkind = \"packet\"\nnetns = %q\ndevice = %q\naddresses = [%q]\n", i, router, routerPort(i), s.router(i))
		if mode != "" {
			fmt.Fprintf(&b, "offload = %q\n", mode)
		}
	}
	return b.String()
}

// setupKernelQueue is setupKernel with a macvlan on the veth to the sink, by which
// packets leave: a device whose other end is not on this machine, as far as its
// kind tells, as that of a network card.
func setupKernelQueue(_ context.Context, s *Site) error {
	router, err := s.queueCables()
	if err != nil {
		return err
	}
	err = withLinks(router, func(h *netlink.Handle) error {
		for i := range s.Hosts {
			if _, err := configureLink(h, routerPort(i), s.router(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return setKnobs(router, []knob{{"net/ipv4/ip_forward", "1"}, {"net/ipv6/conf/all/forwarding", "1"}})
}

// setupOffloadQueue is the same with a daemon, whose flow cache has to send by the
// device's queue there.
func setupOffloadQueue(ctx context.Context, s *Site) error {
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	router, err := s.queueCables()
	if err != nil {
		return err
	}
	return s.runRouterd(ctx, binary, "api", routerdHead(s)+packetConfig(s, router, "auto"))
}

// queueCables is cables with the macvlan in place of the end of the second veth.
func (s *Site) queueCables() (router string, err error) {
	if router, err = s.namespace("r"); err != nil {
		return "", err
	}
	for i, name := range []string{routerPort(0), "low1"} {
		if err := s.cable(router, s.Hosts[i], name, i); err != nil {
			return "", fmt.Errorf("connect %q with %q: %w", router, s.Hosts[i], err)
		}
	}
	return router, withLinks(router, func(h *netlink.Handle) error {
		low, err := h.LinkByName("low1")
		if err != nil {
			return fmt.Errorf("find low1: %w", err)
		}
		if err := h.LinkSetUp(low); err != nil {
			return fmt.Errorf("set low1 up: %w", err)
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex, attrs.MTU = routerPort(1), low.Attrs().Index, s.Options.MTU
		if err := h.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}); err != nil {
			return fmt.Errorf("%w: make a macvlan: %w", ErrSkip, err)
		}
		return nil
	})
}
