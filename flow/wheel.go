package flow

import "math/bits"

// wheel is a timing wheel of the sessions by the time of their next visit: four
// levels of 64 slots, a slot of one level as wide as the whole level below. Its
// smallest slot is 256 ms and its whole range 49 days, that of Time.
//
// Packets do not touch it. When a session is visited that was used meanwhile,
// or that was in a wide slot and is not due yet, it is filed again. So sessions
// only move when they are visited, and the number of visits is limited: a slot
// with a million sessions is emptied over several calls.
type wheel struct {
	hand  uint32 // in ticks; nothing filed is before it
	count int
	bits  [wheelLevels]uint64 // the slots that are not empty
	heads [wheelLevels * wheelSlots]uint32
}

const (
	wheelLevels = 4
	wheelSlots  = 64
	tickBits    = 8               // a tick is 256 ms
	tickMask    = 1<<24 - 1       // ticks wrap as Time does
	slotMark    = uint32(1) << 31 // in aside.prev: the rest is the number of a slot
)

func tick(t Time) uint32 { return uint32(t) >> tickBits }

// file puts a session into the slot of the first tick after at.
func (t *Table) file(number uint32, at Time) {
	w := &t.wheel
	when := (tick(at) + 1) & tickMask
	if ahead := (when - w.hand) & tickMask; ahead == 0 || ahead > tickMask/2 {
		when = (w.hand + 1) & tickMask // in the past
	}
	level := uint32(bits.Len32(when^w.hand)-1) / 6
	slot := level*wheelSlots + when>>(6*level)&63
	a := t.aside(number)
	head := w.heads[slot]
	a.next, a.prev = head, slotMark|slot
	if head != 0 {
		t.aside(head).prev = number
	}
	w.heads[slot] = number
	w.bits[level] |= 1 << (slot % wheelSlots)
	w.count++
}

// unfile takes a session out of its slot.
func (t *Table) unfile(number uint32) {
	w := &t.wheel
	a := t.aside(number)
	if a.next != 0 {
		t.aside(a.next).prev = a.prev
	}
	if a.prev&slotMark != 0 {
		slot := a.prev &^ slotMark
		w.heads[slot] = a.next
		if a.next == 0 {
			w.bits[slot/wheelSlots] &^= 1 << (slot % wheelSlots)
		}
	} else {
		t.aside(a.prev).next = a.next
	}
	a.next, a.prev = 0, 0
	w.count--
}

// next gives the slot that is to be emptied next and the tick at which it
// begins.
func (w *wheel) next() (slot, when uint32, ok bool) {
	// First the slots that the hand has reached: the budget ran out there.
	for level := range uint32(wheelLevels) {
		digit := w.hand >> (6 * level) & 63
		if w.bits[level]>>digit&1 != 0 {
			return level*wheelSlots + digit, w.hand, true
		}
	}
	for level := range uint32(wheelLevels) {
		digit := w.hand >> (6 * level) & 63
		// The slots of a level lie after the hand's, but those of the topmost
		// may lie before it, in the next turn.
		ahead := bits.RotateLeft64(w.bits[level], -int(digit))
		if ahead == 0 {
			continue
		}
		skip := uint32(bits.TrailingZeros64(ahead))
		when = ((w.hand>>(6*level) + skip) << (6 * level)) & tickMask
		return level*wheelSlots + (digit+skip)&63, when, true
	}
	return 0, 0, false
}

// Tick visits sessions that may have timed out, at most budget of them, and
// ends those that have been idle for their timeout, with a call of ended, which
// may be nil. It reports how many it visited; if that is budget there are more,
// and it should be called again soon, after others have had the mutex.
//
// A session ends between its timeout and half a second after it, if Tick is
// called at least four times a second.
func (t *Table) Tick(now Time, budget int, ended func(*Session)) (visited int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &t.wheel
	until := tick(now)
	for visited < budget {
		slot, when, ok := w.next()
		if !ok || (until-when)&tickMask > tickMask/2 {
			// Nothing is due until now; the hand does not go back.
			if (until-w.hand)&tickMask <= tickMask/2 {
				w.hand = until
			}
			return visited
		}
		w.hand = when
		for ; visited < budget && w.heads[slot] != 0; visited++ {
			t.visit(w.heads[slot], now, ended)
		}
	}
	return visited
}

// visit ends a session or files it anew.
func (t *Table) visit(number uint32, now Time, ended func(*Session)) {
	r := t.record(number)
	life, idle := t.lifetime(number), int32(now-r.condition().seen())
	// The time of the last packet is written once a tick, so it may be a tick
	// old.
	if idle >= int32(life)+1<<tickBits {
		t.counters.expired.Add(1)
		t.end(number, ended)
		return
	}
	t.unfile(number)
	t.file(number, t.due(number, now))
}

// due is when a session is to be looked at next.
func (t *Table) due(number uint32, now Time) Time {
	r := t.record(number)
	due := r.condition().seen() + Time(t.lifetime(number)) + 1<<tickBits
	if soonest := now + Time(t.life.soonest(r.proto())); int32(due-soonest) > 0 {
		return soonest
	}
	return due
}
