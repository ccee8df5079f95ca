package bgp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
)

// modelKey is a route of the model.
type modelKey struct {
	prefix netip.Prefix
	source uint16
	path   uint32
}

type modelRoute struct {
	attributes *AttributeSet
	weight     uint32
	age        uint16
	order      int
}

// Whatever comes, is removed and swept, the table has what a map has, and attributes are
// used as often as routes have them.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		family := rapid.SampledFrom([]wire.Family{wire.IPv4Unicast, wire.IPv6Unicast}).Draw(t, "family")
		var attributes AttributeTable
		table := NewTable(family, &attributes, siphash.Key{1, 2})
		model := map[modelKey]*modelRoute{}
		most := rapid.SampledFrom([]int{4, 400}).Draw(t, "prefixes")
		order := 0
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			k := modelKey{
				tablePrefix(family, rapid.IntRange(0, most).Draw(t, "prefix")),
				rapid.SampledFrom([]uint16{1, 2, 17}).Draw(t, "source"), rapid.Uint32Range(0, 1).Draw(t, "path"),
			}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			default:
				a := attributesOf(t, &attributes, fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "attributes")), nil)
				weight := rapid.Uint32Range(0, 1).Draw(t, "weight")
				was := model[k]
				n, is := put(table, k, a, weight, rapid.Bool().Draw(t, "with others"))
				want := PutSame
				if was == nil {
					want = PutMore
				} else if was.attributes != a || was.weight != weight {
					want = PutOther
				}
				if got, ok := table.Number(k.prefix); is != want || !ok || got != n || table.Prefix(n) != k.prefix {
					t.Fatalf("%v: number %d, it is %d, want %d", k, n, is, want)
				}
				if order++; want == PutSame {
					was.age = 0
				} else {
					model[k] = &modelRoute{a, weight, 0, order}
				}
			case 0, 1, 2:
				if got := remove(table, k, rapid.Bool().Draw(t, "with others")); got != (model[k] != nil) {
					t.Fatalf("%v removed %v", k, got)
				}
				delete(model, k)
			case 3:
				sweepTable(t, table, model, k.source)
			case 4:
				freeNumbers(table)
			}
		}
		compareTable(t, table, &attributes, model)
	})
}

// plain is a route's prefix as numbers.
func (k modelKey) plain() []wire.Plain {
	hi, lo := words64(k.prefix.Addr())
	return []wire.Plain{{High: hi, Low: lo, Path: k.path, Bits: uint8(k.prefix.Bits())}}
}

// put puts a route, as one alone or as one of several.
func put(table *Table, k modelKey, a *AttributeSet, weight uint32, together bool) (n uint32, is Putting) {
	if !together {
		return table.Put(k.prefix, k.source, k.path, a, weight)
	}
	other, more := table.PutAll(k.plain(), k.source, a, weight, nil, nil)
	table.attributes.Release(a)
	n, _ = table.Number(k.prefix)
	switch {
	case slices.Equal(other, []uint32{n}) && more == nil:
		is = PutOther
	case slices.Equal(more, []uint32{n}) && other == nil:
		is = PutMore
	}
	return n, is
}

// remove removes a route, as one alone or as one of several.
func remove(table *Table, k modelKey, together bool) bool {
	if together {
		return len(table.RemoveAll(k.plain(), k.source, nil)) == 1
	}
	n, ok := table.Number(k.prefix)
	return ok && table.Remove(n, k.source, k.path)
}

// tablePrefix is one of many prefixes of all lengths.
func tablePrefix(f wire.Family, i int) netip.Prefix {
	p := drawnPrefix(i/2, f)
	return netip.PrefixFrom(p.Addr(), min(p.Bits()+i%2, f.Bits())).Masked()
}

// sweepTable drops the routes of a source that are older than a refresh or two, and begins
// another one.
func sweepTable(t *rapid.T, table *Table, model map[modelKey]*modelRoute, source uint16) {
	piece := rapid.IntRange(1, 50).Draw(t, "piece")
	most := rapid.Uint16Range(0, 1).Draw(t, "age")
	for from := uint32(0); from < table.Numbers(); {
		from = table.Sweep(from, piece, source, func(n uint32, c Candidate) Fate {
			k := modelKey{table.Prefix(n), source, c.Path}
			m := model[k]
			if m == nil || m.age != c.Age {
				t.Fatalf("%v is swept, of age %d; the model has %+v", k, c.Age, m)
			}
			if c.Age > most {
				delete(model, k)
				return DropRoute
			}
			return KeepRoute
		})
	}
	table.Renew(source)
	for k, m := range model {
		if k.source != source {
			continue
		}
		if m.age > most {
			t.Fatalf("%v was not swept", k)
		}
		m.age++
	}
}

// freeNumbers frees all numbers without routes.
func freeNumbers(table *Table) {
	for n := range table.Numbers() {
		if !table.Used(n) {
			continue
		}
		routes := 0
		for range table.Routes(n) {
			routes++
		}
		if routes == 0 {
			table.Free(n)
		}
	}
}

