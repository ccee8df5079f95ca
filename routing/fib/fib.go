package fib

import (
	"net/netip"

	"routerd/internal/origin"
	"routerd/routing"
)

// Entry is what the table says of one prefix. The table keeps no Entry but what it
// says, so whoever asks gets one of its own.
type Entry struct {
	Prefix   netip.Prefix // masked
	Action   routing.Action
	Group    *Group // with action Forward; nil otherwise
	Source   routing.Source
	Distance uint8
	Metric   uint32
	// Interface owns the address of a Local, Broadcast or connected entry;
	// NoInterface for the others.
	Interface routing.InterfaceID
	Origin    origin.ID
}

// Change replaces the entry of a prefix, or takes it away.
type Change struct {
	Prefix netip.Prefix // masked
	Entry  *Entry       // nil = no route of this prefix any more; else its Prefix equals this one
}

// FIB is one immutable state of the forwarding table, both families. Any
// number of goroutines may read one; whoever makes the next one publishes it
// by storing its pointer.
type FIB struct {
	count [2]int // of IPv4 and IPv6
	indexes
	ways  ways
	facts factsTable
	state uint64 // among those that come from one Empty
	few   int    // prefixes up to which addresses are looked up one by one
}

// The families, as places in a FIB.
const (
	four = 0
	six  = 1
)

// Empty is the table without a route.
func Empty() *FIB {
	return &FIB{indexes: emptyIndexes(), ways: newWays(), few: fewPrefixes}
}

// of gives the table of one family.
func (f *FIB) of(which int) family {
	return family{&f.indexes, which}
}

// Lookup gives the entry of the longest prefix that contains a, nil where no
// prefix does. An IPv4 address has to be an IPv4 netip.Addr, not a mapped
// one; a zone is ignored. It allocates nothing. It is for whoever has to know
// which route it is; packets are forwarded by [FIB.Find].
func (f *FIB) Lookup(a netip.Addr) *Entry {
	e := new(Entry) // the caller's, if it does not keep it
	if !f.lookup(a, e) {
		return nil
	}
	return e
}

func (f *FIB) lookup(a netip.Addr, to *Entry) bool {
	var x uint32
	var bits uint8
	switch {
	case a.Is4():
		x, bits = f.of(four).lookup(parts4(a))
	case a.Is6():
		x, bits = f.of(six).lookup(parts6(a))
	}
	if x == noFacts {
		return false
	}
	p, _ := a.WithZone("").Prefix(int(bits))
	*to = f.facts.of(x, p).said
	to.Prefix = p
	return true
}

// Get gives the entry of exactly this prefix, nil where there is none.
func (f *FIB) Get(p netip.Prefix) *Entry {
	if !p.IsValid() {
		return nil
	}
	p = p.Masked()
	var x uint32
	if p.Addr().Is4() {
		hi, lo := parts4(p.Addr())
		x = f.of(four).get(hi, lo, uint8(p.Bits()))
	} else {
		hi, lo := parts6(p.Addr())
		x = f.of(six).get(hi, lo, uint8(p.Bits()))
	}
	if x == noFacts {
		return nil
	}
	return entryOf(f.facts.of(x, p), p)
}

// Len4 is the number of IPv4 prefixes.
func (f *FIB) Len4() int { return f.count[four] }

// Len6 is the number of IPv6 prefixes.
func (f *FIB) Len6() int { return f.count[six] }

// many is from where Apply writes a good part of the table anew: one change for
// so many prefixes.
const many = 250

// Copies reports whether Apply copies a good part of the table for so many
// changes, as wherever they are they touch most of its pages.
func (f *FIB) Copies(changes int) bool { return changes*many >= f.Len4()+f.Len6() }

// Apply gives the table after the changes, made in order; it is a [Writer] that
// makes one state. The receiver stays as it is for as long as anybody reads it.
func (f *FIB) Apply(changes []Change) *FIB {
	w := NewWriter(f)
	w.Apply(changes)
	return w.Publish()
}

// Walk gives up to max entries in order of address and length, IPv4 first,
// beginning behind the prefix after; the zero Prefix begins at the start.
// after itself need not be in the table. A page costs its own length, however
// far into the table it lies.
func (f *FIB) Walk(after netip.Prefix, max int) []*Entry {
	if max <= 0 {
		return nil
	}
	c := cursor{max: max, facts: &f.facts}
	if !after.IsValid() || after.Addr().Is4() {
		if after.IsValid() {
			c.begin(after.Masked())
		}
		c.family(f.of(four))
		c.begun = false
	} else {
		c.begin(after.Masked())
	}
	if !c.full() {
		c.six = true
		c.family(f.of(six))
	}
	return c.page
}
