package lab

import (
	"fmt"
	"maps"
	"slices"

	"routerd/internal/tomltext"
)

// reserved refuses in a router's own tables what the lab writes itself.
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
		if seen[a.near.Interface] { // twice, and reported
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

// end looks at one end of a link by itself, and reports whether it is sound.
func (d *decoder) end(e tomltext.Item[End]) bool {
	name := e.Value.String()
	taken := d.used[name]
	if taken {
		d.Wrong(e.At, fmt.Sprintf("%s is %q, which has a link already", e.At, name), "one link to each interface")
	}
	d.used[name] = true
	return d.known(e.At, name, e.Value.Node) && !taken
}

// known reports the value at a place if it names a node that there is not.
func (d *decoder) known(at tomltext.Path, value, node string) bool {
	if _, known := d.node[node]; known || d.node == nil {
		return true
	}
	d.Wrong(at, fmt.Sprintf("%s is %q, and there is no [node.%s]", at, value, node),
		"the name of a node").Suggestion = tomltext.Suggest(node, slices.Collect(maps.Keys(d.node)))
	return false
}

// pair refuses what cannot be joined.
func (d *decoder) pair(at tomltext.Path, l *Link) {
	a, b := l.Ends[0], l.Ends[1]
	switch {
	case a.Node == b.Node:
		d.WrongKey(at, fmt.Sprintf("a link from %s to itself", a.Node), "two nodes")
	case d.node[a.Node] == KindHost && d.node[b.Node] == KindHost:
		d.WrongKey(at, fmt.Sprintf("%s - %s joins two hosts", a, b), "a router at one end at least")
	}
}

// strangers reports the keys of a link's table that are none of its ends.
func (d *decoder) strangers(l *Link, table *tomltext.Section) {
	ends := []string{l.Ends[0].String(), l.Ends[1].String()}
	for _, name := range table.Names() {
		if !slices.Contains(ends, name) {
			d.WrongKey(table.At.With(name), fmt.Sprintf("%s is of no end of this link", table.At.With(name)),
				fmt.Sprintf("%q or %q", ends[0], ends[1])).Suggestion = tomltext.Suggest(name, slices.Clone(ends))
		}
	}
}
