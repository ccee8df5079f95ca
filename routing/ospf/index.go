package ospf

import (
	"hash/maphash"
)

// index finds the number of a key, as a map does. Its keys are in the order of their
// numbers and its places have numbers alone, so that it takes a third of a map's memory
// and half of its time. The zero index is empty.
type index struct {
	keys   []uint64 // by number, those of numbers without a key too
	places []int32  // numbers from 1; 0 is none. As many as a power of two.
	shift  uint8    // 64 less the power
	n      int
}

// secret keeps those who choose the keys, which are the network's, from finding some
// that share a place. Nothing else depends on it.
var secret = maphash.Comparable(maphash.MakeSeed(), 0) | 1

// leastPlaces are those of an index with one key, as a power of two.
const leastPlaces = 3

// place is where a number is looked for first: the highest bits of a product with what
// nobody knows.
func (x *index) place(key uint64) uint64 { return key * secret >> (x.shift & 63) }

func (x *index) mask() uint64 { return uint64(len(x.places) - 1) }

// len is how many keys there are.
func (x *index) len() int { return x.n }

// find gives the number of a key, if it has one.
func (x *index) find(key uint64) (n int32, known bool) {
	if x.n == 0 {
		return 0, false
	}
	places := x.places
	mask := uint64(len(places) - 1)
	for i := x.place(key) & mask; ; i = (i + 1) & mask {
		n := places[i]
		if n == 0 {
			return 0, false
		}
		if x.keys[n-1] == key {
			return n - 1, true
		}
	}
}

// add gives a key, which has none, a number that no key has. Numbers should be dense.
func (x *index) add(key uint64, n int32) {
	if 4*(x.n+1) > 3*len(x.places) {
		x.grow()
	}
	for int(n) >= len(x.keys) {
		x.keys = append(double(x.keys), 0)
	}
	x.keys[n] = key
	x.put(key, n)
	x.n++
}

func (x *index) put(key uint64, n int32) {
	i := x.place(key)
	for x.places[i] > 0 {
		i = (i + 1) & x.mask()
	}
	x.places[i] = n + 1
}

func (x *index) grow() {
	old := x.places
	if x.shift--; len(old) == 0 {
		x.shift = 64 - leastPlaces
	}
	x.places = make([]int32, 1<<(64-x.shift))
	for _, n := range old {
		if n > 0 {
			x.put(x.keys[n-1], n-1)
		}
	}
}

// remove takes the number from a key that has one.
func (x *index) remove(key uint64) {
	at := x.at(key)
	mask := x.mask()
	// What is behind it moves up, unless its own place is behind the gap too.
	for i := (at + 1) & mask; x.places[i] > 0; i = (i + 1) & mask {
		if home := x.place(x.keys[x.places[i]-1]); (i-home)&mask >= (i-at)&mask {
			x.places[at], at = x.places[i], i
		}
	}
	x.places[at] = 0
	x.n--
}

// move gives the key with the number from the number to, which no key has.
func (x *index) move(from, to int32) {
	x.places[x.at(x.keys[from])] = to + 1
	x.keys[to] = x.keys[from]
}

// at is the place of a key that has a number.
func (x *index) at(key uint64) uint64 {
	i := x.place(key)
	for x.keys[x.places[i]-1] != key {
		i = (i + 1) & x.mask()
	}
	return i
}

// double has s have room for one more element: where it is full, for twice as many,
// since append would copy a long one four times as often.
func double[T any](s []T) []T {
	if len(s) < cap(s) {
		return s
	}
	grown := make([]T, len(s), max(2*len(s), 4))
	copy(grown, s)
	return grown
}
