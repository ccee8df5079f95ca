package routing

import (
	"math/bits"
	"net/netip"
	"sync"

	"routerd/internal/origin"
)

// SlotID numbers one of the slots of a [Slots], from 0. Numbers are dense, and
// given again when they have been freed.
type SlotID uint32

// Slot is a route that a protocol offers for a prefix. The next hops that a slot is
// given are copied; those that are read of it are shared, by slots that have equal
// ones and by all readers, and must not be written to.
type Slot struct {
	Prefix   netip.Prefix // masked; it does not change while the slot is taken
	NextHops []NextHop
	Metric   uint32
	Tag      uint32
	Origin   origin.ID
	Action   Action
	Distance uint8 // 0 = that of the source
	Internal bool  // of BGP: it is from a neighbour of the own network, see SourceBGP
}

// Slots is what one source offers, a slot for each prefix, and which of them
// have changed since they were last read. The protocol keeps the number of a
// slot with its own data of the prefix, so that nothing is looked up. The zero
// value has no slots.
//
// The protocol writes during a step and the driver calls Publish after it; from
// then on any other goroutine may read what has changed, piece by piece, while
// the protocol is in its next steps. A slot that the present step writes to is
// read after it: what is read is always the result of a whole step. Neither side
// ever waits for more than a few slots of the other.
type Slots struct {
	mu      sync.Mutex
	records records
	offered SlotSet
	free    []SlotID

	// Of the step under way, which is the protocol's alone.
	touched   SlotSet
	step      []SlotID // the same as a list, unless many are
	many      bool
	low, high int // all bits of touched are in words from low to below high
	stepFreed []SlotID
	open      Slot // given by At and not written back, of number openID
	openID    SlotID
	isOpen    bool

	now   changes    // published and not read
	cuts  []*changes // closed by Cut, oldest first; they are read before now
	spare *changes   // empty

	batch [readAtOnce]struct { // the reader's
		Change
		slot Slot
	}
}

// changes is a set of slots to be read.
type changes struct {
	dirty SlotSet
	n     int      // bits set in dirty
	freed []SlotID // their numbers are given again when they have been read
	word  int      // of dirty, where reading goes on
	cut   any
}

const slotPage = 256

// Take gives a slot for the prefix, which is not offered yet.
func (s *Slots) Take(prefix netip.Prefix) (id SlotID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	return s.take(prefix)
}

func (s *Slots) take(prefix netip.Prefix) SlotID {
	id := s.unused()
	s.records.prefix(id, prefix)
	return id
}

// unused gives a slot that is not taken.
func (s *Slots) unused() (id SlotID) {
	if n := len(s.free); n > 0 {
		id = s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	id = s.records.add()
	if room := s.records.room(); len(s.now.dirty)*64 < room {
		s.offered.grow(room)
		s.touched.grow(room)
		s.now.dirty.grow(room)
	}
	return id
}

// At gives the slot to be written in place, until the next call of a method; Offer
// has to follow in the same step.
func (s *Slots) At(id SlotID) *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch(id)
	if !s.isOpen || s.openID != id {
		s.close()
		s.records.read(id, &s.open)
		s.openID, s.isOpen = id, true
	}
	return &s.open
}

// close writes back what At has given.
func (s *Slots) close() {
	if s.isOpen {
		s.records.write(s.openID, &s.open)
		s.isOpen = false
	}
}

// Offer says that the route in the slot is offered as it now is.
func (s *Slots) Offer(id SlotID) {
	s.mu.Lock()
	s.close()
	s.touch(id)
	s.offered.set(id)
	s.mu.Unlock()
}

// Withdraw withdraws the offer; the slot stays taken.
func (s *Slots) Withdraw(id SlotID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offered.Has(id) {
		s.touch(id)
		s.offered.Remove(id)
	}
}

// WithdrawAll withdraws the offers of all slots of a set, 64 at a time: those of a
// session that is lost, which whoever has them keeps as a set.
func (s *Slots) WithdrawAll(set SlotSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	for i := range min(len(set), len(s.offered)) {
		if x := set[i] & s.offered[i]; x != 0 {
			s.offered[i] &^= x
			s.touched[i] |= x
			s.touchWords(i, i+1)
			s.many = true
		}
	}
}

// Offered reports whether the slot is offered.
func (s *Slots) Offered(id SlotID) bool { return s.offered.Has(id) }

// Free withdraws the slot and frees its number, which is given again when that
// has been read. A protocol keeps the slot of a prefix as long as it knows the
// prefix, so that a route that comes and goes is one change.
func (s *Slots) Free(id SlotID) {
	s.Withdraw(id)
	s.stepFreed = append(s.stepFreed, id)
}

// Len is how many slots there are, those that are free included.
func (s *Slots) Len() int { return s.records.n }

// touch keeps readers from a slot until the next Publish.
func (s *Slots) touch(id SlotID) {
	if s.touched.Has(id) {
		return
	}
	s.touched.set(id)
	s.touchWords(int(id/64), int(id/64)+1)
	if s.many = s.many || len(s.step) == fewSlots; !s.many {
		s.step = append(s.step, id)
	}
}

// touchWords notes that bits of touched are set in words from low to below high.
func (s *Slots) touchWords(low, high int) {
	if s.high == 0 {
		s.low = low
	}
	s.low, s.high = min(s.low, low), max(s.high, high)
}

// fewSlots is how many slots of a step are kept as a list.
const fewSlots = 1024

