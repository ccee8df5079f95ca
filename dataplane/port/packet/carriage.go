package packet

import (
	"errors"
	"fmt"
	"sync"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// carriage is the flow cache of a port's device, if there is one.
type carriage struct {
	mu         sync.Mutex
	closed     bool
	attachment port.Attachment // nil without a cache
	seen       port.Carried
	watched    bool    // something sees only what leaves by the queue of the device
	asking     *asking // by which the device and its other end are looked at
}

// Carry implements port.Carriable. The cache is attached before the first socket
// has the judge: what a judge says is always heard.
func (p *Port) Carry(cache port.FlowCache) error {
	c := &p.carriage
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return port.ErrClosed
	}
	if c.attachment != nil {
		return fmt.Errorf("attaching a flow cache to device %s: it has one already", p.cfg.Device)
	}
	err := p.inside(func() (err error) {
		if c.asking, err = newAsking(); err != nil {
			return fmt.Errorf("opening a netlink socket: %w", err)
		}
		if c.attachment, err = cache.Attach(p.cfg.Device, p.link.Index); err != nil {
			return err
		}
		c.watched, err = c.attachment.Check()
		return err
	})
	if err == nil {
		err = p.judge()
	}
	if err == nil {
		c.seen, err = p.look()
	}
	if err != nil {
		return errors.Join(err, p.detach())
	}
	return nil
}

// judge gives the judge to every socket, and its reader something to follow.
func (p *Port) judge() error {
	for _, q := range p.queues {
		err := q.control(func(fd int) error {
			h, err := p.carriage.attachment.Judge(fd)
			if err == nil {
				q.progress.follow(h)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// look finds out what entries of the cache have to know now. The caller holds
// the mutex; the port has a cache.
func (p *Port) look() (port.Carried, error) {
	address, ok, err := p.peer(p.carriage.asking)
	if err != nil || !ok || p.carriage.watched {
		return port.Carried{Device: p.link.Index}, err
	}
	return port.Carried{Device: p.link.Index, Peer: true, PeerMAC: address}, nil
}

// inside runs f in the namespace of the device, which its name may no longer
// mean.
func (p *Port) inside(f func() error) error {
	return device.InNamespace(p.cfg.Netns, func() error {
		now, err := device.IdentityOf("")
		switch {
		case err != nil:
			return err
		case now != p.link.Namespace():
			return device.Missing(fmt.Errorf("%s was deleted and made anew", device.DescribeNamespace(p.cfg.Netns)))
		}
		return f()
	})
}

// Uncarry implements port.Carriable.
func (p *Port) Uncarry() error {
	p.carriage.mu.Lock()
	defer p.carriage.mu.Unlock()
	return p.detach()
}

// detach gives all packets to the sockets again, and only then detaches the
// cache. The caller holds the mutex.
func (p *Port) detach() error {
	c := &p.carriage
	if c.attachment == nil {
		c.forget()
		return nil
	}
	for _, q := range p.queues {
		err := q.control(c.attachment.Release)
		if err != nil && !errors.Is(err, port.ErrClosed) {
			return err // packets that are kept from the socket are carried still
		}
		q.progress.follow(nil)
	}
	return c.forget()
}

// forget detaches the cache. No socket may have the judge any more.
func (c *carriage) forget() (err error) {
	if c.asking != nil {
		c.asking.close()
	}
	if c.attachment != nil {
		err = c.attachment.Close()
	}
	c.attachment, c.asking, c.seen = nil, nil, port.Carried{}
	return err
}

// close is forget for ever, once the sockets are closed.
func (c *carriage) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.forget()
}

// Check implements port.Carriable.
func (p *Port) Check() error {
	c := &p.carriage
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attachment == nil {
		return nil
	}
	err := p.inside(func() (err error) {
		c.watched, err = c.attachment.Check()
		return err
	})
	if err == nil {
		c.seen, err = p.look()
	}
	if err != nil {
		return errors.Join(err, p.detach())
	}
	return nil
}

// Carried implements port.Carriable.
func (p *Port) Carried() (port.Carried, bool) {
	p.carriage.mu.Lock()
	defer p.carriage.mu.Unlock()
	return p.carriage.seen, p.carriage.attachment != nil
}

// noticed looks at the other end anew, which may be another one: a device has no
// carrier while its other end is moved.
func (p *Port) noticed() (tell bool) {
	c := &p.carriage
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attachment == nil {
		return false
	}
	before := c.seen
	var err error
	if c.seen, err = p.look(); err != nil {
		c.seen = port.Carried{Device: p.link.Index} // the next Check says why
	}
	return c.seen != before
}
