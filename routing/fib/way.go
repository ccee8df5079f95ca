package fib

import (
	"net/netip"
	"slices"

	"routerd/routing"
)

// Way is what forwarding needs to know of an entry. Entries that lead the same
// way share one, which the table names by a number of 15 bits. It is immutable.
type Way struct {
	Action routing.Action
	// Default is set of a route for all addresses.
	Default bool
	Group   *Group // with action Forward; nil otherwise
	// Anycast is the address of all routers of a connected subnet (RFC 4291
	// §2.6.1), which is the router's; invalid of other entries.
	Anycast netip.Addr
}

// Way gives what forwarding needs to know of e.
func (e *Entry) Way() Way {
	w := Way{Action: e.Action, Group: e.Group, Default: e.Prefix.Bits() == 0}
	if e.Source == routing.SourceConnected && e.Action == routing.Forward {
		if all, ok := routing.SubnetRouterAnycast(e.Prefix); ok {
			w.Anycast = all
		}
	}
	return w
}

// unnumbered is the number of what has none because all are taken. The way of
// such an entry is found by its prefix, slowly.
const unnumbered = isBelow - 1

// ways gives the ways in use their numbers. A state never changes, but for known; 0
// stands for no way. The number of a way that no facts have is given again,
// which a reader of an older state does not notice.
type ways struct {
	list   []*Way // by number
	given  int    // numbers given so far, 0 included
	vacant int    // of them that no facts have
	known  *known
}

// known is the writer's, shared by all states. It finds the number of a way, and may be
// out of date: what it says has to be compared with the state.
type known struct {
	uses    []uint32          // by number: facts with the way, of the state last begun
	state   uint64            // the number of that
	groups  map[*Group]uint16 // of ways that say nothing but the group
	numbers map[Way]uint16    // of the others
	most    int               // numbers there are, 0 included
	facts   knownFacts
	// with the same value throughout
	quarters  [256]*quarter
	quarters6 [firstLink]*quarter6
}

// quarter gives the one with this value throughout.
func (k *known) quarter(value int) *quarter {
	if value == 0 {
		return noQuarter
	}
	if k.quarters[value] == nil {
		q := new(quarter)
		for i := range q {
			q[i] = uint8(value)
		}
		k.quarters[value] = q
	}
	return k.quarters[value]
}

func (k *known) number(w *Way) uint16 {
	if w.plain() {
		return k.groups[w.Group]
	}
	return k.numbers[*w]
}

func (k *known) learn(w *Way, n uint16) {
	if w.plain() {
		k.groups[w.Group] = n
		if w.Group != nil {
			w.Group.number.Store(uint32(n))
		}
	} else {
		k.numbers[*w] = n
	}
}

func (k *known) forget(w *Way, n uint16) {
	switch {
	case k.number(w) != n:
	case w.plain():
		delete(k.groups, w.Group)
	default:
		delete(k.numbers, *w)
	}
}

// plain reports whether w says nothing but the group.
func (w *Way) plain() bool {
	return w.Action == routing.Forward && !w.Default && w.Anycast == netip.Addr{}
}

func newWays() ways {
	return ways{
		list: []*Way{nil}, given: 1,
		known: &known{uses: []uint32{0}, groups: map[*Group]uint16{}, numbers: map[Way]uint16{}, most: unnumbered, facts: newKnownFacts()},
	}
}

// wayDraft is the next state of ways while it is written.
type wayDraft struct {
	ways
	owned bool // list is not that of the state before
}

func newWayDraft(base *ways) wayDraft { return wayDraft{ways: *base} }

// set says what number n stands for, nil = nothing.
func (d *wayDraft) set(n uint16, w *Way) {
	if !d.owned {
		d.list, d.owned = slices.Clone(d.list), true
	}
	if int(n) == len(d.list) {
		d.list = append(d.list, w)
	}
	if int(n) == len(d.known.uses) {
		d.known.uses = append(d.known.uses, 0)
	}
	d.list[n] = w
}

// use gives the number of w, for facts more that have it, and the way that is shared by
// all that have the number: w itself if there is none to be had.
func (d *wayDraft) use(w *Way) (uint16, *Way) {
	n := d.known.number(w)
	if own := d.means(n); own == nil || *own != *w {
		if n = d.add(w); n == 0 {
			return unnumbered, w
		}
	}
	d.known.uses[n]++
	return n, d.list[n]
}

// means gives what a number stands for in this state, nil for nothing.
func (d *wayDraft) means(n uint16) *Way {
	if int(n) >= d.given {
		return nil
	}
	return d.list[n]
}

// add gives a way that has none a number; 0 = all are taken.
func (d *wayDraft) add(w *Way) uint16 {
	if d.given-d.vacant == d.known.most {
		return 0
	}
	n := d.vacancy()
	d.set(n, w)
	d.known.learn(w, n)
	return n
}

// vacancy finds a number that nothing uses.
func (d *wayDraft) vacancy() uint16 {
	if d.vacant == 0 {
		d.given++
		return uint16(d.given - 1)
	}
	d.vacant--
	for n := 1; ; n++ {
		if d.list[n] == nil {
			return uint16(n)
		}
	}
}

// release takes back the use of a number by facts.
func (d *wayDraft) release(n uint16) {
	if d.known.uses[n]--; d.known.uses[n] > 0 {
		return
	}
	d.known.forget(d.list[n], n)
	d.set(n, nil)
	d.vacant++
}
