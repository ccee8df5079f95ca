package bgp

import (
	"math/bits"
	"unsafe"

	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
)

// index finds the numbers of prefixes. Prefixes of four lengths, as /21 to /24, that are in the
// same one of the shortest length are a cell, of up to 15. Up to 512 cells side by side, as
// all in a /12, are a region. Neighbours send such ones one after the other: so a cell is
// found once for several prefixes, and a region is together in memory. Cells are in a hash
// table of many parts, so that no change moves more than one part of it.
type index struct {
	key    siphash.Key   // neighbours choose the prefixes
	factor uint32        // odd: spreads the cells of a region
	shards [shards]shard // by the hashes of regions
	last   cell          // the region that was asked for, and its hash
	sum    uint64
	room   [spotsAtOnce]spot // of spots
	seen   slot              // whatever they have seen

	// What cells have, by how much room it has: which of the 15 are there, a bit for each,
	// and then their numbers. Free ones have the next free one, and one.
	three   pages[[4]uint32]
	seven   pages[[8]uint32]
	fifteen pages[[16]uint32]
	free    [3]uint32 // the first free one of each size, and one
}

const (
	shards     = 1 << 10
	regionBits = 9
)

func newIndex(key siphash.Key) index { return index{key: key, factor: uint32(key.Sum(0, 0)) | 1} }

// cell is the address of the shortest prefix of one, or of a region, from the highest bit on,
// and the length of the shortest prefix of a cell.
type cell struct {
	hi, lo uint64
	least  int // 0: of the default route alone
}

// shard is a hash table with linear probing. Its length is a power of two.
type shard struct {
	slots []slot
	n     int
}

// slot is where a cell's numbers are, and one, and above it the cell's tag, so that few
// cells are looked at that are not looked for, and none when a shard grows. 0 is an empty
// place.
type slot uint64

func slotOf(tag uint32, r ref) slot { return slot(tag)<<32 | slot(r) + 1 }

func (s slot) ref() ref { return ref(s) - 1 }

// ref says where a cell's numbers are: which of those of a size, which is in the two
// lowest bits.
type ref uint32

// spot is where a prefix is in the index, or would be.
type spot struct {
	cell  cell
	tag   uint32
	at    int // in the cell
	shard *shard
	place int // of the cell in the shard, or where it would be
	found bool
}

// spot gives the shard, the tag and the cell of a prefix, and the place in that.
func (t *Table) spot(hi, lo uint64, length int) (p spot) {
	x := &t.index
	hi = t.left(hi)
	below, number := 0, tail(hi, lo, length)
	if length > 0 {
		p.cell.least = (length-1)&^3 + 1
		below = length - p.cell.least
		p.at = int(number&(1<<below-1)) + 1<<below - 1
		p.cell.hi, p.cell.lo = masked(hi, lo, p.cell.least)
	}
	region := cell{least: p.cell.least}
	region.hi, region.lo = masked(hi, lo, region.least-regionBits)
	if x.last != region || x.sum == 0 {
		x.last, x.sum = region, x.key.Sum(region.hi, uint64(region.least))
		if t.family != wire.IPv4Unicast {
			x.sum = x.key.Sum(x.sum, region.lo)
		}
	}
	p.tag = uint32(x.sum) + x.factor*uint32(number>>below&(1<<regionBits-1))
	p.shard = &x.shards[x.sum>>32%shards]
	return p
}

// left is the first half of an address from the highest bit on.
func (t *Table) left(hi uint64) uint64 {
	if t.family == wire.IPv4Unicast {
		return hi << 32
	}
	return hi
}

// tail are the last bits of the first length ones of an address, 64 of them if there are so
// many.
func tail(hi, lo uint64, length int) uint64 {
	if length <= 64 {
		return hi >> (64 - length)
	}
	return hi<<(length-64) | lo>>(128-length)
}

// masked is an address without what is behind its first length bits.
func masked(hi, lo uint64, length int) (uint64, uint64) {
	switch {
	case length <= 0:
		return 0, 0
	case length <= 64:
		return hi &^ (1<<(64-length) - 1), 0
	}
	return hi, lo &^ (1<<(128-length) - 1)
}

// find gives where a prefix is in the index, or would be, and its number.
func (t *Table) find(hi, lo uint64, length int) (p spot, n uint32, ok bool) {
	p = t.spot(hi, lo, length)
	n, ok = t.seek(&p, hi, lo, length)
	return p, n, ok
}

// spotsAtOnce is how many prefixes are looked for together.
const spotsAtOnce = 32

// spots are the spots of up to spotsAtOnce prefixes, to seek each. They are looked at in one go,
// so that the processor waits for the memory of all of them at once.
func (t *Table) spots(list []wire.Plain) *[spotsAtOnce]spot {
	x := &t.index
	for i := range list {
		p := t.spot(list[i].High, list[i].Low, int(list[i].Bits))
		if s := p.shard; len(s.slots) > 0 {
			x.seen += s.slots[s.home(slotOf(p.tag, 0))]
		}
		x.room[i] = p
	}
	return &x.room
}

