package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// compareAttributes makes attributes comparable, the sets of which are equal.
var compareAttributes = cmp.Options{
	same, cmp.AllowUnexported(Attributes{}), cmp.Comparer(func(a, b NextHop) bool { return a == b }),
}

// setOf is the set of the attributes of an UPDATE with one prefix.
func setOf(tb testing.TB, s *Session, attrs string) Set {
	tb.Helper()
	var u Update
	DecodeUpdate(body(tb, "", attrs, prefix), s, &u)
	if u.Approach > AttributeDiscard {
		r := u.Strongest()
		tb.Fatalf("%s: %v", attrs, r.String())
	}
	return u.AppendSet(nil, &u.Reach[0])
}

// What means the same has the same set, however it came.
func TestEqualSets(t *testing.T) {
	old := old
	old.External = false
	old.KeepASSets = true
	internal := internal
	const local = "400504 00000064"
	narrow := origin + "400206 0202 fde9 fdea" + nextHop + local
	wide := origin + "40020a 0202 0000fde9 0000fdea" + nextHop + local
	three := "c0080c 00010001 00010002 00020001"
	for _, test := range []struct {
		name   string
		one    *Session
		first  string
		other  *Session
		second string
		differ bool
	}{
		{"two and four octets", &old, narrow, &internal, wide, false},
		{"AS4_PATH", &old, origin + "400206 0202 fde9 5ba0" + nextHop + local + "c0110a 0202 0000fde9 00010001", &internal, origin + "40020a 0202 0000fde9 00010001" + nextHop + local, false},
		{"AS4_PATH of the end", &old, origin + "400206 0202 fde9 5ba0" + nextHop + local + "c01106 0201 00010001", &internal, origin + "40020a 0202 0000fde9 00010001" + nextHop + local, false},
		{"AS4_AGGREGATOR", &old, narrow + "c00706 5ba0 0a000001 c01208 00010001 0a000001", &internal, wide + "c00708 00010001 0a000001", false},
		{"the order of attributes", &internal, wide + three, &internal, three + local + nextHop + "40020a 0202 0000fde9 0000fdea" + origin, false},
		{"long lengths, and reserved flags", &internal, wide + three, &internal, "5f010001 00" + "40020a 0202 0000fde9 0000fdea" + nextHop + local + "d008000c 00010001 00010002 00020001", false},
		{"the order of communities", &internal, wide + three, &internal, wide + "c00810 00020001 00010002 00010001 00020001", false},
		{"of extended ones", &internal, wide + "c01010 0002000000000001 0002000000000002", &internal, wide + "c01018 0002000000000002 0002000000000001 0002000000000002", false},
		{"of large ones", &internal, wide + "c02018 000000010000000200000003 000000010000000200000004", &internal, wide + "c02018 000000010000000200000004 000000010000000200000003", false},
		{"one sequence in two", &internal, wide, &internal, origin + "40020c 0201 0000fde9 0201 0000fdea" + nextHop + local, false},
		{"unknown attributes in another order", &internal, wide + "c0f900 c0fa0101", &internal, wide + "e0fa0101 c0f900", false},
		{"an unknown one that is not transitive", &internal, wide, &internal, wide + "80f90101", false},
		{"Partial", &internal, wide + three, &internal, wide + "e0080c 00010001 00010002 00020001", true},
		{"clusters in another order", &internal, wide + "800a08 00000001 00000002", &internal, wide + "800a08 00000002 00000001", true},
		{"another MED", &internal, wide + "800404 00000001", &internal, wide + "800404 00000002", true},
		{"no MED", &internal, wide + "800404 00000000", &internal, wide, true},
		{"another next hop", &internal, wide, &internal, origin + "40020a 0202 0000fde9 0000fdea 400304 c0000202" + local, true},
	} {
		a, b := setOf(t, test.one, test.first), setOf(t, test.other, test.second)
		if bytes.Equal(a, b) == test.differ {
			t.Errorf("%s:\n%x and\n%x, differ %v", test.name, []byte(a), []byte(b), test.differ)
		}
		var x, y Attributes
		a.Read(&x)
		b.Read(&y)
		if d := cmp.Diff(x, y, compareAttributes); (d != "") != test.differ {
			t.Errorf("%s, read again (-first +second):\n%s", test.name, d)
		}
		if a.NextHop() != x.NextHop || b.NextHop() != y.NextHop {
			t.Errorf("%s: next hops %v and %v, want %v and %v", test.name, a.NextHop(), b.NextHop(), x.NextHop, y.NextHop)
		}
		if again := x.AppendSet(nil); !bytes.Equal(again, a) {
			t.Errorf("%s: made again\n%x, was\n%x", test.name, []byte(again), []byte(a))
		}
	}
}

