package offload

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// Config is how large a cache is.
type Config struct {
	Flows  int // the most flows at once; each takes 136 bytes, and some 100 more while there is one
	Causes int // how many causes there are, numbered from 0; each takes 64 bytes
	// Mark is the mark of packets that leave by the queue of a device (Decision
	// without Peer), by which its rules know them as the router's own.
	Mark uint32
}

// Cause is the number of something that ends decisions: an interface that goes
// down, a neighbour that moves, a rule that changes. What each number stands for
// is its user's to say.
type Cause uint32

// Ref is a cause as it was at one moment. One taken before a decision is made
// ends that decision whenever the cause comes about afterwards, also if this is
// before Put is called.
type Ref struct {
	Cause Cause
	Epoch uint32 // how often it had come about
}

// Flow is the number of an entry of the cache. It is used again after Reap has
// told of its end.
type Flow uint32

// What Put refuses.
var (
	ErrFull   = errors.New("the flow cache is full")
	ErrExists = errors.New("the flow has an entry already")
)

// Cache is the entries that the kernel carries packets by. One goroutine at a
// time calls its methods, but for Ref, End, Lost and Attach, which any may call
// until Close, and Reap, which one may call beside the others.
type Cache struct {
	kernel   *kernel
	attached attachments
	keys     []Key  // by slot
	live     []bool // by slot
	made     Flow   // slots that were ever used

	mu   sync.Mutex // guards what follows
	free []Flow
	// ended are the slots that no key leads to any more, of which a program may
	// still be at work.
	ended []Flow
}

// New makes a cache that carries nothing yet. An error says in plain words why
// the kernel cannot have one. Close it.
func New(cfg Config) (*Cache, error) {
	if cfg.Flows < 1 || cfg.Causes < 1 {
		return nil, fmt.Errorf("a flow cache of %d flows and %d causes: at least one of each is wanted", cfg.Flows, cfg.Causes)
	}
	k, err := load(cfg)
	if err != nil {
		return nil, plain(err)
	}
	return &Cache{kernel: k, keys: make([]Key, cfg.Flows), live: make([]bool, cfg.Flows)}, nil
}

// Ref is the cause c as it is now. Take it before what a decision depends on is
// looked at.
func (c *Cache) Ref(cause Cause) Ref { return Ref{cause, c.kernel.epoch(cause).Load()} }

// End ends every decision that was made with a Ref of the cause until now: when
// it returns, no packet that is judged from then on is carried by one. Those
// that are on their way already are so still; Reap waits for them.
func (c *Cache) End(cause Cause) { c.kernel.epoch(cause).Add(1) }

// Lost is how many packets were lost because the kernel had no memory to change
// them.
func (c *Cache) Lost() uint64 { return number(c.kernel.lostMemory).Load() }

// Put has the kernel carry the packets of a flow as was decided, until one of
// the causes comes about; one to four are wanted. The first packet of the flow
// still goes to its socket, and so do those that come while one of the flow is in
// the socket or in user space: none overtakes another (port.HandOver). The first
// packet that is carried may be judged before Put returns.
func (c *Cache) Put(k Key, d Decision, until ...Ref) (Flow, error) {
	if err := check(&k, &d); err != nil {
		return 0, fmt.Errorf("caching a flow: %w", err)
	}
	if len(until) < 1 || len(until) > maxCauses {
		return 0, fmt.Errorf("caching a flow that %d causes end: 1 to %d are wanted", len(until), maxCauses)
	}
	slot, err := c.take()
	if err != nil {
		return 0, err
	}
	e := c.kernel.entry(slot)
	*e = entry{}
	e.fill(&k, &d)
	e.awaits = unseen
	for i := range maxCauses {
		ref := until[min(i, len(until)-1)]
		e.causes[i], e.epochs[i] = uint32(ref.Cause), ref.Epoch
	}
	atomic.StoreUint32(&e.live, 1)
	if err := c.flows(&k).Update(k.marshal(), uint32(slot), ebpf.UpdateNoExist); err != nil {
		e.live = 0
		c.giveBack(slot)
		if errors.Is(err, ebpf.ErrKeyExist) {
			return 0, ErrExists
		}
		return 0, fmt.Errorf("caching a flow: %w", err)
	}
	c.keys[slot], c.live[slot] = k, true
	return slot, nil
}

// take gives a slot that nothing leads to.
func (c *Cache) take() (Flow, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.free); n > 0 {
		slot := c.free[n-1]
		c.free = c.free[:n-1]
		return slot, nil
	}
	if int(c.made) == len(c.keys) {
		return 0, ErrFull // Reap may give some back
	}
	c.made++
	return c.made - 1, nil
}

func (c *Cache) giveBack(slots ...Flow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, slots...)
}

func (c *Cache) flows(k *Key) *ebpf.Map {
	if k.Src.Addr().Is4() {
		return c.kernel.flows4
	}
	return c.kernel.flows6
}

// Stop ends one flow by a store: when it returns, no packet that is judged from
// then on is carried by it. Remove is still wanted.
func (c *Cache) Stop(f Flow) { atomic.StoreUint32(&c.kernel.entry(f).live, 0) }

// Remove ends one flow as Stop does, and makes room for another entry with its
// key. Its counters are final when Reap tells them.
func (c *Cache) Remove(f Flow) error {
	if int(f) >= len(c.live) || !c.live[f] {
		return fmt.Errorf("ending flow %d of the cache: there is none", f)
	}
	c.Stop(f)
	k := &c.keys[f]
	if err := c.flows(k).Delete(k.marshal()); err != nil {
		return fmt.Errorf("ending flow %d of the cache: %w", f, err)
	}
	c.live[f] = false
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, f)
	return nil
}

// Reap waits until no packet is on its way by a decision that had ended when it
// was called, which takes some milliseconds. Then it tells what the flows that
// were removed before came to, and their numbers are free once it returns. It
// waits also if there are none.
func (c *Cache) Reap(tell func(Flow, Key, Counters)) error {
	c.mu.Lock()
	ended := c.ended
	c.ended = nil
	c.mu.Unlock()
	err := c.kernel.wait()
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = append(c.ended, ended...)
		return err
	}
	for _, f := range ended {
		tell(f, c.keys[f], c.Counters(f))
	}
	c.giveBack(ended...)
	return nil
}

// Counters is what a flow's packets have come to. One that is on its way may be
// in some of the counters and not in others yet.
func (c *Cache) Counters(f Flow) Counters {
	e := c.kernel.entry(f)
	n := Counters{
		Frames: atomic.LoadUint64(&e.frames), Bytes: atomic.LoadUint64(&e.bytes), Supers: atomic.LoadUint64(&e.supers),
		Last: int64(atomic.LoadUint64(&e.last)),
	}
	n.Packets = n.Frames + atomic.LoadUint64(&e.more)
	return n
}

// Stands reports whether no cause has ended the flow.
func (c *Cache) Stands(f Flow) bool {
	e := c.kernel.entry(f)
	for i, cause := range e.causes {
		if c.kernel.epoch(Cause(cause)).Load() != e.epochs[i] {
			return false
		}
	}
	return true
}

// Walk calls yield with every flow that was put and not removed, until it
// returns false; yield may remove the flow. It makes no system call.
func (c *Cache) Walk(yield func(Flow, Key, Counters) bool) {
	for f := range c.made {
		if c.live[f] && !yield(f, c.keys[f], c.Counters(f)) {
			return
		}
	}
}

// Close gives everything back. Close the attachments to devices first.
func (c *Cache) Close() error { return c.kernel.close() }
