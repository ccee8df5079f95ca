package policy

import (
	"fmt"

	"routerd/internal/origin"
)

// Step is what one statement did with a route.
type Step struct {
	Policy    string
	Statement string
	Matched   bool
	Why       string   // why it did not match
	Set       []string // what it changed
	Decision  Decision
	Origin    origin.ID
}

// String is one line for people.
func (s Step) String() string {
	text := fmt.Sprintf("%s, statement %s: ", s.Policy, s.Statement)
	if !s.Matched {
		return text + s.Why
	}
	text += "matched"
	for _, set := range s.Set {
		text += ", " + set
	}
	if s.Decision != Undecided {
		text += ", " + s.Decision.String()
	}
	return text
}

// Explain is Accepts with all steps, in order, up to the statement that
// decided; if none did, the end of the chain decides.
func (c Chain) Explain(r *Route) (steps []Step, accepted bool) {
	for _, p := range c {
		for i := range p.statements {
			s := &p.statements[i]
			step := Step{Policy: p.Name, Statement: s.name, Origin: s.origin}
			if step.Why = s.miss(r); step.Why != "" {
				steps = append(steps, step)
				continue
			}
			step.Matched = true
			for _, ch := range s.changes {
				done := ch.String()
				if _, own := ch.(registeredChange); !ch.apply(r) {
					if own {
						done += " (not for this route)"
					} else {
						done += fmt.Sprintf(" (not for %s)", familyOf(r.Prefix.Addr()))
					}
				}
				step.Set = append(step.Set, done)
			}
			switch s.action {
			case Accept:
				step.Decision = Accepted
			case Reject:
				step.Decision = Rejected
			}
			steps = append(steps, step)
			if step.Decision != Undecided {
				return steps, step.Decision == Accepted
			}
		}
	}
	return steps, len(c) == 0
}

// miss says why the statement does not match r, or nothing.
func (s *statement) miss(r *Route) string {
	for _, c := range s.conditions {
		if !c.holds(r) {
			return c.miss(r)
		}
	}
	return ""
}
