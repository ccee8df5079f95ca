package fib

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"routerd/routing"
)

// State says of one neighbour whether packets that go there arrive: a word with
// a bit for each cause that speaks against it, and the same of its link. All
// groups with a hop there share it, so a neighbour that dies is one store,
// whatever the number of routes, and so is a link. The zero State is of one
// that lives.
//
// Anybody may set a bit at any time, without the router's owner. Each cause has
// one writer, so none revives what another has declared dead.
type State struct {
	dead   atomic.Uint32
	link   *State       // nil of a link itself
	routed atomic.Int32 // see Routed
}

// Set says whether the cause speaks against the neighbour or link, for everybody
// who picks a hop from now on.
func (s *State) Set(c routing.Cause, alive bool) {
	if alive {
		s.dead.And(^(uint32(1) << c))
	} else {
		s.dead.Or(1 << c)
	}
}

// Alive reports whether no cause speaks against the neighbour or its link.
func (s *State) Alive() bool {
	return s.dead.Load() == 0 && (s.link == nil || s.link.dead.Load() == 0)
}

// silent reports whether all that speaks against the neighbour is that it does
// not answer: it is there to be asked.
func (s *State) silent() bool {
	return s.dead.Load()&^(1<<routing.CauseNeighbor) == 0 && (s.link == nil || s.link.dead.Load() == 0)
}

// Route notes that so many groups more lead by the neighbour, or fewer.
func (s *State) Route(more int) { s.routed.Add(int32(more)) }

// Causes gives what speaks against the neighbour, its link included.
func (s *State) Causes() []routing.Cause {
	word := s.dead.Load()
	if s.link != nil {
		word |= s.link.dead.Load()
	}
	var list []routing.Cause
	for c := routing.Cause(0); c < routing.NumCauses; c++ {
		if word&(1<<c) != 0 {
			list = append(list, c)
		}
	}
	return list
}

// States finds the State of a link or neighbour. Any goroutine may ask. A State
// is made when it is first asked for, and stays the same as long as the States
// live.
type States struct {
	mu         sync.Mutex
	links      map[routing.InterfaceID]*State
	neighbours map[neighbour]*State
}

// neighbour is a next hop on a link.
type neighbour struct {
	address netip.Addr
	link    routing.InterfaceID
}

// NewStates makes a States in which all live.
func NewStates() *States {
	return &States{links: map[routing.InterfaceID]*State{}, neighbours: map[neighbour]*State{}}
}

// Link gives the State of a link.
func (s *States) Link(id routing.InterfaceID) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linkLocked(id)
}

func (s *States) linkLocked(id routing.InterfaceID) *State {
	l := s.links[id]
	if l == nil {
		l = &State{}
		s.links[id] = l
	}
	return l
}

// Routed reports whether groups lead by the neighbour, by what State.Route was
// told. It makes no State.
func (s *States) Routed(address netip.Addr, link routing.InterfaceID) bool {
	s.mu.Lock()
	n := s.neighbours[neighbour{address, link}]
	s.mu.Unlock()
	return n != nil && n.routed.Load() > 0
}

// Neighbor gives the State of a neighbour on a link, and the link's where the
// address is invalid: of destinations that are on the link themselves.
func (s *States) Neighbor(address netip.Addr, link routing.InterfaceID) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.linkLocked(link)
	if !address.IsValid() {
		return l
	}
	key := neighbour{address, link}
	n := s.neighbours[key]
	if n == nil {
		n = &State{link: l}
		s.neighbours[key] = n
	}
	return n
}
