package daemon

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/config"
	"routerd/dataplane/port"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/tap"
	"routerd/dataplane/port/tun"
	"routerd/internal/control"
	"routerd/internal/localstack"
)

// portSpec is what the configuration says of one port, whatever its kind.
type portSpec struct {
	name string
	host control.Host
	// open makes the port, and notes what has to be undone.
	open func(*steps) (port.Port, error)
	// keeps reports whether a port that was made by old can become this one
	// without being made anew; apply then makes it so.
	keeps func(old portSpec) bool
	apply func(p port.Port) error
	cfg   any // the room's own Config
}

// specs gives the ports that cfg wants.
func (d *Daemon) specs(cfg *config.Config) []portSpec {
	var list []portSpec
	for _, c := range cfg.TUN {
		list = append(list, tunSpec(c))
	}
	for _, c := range cfg.TAP {
		list = append(list, tapSpec(c))
	}
	for _, c := range cfg.Packet {
		list = append(list, d.packetSpec(c))
	}
	if cfg.LocalStack != nil {
		list = append(list, d.stackSpec(*cfg.LocalStack))
	}
	return list
}

func tunSpec(c tun.Config) portSpec {
	return portSpec{
		name: c.Name, cfg: c,
		host: control.Host{Netns: c.Host.Netns, Device: c.Host.Device},
		open: func(*steps) (port.Port, error) { return tun.Open(c) },
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(tun.Config)
			return same && tun.SamePort(o, c)
		},
		apply: func(p port.Port) error { return p.(*tun.Port).Apply(c) },
	}
}

func tapSpec(c tap.Config) portSpec {
	return portSpec{
		name: c.Name, cfg: c,
		host: control.Host{Netns: c.Host.Netns, Device: c.Host.Device},
		open: func(*steps) (port.Port, error) { return tap.Open(c) },
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(tap.Config)
			return same && tap.SamePort(o, c)
		},
		apply: func(p port.Port) error { return p.(*tap.Port).Apply(c) },
	}
}

func (d *Daemon) packetSpec(c packet.Config) portSpec {
	identity := c // without functions, which cannot be compared
	return portSpec{
		name: c.Name, cfg: identity,
		host: control.Host{Netns: c.Netns, Device: c.Device},
		open: func(u *steps) (port.Port, error) {
			c.Will = u.will
			return packet.Open(c)
		},
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(packet.Config)
			return same && samePacket(o, identity)
		},
		apply: func(port.Port) error { return nil }, // nothing of it can change while it lives
	}
}

func samePacket(a, b packet.Config) bool {
	return a.Name == b.Name && a.Netns == b.Netns && a.Device == b.Device && a.Queues == b.Queues &&
		a.Promiscuous == b.Promiscuous && a.TakeOver == b.TakeOver
}

// stackSpec is the port behind which the router's own TCP/IP stack is. The
// stack holds the configured addresses but those that the router has found to
// be somebody else's: it would speak from them.
func (d *Daemon) stackSpec(c localstack.Config) portSpec {
	duplicates := d.router.Duplicates()
	c.Addresses = slices.DeleteFunc(slices.Clone(c.Addresses), func(p netip.Prefix) bool { return slices.Contains(duplicates, p.Addr()) })
	return portSpec{
		name: localstack.Name, cfg: c,
		host: control.Host{Netns: c.Netns, Device: c.Device},
		open: func(u *steps) (port.Port, error) {
			if old := d.ports[localstack.Name]; old != nil && old.gone && old.spec.host.Netns == c.Netns {
				return nil, fmt.Errorf("making the router's own stack anew: device %s was removed from network namespace %q, which is in use: that needs a restart", c.Device, c.Netns)
			}
			made := c
			made.Will, made.Made = u.will, u.made
			return localstack.Open(made)
		},
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(localstack.Config)
			return same && localstack.SameStack(o, c)
		},
		apply: func(p port.Port) error { return p.(*localstack.Port).Apply(c) },
	}
}

// readdressStack gives the router's own stack the addresses that it may use
// now, and leaves it alone where these are the ones that it has.
func (d *Daemon) readdressStack() error {
	now := d.ports[localstack.Name]
	if now == nil || now.gone || d.cfg.LocalStack == nil {
		return nil
	}
	next := d.stackSpec(*d.cfg.LocalStack)
	if slices.Equal(now.spec.cfg.(localstack.Config).Addresses, next.cfg.(localstack.Config).Addresses) {
		return nil
	}
	if err := next.apply(now.port); err != nil {
		return err
	}
	now.spec = next
	return nil
}
