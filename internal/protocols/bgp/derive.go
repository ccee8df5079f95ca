package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/bgp"
)

// Derive says of the route to a prefix which neighbor's path each next hop is, what leads
// there, and why that path has won.
func Derive(ctx context.Context, p running.Protocol, to netip.Prefix) (list []running.Derivation, err error) {
	s, err := running.Ask(ctx, p, name, func(c book, _ time.Time) bgp.PrefixStatus {
		s, _ := c.PrefixStatus(to)
		return s
	})
	r := routeOf(&s, p)
	for i := range r.Paths {
		x := &r.Paths[i]
		if x.Best || x.Multipath || x.Backup {
			list = append(list, running.Derivation{Path: x.hop(), Steps: r.steps(x)})
		}
	}
	return list, err
}

// steps say what a path of a route follows from.
func (r *Route) steps(x *Path) []string {
	if x.Type == "local" {
		return []string{"this router originates it", fmt.Sprintf("it is %s: %s", x.role(), x.decision())}
	}
	path := x.ASPath
	if path == "" {
		path = "none: it begins in this AS"
	}
	kind := "of another AS"
	if x.Type == "internal" {
		kind = "of this AS"
	}
	steps := []string{
		fmt.Sprintf("neighbor %s, %s, has announced it; AS path %s", x.Neighbor, kind, path),
		"its next hop is " + x.resolution(),
		fmt.Sprintf("it is %s: %s", x.role(), x.decision()),
	}
	if !x.Best {
		return steps
	}
	for i := range r.Paths {
		if o := &r.Paths[i]; !o.Best {
			steps = append(steps, fmt.Sprintf("the route of %s is %s: %s", o.from(), o.role(), o.decision()))
		}
	}
	if r.Waiting {
		steps = append(steps, "neighbors are told of it when the forwarding table has it")
	}
	return steps
}
