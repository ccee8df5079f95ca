package lab

import (
	"fmt"
	"maps"
	"slices"

	"routerd/internal/tomltext"
)

// longestRouter is the longest name of a router that config takes.
const longestRouter = 32

// tooLong reports routers whose names, LAB-NODE, would be too long: at the
// lab's name, or at the node's if that alone is too long.
func (d *decoder) tooLong(t *Topology) {
	longest := ""
	for _, n := range t.Nodes {
		if n.Kind != KindRouter || !isName(n.Name) {
			continue
		}
		if most := longestRouter - len("x-"); len(n.Name) > most {
			d.WrongKey(tomltext.Path{}.With("node").With(n.Name), fmt.Sprintf("router %q has a name of %d letters", n.Name, len(n.Name)),
				fmt.Sprintf("at most %d: with the lab's name and a '-' before it, it may have %d", most, longestRouter))
		} else if len(n.Name) > len(longest) {
			longest = n.Name
		}
	}
	if router := namespaceOf(t, longest); t.Name != "" && longest != "" && len(router) > longestRouter {
		d.Wrong(tomltext.Path{}.With("name"), fmt.Sprintf("name is %q, which makes node %s the router %q, a name of %d letters", t.Name, longest, router, len(router)),
			fmt.Sprintf("at most %d letters, so that the router's name has at most %d", longestRouter-1-len(longest), longestRouter))
	}
}

// reserved refuses keys in a router's own tables that the lab writes itself.
func (d *decoder) reserved(t *Topology, n Node) {
	config := d.router[n.Name]
	if config == nil {
		return
	}
	for _, key := range []string{"name", "api"} {
		if config.Has(key) {
			d.WrongKey(config.At.With(key), fmt.Sprintf("%s of a router is the lab's to set", key), "")
		}
	}
	interfaces := config.Section("interface")
	seen := map[string]bool{}
	for _, a := range t.ends(n.Name) {
		if seen[a.near.Interface] { // a duplicate, which is reported elsewhere
			continue
		}
		seen[a.near.Interface] = true
		extra := interfaces.Section(a.near.Interface)
		for _, key := range []string{"kind", "addresses", "mtu", "host", "netns", "device"} {
			if extra.Has(key) {
				d.WrongKey(extra.At.With(key), fmt.Sprintf("%s of %s comes from its [[link]]", key, a.near), "")
			}
		}
	}
}

// end checks one end of a link by itself, and reports whether it is valid.
func (d *decoder) end(e tomltext.Item[End]) bool {
	name := e.Value.String()
	taken := d.used[name]
	if taken {
		d.Wrong(e.At, fmt.Sprintf("%s is %q, which has a link already", e.At, name), "one link to each interface")
	}
	d.used[name] = true
	if d.node[e.Value.Node] == KindSwitch && e.Value.Interface == bridgeName {
		d.Wrong(e.At, fmt.Sprintf("%s is %q, which is the switch itself", e.At, name), "another name for its port")
	}
	return d.known(e.At, name, e.Value.Node) && !taken
}

// known reports a problem if the value at a place names a node that does not
// exist.
func (d *decoder) known(at tomltext.Path, value, node string) bool {
	if _, known := d.node[node]; known || d.node == nil {
		return true
	}
	d.Wrong(at, fmt.Sprintf("%s is %q, and there is no [node.%s]", at, value, node),
		"the name of a node").Suggestion = tomltext.Suggest(node, slices.Collect(maps.Keys(d.node)))
	return false
}

// pair refuses links between nodes that cannot be linked.
func (d *decoder) pair(at tomltext.Path, l *Link) {
	a, b := l.Ends[0], l.Ends[1]
	switch {
	case a.Node == b.Node:
		d.WrongKey(at, fmt.Sprintf("a link from %s to itself", a.Node), "two nodes")
	case d.node[a.Node] == KindHost && d.node[b.Node] == KindHost:
		d.WrongKey(at, fmt.Sprintf("%s - %s joins two hosts", a, b), "a router or a switch at one end at least")
	case d.node[a.Node] == KindSwitch && d.node[b.Node] == KindSwitch:
		// Switches have no spanning tree: two paths between two of them would
		// be a broadcast storm.
		d.WrongKey(at, fmt.Sprintf("%s - %s joins two switches", a, b), "one switch with the ends of both")
	}
}

// fits refuses keys that an end of a link cannot have, given the kind of its
// node.
func (d *decoder) fits(e End, addresses, routes *tomltext.Section) {
	name := e.String()
	switch kind := d.node[e.Node]; {
	case kind == KindSwitch:
		for _, table := range []*tomltext.Section{addresses, routes} {
			if table.Has(name) {
				d.WrongKey(table.At.With(name), fmt.Sprintf("%s is of a switch, which has none", table.At.With(name)), "")
			}
		}
	case e.Given && kind == KindRouter:
		d.WrongKey(routes.At.With(name), fmt.Sprintf("%s is of a router", routes.At.With(name)),
			fmt.Sprintf("its routes in [[node.%s.config.static.route]]", e.Node))
	case e.Given && kind.foreign():
		d.WrongKey(routes.At.With(name), fmt.Sprintf("%s is of a router", routes.At.With(name)), fmt.Sprintf("its routes in the configuration of %s", e.Node))
	}
}

// gateways reports routes of a host's end for which no router on the link could
// be the gateway.
func (d *decoder) gateways(t *Topology) {
	links := d.Root().Sections("link")
	for i, l := range t.Links {
		for _, e := range l.Ends {
			if d.node[e.Node] != KindHost {
				continue
			}
			for k, p := range e.Routes {
				if _, ok := t.gateway(e, p.Addr().Is4()); !ok {
					at := links[i].At.With("routes").With(e.String()).Element(k)
					d.Wrong(at, fmt.Sprintf("%s is %q, and no router beside %s has an address in a subnet of its", at, p, e), "a route that somebody takes")
				}
			}
		}
	}
}

// strangers reports the keys of a link's table that are not its ends.
func (d *decoder) strangers(l *Link, table *tomltext.Section) {
	ends := []string{l.Ends[0].String(), l.Ends[1].String()}
	for _, name := range table.Names() {
		if !slices.Contains(ends, name) {
			d.WrongKey(table.At.With(name), fmt.Sprintf("%s is of no end of this link", table.At.With(name)),
				fmt.Sprintf("%q or %q", ends[0], ends[1])).Suggestion = tomltext.Suggest(name, slices.Clone(ends))
		}
	}
}
