package daemon

import (
	"errors"
	"net/netip"
	"slices"

	"routerd/config"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/tap"
	"routerd/dataplane/port/tun"
	"routerd/dataplane/port/veth"
	"routerd/internal/control"
	"routerd/internal/localstack"
)

// portSpec is the configuration of one port of any kind.
type portSpec struct {
	name   string
	kind   string
	queues int
	host   control.Host
	spots  []spot // where its devices are
	// open opens the port, and records what has to be undone.
	open func(*steps) (port.Port, error)
	// keeps reports whether a port opened for old can be changed to this
	// without being opened again; then check says why that would fail, changing
	// nothing, and apply does it.
	keeps func(old portSpec) bool
	check func(p port.Port) error
	apply func(p port.Port) error
	cfg   any // the Config of the port's package
	// offload is which flows that come in by the port the kernel is to carry, and
	// flows how many the router may have so.
	offload dataplane.Offload
	flows   int
}

// spot is where a device of a port is, or is to be.
type spot struct {
	netns, device string
	needs         []string // other devices there that the port needs
}

// awaited is what has to exist, or change, before the port can be opened.
func (s *portSpec) awaited() (places []device.Place) {
	for _, at := range s.spots {
		places = append(places, device.Place{Netns: at.netns, Devices: append([]string{at.device}, at.needs...)})
	}
	return places
}

// held is what matters while the port is open, in namespaces with the given
// identities. The port follows its own devices itself.
func (s *portSpec) held(in []device.Identity) (places []device.Held) {
	for i, at := range s.spots {
		h := device.Held{Place: device.Place{Netns: at.netns, Devices: at.needs}}
		if i < len(in) {
			h.Namespace = in[i]
		}
		places = append(places, h)
	}
	return places
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
	for _, c := range cfg.Veth {
		list = append(list, vethSpec(c))
	}
	for _, c := range cfg.Packet {
		list = append(list, d.packetSpec(c))
	}
	if cfg.LocalStack != nil {
		list = append(list, d.stackSpec(*cfg.LocalStack))
	}
	offloads(list, cfg)
	return list
}

func tunSpec(c tun.Config) portSpec {
	return portSpec{
		name: c.Name, kind: "tun", queues: max(c.Queues, 1), cfg: c,
		host:  control.Host{Netns: c.Host.Netns, Device: c.Host.Device},
		spots: []spot{{netns: c.Host.Netns, device: c.Host.Device}},
		open:  func(*steps) (port.Port, error) { return tun.Open(c) },
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(tun.Config)
			return same && tun.SamePort(o, c)
		},
		check: func(p port.Port) error { return p.(*tun.Port).Check(c) },
		apply: func(p port.Port) error { return p.(*tun.Port).Apply(c) },
	}
}

func tapSpec(c tap.Config) portSpec {
	return portSpec{
		name: c.Name, kind: "tap", queues: max(c.Queues, 1), cfg: c,
		host:  control.Host{Netns: c.Host.Netns, Device: c.Host.Device},
		spots: []spot{hostSpot(c.Host, c.Bridge)},
		open:  func(*steps) (port.Port, error) { return tap.Open(c) },
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(tap.Config)
			return same && tap.SamePort(o, c)
		},
		check: func(p port.Port) error { return p.(*tap.Port).Check(c) },
		apply: func(p port.Port) error { return p.(*tap.Port).Apply(c) },
	}
}

// hostSpot is where the kernel's side of a port is, which may be a port of a
// bridge.
func hostSpot(h device.Host, bridge string) spot {
	at := spot{netns: h.Netns, device: h.Device}
	if bridge != "" {
		at.needs = []string{bridge}
	}
	return at
}

