package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"routerd/config"
	"routerd/internal/origin"
	"routerd/internal/tomltext"
)

// source is a topology's text. It maps lines of the routers' configurations to
// their places in it.
type source struct {
	*tomltext.Document
	path     string   // of the file, as routers name it
	given    string   // and as whoever reads it did
	lines    []string // of its text
	topology *Topology
}

// annotate adds to each line of a router's configuration, as the lab writes it,
// where in the topology it comes from.
func (s *source) annotate(n Node, text []byte) ([]byte, error) {
	doc, ok := tomltext.Parse("", text)
	if !ok {
		return nil, fmt.Errorf("reading the configuration of %s, as it would be written: %w", n.Name, Problems(doc.Problems()))
	}
	a := annotator{source: s, doc: doc, node: n, from: map[int]origin.Place{}}
	a.table(doc.Root().Table, n.Config, nil, nil)
	var out bytes.Buffer
	for i, line := range strings.SplitAfter(string(text), "\n") {
		if place, known := a.from[i+1]; known {
			place.File = s.path
			out.WriteString(tomltext.From(place))
		}
		out.WriteString(line)
	}
	return out.Bytes(), nil
}

// annotator finds the places for one configuration.
type annotator struct {
	*source
	doc  *tomltext.Document // the configuration
	node Node
	from map[int]origin.Place // by line
}

// table records the places of the keys of a table; own is the topology's own
// version of the table, keys and at their paths.
func (a *annotator) table(table, own map[string]any, keys []string, at tomltext.Path) {
	for key, v := range table {
		mine, is := own[key]
		keys := append(keys[:len(keys):len(keys)], key)
		a.note(keys, at.With(key), is)
		switch v := v.(type) {
		case map[string]any:
			below, _ := mine.(map[string]any)
			a.table(v, below, keys, at.With(key))
		case []map[string]any:
			tables, _ := mine.([]map[string]any)
			for i, element := range v {
				var below map[string]any
				if i < len(tables) {
					below = tables[i]
				}
				a.note(keys, at.With(key).Element(i), is)
				a.table(element, below, keys, at.With(key).Element(i))
			}
		}
	}
}

// note records where a key comes from, for the line that it is in. A table's
// header contains all tables on the path to it; the last one, which is recorded
// last, counts.
func (a *annotator) note(keys []string, at tomltext.Path, own bool) {
	a.from[a.doc.KeyPlace(at).Line] = a.place(keys, at, own)
}

// place is the place in the topology of a key of the configuration: below the
// node's config, or in the link from which an interface's key was made.
func (a *annotator) place(keys []string, at tomltext.Path, own bool) origin.Place {
	node := tomltext.Path{}.With("node").With(a.node.Name)
	switch {
	case own:
		return a.KeyPlace(append(node.With("config"), at...))
	case keys[0] == "name":
		return a.KeyPlace(tomltext.Path{}.With("name"))
	case keys[0] == "interface" && len(keys) > 1:
		for i, l := range a.topology.Links {
			for k, e := range l.Ends {
				if e.Node == a.node.Name && e.Interface == keys[1] {
					return a.linkPlace(i, e, l.Ends[1-k], keys[2:])
				}
			}
		}
	}
	return a.KeyPlace(node)
}

// linkPlace is the place in a link from which a key of the interface at its
// near end was made.
func (a *annotator) linkPlace(i int, near, far End, keys []string) origin.Place {
	link := tomltext.Path{}.With("link").Element(i)
	switch strings.Join(keys, ".") {
	case "addresses":
		link = link.With("addresses").With(near.String())
	case "host.addresses":
		link = link.With("addresses").With(far.String())
	case "host.routes":
		link = link.With("routes").With(far.String())
	case "mtu":
		link = link.With("mtu")
	default:
		link = link.With("endpoints")
	}
	return a.KeyPlace(link)
}

// shown makes a problem of a router's configuration quote the line of the
// topology that it comes from.
func (s *source) shown(p tomltext.Problem) tomltext.Problem {
	if p.Place.File != s.path || p.Place.Line > len(s.lines) {
		return p
	}
	p.Place.File = s.given
	line := strings.TrimRight(s.lines[p.Place.Line-1], "\r\n")
	p.Line, p.Caret = line, 0
	rest := strings.TrimRight(string([]rune(line)[min(p.Place.Column-1, utf8.RuneCountInString(line)):]), " \t]}")
	p.Width = max(1, utf8.RuneCountInString(rest))
	return p
}

// problems gives the errors and warnings about the topology of a lab and the
// configurations of its routers, sorted by place.
func (l *Lab) problems() (all Problems) {
	all = append(all, l.source.Problems()...)
	for _, r := range l.plan.Routers {
		_, problems := config.Parse(r.Config, r.Text)
		for _, p := range problems {
			all = append(all, l.source.shown(p))
		}
	}
	slices.SortStableFunc(all, func(a, b tomltext.Problem) int { return cmp.Compare(a.Place.Line, b.Place.Line) })
	return all
}

// preflight refuses, before anything is made, a lab whose routers would refuse
// their configurations, and gives the warnings.
func (l *Lab) preflight() (odd Problems, err error) {
	all := l.problems()
	var wrong Problems
	for _, p := range all {
		if p.Warning {
			odd = append(odd, p)
		} else {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return odd, nil
}

// topologyMark matches what every topology has and no configuration: a table of
// nodes or links, as a header or a key.
var topologyMark = regexp.MustCompile(`(?m)^[ \t]*(\[\[?[ \t]*)?"?(node|link)"?[ \t]*[].=]`)

// Check reads a topology file and gives the errors and warnings about it and
// its routers' configurations, sorted by place. If the file is no topology, is
// is false.
func Check(path string) (all Problems, is bool, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false, fmt.Errorf("reading the topology: %w", err)
	}
	if !topologyMark.Match(data) {
		return nil, false, nil
	}
	// The paths of routerd and of labs do not matter here.
	l, err := Load(path, Options{Dir: DefaultDir, Binary: "routerd"})
	if all, is := err.(Problems); is {
		return all, true, nil
	}
	if err != nil {
		return nil, true, err
	}
	return l.problems(), true, nil
}

// Config reads the configuration that the router at a node of a topology has,
// with the errors and warnings about it; "" is the only router of the topology.
// If the file is no topology, is is false.
func Config(path, node string) (c *config.Config, all Problems, is bool, err error) {
	if all, is, err = Check(path); err != nil || !is || all.failed() {
		return nil, all, is, err
	}
	l, err := Load(path, Options{Dir: DefaultDir, Binary: "routerd"})
	if err != nil {
		return nil, nil, true, err
	}
	var names []string
	for _, r := range l.plan.Routers {
		names = append(names, r.Node)
	}
	if node == "" && len(names) == 1 {
		node = names[0]
	}
	r, known := l.router(node)
	if !known {
		return nil, nil, true, fmt.Errorf("choosing a router of %s: there is no router %q; want one of %s", path, node, tomltext.Quoted(names))
	}
	c, problems := config.Parse(r.Config, r.Text)
	for _, p := range problems {
		all = append(all, l.source.shown(p))
	}
	return c, all, true, nil
}

// failed reports whether any of the problems is an error.
func (p Problems) failed() bool {
	for i := range p {
		if !p[i].Warning {
			return true
		}
	}
	return false
}
