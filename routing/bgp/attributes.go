package bgp

import (
	"bytes"
	"hash/maphash"
	"math"

	"routerd/routing/bgp/wire"
)

// AttributeSet is a set of attributes that many routes share. Equal sets are one, so
// that routes with the same attributes have the same pointer. When nothing uses it any more,
// it becomes another set.
type AttributeSet struct {
	octets wire.Set // nil while nothing uses it
	tag    uint32   // of the hash, see AttributeTable
	uses   int32
	number uint32

	// What routes are compared by; see [Rules.Compare].
	LocalPref  uint32 // DefaultLocalPref if there is none
	MED        uint32 // of HasMED
	FirstAS    uint32 // whose MEDs are compared; 0 = the path is empty or begins with a set
	PathLength uint16
	Clusters   uint16 // the length of CLUSTER_LIST
	Origin     wire.Origin
	HasMED     bool
	Stale      bool // LLGR_STALE (RFC 9494)
	// NoLongLived: NO_LLGR (RFC 9494).
	NoLongLived bool
	// Originator is ORIGINATOR_ID, 0 if there is none.
	Originator wire.RouterID
}

// DefaultLocalPref is the preference of routes without LOCAL_PREF: those of other ASes.
const DefaultLocalPref = 100

// Octets are the attributes themselves. They must not be changed.
func (a *AttributeSet) Octets() wire.Set { return a.octets }

// Number is a small number of the set, which another gets when nothing uses it any
// more: the index of what is kept for sets, as a policy's verdicts.
func (a *AttributeSet) Number() uint32 { return a.number }

// Uses is how many times it was taken and not let go.
func (a *AttributeSet) Uses() int { return int(a.uses) }

// AttributeTable is all sets of attributes that are in use. The zero table is empty.
// It is not safe for concurrent use.
//
// The sets are in pages and their octets in blocks, so that the collector has few objects to
// look at.
type AttributeTable struct {
	seed maphash.Seed
	// slots are a hash table with linear probing, whose length is a power of two: numbers and
	// one, and above them 32 bits of the hash, so that few sets are looked at for nothing.
	slots []uint64
	count int
	pages []*[setsOfPage]AttributeSet
	sets  uint32   // numbers that were given
	free  []uint32 // those of them that are not used
	block octetBlock
	read  wire.Attributes
	size  int // octets of all sets
	// gone, if not nil, is told of each set that nothing uses any more, while it still
	// has its number.
	gone func(*AttributeSet)
}

// Len is how many sets there are, Octets how long they are together.
func (t *AttributeTable) Len() int { return t.count }

// Octets is how many octets the sets have together.
func (t *AttributeTable) Octets() int { return t.size }

const setsOfPage = 256

// At is the set with a number that is in use.
func (t *AttributeTable) At(number uint32) *AttributeSet {
	return &t.pages[number/setsOfPage][number%setsOfPage]
}

// Numbers is above each number.
func (t *AttributeTable) Numbers() uint32 { return t.sets }

// Take gives the set with the octets, which are copied if it is new. Each Take is
// followed by a Release some time.
func (t *AttributeTable) Take(octets wire.Set) *AttributeSet { return t.take(octets, nil) }

// take is Take of octets that were made of attributes, nil if these are to be read.
func (t *AttributeTable) take(octets wire.Set, of *wire.Attributes) *AttributeSet {
	if t.slots == nil {
		t.seed, t.slots = maphash.MakeSeed(), make([]uint64, 64)
	}
	tag := uint32(maphash.Bytes(t.seed, octets) >> 32)
	i := t.home(tag)
	for ; t.slots[i] != 0; i = t.after(i) {
		if uint32(t.slots[i]>>32) != tag {
			continue
		}
		if a := t.At(uint32(t.slots[i]) - 1); bytes.Equal(a.octets, octets) {
			a.uses++
			return a
		}
	}
	if t.count >= len(t.slots)*3/4 {
		t.grow()
		i = t.place(tag)
	}
	a := t.unused()
	a.octets, a.tag, a.uses = t.block.keep(octets), tag, 1
	if of == nil {
		of = &t.read
		octets.Read(of)
	}
	a.summarize(of)
	t.slots[i] = uint64(tag)<<32 | uint64(a.number) + 1
	t.count++
	t.size += len(octets)
	t.tidy()
	return a
}

// unused gives a set that nothing uses.
func (t *AttributeTable) unused() *AttributeSet {
	if n := len(t.free); n > 0 {
		number := t.free[n-1]
		t.free = t.free[:n-1]
		return t.At(number)
	}
	if t.sets%setsOfPage == 0 {
		t.pages = append(t.pages, new([setsOfPage]AttributeSet))
	}
	a := t.At(t.sets)
	a.number = t.sets
	t.sets++
	return a
}

// Keep takes a set once more.
func (t *AttributeTable) Keep(a *AttributeSet) { a.uses++ }

// Release lets a set go that was taken. After the last one it is no longer in the
// table.
func (t *AttributeTable) Release(a *AttributeSet) {
	if a.uses--; a.uses > 0 {
		return
	}
	if t.gone != nil {
		t.gone(a)
	}
	i := t.home(a.tag)
	for uint32(t.slots[i]) != a.number+1 {
		i = t.after(i)
	}
	// What could not be in its place because of this one moves back.
	mask := len(t.slots) - 1
	for j := t.after(i); t.slots[j] != 0; j = t.after(j) {
		if home := t.home(uint32(t.slots[j] >> 32)); (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
	t.count--
	t.size -= len(a.octets)
	t.block.lose(a.octets)
	*a = AttributeSet{number: a.number}
	t.free = append(t.free, a.number)
}

func (t *AttributeTable) home(tag uint32) int { return int(tag) & (len(t.slots) - 1) }

func (t *AttributeTable) after(i int) int { return (i + 1) & (len(t.slots) - 1) }

// place is the slot for a set that is not in the table.
func (t *AttributeTable) place(tag uint32) int {
	i := t.home(tag)
	for t.slots[i] != 0 {
		i = t.after(i)
	}
	return i
}

func (t *AttributeTable) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			t.slots[t.place(uint32(slot>>32))] = slot
		}
	}
}

// summarize notes what routes are compared by. The set is a new one.
func (a *AttributeSet) summarize(r *wire.Attributes) {
	if r.Has(wire.AttrOrigin) {
		a.Origin = r.Origin
	}
	a.LocalPref = DefaultLocalPref
	if r.Has(wire.AttrLocalPref) {
		a.LocalPref = r.LocalPref
	}
	if a.HasMED = r.Has(wire.AttrMED); a.HasMED {
		a.MED = r.MED
	}
	if r.Has(wire.AttrOriginatorID) {
		a.Originator = r.OriginatorID
	}
	a.FirstAS = r.ASPath.First()
	a.PathLength = uint16(min(r.ASPath.Length(), math.MaxUint16))
	a.Clusters = uint16(min(r.ClusterList.Len(), math.MaxUint16))
	a.Stale, a.NoLongLived = r.Communities.Has(wire.LLGRStale), r.Communities.Has(wire.NoLLGR)
}
