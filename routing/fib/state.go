package fib

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"routerd/routing"
)

// State says whether a neighbour is alive: a word with a bit for each cause of
// its death, and the same for its link. All groups with that hop share it, so
// the death of a neighbour or link is one store, whatever the number of routes.
// The zero State is alive.
//
// Any goroutine may set a bit at any time, without the router's owner. Each
// cause has one writer, so no cause revives what another has declared dead.
type State struct {
	dead   atomic.Uint32
	link   *State       // nil of a link itself
	routed atomic.Int32 // see Routed
}

// Set sets whether the neighbour or link is alive as far as the cause is
// concerned. Every later Pick sees it.
func (s *State) Set(c routing.Cause, alive bool) {
	if alive {
		s.dead.And(^(uint32(1) << c))
	} else {
		s.dead.Or(1 << c)
	}
}

// Alive reports whether no cause is set for the neighbour or its link.
func (s *State) Alive() bool {
	return s.dead.Load() == 0 && (s.link == nil || s.link.dead.Load() == 0)
}

// silent reports whether the only cause is that the neighbour does not answer,
// so that requesting it again may help.
func (s *State) silent() bool {
	return s.dead.Load()&^(1<<routing.CauseNeighbor) == 0 && (s.link == nil || s.link.dead.Load() == 0)
}

// Route changes the number of groups with the neighbour by more.
func (s *State) Route(more int) { s.routed.Add(int32(more)) }

// Causes gives the causes that are set for the neighbour and its link.
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

// States finds the State of a link or neighbour. Any goroutine may use it. A
// State is made when it is first asked for, and stays the same afterwards.
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

// NewStates makes a States in which all are alive.
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

// Routed reports whether groups have the neighbour, as counted by State.Route.
// It makes no State.
func (s *States) Routed(address netip.Addr, link routing.InterfaceID) bool {
	s.mu.Lock()
	n := s.neighbours[neighbour{address, link}]
	s.mu.Unlock()
	return n != nil && n.routed.Load() > 0
}

// Neighbor gives the State of a neighbour on a link, or the link's if the
// address is invalid, as for destinations on the link.
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
