package bgp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/internal/corpus"
	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
)

// walked is a table, the prefixes in it, and those that were there all the time since a
// walk has begun.
type walked struct {
	table      *Table
	attributes AttributeTable
	set        *AttributeSet
	have       map[netip.Prefix]bool
	steady     map[netip.Prefix]bool
}

func newWalked(t fatal, f wire.Family) *walked {
	w := &walked{have: map[netip.Prefix]bool{}, steady: map[netip.Prefix]bool{}}
	w.table = NewTable(f, &w.attributes, siphash.Key{1, 2})
	w.set = attributesOf(t, &w.attributes, "1", nil)
	return w
}

func (w *walked) put(p netip.Prefix) {
	w.attributes.Keep(w.set)
	w.table.Put(p, 1, 0, w.set, 0)
	w.have[p] = true
}

func (w *walked) remove(p netip.Prefix) {
	if n, ok := w.table.Number(p); ok && w.table.Remove(n, 1, 0) {
		w.table.Free(n)
	}
	delete(w.have, p)
	delete(w.steady, p)
}

// page is up to most prefixes behind after.
func (w *walked) page(after, within netip.Prefix, most int) (list []netip.Prefix) {
	for n := range w.table.Ordered(after, within) {
		if len(list) == most {
			break
		}
		list = append(list, w.table.Prefix(n))
	}
	return list
}

// naivePage is the same from a map.
func naivePage(have map[netip.Prefix]bool, after, within netip.Prefix, most int) (list []netip.Prefix) {
	for p := range have {
		if after.IsValid() && p.Compare(after) <= 0 || within.IsValid() && (!within.Contains(p.Addr()) || p.Bits() < within.Bits()) {
			continue
		}
		list = append(list, p)
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return list[:min(most, len(list))]
}

// orderedPrefix is one of prefixes that are dense in some places, and of all lengths.
func orderedPrefix(t *rapid.T, f wire.Family) netip.Prefix {
	b := make([]byte, f.Bits()/8)
	for i := range b {
		b[i] = byte(rapid.SampledFrom([]int{0, 1, 2, 127, 128, 255, i, 77}).Draw(t, "octet"))
		if i > 0 && rapid.IntRange(0, len(b)/2).Draw(t, "end") == 0 {
			break
		}
	}
	a, _ := netip.AddrFromSlice(b)
	p, _ := a.Prefix(rapid.IntRange(0, f.Bits()).Draw(t, "bits"))
	return p
}

// Every page has what a sorted list of that moment has, whatever has come and gone since
// the last one, and a walk has met all that was there all the time.
func TestOrdered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom([]wire.Family{wire.IPv4Unicast, wire.IPv6Unicast}).Draw(rt, "family")
		w := newWalked(rt, f)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		for range rapid.SampledFrom([]int{0, 10, 5000}).Draw(rt, "at first") {
			w.put(tablePrefix(f, rng.IntN(1<<16)))
		}
		var within netip.Prefix
		if rapid.Bool().Draw(rt, "longer") {
			within = orderedPrefix(rt, f)
			within = netip.PrefixFrom(within.Addr(), within.Bits()/4).Masked()
		}
		for p := range w.have {
			w.steady[p] = true
		}
		var after netip.Prefix
		met := map[netip.Prefix]bool{}
		for range 300 {
			most := rapid.SampledFrom([]int{1, 3, 100, 2000}).Draw(rt, "page")
			got, want := w.page(after, within, most), naivePage(w.have, after, within, most)
			if !slices.Equal(got, want) {
				rt.Fatalf("after %v within %v: %v, want %v", after, within, got, want)
			}
			for _, p := range got {
				met[p] = true
			}
			if len(got) == 0 {
				break
			}
			after = got[len(got)-1]
			w.disturb(rt, rng, f)
		}
		for p := range w.steady {
			if (!after.IsValid() || p.Compare(after) <= 0) && (!within.IsValid() || within.Contains(p.Addr()) && p.Bits() >= within.Bits()) && !met[p] {
				rt.Fatalf("%v was there all the time, and the walk to %v has not met it", p, after)
			}
		}
	})
}

// disturb lets prefixes come and go.
func (w *walked) disturb(rt *rapid.T, rng *rand.Rand, f wire.Family) {
	for range rapid.SampledFrom([]int{0, 1, 20, 3000}).Draw(rt, "changes") {
		p := tablePrefix(f, rng.IntN(1<<16))
		switch rng.IntN(4) {
		case 0:
			w.remove(p)
		case 1: // the number of another one
			for other := range w.have {
				w.remove(other)
				break
			}
			w.put(p)
		default:
			w.put(p)
		}
	}
	if rapid.IntRange(0, 20).Draw(rt, "unordered") == 0 {
		w.table.Unorder()
	}
	p := orderedPrefix(rt, f)
	w.put(p)
}

// What comes and goes where nobody walks does not fill the memory, and is in order in the
// end.
func TestOrderIsBounded(t *testing.T) {
	w := newWalked(t, wire.IPv4Unicast)
	for i := range 3000 {
		w.put(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i)}), 24))
	}
	w.page(netip.Prefix{}, netip.Prefix{}, 1)
	flaps := netip.MustParsePrefix("203.0.113.0/24")
	for range 100_000 {
		w.put(flaps)
		w.remove(flaps)
	}
	w.put(flaps)
	if o := w.table.order; o != nil && o.count > 2*w.table.Prefixes()+leafSize {
		t.Errorf("%d numbers are in order, of %d prefixes", o.count, w.table.Prefixes())
	}
	all := w.page(netip.Prefix{}, netip.Prefix{}, 10_000)
	if want := naivePage(w.have, netip.Prefix{}, netip.Prefix{}, 10_000); !slices.Equal(all, want) {
		t.Errorf("%d prefixes, want %d", len(all), len(want))
	}
}

// BenchmarkOrdered has the pages of a full table: the first one, which puts it in order,
// one of a walk that is under way, and all of them.
func BenchmarkOrdered(b *testing.B) {
	var attributes AttributeTable
	table := NewTable(wire.IPv4Unicast, &attributes, siphash.Key{1, 2})
	a := attributesOf(b, &attributes, "1", nil)
	list := corpus.Prefixes(b)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, p := range list {
		attributes.Keep(a)
		table.Put(p, 1, 0, a, 0)
	}
	page := func(after netip.Prefix, most int) (last netip.Prefix) {
		k := 0
		for n := range table.Ordered(after, netip.Prefix{}) {
			if k++; k > most {
				break
			}
			last = table.Prefix(n)
		}
		return last
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			table.Unorder()
			page(netip.Prefix{}, 1000)
		}
	})
	b.Run("each", func(b *testing.B) {
		var after netip.Prefix
		for b.Loop() {
			after = page(after, 1000)
		}
	})
	b.Run("all", func(b *testing.B) {
		highest := slices.MaxFunc(list, netip.Prefix.Compare)
		for b.Loop() {
			table.Unorder()
			if last := page(netip.Prefix{}, len(list)); last != highest {
				b.Fatalf("the last prefix is %v, want %v", last, highest)
			}
		}
	})
}
