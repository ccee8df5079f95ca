package reassembly

import (
	"time"
)

// slot is an unfinished packet's place in the table. It holds what a search
// reads of each packet, so that the search walks through contiguous memory.
type slot struct {
	tag    uint64 // of the key
	source uint64 // of the key
	held   int    // pages
	*datagram
}

// A source may use a quarter of the table, so that none can take all the room,
// but even of a small table as much as one sender needs.
const (
	sources           = 4
	smallSharePackets = 16
	smallSharePages   = 2 * (1 + numPages) // two packets of the largest size
)

func share(whole, small int) int { return max(whole/sources, min(whole, small)) }

// find gives the unfinished packet with the key k, and its place. It searches
// from the latest: fragments of one packet mostly follow each other.
func (t *Table) find(k *key) (int, *datagram) {
	tag := k.tag()
	for i := len(t.order) - 1; i >= 0; i-- {
		if s := &t.order[i]; s.tag == tag && s.key == *k {
			return i, s.datagram
		}
	}
	return -1, nil
}

// begin adds a new packet. If there is no room, the oldest packet is given up:
// of the same source if that has used its share, else of all. It returns nil if
// the table may hold no packets at all.
func (t *Table) begin(f *fragment, now time.Time) (int, *datagram) {
	if t.cfg.Packets <= 0 {
		return -1, nil
	}
	source := f.key.source()
	oldest, n := -1, 0
	for i := range t.order {
		if t.order[i].source == source {
			if n++; n == 1 {
				oldest = i
			}
		}
	}
	switch {
	case n >= share(t.cfg.Packets, smallSharePackets):
		t.evict(oldest)
	case len(t.order) >= t.cfg.Packets:
		t.evict(0)
	}
	var d *datagram
	if n := len(t.spare); n > 0 {
		d, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		d = new(datagram)
	}
	d.key, d.in, d.deadline, d.total = f.key, f.in, now.Add(t.cfg.Timeout), -1
	if n := len(t.order); n == cap(t.order) { // append would not reuse the space that forget left at the front
		if cap(t.memory) <= 2*n {
			t.memory = make([]slot, 0, 4*n+16)
		}
		t.order = append(t.memory[:0], t.order...)
	}
	t.order = append(t.order, slot{tag: f.key.tag(), source: source, datagram: d})
	return len(t.order) - 1, d
}

// makeRoom makes room for need more pages of the packet at place, by giving up
// older packets. It returns the packet's place afterwards, and whether there is
// room.
func (t *Table) makeRoom(place, need int) (int, bool) {
	most := share(t.pages.limit, smallSharePages)
	if t.order[place].held+need > most {
		return place, false // giving up others would not help
	}
	if t.pages.used()+need <= most {
		return place, true // the whole table holds less than one source may
	}
	for {
		source := t.order[place].source
		taken := 0
		for i := range t.order {
			if t.order[i].source == source {
				taken += t.order[i].held
			}
		}
		victim := 0
		switch {
		case taken+need > most:
			victim = t.holder(place, func(s *slot) bool { return s.source == source })
		case need > t.pages.left():
			victim = t.holder(place, func(*slot) bool { return true })
		default:
			return place, true
		}
		t.evict(victim)
		if victim < place {
			place--
		}
	}
}

// holder gives the place of the oldest packet, other than the one at place,
// that is fit and holds pages. The caller knows that there is one.
func (t *Table) holder(place int, fit func(*slot) bool) int {
	for i := range t.order {
		if s := &t.order[i]; i != place && s.held > 0 && fit(s) {
			return i
		}
	}
	panic("reassembly: no packet holds the pages that are in use")
}

// evict gives up the packet at place i to make room for others.
func (t *Table) evict(i int) {
	t.forget(i)
	t.evicted++
}

// forget drops the packet at place i, and all it holds. Older packets move up;
// mostly it is the oldest, and there are none.
func (t *Table) forget(i int) {
	t.release(&t.order[i])
	d := t.order[i].datagram
	copy(t.order[1:], t.order[:i])
	t.order[0] = slot{}
	t.order = t.order[1:]
	*d = datagram{}
	t.spare = append(t.spare, d)
}