func compareTable(t *rapid.T, table *Table, attributes *AttributeTable, model map[modelKey]*modelRoute) {
	freeNumbers(table)
	found, uses := 0, map[*AttributeSet]int{}
	prefixes := map[netip.Prefix]bool{}
	for n := range table.Numbers() {
		if !table.Used(n) {
			continue
		}
		p := table.Prefix(n)
		prefixes[p] = true
		var orders []int
		var arrivals []uint32
		for c := range table.Routes(n) {
			m := model[modelKey{p, c.Source, c.Path}]
			if m == nil || m.attributes != c.Attributes || m.weight != c.Weight || m.age != c.Age {
				t.Fatalf("%v of %d: %+v, the model has %+v", p, c.Source, c, m)
			}
			found++
			uses[c.Attributes]++
			orders, arrivals = append(orders, m.order), append(arrivals, c.Arrival)
		}
		for i := range orders {
			for j := range i {
				if (orders[i] < orders[j]) != (arrivals[i] < arrivals[j]) {
					t.Fatalf("%v: arrivals %v, in the order %v", p, arrivals, orders)
				}
			}
		}
		routes := table.Load(n, nil, func(c Candidate, r *Route) { r.RouterID = wire.RouterID(c.Source) })
		for _, r := range routes {
			if m := model[modelKey{p, uint16(r.RouterID), r.PathID}]; m == nil || m.attributes != r.Attributes || m.weight != r.Weight {
				t.Fatalf("%v is loaded as %+v, the model has %+v", p, r, m)
			}
		}
	}
	if found != len(model) || table.Len() != found || table.Prefixes() != len(prefixes) {
		t.Fatalf("%d routes of %d, %d prefixes of %d; the model has %d", found, table.Len(), len(prefixes), table.Prefixes(), len(model))
	}
	for a, n := range uses {
		// Putting what is there released what came.
		if a.Uses() != n {
			t.Fatalf("attributes are used %d times, by %d routes", a.Uses(), n)
		}
	}
	if attributes.Len() != len(uses) {
		t.Fatalf("%d sets of attributes, %d are used", attributes.Len(), len(uses))
	}
}

// Routes that come again, and prefixes that come and go, cost no allocation.
func TestTableAllocates(t *testing.T) {
	var attributes AttributeTable
	table := NewTable(wire.IPv6Unicast, &attributes, siphash.Key{1, 2})
	a, b := attributesOf(t, &attributes, "1", nil), attributesOf(t, &attributes, "2", nil)
	put := func(i int, a *AttributeSet) uint32 {
		attributes.Keep(a)
		n, _ := table.Put(tablePrefix(wire.IPv6Unicast, i), 1, 0, a, 0)
		return n
	}
	for i := range 200 {
		put(i, a)
	}
	var routes []Route
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i = (i + 7) % 200
		n := put(i, b)
		put(i, a)
		routes = table.Load(n, routes[:0], func(Candidate, *Route) {})
		table.Remove(n, 1, 0)
		table.Free(n)
		put(i, a)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// A number is not freed while its prefix has routes.
func TestTableFreesNothingInUse(t *testing.T) {
	var attributes AttributeTable
	table := NewTable(wire.IPv4Unicast, &attributes, siphash.Key{1, 2})
	n, _ := table.Put(netip.MustParsePrefix("10.0.0.0/8"), 1, 0, attributesOf(t, &attributes, "1", nil), 0)
	defer func() {
		if recover() == nil {
			t.Error("the number of a prefix with a route is freed")
		}
	}()
	table.Free(n)
}

// BenchmarkSweep goes through a table for the routes of one of two neighbours.
func BenchmarkSweep(b *testing.B) {
	var attributes AttributeTable
	table := NewTable(wire.IPv4Unicast, &attributes, siphash.Key{1, 2})
	a := attributesOf(b, &attributes, "1", nil)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 {
		attributes.Keep(a)
		p, _ := netip.AddrFrom4([4]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}).Prefix(24)
		table.Put(p, uint16(rng.IntN(2)), 0, a, 0)
	}
	for b.Loop() {
		table.Sweep(0, 1<<31-1, 1, func(uint32, Candidate) Fate { return KeepRoute })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(table.Numbers()), "ns/prefix")
}

// Of very many prefixes each is found, also when every other one has gone.
func TestTableFinds(t *testing.T) {
	var attributes AttributeTable
	table := NewTable(wire.IPv4Unicast, &attributes, siphash.Key{1, 2})
	a := attributesOf(t, &attributes, "1", nil)
	const many = 30_000
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	numbers := make([]uint32, many)
	for i := range many {
		attributes.Keep(a)
		numbers[i], _ = table.Put(prefix(i), 1, 0, a, 0)
	}
	for i := 0; i < many; i += 2 {
		table.Remove(numbers[i], 1, 0)
		table.Free(numbers[i])
	}
	for i := range many {
		n, ok := table.Number(prefix(i))
		if ok != (i%2 == 1) || ok && n != numbers[i] {
			t.Fatalf("%v: number %d, %v; it was %d", prefix(i), n, ok, numbers[i])
		}
	}
	if table.Len() != many/2 || table.Prefixes() != many/2 {
		t.Errorf("%d routes of %d prefixes, want %d", table.Len(), table.Prefixes(), many/2)
	}
}
