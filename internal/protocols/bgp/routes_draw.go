package bgp

import (
	"fmt"
	"net/netip"

	"routerd/internal/show"
)

// routeRow is a prefix in a table, with a line for each route.
type routeRow struct {
	Marks       []string     `show:",lines,good=*|+"`
	Prefix      netip.Prefix `show:"prefix"`
	Hops        []string     `show:"next hop,lines"`
	From        []string     `show:"neighbor,lines"`
	Pref        []uint32     `show:"pref,lines,right"`
	MED         []string     `show:"med,lines,right,optional"`
	Weight      []string     `show:"weight,lines,right,optional"`
	Metric      []string     `show:"metric,lines,right,wide,optional"`
	Path        []string     `show:"as path,lines"`
	Communities []string     `show:"communities,lines,wide,optional"`
	Notes       []string     `show:"note,lines,optional,faint"`
}

// Drawn implements show.Drawn.
func (r *Route) Drawn(*show.Screen) any {
	row := &routeRow{Prefix: r.Prefix}
	for i := range r.Paths {
		p := &r.Paths[i]
		row.Marks = append(row.Marks, p.mark())
		row.Hops, row.From = append(row.Hops, p.hop()), append(row.From, p.from())
		row.Pref, row.MED = append(row.Pref, p.pref()), append(row.MED, number(p.MED))
		weight, metric := "", ""
		if p.Weight != 0 {
			weight = fmt.Sprint(p.Weight)
		}
		if p.Resolved != nil {
			metric = fmt.Sprint(p.Resolved.Metric)
		}
		row.Weight, row.Metric = append(row.Weight, weight), append(row.Metric, metric)
		row.Path, row.Communities = append(row.Path, p.path()), append(row.Communities, p.all())
		row.Notes = append(row.Notes, p.note(r.Waiting))
	}
	return row
}

// DrawFoot implements show.Footer.
func (*RoutePage) DrawFoot(s *show.Screen, rows int) {
	if rows == 0 {
		fmt.Fprintln(s, "no routes")
	}
}

func (p *Path) mark() string {
	switch {
	case p.Best:
		return "*"
	case p.Multipath:
		return "+"
	case p.Backup:
		return "b"
	}
	return ""
}

// from is the neighbour in words.
func (p *Path) from() string {
	if !p.Neighbor.IsValid() {
		return "this router"
	}
	return p.Neighbor.String()
}

// note is what a row says of a route.
func (p *Path) note(waiting bool) string {
	text := p.Why
	switch {
	case p.Best && waiting:
		text = "not in the forwarding table yet"
	case p.Best:
		text = ""
	}
	if p.Stale {
		if text != "" {
			text += "; "
		}
		text += "stale"
	}
	return text
}

// role is what a route is used for, in words.
func (p *Path) role() string {
	switch {
	case p.Best:
		return "the best route"
	case p.Multipath:
		return "used beside the best one"
	case p.Backup:
		return "the backup"
	case !p.Usable:
		return "not usable"
	}
	return "not used"
}

// draw writes all that there is to say of the routes of a prefix.
func (r *Route) draw(s *show.Screen) {
	fmt.Fprintf(s, "%s, %s\n", r.Prefix, show.Plural(len(r.Paths), "route", "routes"))
	for i := range r.Paths {
		p := &r.Paths[i]
		if i > 0 {
			fmt.Fprintln(s)
		}
		who := p.from()
		if p.RouterID.IsValid() {
			who += ", router ID " + p.RouterID.String()
		}
		if p.PathID != 0 {
			who += fmt.Sprintf(", path %d", p.PathID)
		}
		line(s, "from", "%s, %s", who, p.Type)
		line(s, "it is", "%s: %s", p.role(), p.decision())
		if p.Best && r.Waiting {
			line(s, "waits", "neighbors are told when the forwarding table has it")
		}
		if p.Stale {
			line(s, "stale", "it has not come again since the neighbor has restarted, or was asked to send all")
		}
		if p.Neighbor.IsValid() {
			line(s, "next hop", "%s", p.resolution())
		}
		p.Attributes.draw(s)
		if p.Weight != 0 {
			line(s, "weight", "%d", p.Weight)
		}
	}
}

// decision is why a route has won or lost, and against whose.
func (p *Path) decision() string {
	if p.DecidedBy == "" || !p.Usable {
		return p.Why
	}
	against := "this router's own"
	if p.Against.IsValid() {
		against = "that of " + p.Against.String()
	}
	if p.Best {
		return fmt.Sprintf("%s, against %s", p.Why, against)
	}
	return fmt.Sprintf("%s has won by %s", against, p.Why)
}

// resolution is the next hop, and where packets to it go.
func (p *Path) resolution() string {
	text := p.hop()
	r := p.Resolved
	switch {
	case r == nil:
		return text + ", which no route leads to"
	case r.Source == "connected" || !r.Via.IsValid():
		return fmt.Sprintf("%s on %s", text, r.Interface)
	}
	text = fmt.Sprintf("%s by the %s route to %s, metric %d", text, r.Source, r.Via, r.Metric)
	if r.Gateway.IsValid() {
		text += fmt.Sprintf(", through %s on %s", r.Gateway, r.Interface)
	}
	return text
}
