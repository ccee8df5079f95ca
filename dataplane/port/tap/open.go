package tap

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// linkHeader is the length of an Ethernet header without tags.
const linkHeader = 14

// Limits of a Config.
const (
	minMTU = 68                 // RFC 791 §3.2
	maxMTU = 65535 - linkHeader // what a TAP device takes
)

// Port is the router's end of a TAP device. It implements port.Ethernet. Its
// methods may be called from any goroutine.
type Port struct {
	*device.Cloned
	address [6]byte

	mu  sync.Mutex // guards cfg
	cfg Config
}

var _ port.Ethernet = (*Port)(nil)

// Open makes the device in the namespace that cfg names, configures the
// kernel's side of it and sets it up. The namespace and the bridge have to
// exist and the device must not. On an error nothing is left behind, and the
// error names what is missing. The device lives until Close, or until the
// process ends.
func Open(cfg Config) (*Port, error) {
	p, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening TAP port %s: %w", cfg.Name, err)
	}
	return p, nil
}

func open(cfg Config) (*Port, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	cloned, err := device.OpenCloned(device.TAP, cfg.Name, side(cfg), queueCount(cfg), device.Wrap)
	if err != nil {
		return nil, err
	}
	return &Port{Cloned: cloned, cfg: cfg, address: device.HardwareAddr("router", cfg.Router, cfg.Name)}, nil
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
	case cfg.Bridge != "" && len(cfg.Host.Addresses)+len(cfg.Host.Routes) > 0:
		return fmt.Errorf("device %s is a port of bridge %s and can have no addresses and routes: the bridge can", cfg.Host.Device, cfg.Bridge)
	}
	return side(cfg).Fits()
}

func queueCount(cfg Config) int { return max(cfg.Queues, 1) }

func side(cfg Config) device.Side {
	return device.Side{
		MTU: cfg.MTU, Host: cfg.Host, Via: slices.Clone(cfg.Via), Bridge: cfg.Bridge,
		HardwareAddr: device.HardwareAddr("host", cfg.Router, cfg.Name),
	}
}

// SamePort says whether Apply can change an open port of configuration a to b.
// It cannot if the device would be another one.
func SamePort(a, b Config) bool {
	return a.Router == b.Router && a.Name == b.Name && device.SamePlace(a.Host, b.Host) && queueCount(a) == queueCount(b) &&
		(a.Bridge == "") == (b.Bridge == "")
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
		return fmt.Errorf("changing TAP port %s: %w", p.Name(), err)
	}
	return nil
}

// may refuses a cfg that belongs to another port, or that check refuses.
func (p *Port) may(cfg Config) error {
	if !SamePort(p.cfg, cfg) {
		return errors.New("another name, namespace, device or number of queues, or a bridge where there was none, needs another port")
	}
	return check(cfg)
}

// Apply changes MTU, addresses, routes and bridge of the kernel's side to those
// of cfg, for which SamePort has to hold. What did not change is not touched,
// the device stays and no packet in it is lost. Lacks says what the kernel does
// not take; an error means that nothing was changed.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.ApplySide(side(cfg))
	}
	if err != nil {
		return fmt.Errorf("changing TAP port %s: %w", p.Name(), err)
	}
	p.cfg = cfg
	return nil
}

// Kind is "tap".
func (p *Port) Kind() string { return "tap" }

// LinkHeader is 14.
func (p *Port) LinkHeader() int { return linkHeader }

// HardwareAddr is the router's link address, which differs from that of the
// kernel's device.
func (p *Port) HardwareAddr() [6]byte { return p.address }

// Join only checks the address: a TAP receives every frame.
func (p *Port) Join(group [6]byte) error { return p.group(group) }

// Leave only checks the address too.
func (p *Port) Leave(group [6]byte) error { return p.group(group) }

func (p *Port) group(group [6]byte) error {
	if group[0]&1 == 0 {
		return fmt.Errorf("group % x on device %s: it is not a multicast address: the lowest bit of the first byte is wanted set", group, p.Device())
	}
	return nil
}
