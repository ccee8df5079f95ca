package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"routerd/internal/control"
	"routerd/internal/topology"
)

// viewNoun is the last part of the path of a noun that a view is drawn from: the
// shortest paths of a link-state protocol.
const viewNoun = "/spf"

// Views are the names of what [Lab.View] can draw: the protocols that have shortest
// paths.
func Views() (names []string) {
	for _, n := range control.Nouns() {
		if name, ok := strings.CutSuffix(n.Path, viewNoun); ok && n.Ask != nil {
			names = append(names, name)
		}
	}
	return names
}

// paths is the answer of such a noun.
type paths struct {
	RouterID netip.Addr `json:"router_id"`
	Nodes    []pathNode `json:"nodes"` // by area, in each the nearest first
}

type pathNode struct {
	topology.GraphNode
	Distance uint32               `json:"distance"`
	Parents  []topology.GraphLink `json:"parents"`
}

// View draws what a router of the lab, which is up, knows by a protocol, as a
// Mermaid flowchart: the routers and networks of each area with the costs of the
// links, and the shortest paths from the router as thick arrows. From is its node;
// "" is the first one that speaks the protocol.
func (l *Lab) View(ctx context.Context, view, from string) (string, error) {
	if !slices.Contains(Views(), view) {
		return "", fmt.Errorf("there is no view %q, wanted one of %s", view, strings.Join(Views(), ", "))
	}
	if r, ok := l.router(from); from != "" && (!ok || r.Socket == "") {
		return "", fmt.Errorf("%q is no routerd of the lab, whose view could be drawn", from)
	}
	names := map[netip.Addr]string{}
	var seen *paths
	var last error
	for _, n := range l.Topology.Nodes {
		r, ok := l.router(n.Name)
		if n.Kind != KindRouter || !ok {
			continue
		}
		p, err := l.paths(ctx, r.Socket, view)
		if err != nil {
			if last = fmt.Errorf("asking %s: %w", n.Name, err); n.Name == from {
				return "", last
			}
			continue
		}
		names[p.RouterID] = n.Name
		if n.Name == from || from == "" && seen == nil && len(p.Nodes) > 0 {
			seen, from = &p, n.Name
		}
	}
	switch {
	case seen != nil:
		return seen.graph(view, from, names), nil
	case last != nil:
		return "", last
	}
	return "", fmt.Errorf("no routerd of the lab knows of any path by %s", view)
}

func (l *Lab) paths(ctx context.Context, socket, view string) (paths, error) {
	c := control.Dial(socket)
	defer c.Close()
	return control.Get[paths](ctx, c, view+viewNoun, nil)
}

// graph draws the paths. Names are those of routers whose ID is known.
func (p *paths) graph(view, from string, names map[netip.Addr]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph LR\n  %%%% %s as %s sees it: thick arrows are its shortest paths\n", view, from)
	for first, area := 0, 1; first < len(p.Nodes); area++ {
		last := first
		for last < len(p.Nodes) && p.Nodes[last].Area == p.Nodes[first].Area {
			last++
		}
		drawArea(&b, "a"+strconv.Itoa(area), p.Nodes[first:last], names)
		first = last
	}
	return b.String()
}

// drawArea draws the nodes of an area, whose identifiers begin with its own.
func drawArea(b *strings.Builder, area string, nodes []pathNode, names map[netip.Addr]string) {
	fmt.Fprintf(b, "  subgraph %s[\"area %s\"]\n", area, nodes[0].Area)
	for i, n := range nodes {
		open, end := "([", "])"
		if n.Kind != "router" {
			open, end = "{{", "}}"
		}
		fmt.Fprintf(b, "    %s_%d%s\"%s\"%s\n", area, i, open, n.label(names), end)
	}
	b.WriteString("  end\n")
	for i, n := range nodes {
		for j := range i {
			m := &nodes[j]
			there, back := costs(m.Links, n.Kind, n.ID), costs(n.Links, m.Kind, m.ID)
			if there == "" && back == "" {
				continue
			}
			line := "-.-"
			if costs(n.Parents, m.Kind, m.ID) != "" {
				line = "==>"
			}
			fmt.Fprintf(b, "  %s_%d %s|\"%s / %s\"| %s_%d\n", area, j, line, there, back, area, i)
		}
	}
}

// costs are those of the links to a node, "" if there are none.
func costs(links []topology.GraphLink, kind string, id netip.Addr) string {
	var list []string
	for _, l := range links {
		if l.Kind == kind && l.ID == id {
			list = append(list, strconv.FormatUint(uint64(l.Cost), 10))
		}
	}
	return strings.Join(list, " ")
}

func (n *pathNode) label(names map[netip.Addr]string) string {
	lines := []string{n.ID.String()}
	switch name := names[n.ID]; {
	case n.Kind == "router" && name != "":
		lines = []string{name, n.ID.String()}
	case n.Prefix.IsValid():
		lines = []string{n.Prefix.String()}
	}
	if len(n.Roles) > 0 {
		lines = append(lines, strings.Join(n.Roles, " "))
	}
	return strings.Join(append(lines, fmt.Sprintf("at %d", n.Distance)), "<br/>")
}
