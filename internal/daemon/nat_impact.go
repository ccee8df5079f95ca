package daemon

import (
	"fmt"
	"slices"
	"strings"

	"routerd/config"
	"routerd/nat"
)

// countEnds says, in the changes that lead from old to the configuration whose
// impact is given, how many sessions each of them is about to end. One that
// stands on two rules, or on a pool and a rule that both change, is counted
// with either. Called before it is committed, on the loop.
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
		if c.Path == c.Object+".addresses" && strings.HasPrefix(c.Object, "interface.") && old.NAT.Enabled() && loses(c) {
			c.Impact = "translated sessions by an address that goes end"
			continue
		}
		object, isNAT := strings.CutPrefix(c.Object, "nat.")
		if !isNAT || c.Kind == "added" {
			continue
		}
		kind, name, _ := strings.Cut(object, ".")
		total := ends[kind+" "+name]
		if kind == "pool" { // and its rules change with it
			for _, r := range old.NAT.Source {
				if r.Method == nat.FromPool && r.Pool == name {
					total += ends["source "+r.Name]
				}
			}
		}
		c.Impact = fmt.Sprintf("sessions that end: %d", total)
	}
}

// loses reports whether a list of addresses has lost an IPv4 one; the length
// of its subnet is nothing to translation.
func loses(c *config.Change) bool {
	still := map[string]bool{}
	for _, a := range strings.Fields(c.New) {
		addr, _, _ := strings.Cut(a, "/")
		still[addr] = true
	}
	return slices.ContainsFunc(strings.Fields(c.Old), func(a string) bool {
		addr, _, _ := strings.Cut(a, "/")
		return !strings.Contains(a, ":") && !still[addr]
	})
}
