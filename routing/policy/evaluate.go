package policy

// Decision is a policy's decision about a route.
type Decision uint8

const (
	Undecided Decision = iota // no statement decided
	Accepted
	Rejected
)

// String gives a word for tables and JSON.
func (d Decision) String() string { return [...]string{"undecided", "accepted", "rejected"}[d] }

// Apply has the policy decide about r, which its statements may change. It
// allocates nothing.
func (p *Policy) Apply(r *Route) Decision {
	for i := range p.statements {
		s := &p.statements[i]
		if !s.matches(r) {
			continue
		}
		for _, c := range s.changes {
			c.apply(r)
		}
		switch s.action {
		case Accept:
			return Accepted
		case Reject:
			return Rejected
		}
	}
	return Undecided
}

func (s *statement) matches(r *Route) bool {
	for _, c := range s.conditions {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

// Chain is a list of policies of which the first that decides counts. An empty
// chain accepts every route unchanged.
type Chain []*Policy

// Accepts decides about r, which statements may change, also if it is rejected
// in the end. It allocates nothing if the caller reuses one Route.
func (c Chain) Accepts(r *Route) bool {
	for _, p := range c {
		if d := p.Apply(r); d != Undecided {
			return d == Accepted
		}
	}
	return len(c) == 0
}
