package flow

import (
	"math/bits"
	"sync/atomic"
)

// index finds records by either key. It is a row of buckets of eight words,
// one line of the cache:
//
//	0    tags of the entries 0 to 7, a byte each; 0 = free
//	1    tags of the entries 8 to 11 | in the upper half: overflow
//	2..7 the entries, two in a word: session << 1 | direction
//
// An entry is put into the first bucket with room, from the one that its hash
// names onwards; each full bucket on the way counts it in its overflow. A
// lookup goes on to the next bucket only if the overflow is not 0. Entries
// never move, so a reader without a lock cannot miss one.
//
// The cost of a lookup is bounded: an entry is refused if it would lie more
// than mostPassed buckets away, or behind more than mostAlike entries with its
// tag. In a full table chance does that to fewer than one entry in 10¹¹. A
// sender that knew the key could do it, to its own sessions alone.
type index struct {
	words    []uint64
	n        uint64        // buckets
	most     atomic.Uint64 // buckets that a lookup has to look at, see mostPassed
	sessions uint32        // that there is room for
}

const (
	bucketWords   = 8
	bucketEntries = 12
	// Two entries for each of four sessions: two thirds full at the limit.
	bucketSessions = 4

	mostPassed = 32 // buckets that are looked at for one key
	mostAlike  = 8  // records that are looked at for one key

	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	overflow = 1 << 32
)

// newIndex makes room for so many sessions. Its pages take no memory until they
// are written to.
func newIndex(sessions uint32) *index {
	n := uint64(sessions)/bucketSessions + 1
	x := &index{words: make([]uint64, n*bucketWords), n: n, sessions: sessions}
	x.most.Store(min(n, mostPassed))
	hugePages(x.words)
	return x
}

// bucket is the number of the bucket that a hash names.
func (x *index) bucket(hash uint64) uint64 {
	hi, _ := bits.Mul64(hash, x.n)
	return hi
}

// tag is the part of a hash that is kept beside an entry.
func tag(hash uint64) uint64 { return max(hash&0xff, 1) }

// Hash is k's hash in this table, for Touch and FindHashed.
func (t *Table) Hash(k *Key) uint64 {
	a := uint64(k.Src)<<32 | uint64(k.Dst)
	b := uint64(k.SrcPort)<<48 | uint64(k.DstPort)<<32 | uint64(k.Proto)<<8 | uint64(k.Table)
	return t.key.Sum(a, b)
}

// Touch prefetches into the processor's cache what FindHashed will read for
// keys with these hashes. Called for a whole batch before the first lookup, it
// overlaps the latencies of memory.
//
// It goes over the hashes three times, since the less a loop does besides its
// load, the more loads the processor has in flight.
func (t *Table) Touch(hashes []uint64) {
	x := t.index.Load()
	var entries [64]uint32
	for len(hashes) > 0 {
		some := hashes[:min(len(hashes), len(entries))]
		hashes = hashes[len(some):]
		for _, hash := range some {
			x.touch(hash)
		}
		for i, hash := range some {
			entries[i] = x.likely(hash)
		}
		for _, e := range entries[:len(some)] {
			if b := t.blocks[e>>1/blockRecords].Load(); b != nil {
				atomic.LoadUint64(&b.records[e>>1%blockRecords][wordHead])
				atomic.LoadUint64(&b.counts[e>>1%blockRecords])
			}
		}
	}
}

// TouchIndex is Touch for a key that most likely has no session yet.
func (t *Table) TouchIndex(hash uint64) { t.index.Load().touch(hash) }

// touch prefetches the line in which hash is looked up first.
func (x *index) touch(hash uint64) {
	atomic.LoadUint64(&x.words[x.bucket(hash)*bucketWords])
}

// likely is the first entry in the first bucket for hash that has its tag, or
// 0, which is never an entry.
func (x *index) likely(hash uint64) uint32 {
	bucket := (*[bucketWords]uint64)(x.words[x.bucket(hash)*bucketWords:])
	if m := matches(atomic.LoadUint64(&bucket[0]), tag(hash)); m != 0 {
		return entry(bucket, bits.TrailingZeros64(m)/8)
	}
	if m := matches(atomic.LoadUint64(&bucket[1]), tag(hash)) & 0xffffffff; m != 0 {
		return entry(bucket, 8+bits.TrailingZeros64(m)/8)
	}
	return 0
}

// matches has the top bit set of each byte of tags that equals tag. In bytes
// above such a one it may be set wrongly.
func matches(tags, tag uint64) uint64 {
	x := tags ^ tag*lowBits
	return (x - lowBits) &^ x & highBits
}

