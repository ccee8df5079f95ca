package rib

// settleOpen decides the transit prefixes, each after those that it depends on.
// Prefixes that then are still undecided depend on each other in a circle.
// Every next hop that leads on in the circle is refused, since it resolves
// through its own route. The result depends on the routes alone and not on the
// order in which they came.
func (s *settling) settleOpen() bool {
	for {
		if s.at == 0 {
			for _, d := range s.open {
				d.visited = false
			}
			s.moved = false
			s.also = 0 // counts those left undecided in this round
		}
		for ; s.at < len(s.open); s.at++ {
			d := s.open[s.at]
			if !d.pending {
				continue
			}
			if !s.spend() {
				return false
			}
			s.visit(d)
			if d.pending {
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

// visit decides d after the prefixes that d depends on, unless these lead back
// to a prefix that is being visited.
func (s *settling) visit(d *dest) {
	d.visited = true
	for {
		waits := s.decide(d)
		if len(waits) == 0 {
			return
		}
		progress := false
		for _, w := range waits {
			if w.on.pending && !w.on.visited {
				s.visit(w.on)
			}
			progress = progress || !w.on.pending
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
	t := circles{settling: s, state: map[*dest]*circleState{}}
	for _, d := range s.open {
		if d.pending && t.state[d] == nil {
			t.enter(d)
		}
	}
	for _, d := range t.broken {
		for _, w := range t.state[d].waits {
			d.looped = append(d.looped, w.watch)
		}
	}
}

// circles is the state of one search.
type circles struct {
	settling *settling
	state    map[*dest]*circleState
	stack    []*dest
	broken   []*dest // members of circles that no edge leaves
}

type circleState struct {
	number, low int
	onStack     bool
	leaves      bool // an edge leads out of its component
	waits       []wait
}

func (t *circles) enter(d *dest) *circleState {
	n := len(t.state) + 1
	v := &circleState{number: n, low: n, onStack: true, waits: t.settling.decide(d)}
	t.state[d] = v
	t.stack = append(t.stack, d)
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
		t.closeComponent(d)
	}
	return v
}

// closeComponent takes the component with the root d from the stack.
func (t *circles) closeComponent(d *dest) {
	var members []*dest
	leaves := false
	for len(members) == 0 || members[len(members)-1] != d {
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
