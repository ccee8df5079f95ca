package daemon

import (
	"sync"
	"time"

	"routerd/arp"
)

// notices is a queue from one goroutine to the loop. The sender never waits:
// the loop may itself be waiting for room in the sender's inbox.
type notices struct {
	mu     *sync.Mutex
	list   *[]arp.Effect
	signal chan struct{}
}

func newNotices() notices {
	return notices{mu: &sync.Mutex{}, list: &[]arp.Effect{}, signal: make(chan struct{}, 1)}
}

func (n notices) add(e arp.Effect) {
	n.mu.Lock()
	*n.list = append(*n.list, e)
	n.mu.Unlock()
	select {
	case n.signal <- struct{}{}:
	default: // the loop has been woken already
	}
}

func (n notices) waiting() <-chan struct{} { return n.signal }

func (n notices) take() []arp.Effect {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := *n.list
	*n.list = nil
	return list
}

// addressesChanged handles what the neighbour machine found out about the
// router's own addresses.
func (d *Daemon) addressesChanged() {
	view := d.router.View()
	for _, effect := range d.notices.take() {
		switch e := effect.(type) {
		case arp.AddressDuplicate:
			d.log.Error("another station has an address of the router's, which is not used", "interface", interfaceName(view, e.Interface), "address", e.Prefix, "mac", e.MAC)
		case arp.Conflict:
			d.log.Warn("another station uses an address of the router's", "interface", interfaceName(view, e.Interface), "address", e.Addr, "mac", e.MAC)
		case arp.LoopedBack:
			d.log.Warn("the link brings the router's own messages back", "interface", interfaceName(view, e.Interface), "address", e.Addr)
		}
		if err := d.router.AddressEvent(effect, time.Now()); err != nil {
			d.log.Error("following an address", "err", err)
		}
		d.noteAddress(effect)
		switch e := effect.(type) {
		case arp.AddressUsable:
			d.teller.addressChanged(e.Interface, "its address "+e.Prefix.String()+" is usable", time.Now())
		case arp.AddressDuplicate:
			d.teller.addressChanged(e.Interface, "another station has its address "+e.Prefix.String(), time.Now())
		}
	}
	if err := d.readdressStack(); err != nil {
		d.log.Error("following an address", "err", err)
	}
}
