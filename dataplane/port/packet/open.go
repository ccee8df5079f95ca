package packet

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// linkHeader is the length of an Ethernet header without tags.
const linkHeader = 14

// maxQueues is how many sockets can share a device: PACKET_FANOUT_MAX of
// kernels before 5.10.
const maxQueues = 256

// Port is the router's end of an existing Ethernet device. It implements
// port.Carriable. Its methods may be called from any goroutine.
type Port struct {
	cfg      Config
	link     *device.Link
	queues   []*queue
	silence  *silence
	offloads port.Offloads
	address  [6]byte
	raised   bool // the device was down before
	// lateCarrier, see LateCarrier.
	lateCarrier bool
	veth        bool
	carriage    carriage

	closeOnce sync.Once
	closeErr  error
}

var _ port.Carriable = (*Port)(nil)

// Open takes the device that cfg names: from then on the kernel neither
// receives nor sends anything by it, while its addresses, routes and settings
// stay as they are; only the port does. A device that is down is set up. A
// device that the kernel uses is refused unless cfg.TakeOver is set. On an
// error the device is as it was.
func Open(cfg Config) (*Port, error) {
	p, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening packet port %s: %w", cfg.Name, err)
	}
	return p, nil
}

func open(cfg Config) (*Port, error) {
	if err := device.CheckName(cfg.Device); err != nil {
		return nil, err
	}
	if cfg.Queues < 0 || cfg.Queues > maxQueues {
		return nil, fmt.Errorf("queues %d: 1 to %d is wanted", cfg.Queues, maxQueues)
	}
	p := &Port{cfg: cfg, link: device.NewLink(cfg.Netns, cfg.Device)}
	if err := device.InNamespace(cfg.Netns, p.take); err != nil {
		err = p.link.Lost(err) // ErrMissing if the device went meanwhile
		p.Close()
		return nil, err
	}
	p.link.Named, p.link.Noticed = true, p.noticed
	if err := p.link.Follow(nil, p.lost); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// take does everything that has to be done inside the namespace: the kernel is
// silenced first, so that nothing is answered twice and the kernel sends
// nothing when the device comes up.
func (p *Port) take() error {
	if err := p.link.Open(); err != nil {
		return err
	}
	link, err := p.link.Find()
	if err != nil {
		return err
	}
	if err := usable(link); err != nil {
		return err
	}
	if !p.cfg.TakeOver {
		if err := p.unused(link); err != nil {
			return err
		}
	}
	if p.silence, err = silenceDevice(p.cfg.Device, p.cfg.Netns, p.link.Namespace()); err != nil {
		return err
	}
	n := max(p.cfg.Queues, 1)
	for range n {
		q, err := p.openQueue(n > 1)
		if err != nil {
			return err
		}
		p.queues = append(p.queues, q)
	}
	p.address = [6]byte(link.Attrs().HardwareAddr)
	p.veth = link.Type() == "veth"
	p.lateCarrier = p.veth && link.Attrs().ParentIndex == p.link.Index
	return p.raise(link)
}

// usable refuses devices that carry no Ethernet.
func usable(link netlink.Link) error {
	a := link.Attrs()
	if a.EncapType != "ether" || len(a.HardwareAddr) != 6 || a.Flags&unix.IFF_LOOPBACK != 0 {
		return fmt.Errorf("device %s is of type %s and carries no Ethernet: a network card, a veth or the like is wanted", a.Name, link.Type())
	}
	return nil
}

// raise sets the device up if it is down.
func (p *Port) raise(link netlink.Link) error {
	if link.Attrs().RawFlags&unix.IFF_UP != 0 {
		return nil
	}
	if p.cfg.Will != nil {
		if err := p.cfg.Will(KindUp, device.NamespacePath(p.cfg.Netns), p.cfg.Device); err != nil {
			return err
		}
	}
	p.raised = true
	if err := p.link.Handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting device %s up: %w", p.cfg.Device, err)
	}
	return nil
}

// lost is called when the device is gone.
func (p *Port) lost() {
	for _, q := range p.queues {
		q.lost()
	}
}

// Name is the name of the interface that the port serves.
func (p *Port) Name() string { return p.cfg.Name }

// Kind is "packet".
func (p *Port) Kind() string { return "packet" }

// Device is the name of the device.
func (p *Port) Device() string { return p.cfg.Device }

// Queues gives the port's sockets, one per Config.Queues.
func (p *Port) Queues() []port.Queue {
	qs := make([]port.Queue, len(p.queues))
	for i, q := range p.queues {
		qs[i] = q
	}
	return qs
}

// LinkHeader is 14.
func (p *Port) LinkHeader() int { return linkHeader }

// HardwareAddr is the device's own address when the port was opened.
func (p *Port) HardwareAddr() [6]byte { return p.address }

// Offloads is everything, but for UDP super-packets on old kernels.
func (p *Port) Offloads() port.Offloads { return p.offloads }

// MTU is the device's MTU when the port was opened, in bytes. The port never
// changes it.
func (p *Port) MTU() int { return p.link.Opened().MTU }

// Up says whether the device was up when the port was opened.
func (p *Port) Up() bool { return p.link.Opened().Up }

// Namespace is the identity of the namespace that the device is in.
func (p *Port) Namespace() device.Identity { return p.link.Namespace() }

// Speed is what the device says of its link's speed, in bits a second, 0 where it
// does not, as without a carrier.
func (p *Port) Speed() uint64 { return p.link.Speed() }

// LateCarrier reports whether the kernel may report a lost carrier of the
// device up to a second late. It reports at once only if the device's peer has
// another index (linkwatch_urgent_event of net/core/link_watch.c), and the peer
// of this veth has the same one, in its own namespace.
func (p *Port) LateCarrier() bool { return p.lateCarrier }

// Events carries the latest state of the device after each change.
func (p *Port) Events() <-chan port.Event { return p.link.Events() }

// Malformed is how many frames were dropped because their virtio-net header is
// invalid, or cannot describe them: super-packets of some tunnels.
func (p *Port) Malformed() uint64 {
	var n uint64
	for _, q := range p.queues {
		n += q.malformed.Load()
	}
	return n
}

// Close leaves the device to the kernel as it was, wakes every reader and
// closes Events. It returns once all of that has happened. Later calls wait for
// the first and return the same.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.link.Stop() // first, so that our own changes are not reported
		if p.raised {
			p.closing(p.lower())
		}
		for _, q := range p.queues {
			p.closing(q.close())
		}
		p.closing(p.carriage.close()) // behind the sockets: what it kept from one would be lost
		if p.silence != nil {
			p.closing(p.silence.close()) // last: until here the kernel answers nothing
		}
		p.link.Close()
	})
	return p.closeErr
}

func (p *Port) closing(err error) {
	if err != nil {
		p.closeErr = errors.Join(p.closeErr, fmt.Errorf("closing packet port %s: %w", p.cfg.Name, err))
	}
}

// lower sets the device down again, if it is still there.
func (p *Port) lower() error {
	link, err := p.link.Handle.LinkByIndex(p.link.Index)
	if err == nil {
		err = p.link.Handle.LinkSetDown(link)
	}
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
