package tun

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// Limits of a Config.
const (
	minMTU = 68    // RFC 791 §3.2
	maxMTU = 65535 // what a TUN device takes
)

// Port is the router's end of a TUN device. It implements port.Port. Its
// methods may be called from any goroutine.
type Port struct {
	name     string
	queues   []*device.Queue
	offloads port.Offloads
	kernel   *device.Kernel

	mu  sync.Mutex // guards cfg
	cfg Config

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
	p := &Port{name: cfg.Name, cfg: cfg, kernel: device.NewKernel(cfg.Host)}
	err := device.InNamespace(cfg.Host.Netns, func() (err error) {
		p.queues, p.offloads, err = device.Make(cfg.Host, device.TUN, queueCount(cfg), wrap)
		return errors.Join(err, p.kernel.Open())
	})
	if err == nil {
		err = p.kernel.BringUp(side(cfg), nil)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// check refuses what the kernel would misunderstand rather than refuse.
func check(cfg Config) error {
	if err := device.CheckName(cfg.Host.Device); err != nil {
		return err
	}
	switch {
	case cfg.MTU < minMTU || cfg.MTU > maxMTU:
		return fmt.Errorf("mtu %d: %d to %d is wanted", cfg.MTU, minMTU, maxMTU)
	case cfg.Queues < 0 || cfg.Queues > device.MaxQueues:
		return fmt.Errorf("queues %d: 1 to %d is wanted", cfg.Queues, device.MaxQueues)
	}
	return side(cfg).Fits()
}

func queueCount(cfg Config) int { return max(cfg.Queues, 1) }

func side(cfg Config) device.Side { return device.Side{MTU: cfg.MTU, Host: cfg.Host} }

// SamePort says whether a living port of configuration a can become b by
// Apply. It cannot where the device would be another one.
func SamePort(a, b Config) bool {
	return a.Name == b.Name && device.SamePlace(a.Host, b.Host) && queueCount(a) == queueCount(b)
}

// Check says why Apply could not make the port what cfg says, and changes
// nothing. What whoever rules the device's namespace has done to it is no
// reason.
func (p *Port) Check(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.kernel.Check(side(cfg))
	}
	if err != nil {
		return fmt.Errorf("changing TUN port %s: %w", p.name, err)
	}
	return nil
}

// may refuses what is no configuration of this port.
func (p *Port) may(cfg Config) error {
	if !SamePort(p.cfg, cfg) {
		return errors.New("another name, namespace, device or number of queues needs another port")
	}
	return check(cfg)
}

// Apply changes MTU, addresses and routes of the kernel's side to
// those of cfg, for which SamePort has to hold. What did not change is not
// touched, the device stays and no packet in it is lost. What the kernel does
// not take, Lacks says; an error means that nothing was changed.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.kernel.Apply(side(cfg))
	}
	if err != nil {
		return fmt.Errorf("changing TUN port %s: %w", p.name, err)
	}
	p.cfg = cfg
	return nil
}

// Lacks says, in sentences, what the kernel's side lacked of the configuration
// when it was last changed or restored; nil where it lacked nothing.
func (p *Port) Lacks() []string { return p.kernel.Lacks() }

// Restore puts back what the kernel's side lacks of addresses and routes, and
// gives what cannot be put back.
func (p *Port) Restore() []string { return p.kernel.Restore() }

// wrap hands a descriptor to the library, which prepares the device and closes
// the descriptor, and goes on with a duplicate (see doc.go).
func wrap(fd int) (*device.Queue, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("duplicating its descriptor: %w", err)
	}
	d, _, err := wgtun.CreateUnmonitoredTUNFromFD(fd)
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		unix.Close(own)
		return nil, err
	}
	return device.Wrap(own)
}

// Name is the name of the interface that the port serves.
func (p *Port) Name() string { return p.name }

// Kind is "tun".
func (p *Port) Kind() string { return "tun" }

// Device is the name of the device on the kernel's side.
func (p *Port) Device() string { return p.kernel.Device }

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
func (p *Port) MTU() int { return p.kernel.Opened().MTU }

// Up says whether the device was up when the port was opened.
func (p *Port) Up() bool { return p.kernel.Opened().Up }

// Namespace is the identity of the namespace that the device is in.
func (p *Port) Namespace() device.Identity { return p.kernel.Namespace() }

// Events carries the latest state of the device after each change.
func (p *Port) Events() <-chan port.Event { return p.kernel.Events() }

// Malformed is how many frames were dropped because their virtio-net header
// made no sense.
func (p *Port) Malformed() uint64 {
	var n uint64
	for _, q := range p.queues {
		n += q.Malformed()
	}
	return n
}

// Close removes the device and with it its addresses and routes, wakes every
// reader and closes Events. It returns once all of that has happened. Later
// calls wait for the first and return the same.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.kernel.Stop() // first, so that nobody reports our own removal
		for _, q := range p.queues {
			if err := q.Close(); err != nil {
				p.closeErr = errors.Join(p.closeErr, fmt.Errorf("closing TUN port %s: %w", p.name, err))
			}
		}
		p.kernel.Close()
	})
	return p.closeErr
}
