package sim

import (
	"fmt"
	"strings"
)

// Draw is the network as a mermaid graph: nodes, links, and what is the matter
// with a link.
func (n *Network) Draw() string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	for _, node := range n.Nodes {
		fmt.Fprintf(&b, "  %s\n", node.Name)
	}
	for i, l := range n.Links {
		label := ""
		switch {
		case !l.up:
			label = "down"
		case l.silent:
			label = "silent"
		}
		if len(l.ends) == 2 {
			arrow := "---"
			if label != "" {
				arrow = "-. " + label + " .-"
			}
			fmt.Fprintf(&b, "  %s %s %s\n", l.ends[0].Node.Name, arrow, l.ends[1].Node.Name)
			continue
		}
		if label == "" {
			label = "LAN"
		}
		fmt.Fprintf(&b, "  lan%d((%s))\n", i, label)
		for _, e := range l.ends {
			fmt.Fprintf(&b, "  lan%d --- %s\n", i, e.Node.Name)
		}
	}
	return b.String()
}

// Report is what a failing run prints: how to run it again, the picture of the
// network, and the last of what happened to its links.
func (n *Network) Report() string {
	last := n.history
	const most = 40
	more := ""
	if len(last) > most {
		more = fmt.Sprintf("(%d earlier events)\n", len(last)-most)
		last = last[len(last)-most:]
	}
	return fmt.Sprintf("seed %d, at %v\n%s%s%s\n", n.Seed, n.clock.now.Sub(Epoch), n.Draw(), more, strings.Join(last, "\n"))
}
