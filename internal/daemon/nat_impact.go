package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"routerd/config"
	"routerd/nat"
)

// diff says what a reload of cfg would change, and end.
func (d *Daemon) diff(cfg *config.Config) ([]config.Change, error) {
	changes := config.Diff(d.cfg, cfg)
	impact, err := d.router.Prepare(d.routerConfig(cfg), time.Now())
	if err != nil {
		return nil, err
	}
	d.countEnds(d.cfg, changes, impact)
	return changes, nil
}

// countEnds says, in the changes that lead from old to the configuration whose
// impact is given, how many sessions each of them is about to end. Called
// before it is committed, on the loop.
func (d *Daemon) countEnds(old *config.Config, changes []config.Change, impact nat.Impact) {
	n := d.router.NAT()
	if n == nil {
		return
	}
	ends := map[string]int{} // by "kind name", as impact has it
	for _, r := range n.RuleStates() {
		if id := r.Kind.String() + " " + r.Name; slices.Contains(impact.Changed, id) || slices.Contains(impact.Removed, id) {
			ends[id] = r.Sessions
		}
	}
	for i := range changes {
		c := &changes[i]
		var rules []string
		kind, name, _ := strings.Cut(strings.TrimPrefix(c.Object, "nat."), ".")
		switch {
		case !strings.HasPrefix(c.Object, "nat."):
			continue
		case kind == "pool": // and its rules change with it
			for _, r := range old.NAT.Source {
				if r.Method == nat.FromPool && r.Pool == name {
					rules = append(rules, "source "+r.Name)
				}
			}
		default:
			rules = append(rules, kind+" "+name)
		}
		total, known := 0, false
		for _, id := range rules {
			n, ending := ends[id]
			total, known = total+n, known || ending
		}
		if known {
			c.Impact = fmt.Sprintf("sessions that end: %d", total)
		}
	}
}
