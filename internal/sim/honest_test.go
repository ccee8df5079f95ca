package sim

import (
	"errors"
	"testing"
	"time"

	"routerd/routing/rip"
)

// A network whose tables never rest is not called sound because nothing could
// be compared.
func TestRestlessIsNotSpokenFor(t *testing.T) {
	s := randomSite(t, 3, 6, perfect)
	if err := s.Run(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	l := s.Links[0]
	var flap func()
	flap = func() { l.SetUp(!l.Up()); s.At(ripUpdate/2, flap) }
	flap()
	if wrong, err := s.spoken(); !errors.Is(err, ErrNotQuiet) {
		t.Errorf("a network whose link flaps is spoken for: %v, %v", wrong, err)
	}
}

// A router that has not joined a protocol's group hears nothing that is sent to the
// group, and still hears what is sent to its own address.
func TestGroupsAreJoined(t *testing.T) {
	s := newSite(1, 2)
	s.join(t, Faults{}, 0, 1)
	s.begin(t)
	if _, err := s.agreed(time.Minute); err != nil {
		t.Fatal(err)
	}
	e := s.Nodes[1].End("l1")
	group := [6]byte{0x01, 0x00, 0x5e, 0, 0, 9} // of 224.0.0.9, RFC 1112 §6.4
	if e.groups[group] != 1 {
		t.Fatalf("%s has joined %v, want 224.0.0.9 once", e, e.groups)
	}
	delete(e.groups, group)
	heard := func(n int, of rip.Protocol) uint64 {
		for _, i := range machineOf(s.Nodes[n], of).Interfaces() {
			if i.Name == "l1" {
				return i.Counters.Responses
			}
		}
		return 0
	}
	before, other := heard(1, rip.RIP), heard(0, rip.RIP)
	const updates = 20
	if err := s.Run(updates * ripUpdate); err != nil {
		t.Fatal(err)
	}
	// Each time its routes have timed out it asks, and is answered.
	most := uint64(updates * ripUpdate / (ripFlush - ripUpdate*4))
	if got := heard(1, rip.RIP) - before; got == 0 || got > most {
		t.Errorf("%d responses heard without the group, want up to %d, answers to its own requests", got, most)
	}
	if got := heard(0, rip.RIP) - other; got < updates*2/3 {
		t.Errorf("%d updates heard by who has joined, want about %d", got, updates)
	}
}

// A way that timed out because a link lost every update is no broken promise,
// and one that is missing although nothing is lost is one.
func TestChanceBreaksNoPromise(t *testing.T) {
	s := newSite(1, 5)
	for way := 1; way <= 3; way++ { // r0 to r4
		s.join(t, perfect(s.Rand()), 0, way)
		s.join(t, perfect(s.Rand()), way, 4)
	}
	s.begin(t)
	if _, err := s.agreed(time.Minute); err != nil {
		t.Fatal(err)
	}
	s.Links[0].Faults.Loss = 1
	lost, err := s.until(ripFlush, func() []string {
		if len(s.check()) == 0 {
			return []string{"r0 and r1 still have their ways by a link that loses everything"}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.rest(); err != nil {
		t.Fatal(err)
	}
	if wrong := s.check(); len(wrong) > 0 {
		t.Errorf("after %v of loss and one interval without: %d promises broken, such as %s", lost, len(wrong), wrong[0])
	}
	if loss := s.Links[0].Faults.Loss; loss != 1 {
		t.Errorf("the link loses %v of all frames afterwards, want all as before", loss)
	}
	s.Links[0].Faults.Loss = 0
	s.Nodes[1].Stop() // it forwards, and says nothing any more
	if err := s.rest(); err != nil {
		t.Fatal(err)
	}
	if len(s.check()) == 0 {
		t.Error("a router that says nothing is not found out")
	}
}
