package ospf

import (
	"testing"

	"pgregory.net/rapid"
)

// An index is a map of keys to numbers, whatever is added, removed and moved.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model := map[uint64]int32{}
		var free []int32
		count := int32(0)
		keys := rapid.Uint64Range(0, 40)
		for range rapid.IntRange(0, 200).Draw(t, "actions") {
			key := keys.Draw(t, "key")
			_, there := model[key]
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0, 1:
				if there {
					break
				}
				n := count
				if len(free) > 0 {
					n, free = free[len(free)-1], free[:len(free)-1]
				} else {
					count++
				}
				x.add(key, n)
				model[key] = n
			case 2:
				if there {
					x.remove(key)
					free = append(free, model[key])
					delete(model, key)
				}
			case 3:
				if there && len(free) > 0 {
					was := model[key]
					x.move(was, free[0])
					model[key], free[0] = free[0], was
				}
			}
			for key := range uint64(41) {
				want, wanted := model[key]
				if n, known := x.find(key); known != wanted || known && n != want {
					t.Fatalf("%d is number %d, %v, want %d, %v", key, n, known, want, wanted)
				}
			}
			if x.len() != len(model) {
				t.Fatalf("%d keys, want %d", x.len(), len(model))
			}
		}
	})
}

// Finding a number among as many as the prefixes of 10,000 routers, beside a map.
func BenchmarkIndex(b *testing.B) {
	const n = 30_000
	var x index
	m := map[uint64]int32{}
	for i := range n {
		key := uint64(0x0a000000+2*i)<<8 | 31
		x.add(key, int32(i))
		m[key] = int32(i)
	}
	b.Run("index", func(b *testing.B) {
		for i := 0; b.Loop(); i = (i + 7919) % n {
			if at, known := x.find(x.keys[i]); !known || int(at) != i {
				b.Fatal(i, at)
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		for i := 0; b.Loop(); i = (i + 7919) % n {
			if at, known := m[x.keys[i]]; !known || int(at) != i {
				b.Fatal(i, at)
			}
		}
	})
}
