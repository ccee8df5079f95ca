package ospf

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// BorderList is the border routers of areas and of the AS.
type BorderList struct {
	Routers []BorderRouter `json:"routers" show:",rows"`
}

// BorderRouter is how a border router is reached.
type BorderRouter struct {
	Router netip.Addr `json:"router" show:"router"`
	Roles  []string   `json:"roles" show:"roles"` // abr, asbr
	Area   netip.Addr `json:"area" show:"area"`   // that the way leads through
	Type   string     `json:"type" show:"type"`   // intra-area | inter-area
	Cost   uint32     `json:"cost" show:"cost,right"`
	Paths  []Path     `json:"paths" show:",lines"`
}

func borderNoun() running.Noun {
	return show.Spec[running.Protocol, nothing, BorderList]{
		Path: name + "/border-routers",
		Help: show.Help{Short: "How the border routers of areas and of the AS are reached"},
		Ask: running.Answered(name, func(c core, q *running.Question[nothing]) (list BorderList) {
			for _, b := range c.BorderRouters() {
				x := BorderRouter{
					Router: b.Router.Addr(), Area: b.Area.Addr(), Type: b.Type.String(), Cost: b.Cost, Paths: pathsOf(b.Hops, q.Protocol), Roles: []string{},
				}
				if b.Border {
					x.Roles = append(x.Roles, "abr")
				}
				if b.Boundary {
					x.Roles = append(x.Roles, "asbr")
				}
				list.Routers = append(list.Routers, x)
			}
			return list
		}),
	}.Noun()
}

// TreeQuery selects areas. The zero query selects all.
type TreeQuery struct {
	Area netip.Addr `query:"area,arg"`
}

// OnInterface implements running.Query.
func (q TreeQuery) OnInterface() string { return "" }

// TreeList is the shortest paths through areas, in each the nearest first.
type TreeList struct {
	RouterID netip.Addr `json:"router_id,omitzero"`
	Nodes    []TreeNode `json:"nodes" show:",rows"`
}

// TreeNode is a router or a network, as the shortest paths reach it.
type TreeNode struct {
	Area     netip.Addr   `json:"area" show:"area"`
	Kind     string       `json:"kind" show:"kind"`                       // router | network
	ID       netip.Addr   `json:"id" show:"id"`                           // of a network: the address of its DR
	Prefix   netip.Prefix `json:"prefix,omitzero" show:"prefix,optional"` // of a network
	Roles    []string     `json:"roles" show:"roles,optional"`            // of a router: abr, asbr
	Distance uint32       `json:"distance" show:"distance,right"`
	Paths    []Path       `json:"paths" show:",lines"`
	Parents  []TreeLink   `json:"parents"` // before it on shortest paths; of the router itself none
	Links    []TreeLink   `json:"links"`   // all of its own that lead both ways
}

// TreeLink is a link to another node.
type TreeLink struct {
	Kind string     `json:"kind"` // router | network
	ID   netip.Addr `json:"id"`
	Cost uint32     `json:"cost"`
}

func treeNoun() running.Noun {
	return show.Spec[running.Protocol, TreeQuery, TreeList]{
		Path: name + "/spf",
		Help: show.Help{
			Aliases: []string{"tree"}, Args: "[AREA]",
			Short: "The shortest paths through each area, as a tree",
			Long: `The shortest paths through each area, as a tree: behind each router and network
its distance. What is reached by several equal ways stands below the first, and
says how many there are.`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[TreeQuery]) (list TreeList) {
			s := c.Summary(q.Now)
			list.RouterID = address(s.Router)
			for _, a := range s.Areas {
				if want := q.Query.Area; want.IsValid() && want != a.ID.Addr() {
					continue
				}
				for _, n := range c.Tree(a.ID) {
					list.Nodes = append(list.Nodes, nodeOf(&n, q.Protocol))
				}
			}
			return list
		}),
		Arguments: func(q *TreeQuery, args []string) error {
			for _, arg := range args {
				id, err := areaNamed(arg)
				if err != nil {
					return fmt.Errorf("%q: wanted %s", arg, areaReading.Want)
				}
				q.Area = id.Addr()
			}
			return nil
		},
		Nothing: func(q *TreeQuery) error {
			if q.Area.IsValid() {
				return fmt.Errorf("ospf has no paths through area %s", q.Area)
			}
			return nil
		},
		Draw: func(s *show.Screen, _ *TreeQuery, l *TreeList) { l.draw(s) },
	}.Noun()
}

