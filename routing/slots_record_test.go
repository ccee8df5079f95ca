package routing

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is read of a slot is all that was written to it, in whatever field.
func TestSlotIsKeptWhole(t *testing.T) {
	var s Slots
	for _, text := range []string{"10.1.2.0/24", "0.0.0.0/0", "2001:db8::/33", "::/0", "::ffff:10.0.0.0/104"} {
		p := netip.MustParsePrefix(text)
		id := s.Take(p)
		slot := s.At(id)
		fields := reflect.ValueOf(slot).Elem()
		for i := range fields.NumField() {
			switch f := fields.Field(i); f.Type() {
			case reflect.TypeFor[netip.Prefix]():
			case reflect.TypeFor[[]NextHop]():
				f.Set(reflect.ValueOf([]NextHop{{Address: p.Addr(), Interface: 7, Weight: 3}, {Interface: NoInterface}}))
			case reflect.TypeFor[bool]():
				f.SetBool(true)
			default:
				f.SetUint(1<<(8*f.Type().Size()) - 1 - uint64(i)) // each field another value
			}
		}
		want := *slot
		s.Offer(id)
		s.Drain(func(c Change) {
			if c.ID == id && (c.Slot.Prefix != p || !reflect.DeepEqual(*c.Slot, want)) {
				t.Errorf("read is %+v, written was %+v", *c.Slot, want)
			}
		})
		if got := *s.At(id); !reflect.DeepEqual(got, want) {
			t.Errorf("the slot is given as %+v, written was %+v", got, want)
		}
	}
}

// A slot is small, and the collector finds nothing to follow in it.
func TestSlotIsSmall(t *testing.T) {
	r := reflect.TypeFor[record]()
	if r.Size() > 24 {
		t.Errorf("a slot takes %d bytes, want 24 at most", r.Size())
	}
	for i := range r.NumField() {
		if k := r.Field(i).Type.Kind(); k < reflect.Bool || k > reflect.Uint64 {
			t.Errorf("the field %s is a %v, want numbers alone", r.Field(i).Name, k)
		}
	}
}

// The lists of next hops are those that slots have, each once.
func TestHopListsAgainstMap(t *testing.T) {
	const slots = 40 // more than there are chains at first
	rapid.Check(t, func(t *rapid.T) {
		var r records
		has := map[SlotID][]NextHop{}
		hop := rapid.Custom(func(t *rapid.T) NextHop {
			return NextHop{Address: netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(1, 9).Draw(t, "host")}), Weight: rapid.ByteRange(0, 1).Draw(t, "weight")}
		})
		for id := range SlotID(slots) {
			r.prefix(r.add(), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(id)}), 16))
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				id := SlotID(rapid.IntRange(0, slots-1).Draw(t, "slot"))
				has[id] = rapid.SliceOfN(hop, 0, 2).Draw(t, "hops")
				r.write(id, &Slot{NextHops: has[id]})
			},
			"scratch": func(t *rapid.T) { // a slice that is written to afterwards
				id := SlotID(rapid.IntRange(0, slots-1).Draw(t, "slot"))
				scratch := rapid.SliceOfN(hop, 1, 2).Draw(t, "hops")
				has[id] = slices.Clone(scratch)
				r.write(id, &Slot{NextHops: scratch})
				scratch[0].Weight ^= 1
				other := (id + 1) % slots
				has[other] = slices.Clone(scratch)
				r.write(other, &Slot{NextHops: scratch})
			},
			"again": func(t *rapid.T) { // the very slice of another one
				id, of := SlotID(rapid.IntRange(0, slots-1).Draw(t, "slot")), SlotID(rapid.IntRange(0, slots-1).Draw(t, "of"))
				has[id] = has[of]
				r.write(id, &Slot{NextHops: has[id]})
			},
			"empty": func(t *rapid.T) {
				id := SlotID(rapid.IntRange(0, slots-1).Draw(t, "slot"))
				delete(has, id)
				r.prefix(id, netip.Prefix{})
			},
			"": func(t *rapid.T) {
				var different [][]NextHop
				for id := range SlotID(slots) {
					var s Slot
					if r.read(id, &s); !slices.Equal(s.NextHops, has[id]) {
						t.Fatalf("slot %d has the hops %v, want %v", id, s.NextHops, has[id])
					}
					if len(s.NextHops) > 0 && !slices.ContainsFunc(different, func(o []NextHop) bool { return slices.Equal(o, s.NextHops) }) {
						different = append(different, s.NextHops)
					}
				}
				if kept := len(r.hops.lists) - len(r.hops.free); kept != len(different) {
					t.Fatalf("%d lists are kept of %d different ones", kept, len(different))
				}
			},
		})
	})
}
