package fib

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A list that has changes late says the same as one that is written anew for each of
// them, and both say what a map does; wherever the prefixes are.
func TestListAgreesWithMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l list
		model := map[uint32]uint16{}
		known := &knownFacts{list: make([]numbered, 10)}
		for i := range known.list {
			known.list[i].way = uint16(i)
		}
		// Prefixes all over the byte, or crowded at its ends.
		byteOf := rapid.OneOf(rapid.Byte(), rapid.ByteMax(7), rapid.ByteMin(240))
		spotOf := rapid.Custom(func(t *rapid.T) uint32 {
			return spot(byteOf.Draw(t, "byte"), uint8(rapid.SampledFrom([]int{8, 8, 8, 7, 6, 4, 1, 0}).Draw(t, "bits")))
		})
		for range rapid.IntRange(0, 200).Draw(t, "prefixes") {
			s, way := spotOf.Draw(t, "spot"), uint16(rapid.IntRange(1, 9).Draw(t, "way"))
			model[s] = way
			l.keys = put(l.keys, s<<factsBits|uint32(way))
		}
		l.n = uint16(len(model))
		for range rapid.IntRange(0, mostLate).Draw(t, "changes") {
			s, way := spotOf.Draw(t, "spot"), uint16(rapid.IntRange(0, 9).Draw(t, "way"))
			l.putLate(s<<factsBits | uint32(way))
			if model[s] = way; way == 0 {
				delete(model, s)
			}
			l.n = uint16(len(model))
		}
		var room [mostKeys]uint32
		keys := l.merged(&room)
		if len(keys) != len(model) || !slices.IsSorted(keys) {
			t.Fatalf("the keys are %x, want %d in order", keys, len(model))
		}
		for _, k := range keys {
			if model[k>>factsBits] != uint16(k&factsMask) {
				t.Fatalf("key %x: want the way %d", k, model[k>>16])
			}
		}
		var ways [256]uint16
		var edges [4]uint64
		l.paint(known, &ways, &edges, 99)
		from := rapid.IntRange(0, 255).Draw(t, "from")
		some := make([]uint16, rapid.IntRange(1, 256-from).Draw(t, "bytes"))
		l.part(known, from, some, 99)
		for b := range 256 {
			want := uint16(99)
			for n := range uint8(9) {
				if way := model[spot(byte(b), n)]; way != 0 {
					want = way
				}
			}
			if ways[b] != want || b >= from && b < from+len(some) && some[b-from] != want {
				t.Fatalf("byte %d has the way %d, want %d", b, ways[b], want)
			}
			if got := l.find(spot(byte(b), 8)); uint16(got) != model[spot(byte(b), 8)] {
				t.Fatalf("the prefix of byte %d has the way %d, want %d", b, uint16(got), model[spot(byte(b), 8)])
			}
		}
	})
}
