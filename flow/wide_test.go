package flow

import (
	"testing"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
)

// wideFlow is an IPv6 flow of a small set, so that flows meet each other.
func wideFlow(t *rapid.T) (Key, Wide) {
	word := rapid.SampledFrom([]uint64{0, 1, 0x20010db8_00000000, ^uint64(0)})
	w := Wide{word.Draw(t, "s0"), word.Draw(t, "s1"), word.Draw(t, "d0"), word.Draw(t, "d1")}
	port := rapid.SampledFrom([]uint16{0, 53, 4000})
	return Key{SrcPort: port.Draw(t, "sport"), DstPort: port.Draw(t, "dport"), Proto: protoUDP}, w
}

// TestWideAgainstModel: a table of IPv6 sessions finds a session by both
// directions of its flow, as a map does, and by no other.
func TestWideAgainstModel(t *testing.T) {
	type full struct {
		k Key
		w Wide
	}
	rapid.Check(t, func(t *rapid.T) {
		tab := NewWide(Config{MaxSessions: 64, Key: siphash.Key{rapid.Uint64().Draw(t, "key"), 5}})
		model := map[full]uint32{} // both directions, by what is on the wire
		find := func(k Key, w Wide) (hit Hit, ok bool) {
			tab.Fold(&k, &w)
			ok = tab.FindWide(&k, &w, tab.Hash(&k), &hit)
			return hit, ok
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			k, w := wideFlow(t)
			forward, reverse := full{k, w}, full{k.Reverse(), w.Reverse()}
			number, known := model[forward]
			switch hit, ok := find(k, w); {
			case ok != known || hit.Session != number:
				t.Fatalf("%+v: session %d (%v), want %d (%v)", forward, hit.Session, ok, number, known)
			case known && rapid.Bool().Draw(t, "end"):
				tab.Delete(number, nil)
				delete(model, forward)
				delete(model, reverse)
			case !known:
				folded := k
				tab.Fold(&folded, &w)
				made, why := tab.InsertWide(&folded, &w, tab.Hash(&folded), nil, 0)
				if why != Accepted {
					if forward == reverse && why == KeyTaken || why == TableFull {
						continue
					}
					t.Fatalf("%+v: %v", forward, why)
				}
				model[forward], model[reverse] = made, made
				tab.Annotate(made, Note{In: 1, Out: 2, Rule: 3})
				if s, ok := tab.Session(made); !ok || s.Wide != w || s.Note != (Note{1, 2, 3}) {
					t.Fatalf("session %+v, want the addresses %v and its note", s, w)
				}
				if hit, _ := find(k.Reverse(), w.Reverse()); forward != reverse && hit.Direction != Reply {
					t.Fatalf("the answer to %+v is found as %d, want the direction of replies", forward, hit.Direction)
				}
			}
		}
		if want := len(model); tab.Len() > want || want > 2*tab.Len() {
			t.Fatalf("%d sessions, want those of %d directions", tab.Len(), want)
		}
	})
}

// FoldAfter gives the digests that Fold gives, whatever the packet before had.
func TestFoldAfterIsFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := NewWide(Config{MaxSessions: 1, Key: siphash.Key{rapid.Uint64().Draw(t, "key"), 5}})
		before, its := wideFlow(t)
		tab.Fold(&before, &its)
		k, w := wideFlow(t)
		want := k
		tab.Fold(&want, &w)
		if tab.FoldAfter(&k, &w, &before, &its); k != want {
			t.Fatalf("%x behind %x: %+v, want %+v", w, its, k, want)
		}
	})
}
