package acl

import "fmt"

// A rule, a default action and a pair of zones without a policy have a number for
// as long as they are there, by which they are counted and remembered by sessions
// and dropped packets. No other rule ever gets the number, for these may outlive
// the rule. But what is kept for each number has to end with its rule, or a router
// whose rules get ever new names would grow: so a number is a slot, which rules
// use one after the other, and which life of the slot it is.
const (
	slotBits  = 18 // for all rules before and after a reload, with room to spare
	mostSlots = 1<<slotBits - 1
	mostLives = 1 << (32 - slotBits) // of a slot, which then is given up
)

// Slot is the index by which what belongs to the rule with the number is kept.
// Another rule may have had the slot before.
func Slot(number uint32) uint32 { return number & mostSlots }

// inherit takes over the slots of what has been in use. Those that nothing used
// are free.
func (r *Rules) inherit(before *Rules) {
	r.entries = make([]entry, len(before.entries))
	r.lives = append([]uint32(nil), before.lives...)
	for slot := len(r.entries) - 1; slot >= 0; slot-- {
		if before.entries[slot] == (entry{}) && r.lives[slot] < mostLives-1 {
			r.free = append(r.free, uint32(slot))
		}
	}
}

// draw gives a number that no rule has had.
func (r *Rules) draw() (uint32, error) {
	if n := len(r.free); n > 0 {
		slot := r.free[n-1]
		r.free = r.free[:n-1]
		r.lives[slot]++
		return r.lives[slot]<<slotBits | slot, nil
	}
	slot := uint32(len(r.entries))
	if slot == mostSlots {
		return 0, fmt.Errorf("all %d numbers for rules, lists and pairs of zones are in use; want fewer, or a restart, which frees them", mostSlots)
	}
	r.entries, r.lives = append(r.entries, entry{}), append(r.lives, 0)
	return slot, nil
}