func nodeOf(n *ospf.TreeNode, p running.Protocol) TreeNode {
	x := TreeNode{
		Area: n.Area.Addr(), Kind: kindOf(n.Network), ID: n.ID.Addr(), Prefix: n.Prefix, Distance: n.Distance, Paths: pathsOf(n.Hops, p),
		Roles: []string{}, Parents: []TreeLink{}, Links: []TreeLink{},
	}
	if n.Border {
		x.Roles = append(x.Roles, "abr")
	}
	if n.Boundary {
		x.Roles = append(x.Roles, "asbr")
	}
	for _, l := range n.Parents {
		x.Parents = append(x.Parents, linkOf(l.Network, l.ID, l.Cost))
	}
	for _, l := range n.Links {
		x.Links = append(x.Links, linkOf(l.Network, l.ID, l.Cost))
	}
	return x
}

func linkOf(network bool, id wire.ID, cost uint32) TreeLink {
	return TreeLink{kindOf(network), id.Addr(), cost}
}

func kindOf(network bool) string {
	if network {
		return "network"
	}
	return "router"
}

// place is a node among those of an area.
type place struct {
	kind string
	id   netip.Addr
}

// draw writes the trees, each node below its first parent.
func (l *TreeList) draw(s *show.Screen) {
	for from := 0; from < len(l.Nodes); {
		to := from
		for to < len(l.Nodes) && l.Nodes[to].Area == l.Nodes[from].Area {
			to++
		}
		if from > 0 {
			fmt.Fprintln(s)
		}
		fmt.Fprintf(s, "area %s\n", l.Nodes[from].Area)
		t := drawing{Screen: s, below: map[place][]*TreeNode{}}
		nodes := l.Nodes[from:to]
		for i := range nodes {
			if n := &nodes[i]; len(n.Parents) > 0 {
				p := place{n.Parents[0].Kind, n.Parents[0].ID}
				t.below[p] = append(t.below[p], n)
			}
		}
		t.node(&nodes[0], "", "")
		from = to
	}
}

// drawing draws a tree. What is deeper than depth is not drawn below its parent any
// more, but that it is there is said.
type drawing struct {
	*show.Screen
	below map[place][]*TreeNode
	depth int
}

// deepest is how many nodes one below the other a line has room for.
const deepest = 48

// node draws a node with what is below it: first is before its own line, rest
// before those of the others.
func (t *drawing) node(n *TreeNode, first, rest string) {
	text := n.Kind + " " + n.ID.String()
	if n.Prefix.IsValid() {
		text = n.Kind + " " + n.Prefix.String()
	}
	if len(n.Roles) > 0 {
		text += " " + strings.Join(n.Roles, " ")
	}
	text += fmt.Sprintf(" %d", n.Distance)
	if len(n.Parents) > 1 {
		text += fmt.Sprintf(" (%d equal ways)", len(n.Parents))
	}
	fmt.Fprintln(t, first+text)
	below := t.below[place{n.Kind, n.ID}]
	if t.depth == deepest && len(below) > 0 {
		fmt.Fprintln(t, rest+"...")
		return
	}
	t.depth++
	for i, b := range below {
		if i == len(below)-1 {
			t.node(b, rest+"`- ", rest+"   ")
		} else {
			t.node(b, rest+"|- ", rest+"|  ")
		}
	}
	t.depth--
}
