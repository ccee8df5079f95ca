package acl

import (
	"sync/atomic"

	"routerd/internal/siphash"
)

// hosts is what is counted of source hosts, in two tables of a fixed size for all
// rules and workers together: 65,536 hosts each, in sets of eight that share a
// line of the cache. A host is known by 43 bits of a keyed hash: two that have
// them in common count as one.
//
// What happens where a set is full differs. Of rates, the host takes the place of
// the one that has used up least, which so gets a burst anew; those that ask most
// keep their places. Of connections, the host is not counted, and only what the
// rule has as a whole is a bound for it; Uncounted says how often. Neither lets
// somebody who makes up source addresses keep others out.
type hosts struct {
	key    siphash.Key
	salts  atomic.Uint64
	tables atomic.Pointer[hostTables] // nil until a host is counted
	full   atomic.Uint64
}

type hostTables struct {
	rates [hostSets][hostWays]atomic.Uint64 // tag 24 | used 40: the time until which its rate is used up
	held  [hostSets][hostWays]atomic.Uint64 // tag 32 | connections 16 | half-open 16
}

const (
	hostSets = 8192
	hostWays = 8
	counted  = 1 // in a host's number: it is counted in held

	unitBits = 12 // a unit of hostTables.rates is 2^12 ns
	usedMask = 1<<40 - 1
	usedHalf = 1 << 39 // what is further ahead has passed: the units wrap after 52 days

	// noRoom is an Excess of no limit: a host finds no place.
	noRoom Excess = 255
)

// fresh gives a salt that no rule has had.
func (h *hosts) fresh() uint64 { return h.key.Sum(h.salts.Add(1), ^uint64(0)) }

// number gives the number of a host of the rule with the salt; its lowest bit is
// 0.
func (h *hosts) number(salt uint64, a address) uint64 { return h.key.Sum(a.hi^salt, a.lo) &^ counted }

func (h *hosts) table() *hostTables {
	if t := h.tables.Load(); t != nil {
		return t
	}
	h.tables.CompareAndSwap(nil, new(hostTables))
	return h.tables.Load()
}

func setOf(host uint64) uint64 { return host >> 1 & (hostSets - 1) }

// units is a time in units of hostTables.rates, rounded up.
func units(ns int64) uint64 { return uint64(ns+1<<unitBits-1) >> unitBits }

// take uses up cost of the rate of the host, of which it may have used up most.
func (h *hosts) take(host uint64, now int64, cost, most uint64, dry bool) bool {
	set := &h.table().rates[setOf(host)]
	tag := host &^ usedMask
	unit := uint64(now>>unitBits) & usedMask
	for {
		least, at := uint64(usedMask), 0
		ahead, word := uint64(0), uint64(0)
		for i := range set {
			w := set[i].Load()
			its := (w - unit) & usedMask
			if w == 0 || its >= usedHalf {
				its = 0
			}
			if w != 0 && w&^usedMask == tag {
				at, ahead, word = i, min(its, most), w
				break
			}
			if its < least {
				least, at, ahead, word = its, i, 0, w
			}
		}
		if ahead+cost > most {
			return false
		}
		if dry || set[at].CompareAndSwap(word, tag|(unit+ahead+cost)&usedMask) {
			return true
		}
	}
}

const (
	heldTag   = 0xffffffff << 32
	heldField = 1<<16 - 1
)

// begin counts a connection of the host's, half-open or not, unless it has as many
// as it may.
func (h *hosts) begin(host uint64, opening bool, connections, halfOpen int64, dry bool) Excess {
	set, tag := &h.table().held[setOf(host)], host&heldTag
	add := uint64(1 << 16)
	if opening {
		add++
	}
	for {
		// Two workers may have given one host two places.
		at, word, has, opens := -1, uint64(0), int64(0), int64(0)
		for i := range set {
			switch w := set[i].Load(); {
			case w == 0 && at < 0:
				at = i
			case w != 0 && w&heldTag == tag:
				at, word = i, w
				has, opens = has+int64(w>>16&heldField), opens+int64(w&heldField)
			}
		}
		switch {
		case has >= connections:
			return HostConnections
		case opening && opens >= halfOpen:
			return HostHalfOpen
		case at < 0 || has >= heldField:
			if !dry {
				h.full.Add(1)
			}
			return noRoom
		}
		if dry || set[at].CompareAndSwap(word, tag|word&^heldTag+add) {
			return Within
		}
	}
}

// add changes how many connections, and half-open ones, of the host's are counted,
// by 1 or -1 or not at all. One that reopens, and whose host finds no place any
// more, is not counted.
func (h *hosts) add(host uint64, connections, halfOpen int64) {
	if !h.change(host, connections, halfOpen, false) && connections > 0 {
		h.change(host, connections, halfOpen, true)
	}
}

// change is add in a place that the host has or, with fresh, in a free one. It
// reports whether there is one.
func (h *hosts) change(host uint64, connections, halfOpen int64, fresh bool) bool {
	set, tag := &h.table().held[setOf(host)], host&heldTag
	for i := range set {
		for {
			w := set[i].Load()
			has, opens := int64(w>>16&heldField), int64(w&heldField)
			if (w == 0) != fresh || w != 0 && w&heldTag != tag || has+connections < 0 || opens+halfOpen < 0 || has+connections > heldField {
				break // the next place
			}
			next := tag | uint64(has+connections)<<16 | uint64(opens+halfOpen)
			if next&^heldTag == 0 {
				next = 0 // the place is free
			}
			if set[i].CompareAndSwap(w, next) {
				return true
			}
		}
	}
	return false
}

// Uncounted is how many flows found no place for their host since the start, so
// that the limits of a host did not hold for them.
func (r *Rules) Uncounted() uint64 { return r.hosts.full.Load() }
