package daemon

import (
	"fmt"
	"slices"
	"strings"

	"routerd/config"
	"routerd/nat"
)

// countEnds adds to the changes from old how many sessions each of them will
// end, from the given impact. A session of two changes, of two rules or of a
// pool and a rule, is counted with either. It is called on the loop, before the
// commit.
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
		if kind == "pool" { // its rules change with it
			for _, r := range old.NAT.Source {
				if r.Method == nat.FromPool && r.Pool == name {
					total += ends["source "+r.Name]
				}
			}
		}
		c.Impact = fmt.Sprintf("sessions that end: %d", total)
	}
}

// filterEnds adds to the changes of the packet filter that they end so many
// sessions together.
func filterEnds(ends int, changes []config.Change) {
	for i := range changes {
		c := &changes[i]
		key := c.Path[strings.LastIndexByte(c.Path, '.')+1:]
		if strings.HasPrefix(c.Path, "acl.") || strings.HasPrefix(c.Path, "zone.") || strings.HasPrefix(c.Path, "policy.prefix-set.") && ends > 0 || strings.HasPrefix(c.Path, "interface.") && (key == "acl-in" || key == "acl-out") {
			c.Impact = fmt.Sprintf("sessions that the filter ends in all: %d", ends)
		}
	}
}

// loses reports whether a list of addresses has lost an IPv4 address;
// translation does not depend on prefix lengths.
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
