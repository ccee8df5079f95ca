package nat

import (
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
)

// The tree finds exactly the rules that trying all one by one does.
func TestIndexAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Uint32Range(0, 40), rapid.SampledFrom([]uint32{0xffff, 0xfffffffe, 0xffffffff}))
		draw := func(most uint32) intervals {
			var l intervals
			for range rapid.IntRange(0, 2).Draw(t, "ranges") {
				a, b := min(value.Draw(t, "a"), most), min(value.Draw(t, "b"), most)
				l = append(l, interval{min(a, b), max(a, b)})
			}
			return l
		}
		var rules []*rule
		for range rapid.IntRange(0, 40).Draw(t, "rules") {
			r := &rule{}
			r.match.ranges[bySource], r.match.ranges[byDestination] = draw(0xffffffff), draw(0xffffffff)
			r.match.ranges[bySourcePort], r.match.ranges[byDestinationPort] = draw(0xffff), draw(0xffff)
			if rapid.Bool().Draw(t, "some protocols") {
				r.match.protocols.add(rapid.SampledFrom([]uint8{protoICMP, protoTCP, protoUDP}).Draw(t, "protocol"))
			}
			rules = append(rules, r)
		}
		x := newIndex(rules)
		for range 20 {
			k := flow.Key{
				Src: value.Draw(t, "src"), Dst: value.Draw(t, "dst"), Proto: rapid.SampledFrom([]uint8{protoICMP, protoTCP, protoUDP, 47}).Draw(t, "proto"),
				SrcPort: uint16(value.Draw(t, "sport")), DstPort: uint16(value.Draw(t, "dport")),
			}
			want, got := first(rules, &k), first(x.candidates(&k), &k)
			if want != got {
				t.Fatalf("%+v: the tree finds %+v, the list %+v", k, got, want)
			}
		}
	})
}

func first(rules []*rule, k *flow.Key) *rule {
	for _, r := range rules {
		if r.match.has(k) {
			return r
		}
	}
	return nil
}

// Many port forwards are told apart in a few steps.
func TestIndexIsNarrow(t *testing.T) {
	var rules []*rule
	for i := range uint32(4000) {
		r := &rule{}
		r.match.protocols.add(protoTCP)
		r.match.ranges[byDestination] = intervals{{7, 7}}
		r.match.ranges[byDestinationPort] = intervals{{i + 1, i + 1}}
		rules = append(rules, r)
	}
	x := newIndex(rules)
	k := flow.Key{Dst: 7, DstPort: 3000, Proto: protoTCP}
	if got := x.candidates(&k); len(got) != 1 || got[0] != rules[2999] {
		t.Errorf("%d candidates of 4000, want 1", len(got))
	}
}