// Communities of any number and order are sorted as the standard library does, and
// the attribute gets its shortest form.
func TestSortedCommunities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Uint32Range(0, 120), 1, 200).Draw(t, "communities")
		size := rapid.SampledFrom([]int{4, 8, 12, 20}).Draw(t, "size")
		var v []byte
		for _, c := range list {
			item := make([]byte, size)
			binary.BigEndian.PutUint32(item[rapid.SampledFrom([]int{0, size - 4}).Draw(t, "at"):], c)
			v = append(v, item...)
		}
		before := bytes.Clone(v)
		got := appendList([]byte{1}, AttrCommunities, optionalTransitive, v, size, true)
		if !bytes.Equal(v, before) {
			t.Fatal("the message was changed")
		}
		items := slices.Collect(slices.Chunk(v, size))
		slices.SortFunc(items, bytes.Compare)
		items = slices.CompactFunc(items, bytes.Equal)
		want := appendRaw([]byte{1}, AttrCommunities, optionalTransitive, bytes.Join(items, nil))
		if !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// drawPath draws a path of up to so many segments.
func drawPath(t *rapid.T, most int, types []SegmentType) Path {
	var p Path
	for range rapid.IntRange(0, most).Draw(t, "segments") {
		kind := rapid.SampledFrom(types).Draw(t, "type")
		n := rapid.SampledFrom([]int{1, 2, 3, 254, 255}).Draw(t, "numbers")
		step := rapid.IntRange(0, 4).Draw(t, "step")
		p = append(p, byte(kind), byte(n))
		for i := range n {
			p = binary.BigEndian.AppendUint32(p, [...]uint32{1, 64512, 65535, 65536, 4200000000}[(step+i*step)%5])
		}
	}
	return p
}

// A path that goes to a neighbour with two-octet numbers and comes back by AS4_PATH
// is the same path, and so is one that a speaker between has put its AS before.
func TestPathThroughOldSpeakers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPath(t, 4, []SegmentType{SegmentSequence, SegmentSet})
		a := Attributes{ASPath: p}
		a.Set(AttrASPath)
		for _, as := range []uint32{0, 64999} {
			var u Update
			want := p
			raw := a.append(nil, form{narrow: true})
			if as != 0 {
				want = p.AppendPrepended(nil, as, 1)
				b := Attributes{ASPath: want}
				b.Set(AttrASPath)
				// AS_PATH of the longer one, AS4_PATH as it was.
				narrow := b.ASPath.appendAttribute(nil, AttrASPath, wellKnown, true)
				raw = raw[attributeSize(raw):]
				raw = append(narrow, raw...)
			}
			s := old
			s.KeepASSets = true
			DecodeUpdate(append([]byte{0, 0, byte(len(raw) >> 8), byte(len(raw))}, raw...), &s, &u)
			if u.Approach != Accept {
				r := u.Strongest()
				t.Fatalf("%v: %v", p, r.String())
			}
			if got, want := slices.Collect(u.Attributes.ASPath.Numbers), slices.Collect(want.Numbers); !slices.Equal(got, want) {
				t.Fatalf("path %v, want %v", got, want)
			}
			if got := u.Attributes.ASPath.Length(); got != want.Length() {
				t.Fatalf("length %d, want %d", got, want.Length())
			}
		}
	})
}

func attributeSize(raw []byte) int {
	if raw[0]&flagExtended != 0 {
		return 4 + int(binary.BigEndian.Uint16(raw[2:]))
	}
	return 3 + int(raw[2])
}

