package bgp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// stepped is a machine with what it has asked for.
type stepped struct {
	machine *Machine
	slots   routing.Slots
	now     time.Time
	out     []protocol.Effect // of the last step
}

func newStepped(c Config) *stepped {
	s := &stepped{now: epoch}
	s.machine = New(protocol.Start{Seed: 1, Slots: &s.slots})
	s.step(protocol.Configure{Config: c})
	return s
}

func (s *stepped) step(in protocol.Input) {
	s.out = s.machine.Step(s.now, in, nil)
}

// dialled are the links on which an address was dialled in the last step.
func (s *stepped) dialled(a netip.Addr) (links []routing.InterfaceID) {
	for _, e := range s.out {
		if e, ok := e.(protocol.Dial); ok && e.Remote.Addr() == a {
			links = append(links, e.Link)
		}
	}
	return links
}

// resets are how many connections were refused in the last step.
func (s *stepped) resets() (n int) {
	for _, e := range s.out {
		if e, ok := e.(protocol.CloseStream); ok && e.Reset {
			n++
		}
	}
	return n
}

// A neighbour with a link-local address has no session before there is a link of the name,
// is known by connections on that link alone, and begins again when another link has the
// name.
func TestLinkByName(t *testing.T) {
	six := netip.MustParseAddr("fe80::2")
	c := Config{AS: 65001, RouterID: 1}
	c.Listen[wire.IPv6Unicast] = netip.MustParseAddrPort("[::]:179")
	for _, on := range []string{"core0", "core1"} {
		n := NeighborConfig{Address: six, Interface: on, Link: routing.NoInterface, AS: 65002, HoldTime: 90, BFD: &BFD{}}
		n.Families[wire.IPv6Unicast].Enabled = true
		c.Neighbors = append(c.Neighbors, n)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	s := newStepped(c)
	if list := s.dialled(six); len(list) > 0 {
		t.Errorf("without a link it was dialled on %v", list)
	}
	for _, e := range s.out {
		switch e := e.(type) {
		case protocol.Watch:
			t.Errorf("without a link it is watched: %+v", e)
		case protocol.Listen:
			if len(e.Peers) > 0 {
				t.Errorf("without a link the listener knows of it: %+v", e.Peers)
			}
		}
	}
	up := func(id routing.InterfaceID, name string) {
		s.step(protocol.LinkUp{Link: id, Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}})
	}
	up(3, "core0")
	if list := s.dialled(six); len(list) != 1 || list[0] != 3 {
		t.Errorf("with its link it was dialled on %v, want 3", list)
	}
	watched, told := 0, 0
	for _, e := range s.out {
		switch e := e.(type) {
		case protocol.Watch:
			if watched++; e.Link != 3 {
				t.Errorf("watched on link %d", e.Link)
			}
		case protocol.SetPeer:
			if told++; e.Link != 3 {
				t.Errorf("the listener is told of link %d", e.Link)
			}
		}
	}
	if watched != 1 || told != 1 {
		t.Errorf("watched %d times, the listener told %d times, want once each", watched, told)
	}
	accepted := func(id protocol.StreamID, link routing.InterfaceID) {
		s.step(protocol.Connected{
			ID: protocol.AcceptedStream | id, Listener: 1, Link: link, Room: protocol.StreamRoom,
			Local: netip.MustParseAddrPort("[fe80::1]:179"), Remote: netip.AddrPortFrom(six, 4000),
		})
	}
	accepted(1, 5)
	if s.resets() != 1 || s.machine.Status().Strangers != 1 {
		t.Errorf("a connection on another link: %d refused, %d strangers", s.resets(), s.machine.Status().Strangers)
	}
	accepted(2, 3)
	if s.resets() != 0 || !s.machine.neighbor(six, 3).session.Owns(protocol.AcceptedStream|2) {
		t.Error("a connection on its link is not the neighbour's")
	}
	s.step(protocol.LinkDown{Link: 3})
	up(3, "core0")
	if list := s.dialled(six); len(list) > 0 {
		t.Errorf("the same link has come back, and it was dialled anew on %v", list)
	}
	s.step(protocol.LinkDown{Link: 3})
	up(9, "core0")
	if list := s.dialled(six); len(list) != 1 || list[0] != 9 {
		t.Errorf("another link has the name, and it was dialled on %v, want 9", list)
	}
	if s.machine.neighbor(six, 3) != nil || s.machine.neighbor(six, 9) == nil {
		t.Error("the neighbour is not known by its new link")
	}
	s.step(protocol.Configure{Config: c})
	if list := s.dialled(six); len(list) > 0 || s.machine.neighbor(six, 9).cfg.Link != 9 {
		t.Errorf("the same configuration has it dialled on %v", list)
	}
	if n := s.machine.Neighbors(); len(n) != 2 || n[1].State != Idle || n[1].Interface != "core1" {
		t.Errorf("neighbours %+v, want the one without a link idle", n)
	}
}

// A router ID that nobody has configured stays what it was first, whatever addresses come
// and go; one that somebody configures is taken.
func TestChosenRouterID(t *testing.T) {
	s := newStepped(Config{AS: 65001, RouterID: 1, RouterIDChosen: true})
	for _, tt := range []struct {
		id     wire.RouterID
		chosen bool
		want   wire.RouterID
	}{{2, true, 1}, {3, false, 3}, {4, true, 4}, {5, true, 4}} {
		s.step(protocol.Configure{Config: Config{AS: 65001, RouterID: tt.id, RouterIDChosen: tt.chosen}})
		if got := s.machine.Status().RouterID; got != tt.want {
			t.Errorf("router ID %v, chosen %v: the machine has %v, want %v", tt.id, tt.chosen, got, tt.want)
		}
	}
}
