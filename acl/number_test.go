package acl

import (
	"fmt"
	"testing"
)

// TestNumbersAreBounded: a host that reloads ever new names of rules needs no more
// for them than for those of two configurations, and no number is ever another
// rule's.
func TestNumbersAreBounded(t *testing.T) {
	const reloads, rules = 10_000, 4
	had := map[uint32]string{}
	var r *Rules
	for n := range reloads {
		l := List{Name: "x", Rules: []Rule{{Name: "stays"}}}
		for i := range rules {
			l.Rules = append(l.Rules, Rule{Name: fmt.Sprintf("%d-%d", n, i)})
		}
		r = compiled(t, Config{Lists: []List{l}}, r)
		r.Lists(func(_ string, numbers []uint32) bool {
			for _, number := range numbers {
				p, ok := r.Place(number)
				if before, known := had[number]; !ok || known && before != p.Rule {
					t.Fatalf("reload %d: the number %#x is rule %q, %v, and was that of %q", n, number, p.Rule, ok, before)
				}
				had[number] = p.Rule
			}
			return true
		})
	}
	if most := 2 + 2*rules; r.Slots() > most {
		t.Errorf("%d slots after %d reloads, want %d at most", r.Slots(), reloads, most)
	}
	dead := 0
	for number := range had {
		if _, ok := r.Place(number); !ok {
			dead++
		}
	}
	if want := (reloads - 1) * rules; dead != want || len(had) != want+rules+2 {
		t.Errorf("%d numbers, %d of rules that are gone; want %d gone", len(had), dead, want)
	}
}

// TestSlotIsGivenUp: a slot whose lives have all been lived is used no more, so
// that no number comes again.
func TestSlotIsGivenUp(t *testing.T) {
	r := &Rules{entries: make([]entry, 2), lives: []uint32{mostLives - 2, mostLives - 1}}
	next := &Rules{}
	next.inherit(r)
	first, err1 := next.draw()
	second, err2 := next.draw()
	if err1 != nil || err2 != nil || Slot(first) != 0 || first>>slotBits != mostLives-1 || second != 2 {
		t.Errorf("numbers %#x, %#x, %v, %v; want the last life of slot 0, and then slot 2", first, second, err1, err2)
	}
	full := &Rules{entries: make([]entry, mostSlots)}
	if _, err := full.draw(); err == nil {
		t.Error("a number was drawn of slots that are all in use")
	}
}
