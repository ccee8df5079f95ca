package device

import (
	"errors"
	"fmt"
	"sync"

	"routerd/dataplane/port"
)

// Cloned is what TUN and TAP ports have in common: a device that was made here,
// its queues, and the kernel's side of it. Its methods may be called from any
// goroutine.
type Cloned struct {
	kind     string // "TUN" or "TAP", as errors say
	name     string
	queues   []*Queue
	offloads port.Offloads
	kernel   *Kernel

	closeOnce sync.Once
	closeErr  error
}

// OpenCloned makes the device of a port and its queues, each wrapped as Make
// says, configures the kernel's side and sets it up. On an error nothing is left
// behind.
func OpenCloned(mode Mode, name string, side Side, queues int, wrap func(fd int) (*Queue, error)) (*Cloned, error) {
	p := &Cloned{kind: mode.String(), name: name, kernel: NewKernel(side.Host)}
	err := InNamespace(side.Host.Netns, func() (err error) {
		p.queues, p.offloads, err = Make(side.Host, mode, queues, wrap)
		return errors.Join(err, p.kernel.Open())
	})
	if err == nil {
		err = p.kernel.BringUp(side, nil)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// CheckSide says why ApplySide could not change the kernel's side to side, and
// changes nothing. Changes that others have made to the device are no reason.
func (p *Cloned) CheckSide(side Side) error { return p.kernel.Check(side) }

// ApplySide changes the kernel's side to side. What did not change is not
// touched, the device stays and no packet in it is lost. Lacks says what the
// kernel does not take; an error means that nothing was changed.
func (p *Cloned) ApplySide(side Side) error { return p.kernel.Apply(side) }

// Lacks says, in sentences, what the kernel's side lacked of the configuration
// when it was last changed or restored; nil where it lacked nothing.
func (p *Cloned) Lacks() []string { return p.kernel.Lacks() }

// Restore puts back what the kernel's side lacks of addresses and routes, and
// its place in a bridge that was made anew, and gives what cannot be put back.
func (p *Cloned) Restore() []string { return p.kernel.Restore() }

// Name is the name of the interface that the port serves.
func (p *Cloned) Name() string { return p.name }

// Device is the name of the device on the kernel's side.
func (p *Cloned) Device() string { return p.kernel.Device }

// Queues gives the port's queues, one for each descriptor.
func (p *Cloned) Queues() []port.Queue {
	qs := make([]port.Queue, len(p.queues))
	for i, q := range p.queues {
		qs[i] = q
	}
	return qs
}

// Offloads is everything, but for UDP super-packets on kernels before 6.2.
func (p *Cloned) Offloads() port.Offloads { return p.offloads }

// MTU is the MTU when the port was opened, in bytes.
func (p *Cloned) MTU() int { return p.kernel.Opened().MTU }

// Up says whether the device was up when the port was opened.
func (p *Cloned) Up() bool { return p.kernel.Opened().Up }

// Namespace is the identity of the namespace that the device is in.
func (p *Cloned) Namespace() Identity { return p.kernel.Namespace() }

// Speed is what the device says of its speed, in bits a second: 10 Mbit/s, unless
// somebody has it say otherwise with ethtool.
func (p *Cloned) Speed() uint64 { return p.kernel.Speed() }

// Events carries the latest state of the device after each change.
func (p *Cloned) Events() <-chan port.Event { return p.kernel.Events() }

// Malformed is how many frames were dropped because of an invalid virtio-net
// header.
func (p *Cloned) Malformed() uint64 {
	var n uint64
	for _, q := range p.queues {
		n += q.Malformed()
	}
	return n
}

// Close removes the device and with it its addresses and routes, wakes every
// reader and closes Events. It returns once all of that has happened. Later
// calls wait for the first and return the same.
func (p *Cloned) Close() error {
	p.closeOnce.Do(func() {
		p.kernel.Stop() // first, so that nobody reports our own removal
		for _, q := range p.queues {
			if err := q.Close(); err != nil {
				p.closeErr = errors.Join(p.closeErr, fmt.Errorf("closing %s port %s: %w", p.kind, p.name, err))
			}
		}
		p.kernel.Close()
	})
	return p.closeErr
}
