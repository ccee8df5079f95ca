package reassembly

import (
	"time"
)

// slot is an unfinished packet's place in the table, with what a search reads
// of every one of them, so that it walks through memory side by side.
type slot struct {
	tag    uint64 // of the key
	source uint64 // of the key
	held   int    // pages
	*datagram
}

// A source may have a quarter of what the table has, so that none can take the
// room from all others; but of a small table as much as one sender needs.
const (
	sources           = 4
	smallSharePackets = 16
	smallSharePages   = 2 * (1 + numPages) // two packets of the largest size
)

func share(whole, small int) int { return max(whole/sources, min(whole, small)) }

// find gives the unfinished packet that k names, and its place. It begins
// with the latest: fragments of one packet mostly follow each other.
func (t *Table) find(k *key) (int, *datagram) {
	tag := k.tag()
	for i := len(t.order) - 1; i >= 0; i-- {
		if s := &t.order[i]; s.tag == tag && s.key == *k {
			return i, s.datagram
		}
	}
	return -1, nil
}

// begin takes in a new packet, for which the oldest makes room: of the same
// source where that has its share, else of all. It gives nil where a table
// holds no packets at all.
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
	if n := len(t.order); n == cap(t.order) { // not grown by append, which would not use again what forget left
		if cap(t.memory) <= 2*n {
			t.memory = make([]slot, 0, 4*n+16)
		}
		t.order = append(t.memory[:0], t.order...)
	}
	t.order = append(t.order, slot{tag: f.key.tag(), source: source, datagram: d})
	return len(t.order) - 1, d
}

// makeRoom sees to it that the packet at place can have need pages more, for
// which older packets are given up, and reports whether it can. It says where
// the packet is now.
func (t *Table) makeRoom(place, need int) (int, bool) {
	most := share(t.pages.limit, smallSharePages)
	if t.order[place].held+need > most {
		return place, false // nobody else's going would help
	}
	if t.pages.used()+need <= most {
		return place, true // all together have less than one may
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

// holder gives the place of the oldest packet that is fit and holds pages, the
// one at place left out. The caller knows that there is one.
func (t *Table) holder(place int, fit func(*slot) bool) int {
	for i := range t.order {
		if s := &t.order[i]; i != place && s.held > 0 && fit(s) {
			return i
		}
	}
	panic("reassembly: no packet holds the pages that are in use")
}

// evict gives up the packet at place i for the sake of others.
func (t *Table) evict(i int) {
	t.forget(i)
	t.evicted++
}

// forget drops the packet at place i, and all it holds. Those in front of it
// move up: mostly it is the oldest, and there are none.
func (t *Table) forget(i int) {
	t.release(&t.order[i])
	d := t.order[i].datagram
	copy(t.order[1:], t.order[:i])
	t.order[0] = slot{}
	t.order = t.order[1:]
	*d = datagram{}
	t.spare = append(t.spare, d)
}
