package ospf

import "math/bits"

// buckets is the candidates of the calculation by their distance: a queue in which
// no step depends on how many there are. A bucket is a list of vertices of equal
// rank; the ranks that are in use at a time differ by less than there are buckets,
// which are used again in turn. A word has a bit for each of 64 buckets, and a
// word above it a bit for each of 64 words, so that empty ones cost nothing.
type buckets struct {
	head       []int32 // first vertex + 1
	next, prev []int32 // of a vertex: + 1
	word, top  []uint64
	mask       uint64
	least      uint64 // no rank is below it
	n          int
}

// reset makes it empty, for so many vertices and ranks that differ by at most
// spread.
func (b *buckets) reset(vertices int, spread uint64) {
	size := uint64(64 * 64)
	for size <= spread {
		size *= 2
	}
	if size > uint64(len(b.head)) { // else it is empty as the last one left it
		b.head, b.word, b.top = make([]int32, size), make([]uint64, size/64), make([]uint64, size/64/64)
		b.mask = size - 1
	}
	if more := vertices - len(b.next); more > 0 {
		b.next, b.prev = append(b.next, make([]int32, more)...), append(b.prev, make([]int32, more)...)
	}
	b.least, b.n = 0, 0
}

func (b *buckets) push(v int32, rank uint64) {
	at := rank & b.mask
	first := b.head[at]
	b.next[v], b.prev[v] = first, 0
	if first != 0 {
		b.prev[first-1] = v + 1
	}
	b.head[at] = v + 1
	b.word[at/64] |= 1 << (at % 64)
	b.top[at/64/64] |= 1 << (at / 64 % 64)
	b.least = min(b.least, rank)
	b.n++
}

func (b *buckets) remove(v int32, rank uint64) {
	at := rank & b.mask
	next, prev := b.next[v], b.prev[v]
	if next != 0 {
		b.prev[next-1] = prev
	}
	if prev != 0 {
		b.next[prev-1] = next
	} else if b.head[at] = next; next == 0 {
		if b.word[at/64] &^= 1 << (at % 64); b.word[at/64] == 0 {
			b.top[at/64/64] &^= 1 << (at / 64 % 64)
		}
	}
	b.n--
}

// pop takes out a vertex of the least rank. There has to be one.
func (b *buckets) pop() int32 {
	from := b.least & b.mask
	at := b.find(from)
	b.least += (at - from) & b.mask
	v := b.head[at] - 1
	b.remove(v, at)
	return v
}

// find gives the first bucket from at on, in turn, that is not empty.
func (b *buckets) find(at uint64) uint64 {
	w := at / 64
	if left := b.word[w] >> (at % 64); left != 0 {
		return at + uint64(bits.TrailingZeros64(left))
	}
	w = (w + 1) & (b.mask / 64)
	t := w / 64
	left := b.top[t] >> (w % 64) << (w % 64)
	for left == 0 {
		t = (t + 1) & (b.mask / 64 / 64)
		left = b.top[t]
	}
	w = t*64 + uint64(bits.TrailingZeros64(left))
	return w*64 + uint64(bits.TrailingZeros64(b.word[w]))
}
