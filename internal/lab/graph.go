package lab

import (
	"fmt"
	"strings"
)

// Graph draws the topology as a Mermaid flowchart. An Ethernet link is a thick
// line; a comment says how BIRD and FRR are queried.
func (t *Topology) Graph(addresses bool) string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	for _, n := range t.Nodes {
		open, end := "[", "]"
		switch {
		case n.Kind.routes():
			open, end = "([", "])"
		case n.Kind == KindSwitch:
			open, end = "{{", "}}"
		}
		fmt.Fprintf(&b, "  %s%s\"%s<br/>%s\"%s\n", id(n.Name), open, n.Name, n.Kind, end)
	}
	for _, n := range t.Nodes {
		if n.Kind.foreign() {
			fmt.Fprintf(&b, "  %%%% ask %s: routerd lab exec TOPOLOGY.toml %s %s\n", n.Name, n.Name, n.Kind.terminals()[0])
		}
	}
	for _, l := range t.Links {
		label := corner(l.Ends[0], addresses) + "<br/>" + corner(l.Ends[1], addresses)
		if l.MTU != 0 {
			label += fmt.Sprintf("<br/>mtu %d", l.MTU)
		}
		line := "---"
		if l.ethernet() {
			line = "==="
		}
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", id(l.Ends[0].Node), line, label, id(l.Ends[1].Node))
	}
	return b.String()
}

// corner is the text of one end of a link, with its addresses if wanted.
func corner(e End, addresses bool) string {
	if !addresses {
		return e.String()
	}
	return strings.Join(append([]string{e.String()}, texts(e.Addresses)...), " ")
}

// id makes a Mermaid identifier of a node's name. The prefix keeps a name such
// as "end" from being a keyword.
func id(node string) string { return "n_" + strings.ReplaceAll(node, "-", "_") }
