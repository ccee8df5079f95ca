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
	number uint32       // see Number
	of     *States      // nil of the zero State
}

// Set sets whether the neighbour or link is alive as far as the cause is
// concerned. Every later Pick sees it. An observer (States.Observe) has been
// told when Set returns.
func (s *State) Set(c routing.Cause, alive bool) {
	bit, was := uint32(1)<<c, uint32(0)
	if alive {
		was = s.dead.And(^bit)
	} else {
		was = s.dead.Or(bit)
	}
	if wasDead := was&bit != 0; wasDead == alive && s.of != nil {
		if told := s.of.observer.Load(); told != nil {
			(*told)(s)
		}
	}
}

// Number tells the State from all others of its States: from 1 on, in the order
// in which they were made. The zero State has 0.
func (s *State) Number() uint32 { return s.number }

// Link is the State of a neighbour's link, nil of a link itself.
func (s *State) Link() *State { return s.link }

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
	made       uint32
	observer   atomic.Pointer[func(*State)]
}

// Observe has f called behind each change of what a cause says of a link or
// neighbour, by the goroutine that changes it and before State.Set returns. Of a
// link that dies only its own State is told, not those of its neighbours. f may
// be called by several goroutines at once, and must not wait. There is one
// observer at most.
func (s *States) Observe(f func(*State)) { s.observer.Store(&f) }

// make makes a State, alive. The caller holds the mutex.
func (s *States) make(link *State) *State {
	s.made++
	return &State{link: link, number: s.made, of: s}
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
		l = s.make(nil)
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
		n = s.make(l)
		s.neighbours[key] = n
	}
	return n
}
