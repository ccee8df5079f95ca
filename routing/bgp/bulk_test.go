package bgp

import "testing"

// Neighbours bring the same prefixes in large pieces: nothing is decided before all have been
// taken, and then each prefix once. What comes in a small piece is decided at once.
func TestLargePiecesAreDecidedTogether(t *testing.T) {
	const prefixes = bulk / 4 // a /24 takes four octets
	s := newStand(t, 4, nil)
	for _, p := range s.peers {
		s.connect(p)
	}
	list := manyPrefixes(prefixes + 1)
	hears := s.peers[3]
	for i := 2; i >= 0; i-- { // the best comes last
		s.say(s.peers[i], s.peers[i].route(64500, s.peers[i].address, list[:prefixes]...))
		if n, due := s.slots.Len(), s.machine.Deadline(); n != 0 || due != s.now || len(hears.holds) != 0 {
			t.Fatalf("behind a large piece %d slots are taken, %d routes were sent, and due is %v; want none, and that the rest is done at once, %v",
				n, len(hears.holds), due, s.now)
		}
	}
	s.run(0)
	if n, sent := s.slots.Len(), s.machine.order[3].messages.Sent; n != prefixes || len(hears.holds) != prefixes || sent != prefixes {
		t.Fatalf("%d slots are taken, and %d routes were sent %d times, want %d of each", n, len(hears.holds), sent, prefixes)
	}
	for p, got := range hears.holds {
		if want := "65000 65001 64500 via 192.0.2.1"; got != want {
			t.Fatalf("of %s the best is %q, want %q", p, got, want)
		}
	}
	s.say(s.peers[2], s.peers[2].route(64500, s.peers[2].address, list[prefixes]))
	if n := s.slots.Len(); n != prefixes+1 {
		t.Errorf("behind a small piece %d slots are taken, want %d", n, prefixes+1)
	}
}

// However many large pieces wait, those of mostTouched prefixes are decided.
func TestManyLargePiecesAreNotDecidedTogether(t *testing.T) {
	const each = mostTouched / 4
	s := newStand(t, 1, nil)
	s.connect(s.peers[0])
	list := manyPrefixes(mostTouched)
	for i := range 4 {
		if n := s.slots.Len(); n != 0 {
			t.Fatalf("%d slots are taken when %d prefixes have come, want none", n, i*each)
		}
		s.say(s.peers[0], s.peers[0].route(64500, s.peers[0].address, list[i*each:(i+1)*each]...))
	}
	if n := s.slots.Len(); n != mostTouched {
		t.Errorf("%d slots are taken when %d prefixes have come, want as many", n, mostTouched)
	}
}
