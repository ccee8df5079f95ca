package tomltext

import (
	"slices"
	"strings"

	"routerd/internal/origin"
)

// Difference is one thing that two recordings do not have alike.
type Difference struct {
	Kind    string // added | removed | changed | moved
	Path    string // "interface.lan0.mtu"
	Object  string // the table that is known by a name or by being there, and what Path begins with; "" for the whole text
	Pattern string // of Path: "interface.*.mtu"
	Table   string // of Object: "interface.*"
	Old     string // "" when added
	New     string // "" when removed
	// Place is where the new text says so; of what it no longer says, where the
	// old one did.
	Place origin.Place
}

// Compare gives what differs, by what applies and not by how it is written.
// Tables are the same if they are known by the same name, wherever they stand
// in the text. A table that is there in one of them is a difference as a whole,
// and of one that is in both each key. Of an array whose pattern is among
// ordered a change of order is one too, apart from what comes and goes.
func Compare(old, new *Recording, ordered ...string) []Difference {
	c := comparison{old: old, new: new, alike: map[[2]*shape]bool{}}
	c.values("", 0, 0) // what belongs to no table
	first, a, b := 1, len(old.objects), len(new.objects)
	for first < min(a, b) && c.same(first, first, true) {
		first++
	}
	for a > first && b > first && c.same(a-1, b-1, false) {
		a--
		b--
	}
	// What is left is compared by name.
	was, is := old.byName(first, a), new.byName(first, b)
	parents := [2]map[int]bool{old.parents(first, a), new.parents(first, b)}
	for i := first; i < a; i++ {
		if j, stays := is[old.id(i)]; stays {
			c.values(old.path(i), i, j)
		} else {
			c.whole("removed", old, i, parents[0][i])
		}
	}
	for j := first; j < b; j++ {
		if !has(was, new.id(j)) {
			c.whole("added", new, j, parents[1][j])
		}
	}
	for _, pattern := range ordered {
		c.order(pattern, func(i int) bool { return i < first || i >= a || has(is, old.id(i)) },
			func(j int) bool { return j < first || j >= b || has(was, new.id(j)) })
	}
	slices.SortStableFunc(c.found, func(x, y Difference) int { return strings.Compare(x.Path, y.Path) })
	return c.found
}

func has(m map[string]int, key string) bool { _, ok := m[key]; return ok }

type comparison struct {
	old, new *Recording
	alike    map[[2]*shape]bool // shapes with the same keys
	found    []Difference
}

// id is what no other object has: its path, and what kind of table it is, for a
// name may have dots and look like a table in a table.
func (r *Recording) id(i int) string {
	return r.shapes[r.objects[i].shape].pattern + " " + r.path(i)
}

// byName gives the objects from first to end by their ids.
func (r *Recording) byName(first, end int) map[string]int {
	m := make(map[string]int, end-first)
	for i := first; i < end; i++ {
		m[r.id(i)] = i
	}
	return m
}

// parents gives those that hold one of the objects from first to end.
func (r *Recording) parents(first, end int) map[int]bool {
	m := map[int]bool{}
	for i := first; i < end; i++ {
		m[int(r.objects[i].parent)] = true
	}
	return m
}

// same reports whether object i of the old recording and j of the new one are
// the same in every respect; known: so are all before them that may hold them.
func (c *comparison) same(i, j int, known bool) bool {
	x, y := &c.old.objects[i], &c.new.objects[j]
	p, q := c.old.shapes[x.shape], c.new.shapes[y.shape]
	if p.pattern != q.pattern || !c.alikeShapes(p, q) {
		return false
	}
	if known || x.parent == 0 || y.parent == 0 {
		if x.parent != y.parent {
			return false
		}
	} else if c.old.path(i) != c.new.path(j) {
		return false
	}
	name, at := c.old.name(i)
	other, bt := c.new.name(j)
	if name != other {
		return false
	}
	aEnd, bEnd := c.old.end(i), c.new.end(j)
	for at < aEnd && bt < bEnd {
		var v, w value
		v, at = c.old.next(i, at)
		w, bt = c.new.next(j, bt)
		if v.rec.key != w.rec.key || v.text != w.text {
			return false
		}
	}
	return at == aEnd && bt == bEnd
}

