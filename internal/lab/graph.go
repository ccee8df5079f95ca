package lab

import (
	"fmt"
	"strings"
)

// Graph draws the topology as a Mermaid flowchart. An Ethernet link between
// routers is a thick line.
func (t *Topology) Graph() string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	for _, n := range t.Nodes {
		open, end := "[", "]"
		if n.Kind == KindRouter {
			open, end = "([", "])"
		}
		fmt.Fprintf(&b, "  %s%s\"%s<br/>%s\"%s\n", id(n.Name), open, n.Name, n.Kind, end)
	}
	for _, l := range t.Links {
		label := corner(l.Ends[0]) + "<br/>" + corner(l.Ends[1])
		if l.MTU != 0 {
			label += fmt.Sprintf("<br/>mtu %d", l.MTU)
		}
		line := "---"
		if t.wired(l) {
			line = "==="
		}
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", id(l.Ends[0].Node), line, label, id(l.Ends[1].Node))
	}
	return b.String()
}

// corner names one end of a link and its addresses.
func corner(e End) string {
	return strings.Join(append([]string{e.String()}, texts(e.Addresses)...), " ")
}

// id makes a Mermaid name of a node's: with a letter in front a word such as
// "end" is not taken for a keyword.
func id(node string) string { return "n_" + strings.ReplaceAll(node, "-", "_") }