// Publish ends a step: what has changed in it can be read. It reports whether
// there is anything to be read.
func (s *Slots) Publish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	if s.many {
		for i := s.low; i < s.high; i++ {
			x := s.touched[i]
			s.now.n += bits.OnesCount64(x &^ s.now.dirty[i])
			s.now.dirty[i] |= x
			s.touched[i] = 0
		}
	} else {
		for _, id := range s.step {
			s.touched.Remove(id)
			if !s.now.dirty.Has(id) {
				s.now.dirty.set(id)
				s.now.n++
			}
		}
	}
	s.now.freed = append(s.now.freed, s.stepFreed...)
	s.step, s.many, s.low, s.high = s.step[:0], false, 0, 0
	if s.stepFreed = s.stepFreed[:0]; cap(s.stepFreed) > 4*fewSlots {
		s.stepFreed = nil
	}
	return s.unread() > 0
}

// Cut publishes, and has what is published so far be read before what is
// published later, and mark be read between the two. Where the cut before has
// not been read yet, merge may put both marks into one: then it is one cut.
func (s *Slots) Cut(mark any, merge func(before, after any) (both any, ok bool)) {
	s.Publish()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.cuts); n > 0 && merge != nil {
		last := s.cuts[n-1]
		if both, ok := merge(last.cut, mark); ok {
			last.cut = both
			last.add(&s.now)
			return
		}
	}
	c := s.spare
	if s.spare = nil; c == nil {
		c = &changes{}
	}
	*c, s.now = s.now, *c
	s.now.dirty.grow(s.records.room())
	c.cut, c.word = mark, 0
	s.cuts = append(s.cuts, c)
}

// add moves all of o to c.
func (c *changes) add(o *changes) {
	c.dirty.grow(len(o.dirty) * 64)
	c.n = 0
	for i := range c.dirty {
		if i < len(o.dirty) {
			c.dirty[i] |= o.dirty[i]
			o.dirty[i] = 0
		}
		c.n += bits.OnesCount64(c.dirty[i])
	}
	c.freed = append(c.freed, o.freed...)
	o.n, o.freed = 0, o.freed[:0]
}

// Unread is how many changes, frees and cuts are published and not read; one slot
// may count more than once.
func (s *Slots) Unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unread()
}

func (s *Slots) unread() int {
	n := s.now.n + len(s.now.freed)
	for _, c := range s.cuts {
		n += c.n + len(c.freed) + 1
	}
	return n
}

// Change is what became of a slot since it was last read.
type Change struct {
	ID      SlotID
	Slot    *Slot // to be read during the call
	Offered bool  // now; else it is withdrawn
	Freed   bool  // its number will be another prefix's
}

// readAtOnce is how many slots are copied for a reader while the protocol has to
// wait.
const readAtOnce = 16

// Read calls yield for up to max slots that have changed since they were last
// read: first those that were freed, since the prefix may be in another slot by
// now, and then the others in the order of their numbers. It stops at a cut, and
// gives its mark. It returns how many changes it has read, cuts and frees without
// a change included; 0 if there is nothing to be read now. There may be one
// reader at a time.
func (s *Slots) Read(max int, yield func(Change)) (n int, mark any) {
	for n < max && mark == nil {
		got, read := 0, 0
		s.mu.Lock()
		c := &s.now
		if len(s.cuts) > 0 {
			c = s.cuts[0]
		}
		for ; read < min(readAtOnce, max-n); read++ {
			change, tell, ok := s.next(c)
			if !ok {
				break
			}
			if tell {
				s.batch[got].Change = change
				s.records.read(change.ID, &s.batch[got].slot)
				got++
			}
			if change.Freed {
				s.records.prefix(change.ID, netip.Prefix{})
			}
		}
		if read == 0 && c.n == 0 && c != &s.now {
			mark, read = c.cut, 1
			s.cuts = s.cuts[1:]
			c.cut, s.spare = nil, c
		}
		s.mu.Unlock()
		for i := range s.batch[:got] {
			x := &s.batch[i]
			x.Slot = &x.slot
			yield(x.Change)
		}
		if n += read; read == 0 {
			break
		}
	}
	return n, mark
}

// next takes one change of c; one that is not to be told is of a slot that was
// freed and has been read before.
func (s *Slots) next(c *changes) (x Change, tell, ok bool) {
	if n := len(c.freed); n > 0 {
		id := c.freed[n-1]
		c.freed = c.freed[:n-1]
		s.free = append(s.free, id)
		if !c.dirty.Has(id) {
			return Change{ID: id, Freed: true}, false, true
		}
		c.dirty.Remove(id)
		c.n--
		return Change{ID: id, Freed: true}, true, true
	}
	for looked := 0; c.n > 0 && looked <= len(c.dirty); looked++ {
		if c.word >= len(c.dirty) {
			c.word = 0
		}
		if w := c.dirty[c.word] &^ s.touched[c.word]; w != 0 {
			id := SlotID(c.word*64 + bits.TrailingZeros64(w))
			c.dirty.Remove(id)
			c.n--
			return Change{ID: id, Offered: s.offered.Has(id)}, true, true
		}
		c.word++
	}
	return x, false, false
}

// Drain publishes, and calls yield for all that is to be read.
func (s *Slots) Drain(yield func(Change)) {
	s.Publish()
	for {
		if n, _ := s.Read(1<<20, yield); n == 0 {
			return
		}
	}
}
