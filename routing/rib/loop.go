package rib

// settleOpen decides the transit prefixes, each after those that it depends on.
// Prefixes that then are still undecided depend on each other in a circle.
// Every next hop that leads on in the circle is refused, since it resolves
// through its own route. The result depends on the routes alone and not on the
// order in which they came.
func (s *settling) settleOpen() bool {
	for {
		if s.at == 0 {
			for _, n := range s.open {
				s.rib.transits[n].visited = false
			}
			s.moved = false
			s.also = 0 // counts those left undecided in this round
		}
		for ; s.at < len(s.open); s.at++ {
			n := s.open[s.at]
			if !s.pending(n) {
				continue
			}
			if !s.spend() {
				return false
			}
			s.visit(n)
			if s.pending(n) {
				s.also++
			} else {
				s.moved = true
			}
		}
		s.at = 0
		switch {
		case s.also == 0:
			return true
		case !s.moved:
			s.breakCircles()
		}
	}
}

func (s *settling) pending(n number) bool { return s.rib.at(n).is(isPending) }

// visit decides n after the prefixes that n depends on, unless these lead back
// to a prefix that is being visited.
func (s *settling) visit(n number) {
	t := s.rib.transits[n]
	t.visited = true
	for {
		waits := s.decide(n, t.was)
		if len(waits) == 0 {
			return
		}
		progress := false
		for _, w := range waits {
			if s.pending(w.on) && !s.rib.transits[w.on].visited {
				s.visit(w.on)
			}
			progress = progress || !s.pending(w.on)
		}
		if !progress {
			return
		}
	}
}

// breakCircles finds the circles that depend on nothing else (the strongly
// connected components that no edge leaves, by Tarjan's algorithm) and marks
// their next hops as refused. Prefixes that depend on a circle are decided
// after it.
func (s *settling) breakCircles() {
	t := circles{settling: s, state: map[number]*circleState{}}
	for _, n := range s.open {
		if s.pending(n) && t.state[n] == nil {
			t.enter(n)
		}
	}
	for _, n := range t.broken {
		for _, w := range t.state[n].waits {
			x := s.rib.transits[n]
			x.looped = append(x.looped, w.watch)
		}
	}
}

// circles is the state of one search.
type circles struct {
	settling *settling
	state    map[number]*circleState
	stack    []number
	broken   []number // members of circles that no edge leaves
}

type circleState struct {
	number, low int
	onStack     bool
	leaves      bool // an edge leads out of its component
	waits       []wait
}

func (t *circles) enter(n number) *circleState {
	i := len(t.state) + 1
	v := &circleState{number: i, low: i, onStack: true, waits: t.settling.decide(n, t.settling.rib.transits[n].was)}
	t.state[n] = v
	t.stack = append(t.stack, n)
	for _, w := range v.waits {
		to := t.state[w.on]
		if to == nil {
			to = t.enter(w.on)
			if to.onStack {
				v.low = min(v.low, to.low)
			}
		} else if to.onStack {
			v.low = min(v.low, to.number)
		}
		v.leaves = v.leaves || !to.onStack
	}
	if v.low == v.number {
		t.closeComponent(n)
	}
	return v
}

// closeComponent takes the component with the root n from the stack.
func (t *circles) closeComponent(n number) {
	var members []number
	leaves := false
	for len(members) == 0 || members[len(members)-1] != n {
		m := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		t.state[m].onStack = false
		leaves = leaves || t.state[m].leaves
		members = append(members, m)
	}
	if !leaves {
		t.broken = append(t.broken, members...)
	}
}
