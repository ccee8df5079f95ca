package arp

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync/atomic"

	"routerd/internal/siphash"
	"routerd/routing"
)

// Entry is one neighbour for the dataplane. It is immutable except for its mark
// of use; a change is a new Entry. Every published Entry has a MAC: unresolved
// neighbours are not published.
type Entry struct {
	Interface routing.InterfaceID
	State     State // Reachable, Stale, Delay, Probe or Static
	Router    bool  // a router, by its neighbour or router advertisement
	MAC       MAC
	Addr      netip.Addr
	used      atomic.Bool
}

// Use is called for each packet sent by the entry. It is true once for an
// entry that is Stale: the caller then hands Used to the machine, so that the
// neighbour is verified (RFC 4861 §7.3.3). Any number of goroutines may call
// it; it writes at most once in an entry's life.
func (e *Entry) Use() bool {
	return e.State == Stale && !e.used.Load() && e.used.CompareAndSwap(false, true)
}

// Unuse undoes a Use that could not be handed to the machine, so that the next
// packet's Use is true again.
func (e *Entry) Unuse() { e.used.Store(false) }

// Table is the published neighbour table. It has one writer, the machine's
// owner, which applies Publish and Unpublish, and any number of readers, which
// neither lock nor allocate. A reader sees each change as a whole.
type Table struct {
	key     siphash.Key
	buckets []atomic.Pointer[link]
	shift   uint
	dense   atomic.Pointer[[]atomic.Pointer[Entry]]
	moved   func(routing.InterfaceID, netip.Addr) // see Observe; nil for nobody
}

// link is one link in a bucket's chain. A removed link keeps its next, so a
// reader on it finds the end.
type link struct {
	iface routing.InterfaceID
	addr  netip.Addr
	entry atomic.Pointer[Entry]
	next  atomic.Pointer[link]
}

// NewTable makes a table sized for about n neighbours; the machine's
// Config.MaxNeighbors bounds their number. The key is secret, so that senders
// cannot choose addresses that share a bucket.
func NewTable(n int, key siphash.Key) *Table {
	order := max(bits.Len(uint(max(n, 1)-1)), 4)
	return &Table{key: key, buckets: make([]atomic.Pointer[link], 1<<order), shift: uint(64 - order)}
}

// Lookup returns the entry of the neighbour with address a on the link of
// iface, nil if it is not resolved. It does not allocate.
func (t *Table) Lookup(iface routing.InterfaceID, a netip.Addr) *Entry {
	for l := t.bucket(iface, a).Load(); l != nil; l = l.next.Load() {
		if l.addr == a && l.iface == iface {
			return l.entry.Load()
		}
	}
	return nil
}

// ByIndex gives the entry of the neighbour with a dense number, as
// fib.NextHop.Index has it, nil if it is not resolved. It allocates nothing. No
// neighbour has the number 0.
func (t *Table) ByIndex(i uint32) *Entry {
	dense := t.dense.Load()
	if dense == nil || uint(i) >= uint(len(*dense)) {
		return nil
	}
	return (*dense)[i].Load()
}

func (t *Table) bucket(iface routing.InterfaceID, a netip.Addr) *atomic.Pointer[link] {
	b := a.As16()
	hi := binary.BigEndian.Uint64(b[:8]) ^ uint64(iface)
	return &t.buckets[t.key.Sum(hi, binary.BigEndian.Uint64(b[8:]))>>t.shift]
}

// Observe has f called when a neighbour that was published is no longer at the
// MAC that it had: behind a Publish with another one, and behind an Unpublish.
// When f is called no reader finds the old MAC any more. It is called by the
// writer, within Apply, and must not wait. Only the writer calls Observe; there
// is one observer at most.
func (t *Table) Observe(f func(iface routing.InterfaceID, a netip.Addr)) { t.moved = f }

// Apply applies a Publish or Unpublish, and ignores other effects. Only the
// writer calls it.
func (t *Table) Apply(effect Effect) {
	switch x := effect.(type) {
	case Publish:
		t.store(x.Entry.Interface, x.Entry.Addr, x.Index, x.Entry)
	case Unpublish:
		t.store(x.Interface, x.Addr, x.Index, nil)
	}
}

func (t *Table) store(iface routing.InterfaceID, a netip.Addr, index uint32, e *Entry) {
	if index > 0 {
		t.slot(index, e != nil).Store(e)
	}
	at := t.bucket(iface, a)
	for l := at.Load(); l != nil; at, l = &l.next, l.next.Load() {
		if l.addr != a || l.iface != iface {
			continue
		}
		if e == nil {
			at.Store(l.next.Load())
		}
		was := l.entry.Load()
		l.entry.Store(e)
		if t.moved != nil && (e == nil || e.MAC != was.MAC) {
			t.moved(iface, a)
		}
		return
	}
	if e != nil {
		l := &link{iface: iface, addr: a}
		l.entry.Store(e)
		at.Store(l)
	}
}

// slot gives the place of a dense number, in a longer array if needed; the
// array that readers have stays valid.
func (t *Table) slot(i uint32, grow bool) *atomic.Pointer[Entry] {
	dense := t.dense.Load()
	if dense != nil && int(i) < len(*dense) {
		return &(*dense)[i]
	}
	if !grow {
		return new(atomic.Pointer[Entry])
	}
	longer := make([]atomic.Pointer[Entry], 1<<bits.Len32(i))
	if dense != nil {
		for j := range *dense {
			longer[j].Store((*dense)[j].Load())
		}
	}
	t.dense.Store(&longer)
	return &longer[i]
}
