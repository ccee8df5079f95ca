package daemon

import (
	"strings"

	"routerd/config"
	"routerd/internal/localstack"
)

// nameInhabitants adds to the change that removes or replaces the router's own
// stack which programs run in its namespace now. It runs beside the loop.
func (d *Daemon) nameInhabitants(c *change, changes []config.Change) {
	for _, p := range c.closing {
		if p.spec.name == localstack.Name {
			c.programs = localstack.Inhabitants(p.spec.host.Netns)
		}
	}
	if len(c.programs) == 0 {
		return
	}
	for i := range changes {
		if ch := &changes[i]; strings.HasPrefix(ch.Path, "local-stack") && ch.Impact != "" {
			ch.Impact += "; these run on in it without a network: " + strings.Join(c.programs, ", ")
			return
		}
	}
}
