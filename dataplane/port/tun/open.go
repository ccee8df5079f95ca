package tun

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"routerd/dataplane/port"
)

const clonePath = "/dev/net/tun"

// Limits of a Config.
const (
	minMTU    = 68    // RFC 791 §3.2
	maxMTU    = 65535 // what a TUN device takes
	maxQueues = 256   // MAX_TAP_QUEUES of the kernel
)

// Port is the router's end of a TUN device. It implements port.Port. Its
// methods may be called from any goroutine.
type Port struct {
	name     string
	queues   []*queue
	offloads port.Offloads
	opened   port.Event // the state when it was opened

	// The kernel's side. handle and updates are sockets of its namespace.
	device  string
	index   int
	handle  *netlink.Handle
	updates *nl.NetlinkSocket

	mu  sync.Mutex // guards cfg and changes to the kernel's side
	cfg Config

	events    chan port.Event
	followed  chan struct{} // closed when follow has ended
	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

var _ port.Port = (*Port)(nil)

// Open makes the device in the namespace that cfg names, configures the
// kernel's side of it and sets it up. The namespace has to exist and the
// device must not. On an error nothing is left behind, and the error names
// what is missing. The device lives until Close, or until the process ends.
func Open(cfg Config) (*Port, error) {
	p, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening TUN port %s: %w", cfg.Name, err)
	}
	return p, nil
}

func open(cfg Config) (*Port, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	p := &Port{
		name:     cfg.Name,
		device:   cfg.Host.Device,
		events:   make(chan port.Event, 1),
		followed: make(chan struct{}),
	}
	err := inNamespace(cfg.Host.Netns, func() error { return p.make(cfg) })
	if err == nil {
		err = p.configure(cfg)
	}
	if err != nil {
		close(p.followed) // nobody follows yet
		p.Close()
		return nil, err
	}
	p.cfg = cfg
	go p.follow(p.opened)
	return p, nil
}

// check refuses what the kernel would misunderstand rather than refuse.
func check(cfg Config) error {
	d := cfg.Host.Device
	switch {
	case d == "" || len(d) >= unix.IFNAMSIZ:
		return fmt.Errorf("device name %q: 1 to %d bytes are wanted", d, unix.IFNAMSIZ-1)
	case d == "." || d == ".." || strings.ContainsAny(d, "/:% \t\n\v\f\r"):
		return fmt.Errorf("device name %q: no slash, colon, percent sign or space may be in it", d)
	case cfg.MTU < minMTU || cfg.MTU > maxMTU:
		return fmt.Errorf("mtu %d: %d to %d is wanted", cfg.MTU, minMTU, maxMTU)
	case cfg.Queues < 0 || cfg.Queues > maxQueues:
		return fmt.Errorf("queues %d: 1 to %d is wanted", cfg.Queues, maxQueues)
	}
	return nil
}

// make opens everything that belongs to the device's namespace. It runs on a
// thread inside it.
func (p *Port) make(cfg Config) error {
	n := queueCount(cfg)
	for i := range n {
		q, offloads, err := makeQueue(clonePath, cfg.Host, n > 1, i == 0)
		if err != nil {
			return err
		}
		p.queues = append(p.queues, q)
		p.offloads = offloads
	}
	var err error
	if p.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("opening a netlink socket in %s: %w", describeNamespace(cfg.Host.Netns), err)
	}
	if p.updates, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); err != nil {
		return fmt.Errorf("following link changes in %s: %w", describeNamespace(cfg.Host.Netns), err)
	}
	return nil
}

// configure brings the kernel's side up as cfg says and notes what came of it.
func (p *Port) configure(cfg Config) error {
	link, err := p.handle.LinkByName(p.device)
	if err != nil {
		return fmt.Errorf("looking up device %s: %w", p.device, err)
	}
	p.index = link.Attrs().Index
	if err := p.bringUp(link, cfg); err != nil {
		return err
	}
	if link, err = p.handle.LinkByIndex(p.index); err != nil {
		return fmt.Errorf("reading the state of device %s: %w", p.device, err)
	}
	p.opened = state(link)
	return nil
}

func queueCount(cfg Config) int { return max(cfg.Queues, 1) }

