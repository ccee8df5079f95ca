package bgp

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
)

// Whatever is taken and let go, equal sets are one, and the table has those that are in
// use and no others.
func TestAttributeTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table AttributeTable
		model := map[string]int{} // uses
		sets := map[string]*AttributeSet{}
		most := rapid.SampledFrom([]uint32{5, 300}).Draw(t, "kinds")
		for range rapid.IntRange(1, 600).Draw(t, "steps") {
			var a wire.Attributes
			a.MED = rapid.Uint32Range(0, most).Draw(t, "MED")
			a.Set(wire.AttrMED)
			octets := a.AppendSet(nil)
			key := string(octets)
			if rapid.IntRange(0, 2).Draw(t, "take") > 0 || model[key] == 0 {
				s := table.Take(octets)
				clear(octets) // it was copied
				if old := sets[key]; model[key] > 0 && old != s {
					t.Fatalf("two sets of %x", key)
				}
				if string(s.Octets()) != key || s.MED != a.MED || !s.HasMED || s.LocalPref != DefaultLocalPref {
					t.Fatalf("set %+v of %x", s, key)
				}
				sets[key] = s
				model[key]++
			} else {
				table.Release(sets[key])
				model[key]--
			}
		}
		live, size := 0, 0
		numbers := map[uint32]bool{}
		for key, uses := range model {
			s := sets[key]
			if uses == 0 {
				continue
			}
			live++
			size += len(key)
			if s.Uses() != uses || table.At(s.Number()) != s || numbers[s.Number()] || s.Number() >= table.Numbers() {
				t.Fatalf("%x is used %d times, want %d; number %d", key, s.Uses(), uses, s.Number())
			}
			numbers[s.Number()] = true
			if again := table.Take(wire.Set(key)); again != s {
				t.Fatalf("%x is not found", key)
			}
			table.Release(s)
		}
		if table.Len() != live || table.Octets() != size || table.Numbers() > most+1 {
			t.Fatalf("%d sets of %d octets, numbers below %d; want %d of %d", table.Len(), table.Octets(), table.Numbers(), live, size)
		}
	})
}

// What routes are compared by is read from the attributes.
func TestAttributeSummary(t *testing.T) {
	var table AttributeTable
	s := attributesOf(t, &table, "65001 {1,2} 65002", func(a *wire.Attributes) {
		localPref(50)(a)
		med(7)(a)
		a.Origin = wire.OriginEGP
		a.OriginatorID, a.ClusterList = 9, bytes.Repeat([]byte{0, 0, 0, 1}, 3)
		a.Communities = binary.BigEndian.AppendUint32(nil, uint32(wire.LLGRStale))
		for _, code := range []wire.Attribute{wire.AttrOriginatorID, wire.AttrClusterList, wire.AttrCommunities} {
			a.Set(code)
		}
	})
	if s.LocalPref != 50 || s.MED != 7 || !s.HasMED || s.Origin != wire.OriginEGP || s.FirstAS != 65001 || s.PathLength != 3 ||
		s.Originator != 9 || s.Clusters != 3 || !s.Stale || s.Octets().NextHop().Address.String() != "192.0.2.1" {
		t.Errorf("%+v", s)
	}
}

// A set that is there is taken without an allocation.
func TestAttributeTableAllocates(t *testing.T) {
	var table AttributeTable
	s := attributesOf(t, &table, "65001", nil)
	octets := bytes.Clone(s.Octets())
	if n := testing.AllocsPerRun(100, func() { table.Release(table.Take(octets)) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// When most sets have gone, the octets of those that are left are moved, unchanged, so that
// no block is kept for a few of them.
func TestOctetsAreMoved(t *testing.T) {
	var table AttributeTable
	take := func(n int) *AttributeSet {
		return attributesOf(t, &table, "65001 65002", func(a *wire.Attributes) {
			med(uint32(n))(a)
			a.Set(wire.AttrCommunities)
			if n%100 == 0 { // larger than what is put into blocks
				for c := range uint32(2000) {
					a.Communities = binary.BigEndian.AppendUint32(a.Communities, c)
				}
			}
			for c := range uint32(50) {
				a.Communities = binary.BigEndian.AppendUint32(a.Communities, 1<<20+c)
			}
		})
	}
	const sets, kept = 20_000, 1000
	var left, others []*AttributeSet
	before := map[*AttributeSet]string{}
	places := map[*byte]bool{}
	for n := range sets {
		a := take(n)
		if n%(sets/kept) != 7 {
			others = append(others, a)
			continue
		}
		left, before[a] = append(left, a), string(a.Octets())
		places[&a.Octets()[0]] = true
	}
	for _, a := range others {
		table.Release(a)
	}
	for n := range 2 * kept { // they come and go, and have the others moved
		table.Release(take(sets + n))
	}
	moved := 0
	for _, a := range left {
		if string(a.Octets()) != before[a] {
			t.Fatalf("a set was %x and is %x", before[a], a.Octets())
		}
		if !places[&a.Octets()[0]] {
			moved++
		}
	}
	if moved != kept {
		t.Errorf("%d of %d sets were moved", moved, kept)
	}
	if table.block.moving || table.block.lost > leastLost {
		t.Errorf("%d octets are lost, sets are being moved: %v", table.block.lost, table.block.moving)
	}
}

// What routes are compared by is the same, whether it is taken from the attributes that came or
// read from their set.
func TestSummaryIsThatOfTheSet(t *testing.T) {
	stream := feedOf(manyPrefixes(10_000), 1)
	var u wire.Update
	var came, read AttributeTable
	for n := 0; n < 1000; n++ {
		m, rest, _ := wire.Split(stream, wire.MaxMessage)
		stream = rest
		wire.DecodeUpdate(m.Body(), &session, &u)
		a := &u.Attributes
		a.Origin, a.MED, a.LocalPref, a.OriginatorID = wire.OriginIncomplete, uint32(n), uint32(2*n), wire.RouterID(n)
		a.ClusterList = wire.ClusterList(make([]byte, 4+n%3*4))
		for i, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrMED, wire.AttrLocalPref, wire.AttrOriginatorID, wire.AttrClusterList, wire.AttrASPath, wire.AttrCommunities} {
			if n>>i&1 != 0 {
				a.Set(code)
			} else {
				a.Clear(code)
			}
		}
		set := u.AppendSet(nil, &u.Reach[0])
		x, y := *came.take(set, a), *read.Take(set)
		if x.octets, y.octets, x.tag, y.tag = nil, nil, 0, 0; !reflect.DeepEqual(x, y) {
			t.Fatalf("of %x\n %+v as it came,\n %+v as it is read", set, x, y)
		}
	}
}
