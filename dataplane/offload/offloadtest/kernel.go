// Package offloadtest is the kernel's side of the flow cache as a value in
// memory: what the programs of package offload do with packets, written down
// once more, in Go and without haste. It needs no right and no device, and shares
// no code with the programs or with the stages, so it is a judge of both: a test
// runs one router with it before the stages, and its twin without.
//
//	kernel.go   the entries: Put, Remove, End, counters, Reap
//	receive.go  what becomes of a frame that comes in by a device
//
// TestLikeTheKernel compares it with the programs, packet by packet.
package offloadtest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"routerd/dataplane/offload"
)

// Kernel has the methods of offload.Cache, with the same meaning, and Receive.
// Any goroutine may call them.
type Kernel struct {
	mu     sync.Mutex
	clock  func() int64
	epochs []uint32
	flows  map[offload.Key]offload.Flow
	slots  []slot // by Flow
	free   []offload.Flow
	ended  []offload.Flow
	ways   map[int]*way // by device
}

// slot is an entry, or place for one.
type slot struct {
	key      offload.Key
	decision offload.Decision
	until    []offload.Ref
	live     bool // not removed
	stopped  bool
	// after is how many packets of the device have to be through user space
	// before one of the flow is carried, so that it overtakes none.
	after    uint64
	counters offload.Counters
}

// way counts the packets of a device that its socket has got, and those of them
// that have been read, decided and sent.
type way struct{ passed, finished uint64 }

// New is the kernel's side of a cache that carries nothing yet. The clock is
// CLOCK_MONOTONIC, in ns.
func New(cfg offload.Config, clock func() int64) *Kernel {
	return &Kernel{
		clock: clock, epochs: make([]uint32, cfg.Causes), slots: make([]slot, 0, cfg.Flows),
		flows: map[offload.Key]offload.Flow{}, ways: map[int]*way{},
	}
}

// Ref is the cause as it is now.
func (k *Kernel) Ref(c offload.Cause) offload.Ref {
	k.mu.Lock()
	defer k.mu.Unlock()
	return offload.Ref{Cause: c, Epoch: k.epochs[c]}
}

// End ends what was decided with a Ref of the cause until now.
func (k *Kernel) End(c offload.Cause) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epochs[c]++
}

// Lost is 0: there is memory for every packet.
func (k *Kernel) Lost() uint64 { return 0 }

// Put has the packets of a flow carried until one of the causes comes about.
func (k *Kernel) Put(key offload.Key, d offload.Decision, until ...offload.Ref) (offload.Flow, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := sound(key, d, until); err != nil {
		return 0, err
	}
	if _, there := k.flows[key]; there {
		return 0, offload.ErrExists
	}
	s := slot{key: key, decision: d, until: append([]offload.Ref(nil), until...), live: true, after: k.way(key.Ingress).passed}
	var f offload.Flow
	switch n := len(k.free); {
	case n > 0:
		f, k.free = k.free[n-1], k.free[:n-1]
		k.slots[f] = s
	case len(k.slots) < cap(k.slots):
		f = offload.Flow(len(k.slots))
		k.slots = append(k.slots, s)
	default:
		return 0, offload.ErrFull
	}
	k.flows[key] = f
	return f, nil
}

func (k *Kernel) way(device int) *way {
	w := k.ways[device]
	if w == nil {
		w = &way{}
		k.ways[device] = w
	}
	return w
}

// Passed is how many frames that came in by the device were not carried.
func (k *Kernel) Passed(device int) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.way(device).passed
}

// Finish says that of the frames that were not carried the first n are through
// user space: what becomes of them has been sent.
func (k *Kernel) Finish(device int, n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.way(device).finished = n
}

// sound reports an entry that nobody may ask for.
func sound(k offload.Key, d offload.Decision, until []offload.Ref) error {
	if k.Proto != protoTCP && k.Proto != protoUDP {
		return fmt.Errorf("a flow of protocol %d: TCP or UDP is wanted", k.Proto)
	}
	for _, end := range []netip.AddrPort{k.Src, k.Dst, d.Src, d.Dst} {
		if !end.IsValid() || end.Addr().Is4() != k.Src.Addr().Is4() {
			return fmt.Errorf("ends %s, %s, leaving as %s, %s: four of one family are wanted", k.Src, k.Dst, d.Src, d.Dst)
		}
	}
	if k.Src.Addr().Is6() && (k.Src != d.Src || k.Dst != d.Dst) {
		return errors.New("an IPv6 flow that is translated: only IPv4 is")
	}
	if d.MTU < 1 || d.MTU > 65535 {
		return fmt.Errorf("MTU %d: 1 to 65535 is wanted", d.MTU)
	}
	if len(until) < 1 || len(until) > 4 {
		return fmt.Errorf("%d causes: 1 to 4 are wanted", len(until))
	}
	return nil
}

// Stop ends a flow; Remove is still wanted.
func (k *Kernel) Stop(f offload.Flow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots[f].stopped = true
}

// Remove ends a flow.
func (k *Kernel) Remove(f offload.Flow) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if int(f) >= len(k.slots) || !k.slots[f].live {
		return fmt.Errorf("ending flow %d: there is none", f)
	}
	k.slots[f].live = false
	delete(k.flows, k.slots[f].key)
	k.ended = append(k.ended, f)
	return nil
}

// Reap tells what the removed flows came to, and frees their numbers.
func (k *Kernel) Reap(tell func(offload.Flow, offload.Key, offload.Counters)) error {
	k.mu.Lock()
	ended := k.ended
	k.ended = nil
	k.mu.Unlock()
	for _, f := range ended {
		k.mu.Lock()
		s := k.slots[f]
		k.mu.Unlock()
		tell(f, s.key, s.counters)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free = append(k.free, ended...)
	return nil
}

// Counters is what the flow's packets came to.
func (k *Kernel) Counters(f offload.Flow) offload.Counters {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.slots[f].counters
}

// Stands reports whether no cause has ended the flow.
func (k *Kernel) Stands(f offload.Flow) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stands(&k.slots[f])
}

func (k *Kernel) stands(s *slot) bool {
	for _, ref := range s.until {
		if k.epochs[ref.Cause] != ref.Epoch {
			return false
		}
	}
	return true
}

// Walk calls yield with every flow that was put and not removed, until it
// returns false.
func (k *Kernel) Walk(yield func(offload.Flow, offload.Key, offload.Counters) bool) {
	for f := 0; ; f++ {
		k.mu.Lock()
		if f >= len(k.slots) {
			k.mu.Unlock()
			return
		}
		s := k.slots[f]
		k.mu.Unlock()
		if s.live && !yield(offload.Flow(f), s.key, s.counters) {
			return
		}
	}
}