// seek looks for the prefix of a spot, and gives its number.
func (t *Table) seek(p *spot, hi, lo uint64, length int) (n uint32, ok bool) {
	s := p.shard
	if len(s.slots) == 0 {
		return 0, false
	}
	mine := slotOf(p.tag, 0)
	for p.place = s.home(mine); s.slots[p.place] != 0; p.place = (p.place + 1) & (len(s.slots) - 1) {
		if s.slots[p.place]>>32 != mine>>32 {
			continue
		}
		list := t.index.list(s.slots[p.place].ref())
		if list[0]>>p.at&1 == 0 {
			if t.isIn(list[1], p.cell) {
				p.found = true
				return 0, false
			}
			continue
		}
		n = list[1+bits.OnesCount32(list[0]&(1<<p.at-1))]
		if a, b := t.address(n); a == hi && b == lo && int(t.heads.at(n).bits) == length {
			p.found = true
			return n, true
		}
	}
	return 0, false
}

// isIn reports whether the prefix of a number belongs to a cell.
func (t *Table) isIn(n uint32, c cell) bool {
	length := int(t.heads.at(n).bits)
	if length == 0 || c.least == 0 {
		return length == c.least
	}
	hi, lo := t.address(n)
	hi, lo = masked(t.left(hi), lo, c.least)
	return (length-1)&^3+1 == c.least && hi == c.hi && lo == c.lo
}

// insert puts a number where find has not found its prefix.
func (x *index) insert(p *spot, n uint32) {
	s := p.shard
	if !p.found {
		if s.n >= len(s.slots)*3/4 {
			s.grow()
			p.place = s.free(slotOf(p.tag, 0))
		}
		r := x.take(0)
		list := x.list(r)
		list[0], list[1] = 1<<p.at, n
		s.slots[p.place] = slotOf(p.tag, r)
		s.n++
		return
	}
	r := s.slots[p.place].ref()
	list := x.list(r)
	many := bits.OnesCount32(list[0])
	if 1+many == len(list) {
		r2 := x.take(int(r&3) + 1)
		larger := x.list(r2)
		copy(larger, list)
		x.give(r)
		list = larger
		s.slots[p.place] = slotOf(p.tag, r2)
	}
	i := 1 + bits.OnesCount32(list[0]&(1<<p.at-1))
	copy(list[i+1:2+many], list[i:1+many])
	list[0], list[i] = list[0]|1<<p.at, n
}

// remove takes out the number of a prefix that find has found.
func (x *index) remove(p *spot) {
	s := p.shard
	r := s.slots[p.place].ref()
	list := x.list(r)
	if list[0] &^= 1 << p.at; list[0] != 0 {
		i := 1 + bits.OnesCount32(list[0]&(1<<p.at-1))
		copy(list[i:], list[i+1:])
		return
	}
	x.give(r)
	// What could not be in its place because of this one moves back.
	i, mask := p.place, len(s.slots)-1
	for j := (i + 1) & mask; s.slots[j] != 0; j = (j + 1) & mask {
		if home := s.home(s.slots[j]); (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = 0
	s.n--
}

// list is what a cell has: the bits, and room for numbers.
func (x *index) list(r ref) []uint32 {
	switch i := uint32(r >> 2); r & 3 {
	case 0:
		return x.three.at(i)[:]
	case 1:
		return x.seven.at(i)[:]
	default:
		return x.fifteen.at(i)[:]
	}
}

// take gives an unused list of a size, 0 to 2.
func (x *index) take(size int) ref {
	if i := x.free[size]; i != 0 {
		r := ref(i-1)<<2 | ref(size)
		x.free[size] = x.list(r)[0]
		return r
	}
	i := uint32(0)
	switch size {
	case 0:
		i = x.three.add()
	case 1:
		i = x.seven.add()
	default:
		i = x.fifteen.add()
	}
	return ref(i)<<2 | ref(size)
}

func (x *index) give(r ref) {
	free := &x.free[r&3]
	x.list(r)[0] = *free
	*free = uint32(r>>2) + 1
}

// octets is how much memory the index has.
func (x *index) octets() int {
	sum := x.three.octets() + x.seven.octets() + x.fifteen.octets()
	for i := range x.shards {
		sum += len(x.shards[i].slots) * int(unsafe.Sizeof(slot(0)))
	}
	return sum
}

// home is the place where a slot would be if nothing else was there.
func (s *shard) home(of slot) int { return int(of>>32) & (len(s.slots) - 1) }

// grow gives a shard twice the room.
func (s *shard) grow() {
	old := s.slots
	s.slots = make([]slot, max(8, 2*len(old)))
	for _, of := range old {
		if of != 0 {
			s.slots[s.free(of)] = of
		}
	}
}

// free is the place for a slot that is not in the shard.
func (s *shard) free(of slot) int {
	place := s.home(of)
	for s.slots[place] != 0 {
		place = (place + 1) & (len(s.slots) - 1)
	}
	return place
}
