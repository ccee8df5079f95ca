package fib

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"routerd/internal/origin"
	"routerd/routing"
)

// Entry is what the table says of one prefix. It is immutable once handed to
// Apply: a change is a new Entry.
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
	trie *bart.Fast[*Entry]
}

// Empty is the table without a route.
func Empty() *FIB { return &FIB{trie: new(bart.Fast[*Entry])} }

// Lookup gives the entry of the longest prefix that contains a, nil where no
// prefix does. An IPv4 address has to be an IPv4 netip.Addr, not a mapped
// one; a zone is ignored. It allocates nothing.
func (f *FIB) Lookup(a netip.Addr) *Entry {
	e, _ := f.trie.Lookup(a)
	return e
}

// Get gives the entry of exactly this prefix, nil where there is none.
func (f *FIB) Get(p netip.Prefix) *Entry {
	e, _ := f.trie.Get(p)
	return e
}

// Len4 is the number of IPv4 prefixes.
func (f *FIB) Len4() int { return f.trie.Size4() }

// Len6 is the number of IPv6 prefixes.
func (f *FIB) Len6() int { return f.trie.Size6() }

// cloneAbove is where copying the whole table becomes cheaper than copying
// the path to each change: one persistent change costs about as much as
// cloning 250 prefixes (BenchmarkApply).
const cloneAbove = 250

// Copies reports whether Apply copies the whole table for so many changes.
func (f *FIB) Copies(changes int) bool { return changes*cloneAbove >= f.trie.Size() }

// Apply gives the table after the changes, made in order. The receiver stays
// as it is for as long as anybody reads it. A few changes copy only the paths
// they touch; many copy the table once and are made in place in the copy
// before anybody sees it, so a bulk load is linear.
func (f *FIB) Apply(changes []Change) *FIB {
	if len(changes) == 0 {
		return f
	}
	if f.Copies(len(changes)) {
		t := f.trie.Clone()
		for _, c := range changes {
			if c.Entry == nil {
				t.Delete(c.Prefix)
			} else {
				t.Insert(c.Prefix, c.Entry)
			}
		}
		return &FIB{trie: t}
	}
	t := f.trie
	for _, c := range changes {
		if c.Entry == nil {
			t = t.DeletePersist(c.Prefix)
		} else {
			t = t.InsertPersist(c.Prefix, c.Entry)
		}
	}
	return &FIB{trie: t}
}

// Walk gives up to max entries in order of address and length, IPv4 first,
// beginning behind the prefix after; the zero Prefix begins at the start.
// after itself need not be in the table. A page costs its own length, however
// far into the table it lies.
func (f *FIB) Walk(after netip.Prefix, max int) []*Entry {
	var page []*Entry
	if max <= 0 {
		return nil
	}
	for _, e := range Behind(f.trie, after) {
		page = append(page, e)
		if len(page) == max {
			break
		}
	}
	return page
}
