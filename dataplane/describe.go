package dataplane

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/routing"
	"routerd/routing/fib"
)

func describeEntry(v *View, e *fib.Entry) string {
	if e == nil {
		return "no route"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "route %s (%s", e.Prefix, e.Source)
	if e.Distance != 0 {
		fmt.Fprintf(&s, ", distance %d", e.Distance)
	}
	s.WriteString(")")
	if e.Action != routing.Forward {
		return s.String() + " " + e.Action.String()
	}
	if hops := e.Group.Hops(); len(hops) == 1 {
		s.WriteString(" " + describeHop(v, &hops[0]))
	}
	return s.String()
}

func describeHop(v *View, h *fib.NextHop) string {
	if h == nil {
		return "nowhere"
	}
	if h.Address == (netip.Addr{}) {
		return "directly on " + name(v, h.Interface)
	}
	return "via " + h.Address.String() + " on " + name(v, h.Interface)
}

func name(v *View, id routing.InterfaceID) string {
	if i := v.Interface(id); i != nil {
		return i.Name
	}
	return "no interface"
}

// describeDead says that hop number i of a group is dead and who found out,
// nothing of one that lives.
func describeDead(v *View, g *fib.Group, i int, h *fib.NextHop, what string) string {
	if causes := causesOf(g, i); causes != "" {
		return fmt.Sprintf("; the %s %s is dead: %s", what, describeHop(v, h), causes)
	}
	return ""
}

// describeReasons says why none of the hops that are no backups is taken.
func describeReasons(v *View, g *fib.Group) string {
	var list []string
	first, same := causesOf(g, 0), true
	for i := range g.Hops() {
		same = same && causesOf(g, i) == first
	}
	for i := range g.Hops() {
		text := describeHop(v, &g.Hops()[i])
		if !same {
			text += " (" + causesOf(g, i) + ")"
		}
		list = append(list, text)
	}
	verb, last := "is", len(list)-1
	text := list[last]
	if last > 0 {
		verb, text = "are", strings.Join(list[:last], ", ")+" and "+text
	}
	text += " " + verb + " dead"
	if same {
		text += " (" + first + ")"
	}
	return text
}

// causesOf gives the causes why hop number i of a group is dead.
func causesOf(g *fib.Group, i int) string {
	var causes []string
	for _, c := range g.Dead(i) {
		causes = append(causes, c.String())
	}
	return strings.Join(causes, ", ")
}