func entry(bucket *[bucketWords]uint64, i int) uint32 {
	return uint32(atomic.LoadUint64(&bucket[2+i/2]) >> (i & 1 * 32))
}

// Find looks for the session that a packet with the key k belongs to.
func (t *Table) Find(k Key) (hit Hit) {
	t.FindHashed(&k, t.Hash(&k), &hit)
	return hit
}

// FindHashed is Find for a caller that has the hash. If there is no session it
// leaves hit as it was.
func (t *Table) FindHashed(k *Key, hash uint64, hit *Hit) bool {
	x := t.index.Load()
	want := tag(hash)
	at := x.bucket(hash)
	for range x.most.Load() {
		bucket := (*[bucketWords]uint64)(x.words[at*bucketWords:])
		for m := matches(atomic.LoadUint64(&bucket[0]), want); m != 0; m &= m - 1 {
			if t.check(entry(bucket, bits.TrailingZeros64(m)/8), k, hit) {
				return true
			}
		}
		more := atomic.LoadUint64(&bucket[1])
		for m := matches(more, want) & 0xffffffff; m != 0; m &= m - 1 {
			if t.check(entry(bucket, 8+bits.TrailingZeros64(m)/8), k, hit) {
				return true
			}
		}
		if more < overflow {
			return false
		}
		if at++; at == x.n {
			at = 0
		}
	}
	return false
}

func (t *Table) check(e uint32, k *Key, hit *Hit) bool {
	b := t.blocks[e>>1/blockRecords].Load()
	if b == nil || !b.records[e>>1%blockRecords].read(k, Direction(e&1), hit) {
		return false
	}
	hit.Session = e >> 1
	return true
}

// reach is how far from its first bucket an entry may be put.
type reach bool

const (
	nearby   reach = false // within the bounds
	anywhere reach = true  // of sessions that exist, and must not be lost
)

// insert adds an entry, and reports whether there is room for it. The table's
// mutex is held.
func (x *index) insert(hash uint64, e uint32, far reach) bool {
	first, most := x.bucket(hash), x.n
	if far == nearby {
		most = min(most, mostPassed)
	}
	alike := 0
	for passed := range most {
		bucket := x.at(first + passed)
		alike += same(bucket, tag(hash))
		if far == nearby && alike > mostAlike {
			return false
		}
		i := vacant(bucket)
		if i == bucketEntries {
			continue
		}
		if passed >= x.most.Load() {
			x.most.Store(passed + 1)
		}
		for n := range passed {
			full := x.at(first + n)
			atomic.StoreUint64(&full[1], full[1]+overflow)
		}
		shift := i & 1 * 32
		word := &bucket[2+i/2]
		atomic.StoreUint64(word, *word&^(0xffffffff<<shift)|uint64(e)<<shift)
		tags := &bucket[i/8]
		atomic.StoreUint64(tags, *tags|tag(hash)<<(i%8*8))
		return true
	}
	return false
}

// at is the bucket with the number, modulo the number of buckets, below twice
// that.
func (x *index) at(number uint64) *[bucketWords]uint64 {
	if number >= x.n {
		number -= x.n
	}
	return (*[bucketWords]uint64)(x.words[number*bucketWords:])
}

// same is how many entries of a bucket have the tag, sometimes one too many.
func same(bucket *[bucketWords]uint64, tag uint64) int {
	return bits.OnesCount64(matches(bucket[0], tag)) + bits.OnesCount64(matches(bucket[1], tag)&0xffffffff)
}

// vacant is the first free place in a bucket.
func vacant(bucket *[bucketWords]uint64) int {
	for i := range bucketEntries {
		if bucket[i/8]>>(i%8*8)&0xff == 0 {
			return i
		}
	}
	return bucketEntries
}

// remove takes an entry out, which is there. The table's mutex is held.
func (x *index) remove(hash uint64, e uint32) {
	at := x.bucket(hash)
	for {
		bucket := (*[bucketWords]uint64)(x.words[at*bucketWords:])
		for i := range bucketEntries {
			shift := i % 8 * 8
			if bucket[i/8]>>shift&0xff == tag(hash) && entry(bucket, i) == e {
				atomic.StoreUint64(&bucket[i/8], bucket[i/8]&^(0xff<<shift))
				return
			}
		}
		atomic.StoreUint64(&bucket[1], bucket[1]-overflow)
		if at++; at == x.n {
			at = 0
		}
	}
}
