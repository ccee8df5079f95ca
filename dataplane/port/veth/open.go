package veth

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/packet"
)

// Port is the router's end of a veth pair. It implements port.Carriable. Its
// methods may be called from any goroutine.
type Port struct {
	*packet.Port // on the router's end

	near *device.Link   // the router's end, to configure it
	host *device.Kernel // the host's end
	made bool

	opened   port.Event
	events   chan port.Event
	followed chan struct{} // closed when follow has ended; nil before it begins

	mu  sync.Mutex // guards cfg
	cfg Config

	closeOnce sync.Once
	closeErr  error
}

var _ port.Carriable = (*Port)(nil)

// Open makes the pair, takes the router's end for the router, configures the
// host's end and sets both up. The namespaces and the bridge have to exist and the
// devices must not. On an error nothing is left behind, and the error names what is
// missing. The pair lives until Close; see Undo for one whose process was killed.
func Open(cfg Config) (*Port, error) {
	p := &Port{
		cfg: cfg, near: device.NewLink(cfg.Netns, cfg.Device), host: device.NewKernel(cfg.Host),
		events: make(chan port.Event, 1),
	}
	err := check(cfg)
	if err == nil {
		err = p.open()
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("opening veth port %s: %w", cfg.Name, err)
	}
	return p, nil
}

// open sets the router's end up first, and only when the kernel is silent there:
// when the host's end comes up the link has a carrier, and the router hears the
// host's first packet.
func (p *Port) open() error {
	if err := p.make(); err != nil {
		return err
	}
	var err error
	p.Port, err = packet.Open(packet.Config{Name: p.cfg.Name, Netns: p.cfg.Netns, Device: p.cfg.Device, Queues: p.cfg.Queues})
	if err != nil {
		return p.near.Lost(err)
	}
	err = device.InNamespace(p.cfg.Host.Netns, func() error {
		device.KeepSecondaries(p.cfg.Host.Device)
		return p.host.Open()
	})
	if err == nil {
		err = p.host.BringUp(p.cfg.side(), nil)
	}
	if err != nil {
		return err
	}
	e := &ends{
		near: port.Event{Up: p.Port.Up(), MTU: p.Port.MTU()}, nearEvents: p.Port.Events(),
		host: p.host.Opened(), others: p.host.Events(),
	}
	e.await()
	p.opened, p.followed = e.link(), make(chan struct{})
	go p.follow(e)
	return nil
}

// KindPair is the one kind of change that Config.Will is called for: a pair is
// made. Path is the file of the namespace of the router's end, "" for routerd's
// own, and value the name and the link address of that end.
const KindPair = "veth"

// make makes the pair. The router's end gets no address of the kernel's and
// answers no ARP, for the time when the process is killed.
func (p *Port) make() error {
	if p.cfg.Will != nil {
		if err := p.cfg.Will(KindPair, device.NamespacePath(p.cfg.Netns), p.cfg.identity()); err != nil {
			return err
		}
	}
	pair := device.Pair{MTU: p.cfg.MTU, Ends: [2]device.PairEnd{
		{Netns: p.cfg.Netns, Device: p.cfg.Device, HardwareAddr: p.cfg.address()},
		{Netns: p.cfg.Host.Netns, Device: p.cfg.Host.Device},
	}}
	if err := pair.Make(); err != nil {
		return err
	}
	p.made = true
	end, err := find(p.near, p.cfg.Netns)
	if err != nil {
		return err
	}
	if err := p.near.Handle.LinkSetARPOff(end); err != nil {
		return p.near.Lost(fmt.Errorf("turning ARP of device %s off: %w", p.cfg.Device, err))
	}
	// A kernel without IPv6 has no such setting, nor such an address.
	if err := p.near.Handle.LinkSetIP6AddrGenMode(end, nl.IN6_ADDR_GEN_MODE_NONE); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		return p.near.Lost(fmt.Errorf("keeping device %s without an IPv6 address: %w", p.cfg.Device, err))
	}
	return nil
}

// find finds the device of a link in its namespace.
func find(l *device.Link, netns string) (end netlink.Link, err error) {
	err = device.InNamespace(netns, func() error {
		if err := l.Open(); err != nil {
			return err
		}
		end, err = l.Find()
		return err
	})
	return end, err
}

// Undo removes the pair that Config.Will was called for, after the process was
// killed. It is no error if the device or namespace is gone, or if a device of
// that name is another one, which stays.
func Undo(path, value string) error {
	name, address, _ := strings.Cut(value, " ")
	l := device.NewLink(path, name)
	defer l.Close()
	end, err := find(l, path)
	switch {
	case errors.Is(err, device.ErrMissing):
		return nil
	case err != nil:
		return err
	case end.Type() != "veth" || end.Attrs().HardwareAddr.String() != address:
		return nil
	}
	return remove(l, end)
}

// remove removes a device, and the other end with it. One that is gone is no
// error.
func remove(l *device.Link, end netlink.Link) error {
	if err := l.Lost(l.Handle.LinkDel(end)); err != nil && !errors.Is(err, device.ErrMissing) {
		return fmt.Errorf("removing device %s: %w", end.Attrs().Name, err)
	}
	return nil
}

// Kind is "veth".
func (p *Port) Kind() string { return "veth" }

// MTU is the MTU of the link when the port was opened, in bytes.
func (p *Port) MTU() int { return p.opened.MTU }

// Up says whether both ends were up when the port was opened.
func (p *Port) Up() bool { return p.opened.Up }

// Events carries the latest state of the link after each change.
func (p *Port) Events() <-chan port.Event { return p.events }

// Namespaces are the identities of the namespaces that the router's end and the
// host's end are in.
func (p *Port) Namespaces() []device.Identity {
	return []device.Identity{p.near.Namespace(), p.host.Namespace()}
}

// Close removes the pair, and with it the addresses and routes of the host's end,
// wakes every reader and closes Events. It returns once all of that has happened.
// Later calls wait for the first and return the same.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.host.Stop() // first, so that nobody reports our own removal
		var errs []error
		if p.Port != nil {
			errs = append(errs, p.Port.Close())
		}
		if p.made {
			errs = append(errs, p.unmake())
		}
		p.near.Close()
		p.host.Close()
		if p.followed != nil {
			<-p.followed
		}
		if err := errors.Join(errs...); err != nil {
			p.closeErr = fmt.Errorf("closing veth port %s: %w", p.cfg.Name, err)
		}
	})
	return p.closeErr
}

// unmake removes the pair, if it is still there.
func (p *Port) unmake() error {
	if p.near.Handle == nil || p.near.Index == 0 { // it could not be looked at
		return Undo(device.NamespacePath(p.cfg.Netns), p.cfg.identity())
	}
	end, err := p.near.Attributes()
	if errors.Is(err, device.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	return remove(p.near, end)
}
