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
	*device.Cloned

	mu  sync.Mutex // guards cfg
	cfg Config
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
	cloned, err := device.OpenCloned(device.TUN, cfg.Name, side(cfg), queueCount(cfg), wrap)
	if err != nil {
		return nil, err
	}
	return &Port{Cloned: cloned, cfg: cfg}, nil
}

// check refuses a Config that no device could have. The kernel would not refuse
// all of these.
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

// SamePort says whether Apply can change an open port of configuration a to b.
// It cannot if the device would be another one.
func SamePort(a, b Config) bool {
	return a.Name == b.Name && device.SamePlace(a.Host, b.Host) && queueCount(a) == queueCount(b)
}

// Check says why Apply could not change the port to cfg, and changes nothing.
// Changes that others have made to the device are no reason.
func (p *Port) Check(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.CheckSide(side(cfg))
	}
	if err != nil {
		return fmt.Errorf("changing TUN port %s: %w", p.Name(), err)
	}
	return nil
}

// may refuses a cfg that belongs to another port, or that check refuses.
func (p *Port) may(cfg Config) error {
	if !SamePort(p.cfg, cfg) {
		return errors.New("another name, namespace, device or number of queues needs another port")
	}
	return check(cfg)
}

// Apply changes MTU, addresses and routes of the kernel's side to those of cfg,
// for which SamePort has to hold. What did not change is not touched, the
// device stays and no packet in it is lost. Lacks says what the kernel does not
// take; an error means that nothing was changed.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.ApplySide(side(cfg))
	}
	if err != nil {
		return fmt.Errorf("changing TUN port %s: %w", p.Name(), err)
	}
	p.cfg = cfg
	return nil
}

// wrap has the library prepare the device and close the descriptor fd, and
// makes a queue of a duplicate (see doc.go).
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

// Kind is "tun".
func (p *Port) Kind() string { return "tun" }

// LinkHeader is 0: a TUN device carries bare packets.
func (p *Port) LinkHeader() int { return 0 }