func TestPath(t *testing.T) {
	p := Path(octets(t, "0202 0000fde9 00010001 0102 0000fdea 0000fdeb 0301 0000fdec 0401 0000fded 0201 0000fde9"))
	if got, want := p.String(), "65001 65537 {65002,65003} (65004) [65005] 65001"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if p.Length() != 4 || p.First() != 65001 || p.Last() != 65001 || p.Count(65001) != 2 || p.Count(65003) != 1 || p.Count(1) != 0 || p.narrow() {
		t.Errorf("length %d, first %d, last %d, 65001 %d times", p.Length(), p.First(), p.Last(), p.Count(65001))
	}
	set := Path(octets(t, "0102 0000fdea 0000fdeb"))
	if set.First() != 0 || set.Last() != 0 || set.Length() != 1 || !set.narrow() {
		t.Errorf("a set: first %d, last %d, length %d", set.First(), set.Last(), set.Length())
	}
}

// Prepending puts so many of an AS before what there is.
func TestPrepend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPath(t, 4, []SegmentType{SegmentSequence, SegmentSet})
		times := rapid.SampledFrom([]int{0, 1, 2, 10, 255, 300}).Draw(t, "times")
		got := Path(p.AppendPrepended([]byte{9}, 7, times)[1:])
		if f := checkPath(got, 4); f.reason != Accepted {
			t.Fatalf("%x is malformed: %v", []byte(got), f.reason)
		}
		want := append(slices.Repeat([]uint32{7}, times), slices.Collect(p.Numbers)...)
		if have := slices.Collect(got.Numbers); !slices.Equal(have, want) || got.Length() != times+p.Length() {
			t.Fatalf("%v before %v: %v", times, p, got)
		}
		if times > 0 && got.First() != 7 {
			t.Fatalf("the first AS is %d", got.First())
		}
	})
}

func TestCommunityWords(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Community(0xfde80064).String(), "65000:100"},
		{Blackhole.String(), "blackhole"},
		{GracefulShutdown.String(), "graceful-shutdown"},
		{ExtendedCommunity(0x0002fde800000007).String(), "rt:65000:7"},
		{ExtendedCommunity(0x0103c0000201000a).String(), "ro:192.0.2.1:10"},
		{ExtendedCommunity(0x020200010001000a).String(), "rt:65537:10"},
		{ExtendedCommunity(0x4300000000000001).String(), "0x4300000000000001"},
		{LargeCommunity{65000, 1, 2}.String(), "65000:1:2"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
	if !ExtendedCommunity(0x0002fde800000007).Transitive() || ExtendedCommunity(0x4300000000000001).Transitive() {
		t.Error("transitive by the wrong bit")
	}
	if !strings.HasPrefix(RouterID(0x0a000001).String(), "10.0.0.1") {
		t.Errorf("router ID %v", RouterID(0x0a000001))
	}
}

// A list that is cleared is empty, so that who looks into it finds nothing.
func TestClear(t *testing.T) {
	var a Attributes
	const communities = "c00804 fde80001 c01008 0002fde800000007 c0200c 0000fde8 00000001 00000002 c01914" + "0002fde80000000000000000000000000000000a"
	setOf(t, &internal, base+"400504 00000064 800a04 00000001"+communities).Read(&a)
	lists := func() int {
		return len(a.ASPath) + len(a.Communities) + len(a.ClusterList) + len(a.Extended) + len(a.ExtendedIPv6) + len(a.Large)
	}
	before := lists()
	for _, code := range []Attribute{AttrASPath, AttrCommunities, AttrClusterList, AttrExtended, AttrExtendedIPv6, AttrLarge} {
		if !a.Has(code) {
			t.Errorf("%v is not there", code)
		}
		a.Clear(code)
		if a.Has(code) {
			t.Errorf("%v is still there", code)
		}
	}
	if after := lists(); before != 6+4+4+8+20+12 || after != 0 {
		t.Errorf("lists of %d octets before and %d after", before, after)
	}
}
