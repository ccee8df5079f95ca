package lab

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// usable waits until duplicate address detection (RFC 4862 §5.4) is over: until
// then addresses are not used, and a first ping would wait or fail. If it takes
// too long for an address, that is printed, and the lab stays up.
func (b *builder) usable(ctx context.Context) error {
	begin := time.Now()
	for waited := false; ; waited = true {
		asking, err := b.lab.tentative(ctx)
		if err != nil {
			return fmt.Errorf("waiting for IPv6 addresses: %w", err)
		}
		switch took := time.Since(begin); {
		case len(asking) == 0 && waited:
			b.say("", "IPv6 addresses may be used, after %d ms", took.Milliseconds())
			return nil
		case len(asking) == 0:
			return nil
		case took > b.lab.options.Ready:
			b.say("", "IPv6 addresses may not be used yet, after %v: %s", b.lab.options.Ready, strings.Join(asking, ", "))
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for IPv6 addresses: %w", err)
		}
	}
}

// tentative gives the IPv6 addresses of hosts, peers and routers that may not be
// used yet, each with its node. Those of devices without a carrier are left out:
// they wait for it.
func (l *Lab) tentative(ctx context.Context) (asking []string, err error) {
	for _, n := range l.plan.Namespaces {
		kind := l.Topology.kind(n.Node)
		if kind == KindSwitch || kind == KindRouter {
			continue
		}
		err := inNamespace(n.Name, func() error {
			links, err := dumped(netlink.LinkList)
			if err != nil {
				return err
			}
			for _, link := range links {
				if a := link.Attrs(); a.Flags&net.FlagUp == 0 || a.RawFlags&unix.IFF_RUNNING == 0 {
					continue
				}
				addresses, err := dumped(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_V6) })
				if err != nil {
					return err
				}
				for _, a := range addresses {
					if a.Flags&unix.IFA_F_TENTATIVE != 0 && a.Flags&unix.IFA_F_DADFAILED == 0 {
						asking = append(asking, fmt.Sprintf("%s of %s:%s", a.IP, n.Node, link.Attrs().Name))
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("looking at the addresses of %s: %w", n.Node, err)
		}
	}
	for _, r := range l.plan.Routers {
		interfaces, err := askInterfaces(ctx, r.Socket)
		if err != nil {
			return nil, fmt.Errorf("asking %s: %w", r.Node, err)
		}
		for _, i := range interfaces {
			for _, own := range i.Own {
				if own.State == "tentative" {
					asking = append(asking, fmt.Sprintf("%s of %s:%s", own.Address, r.Node, i.Name))
				}
			}
		}
	}
	slices.Sort(asking)
	return asking, nil
}

func askInterfaces(ctx context.Context, socket string) ([]control.Interface, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := control.Dial(socket)
	defer client.Close()
	return client.Interfaces(ctx)
}
