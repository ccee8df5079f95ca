package veth

import (
	"errors"
	"fmt"
)

// CheckChange says why Apply could not change the port to cfg, and changes nothing.
// Changes that others have made to the devices are no reason.
func (p *Port) CheckChange(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.may(cfg)
	if err == nil {
		err = p.host.Check(cfg.side())
	}
	return p.changing(err)
}

// Apply changes MTU, addresses, routes and bridge to those of cfg, for which
// SamePort has to hold. What did not change is not touched, the devices stay and no
// packet in them is lost. Lacks says what the host's kernel does not take; an error
// means that an end is gone.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.may(cfg); err != nil {
		return p.changing(err)
	}
	was := p.cfg.MTU
	// The router's end never takes more than the host's.
	if cfg.MTU < was {
		if err := p.resize(cfg.MTU); err != nil {
			return p.changing(err)
		}
	}
	err := p.host.Apply(cfg.side())
	if err == nil && cfg.MTU > was {
		err = p.resize(cfg.MTU)
	}
	if err == nil {
		p.cfg = cfg
	}
	return p.changing(err)
}

// may refuses a cfg that belongs to another port, or that check refuses.
func (p *Port) may(cfg Config) error {
	if !SamePort(p.cfg, cfg) {
		return errors.New("another name, namespace, device or number of queues, or a bridge where there was none, needs another port")
	}
	return check(cfg)
}

// resize sets the MTU of the router's end.
func (p *Port) resize(mtu int) error {
	end, err := p.near.Attributes()
	if err != nil {
		return err
	}
	if err := p.near.Handle.LinkSetMTU(end, mtu); err != nil {
		return p.near.Lost(fmt.Errorf("setting the MTU of device %s to %d: %w", p.cfg.Device, mtu, err))
	}
	return nil
}

func (p *Port) changing(err error) error {
	if err != nil {
		err = fmt.Errorf("changing veth port %s: %w", p.Name(), err)
	}
	return err
}

// Lacks says, in sentences, what the host's end lacked of the configuration when it
// was last changed or restored; nil where it lacked nothing.
func (p *Port) Lacks() []string { return p.host.Lacks() }

// Restore puts back what the host's end lacks of addresses and routes, and its
// place in a bridge that was made anew, and gives what cannot be put back.
func (p *Port) Restore() []string { return p.host.Restore() }
