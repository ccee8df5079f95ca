package bgp

import (
	"math/bits"
	"time"

	"routerd/routing"
)

// vacancies are numbers of prefixes that may have no route any more, and of which no
// neighbour may have to be told any more. They are freed a while later, when there is nothing
// else to do: most prefixes that are lost or withdrawn come back, and still have their number,
// their place in the index and their slot then. A number that cannot be freed when its time has
// come is vacated again by what it waits for.
type vacancies struct {
	vacant, older routing.SlotSet // older are those that are freed next
	vacated       int             // bits of both
	peak          int             // the most routes that there were since numbers were last freed
	freeing       bool            // the older ones are being freed, a part of them in each step
	looked        int             // words of older that have been looked at
	free          task            // begins that
}

const (
	// vacantTime is how long numbers are vacant before they are freed, at least, unless there
	// are too many.
	vacantTime = 10 * time.Second
	// mostVacant is how many numbers may be vacant besides as many as there were routes. More
	// are freed at once, so that a neighbour that announces new prefixes again and again does
	// not take more and more memory.
	mostVacant = 1 << 16
)

// vacate notes that a number may be free.
func (r *rib) vacate(n uint32) {
	id := routing.SlotID(n)
	if r.vacant.Has(id) {
		return
	}
	r.vacant.Add(id)
	if r.older.Has(id) {
		r.older.Remove(id)
		return
	}
	r.vacated++
}

// crowded reports whether too many numbers are vacant.
func (r *rib) crowded() bool { return r.vacated > r.peak+mostVacant }

// plan has vacant numbers freed later, or now if there are too many. It is the last of a step,
// since sending makes numbers vacant too.
func (m *Machine) plan(r *rib) {
	r.peak = max(r.peak, r.table.Len())
	switch {
	case r.vacated == 0 || r.freeing:
	case r.crowded():
		m.beginFreeing(r)
	case !r.free.timer.IsSet():
		m.tasks.Set(&r.free.timer, m.now.Add(vacantTime))
	}
}

// beginFreeing begins to free the numbers that have been vacant for a while. When it is over,
// those that are vacant now are the next ones.
func (m *Machine) beginFreeing(r *rib) {
	m.tasks.Stop(&r.free.timer)
	r.freeing, r.looked = true, 0
}

// freeSome goes on with freeing numbers, of up to most prefixes.
func (m *Machine) freeSome(r *rib, most int) {
	for ; r.freeing && most > 0; most -= 64 {
		if r.looked == len(r.older) {
			r.freeing, r.peak = false, r.table.Len()
			r.vacant, r.older = r.older, r.vacant
			return
		}
		list := r.older[r.looked]
		r.older[r.looked] = 0
		r.vacated -= bits.OnesCount64(list)
		for ; list != 0; list &= list - 1 {
			m.release(r, uint32(r.looked*64+bits.TrailingZeros64(list)))
		}
		r.looked++
	}
}

// release frees the number of a prefix that has no route, and of which no neighbour has
// to be told any more.
func (m *Machine) release(r *rib, n uint32) {
	if n >= r.table.Numbers() || !r.table.Used(n) || r.table.heads.at(n).first != 0 {
		return
	}
	id := routing.SlotID(n)
	if r.isTouched.Has(id) || r.waits(n) {
		return
	}
	if m.kept(r.family, n) {
		return
	}
	if l := r.at(n); l.slot != 0 {
		m.slots.Free(routing.SlotID(l.slot - 1))
		l.slot = 0
	}
	r.table.Free(n)
}

// freeing reports whether numbers are being freed.
func (m *Machine) freeing() bool {
	for _, r := range m.ribs {
		if r.freeing {
			return true
		}
	}
	return false
}