// makeQueue opens one descriptor of the device; the first one makes the
// device.
func makeQueue(path string, host Host, multi, first bool) (*queue, port.Offloads, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, openError(path, err)
	}
	offloads, err := attach(fd, host, multi, first)
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	// From here on the descriptor is the library's, which closes it.
	device, _, err := wgtun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		return nil, 0, fmt.Errorf("taking over device %s: %w", host.Device, err)
	}
	q, err := newQueue(device)
	if err != nil {
		device.Close()
		return nil, 0, fmt.Errorf("preparing device %s: %w", host.Device, err)
	}
	return q, offloads, nil
}

// attach ties the descriptor to the device and asks for super-packets. The
// library asks once more for the same and keeps the answer to itself.
func attach(fd int, host Host, multi, first bool) (port.Offloads, error) {
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if multi {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if first {
		flags |= unix.IFF_TUN_EXCL // make it; never take over one that is there
	}
	ifr, err := unix.NewIfreq(host.Device)
	if err != nil {
		return 0, fmt.Errorf("device name %q: %w", host.Device, err)
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return 0, makeError(host, err)
	}
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp); err != nil {
		return 0, fmt.Errorf("asking device %s for TCP super-packets: %w", host.Device, err)
	}
	// Both families of UDP or none. A kernel before 6.2 knows neither the
	// flags nor, on a write, VIRTIO_NET_HDR_GSO_UDP_L4.
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp|unix.TUN_F_USO4|unix.TUN_F_USO6) != nil {
		return port.OffloadAll &^ port.OffloadUDP, nil
	}
	return port.OffloadAll, nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s does not exist: load the tun module (modprobe tun), or hand the device into the container: %w", path, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s may not be opened: routerd needs to read and write it: %w", path, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%s has no driver behind it: the kernel lacks the tun module: %w", path, err)
	}
	return fmt.Errorf("opening %s: %w", path, err)
}

func makeError(host Host, err error) error {
	where := describeNamespace(host.Netns)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("making device %s in %s: routerd lacks CAP_NET_ADMIN in the user namespace that owns it: %w", host.Device, where, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("making device %s in %s: a device of that name is there already: another routerd or program holds it: %w", host.Device, where, err)
	}
	return fmt.Errorf("making device %s in %s: %w", host.Device, where, err)
}

// Name is the name of the interface that the port serves.
func (p *Port) Name() string { return p.name }

// Kind is "tun".
func (p *Port) Kind() string { return "tun" }

// Device is the name of the device on the kernel's side.
func (p *Port) Device() string { return p.device }

// Queues gives the port's descriptors, one per Config.Queues.
func (p *Port) Queues() []port.Queue {
	qs := make([]port.Queue, len(p.queues))
	for i, q := range p.queues {
		qs[i] = q
	}
	return qs
}

// LinkHeader is 0: a TUN device carries bare packets.
func (p *Port) LinkHeader() int { return 0 }

// Offloads is everything, but for UDP super-packets on kernels before 6.2.
func (p *Port) Offloads() port.Offloads { return p.offloads }

// MTU is the MTU when the port was opened, in bytes.
func (p *Port) MTU() int { return p.opened.MTU }

// Up says whether the device was up when the port was opened.
func (p *Port) Up() bool { return p.opened.Up }

// Events carries the latest state of the device after each change.
func (p *Port) Events() <-chan port.Event { return p.events }

// Malformed is how many frames were dropped because their virtio-net header
// made no sense.
func (p *Port) Malformed() uint64 {
	var n uint64
	for _, q := range p.queues {
		n += q.malformed.Load()
	}
	return n
}

// Close removes the device and with it its addresses and routes, wakes every
// reader and closes Events. It returns once all of that has happened. Later
// calls wait for the first and return the same.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.closed.Store(true)
		if p.updates != nil {
			p.updates.Close() // first, so that nobody reports our own removal
		}
		<-p.followed
		for _, q := range p.queues {
			if err := q.close(); err != nil {
				p.closeErr = errors.Join(p.closeErr, fmt.Errorf("closing TUN port %s: %w", p.name, err))
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.handle != nil {
			p.handle.Close()
		}
		close(p.events)
	})
	return p.closeErr
}