// alikeShapes reports whether two shapes number their keys alike.
func (c *comparison) alikeShapes(p, q *shape) bool {
	pair := [2]*shape{p, q}
	alike, known := c.alike[pair]
	if !known {
		n := min(len(p.keys), len(q.keys))
		alike = slices.EqualFunc(p.keys[:n], q.keys[:n], func(a, b shapeKey) bool { return a.name == b.name })
		c.alike[pair] = alike
	}
	return alike
}

// whole says that an object came or went. One that has no values itself and
// holds others, which are said to have come or gone, is not worth a word.
func (c *comparison) whole(kind string, r *Recording, i int, parent bool) {
	text, path := r.summary(i), r.path(i)
	if text == "" && parent {
		return
	}
	pattern := r.shapes[r.objects[i].shape].pattern
	d := Difference{Kind: kind, Path: path, Object: path, Pattern: pattern, Table: pattern, Place: r.place(i, 0, 0)}
	if d.Old = text; kind == "added" {
		d.Old, d.New = "", text
	}
	c.found = append(c.found, d)
}

// summary is an object in a line, by its keys, without what stands for nothing.
func (r *Recording) summary(i int) string {
	var parts []string
	r.values(i, func(v value) {
		if v.text != "" && !v.isNothing() {
			parts = append(parts, strings.TrimSpace(v.key.name+" "+v.text))
		}
	})
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// values says which values of an object have changed.
func (c *comparison) values(path string, i, j int) {
	type pair struct{ old, new value }
	pairs := map[string]pair{}
	c.old.values(i, func(v value) { pairs[v.key.name] = pair{old: v} })
	c.new.values(j, func(v value) {
		p := pairs[v.key.name]
		p.new = v
		pairs[v.key.name] = p
	})
	table := c.new.shapes[c.new.objects[j].shape].pattern
	for name, p := range pairs {
		if p.old.text == p.new.text || p.old.key == nil && p.new.isNothing() || p.new.key == nil && p.old.isNothing() {
			continue
		}
		d := Difference{
			Kind: "changed", Path: dotted(path, name), Object: path, Pattern: dotted(table, name), Table: table,
			Old: p.old.text, New: p.new.text, Place: c.new.place(j, 0, 0),
		}
		switch {
		case p.new.given():
			d.Place = c.new.place(j, p.new.rec.line, p.new.rec.column)
		case p.old.given():
			d.Place = c.old.place(i, p.old.rec.line, p.old.rec.column)
		}
		c.found = append(c.found, d)
	}
}

// order says which arrays of a pattern have their elements in another order,
// those that both have. Elements without a name have none.
func (c *comparison) order(pattern string, stays, stayed func(int) bool) {
	type list struct {
		was, is []string
		first   int // the first of is, an object
	}
	lists := map[string]*list{} // by the path of the array
	var paths []string
	array := func(r *Recording, i int) (path, name string, ok bool) {
		o := &r.objects[i]
		s := r.shapes[o.shape]
		if s.pattern != pattern {
			return "", "", false
		}
		name, _ = r.name(i)
		return dotted(r.path(int(o.parent)), s.relative), name, !strings.HasPrefix(name, "[")
	}
	for i := range c.old.objects {
		if path, name, ok := array(c.old, i); ok && stays(i) {
			if lists[path] == nil {
				lists[path] = &list{}
				paths = append(paths, path)
			}
			lists[path].was = append(lists[path].was, name)
		}
	}
	for j := range c.new.objects {
		if path, name, ok := array(c.new, j); ok && stayed(j) && lists[path] != nil {
			l := lists[path]
			if len(l.is) == 0 {
				l.first = j
			}
			l.is = append(l.is, name)
		}
	}
	for _, path := range paths {
		if l := lists[path]; !slices.Equal(l.was, l.is) {
			c.found = append(c.found, Difference{
				Kind: "moved", Path: path, Pattern: pattern, Table: pattern,
				Old: strings.Join(l.was, " "), New: strings.Join(l.is, " "), Place: c.new.place(l.first, 0, 0),
			})
		}
	}
}
