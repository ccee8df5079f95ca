package routing

// SlotSet is a set of slots, a bit for each. The zero value is empty.
type SlotSet []uint64

// Add adds a slot.
func (b *SlotSet) Add(id SlotID) {
	b.grow(int(id) + 1)
	b.set(id)
}

// Remove takes a slot out.
func (b SlotSet) Remove(id SlotID) {
	if int(id/64) < len(b) {
		b[id/64] &^= 1 << (id % 64)
	}
}

// Has reports whether a slot is in the set.
func (b SlotSet) Has(id SlotID) bool { return int(id/64) < len(b) && b[id/64]&(1<<(id%64)) != 0 }

// grow makes room for n slots.
func (b *SlotSet) grow(n int) {
	for len(*b)*64 < n {
		*b = append(*b, 0)
	}
}

// set adds a slot that there is room for.
func (b SlotSet) set(id SlotID) { b[id/64] |= 1 << (id % 64) }
