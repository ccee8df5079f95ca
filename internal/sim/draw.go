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
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, at %v\n", n.Seed, n.clock.now.Sub(Epoch))
	if n.Again != "" {
		fmt.Fprintf(&b, "again: %s\n", n.Again)
	}
	b.WriteString(n.Draw())
	last := n.history
	const most = 40
	if len(last) > most {
		fmt.Fprintf(&b, "(%d earlier events)\n", len(last)-most)
		last = last[len(last)-most:]
	}
	b.WriteString(strings.Join(last, "\n") + "\n")
	return b.String()
}
