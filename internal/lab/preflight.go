package lab

import (
	"fmt"
	"strings"

	"routerd/config"
)

// preflight reads the routers' configurations as they will, so that a mistake
// below [node.NAME.config] is shown before anything is made.
func (p *Plan) preflight() error {
	var wrong []string
	for _, r := range p.Routers {
		_, problems := config.Parse(r.Config, r.Text)
		for _, problem := range problems {
			if !problem.Warning {
				wrong = append(wrong, problem.String())
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the routers' configurations, as the lab would write them, are refused:\n%s", strings.Join(wrong, "\n"))
	}
	return nil
}