func vethSpec(c veth.Config) portSpec {
	identity := c // functions cannot be compared
	return portSpec{
		name: c.Name, kind: "veth", queues: max(c.Queues, 1), cfg: identity,
		host:  control.Host{Netns: c.Host.Netns, Device: c.Host.Device},
		spots: []spot{{netns: c.Netns, device: c.Device}, hostSpot(c.Host, c.Bridge)},
		open: func(u *steps) (port.Port, error) {
			c.Will = u.will
			return veth.Open(c)
		},
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(veth.Config)
			return same && veth.SamePort(o, identity)
		},
		check: func(p port.Port) error { return p.(*veth.Port).CheckChange(identity) },
		apply: func(p port.Port) error { return p.(*veth.Port).Apply(identity) },
	}
}

func (d *Daemon) packetSpec(c packet.Config) portSpec {
	identity := c // functions cannot be compared
	return portSpec{
		name: c.Name, kind: "packet", queues: max(c.Queues, 1), cfg: identity,
		host:  control.Host{Netns: c.Netns, Device: c.Device},
		spots: []spot{{netns: c.Netns, device: c.Device}},
		open: func(u *steps) (port.Port, error) {
			c.Will = u.will
			return packet.Open(c)
		},
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(packet.Config)
			return same && samePacket(o, identity)
		},
		check: func(port.Port) error { return nil }, // nothing of it can change while it is open
		apply: func(port.Port) error { return nil },
	}
}

func samePacket(a, b packet.Config) bool {
	return a.Name == b.Name && a.Netns == b.Netns && a.Device == b.Device && a.Queues == b.Queues &&
		a.Promiscuous == b.Promiscuous && a.TakeOver == b.TakeOver
}

// stackSpec is the port of the router's own TCP/IP stack. The stack gets the
// configured addresses, except duplicates that other stations have: it would
// send from them.
func (d *Daemon) stackSpec(c localstack.Config) portSpec {
	duplicates := d.router.Duplicates()
	c.Addresses = slices.DeleteFunc(slices.Clone(c.Addresses), func(p netip.Prefix) bool { return slices.Contains(duplicates, p.Addr()) })
	left := d.stack
	return portSpec{
		name: localstack.Name, kind: "tun", queues: 1, cfg: c,
		host:  control.Host{Netns: c.Netns, Device: c.Device},
		spots: []spot{{netns: c.Netns, device: c.Device}},
		open:  func(u *steps) (port.Port, error) { return openStack(c, left, u) },
		keeps: func(old portSpec) bool {
			o, same := old.cfg.(localstack.Config)
			// A second stack cannot be made in the same namespace, so the port
			// stays, and check refuses what it cannot be changed to.
			return same && o.Netns == c.Netns
		},
		check: func(p port.Port) error { return p.(*localstack.Port).Check(c) },
		apply: func(p port.Port) error { return p.(*localstack.Port).Apply(c) },
	}
}

// openStack makes the stack, in the namespace that was left when its device was
// deleted, if that still exists.
func openStack(c localstack.Config, left leftStack, u *steps) (port.Port, error) {
	c.Will, c.Made = u.will, u.made
	again := left.netns == c.Netns && left.stays()
	if again {
		c.Left = left.made
	}
	p, err := localstack.Open(c)
	if err == nil && again {
		u.list = append(u.list, left.steps.list...)
		u.again = true
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// readdressStack gives the router's own stack the addresses that it may use
// now, if they have changed.
func (d *Daemon) readdressStack() error {
	defer d.streams.Readdress()
	now := d.ports[localstack.Name]
	if now == nil || d.cfg.LocalStack == nil {
		return nil
	}
	next := d.stackSpec(*d.cfg.LocalStack)
	if slices.Equal(now.spec.cfg.(localstack.Config).Addresses, next.cfg.(localstack.Config).Addresses) {
		return nil
	}
	now.spec = next
	// If its device has just gone, the stack will be made again with these
	// addresses.
	if err := next.apply(now.port); err != nil && !errors.Is(err, device.ErrMissing) {
		return err
	}
	d.logLacks(now)
	return nil
}
