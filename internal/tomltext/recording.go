package tomltext

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"routerd/internal/origin"
)

// Recording is what the getters have read of one text: each key's value in
// effect, whether the text gives it, and where. It does not keep the Document,
// takes less memory than the text, and never changes.
type Recording struct {
	shapes  []*shape
	objects []object
	files   []string
	text    string // of each object: its name, then its values
}

// Recording returns what has been read so far.
func (d *Document) Recording() *Recording {
	type entry struct{ object, at uint32 }
	var entries []entry
	log := string(d.log)
	for at := 0; at < len(log); {
		n, begin := uvarint(log, at)
		entries = append(entries, entry{uint32(n), uint32(begin)})
		_, at = readRecord(log, begin)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return int(a.object) - int(b.object) })
	r := &Recording{shapes: d.shapes, objects: slices.Clone(d.objects), files: d.files}
	size := len(log)
	for _, name := range d.names {
		size += len(name) + 1
	}
	var b strings.Builder
	b.Grow(size)
	var number [3 * binary.MaxVarintLen64]byte
	for i := range r.objects {
		o := &r.objects[i]
		o.at = uint32(b.Len())
		b.Write(binary.AppendUvarint(number[:0], uint64(len(d.names[i]))))
		b.WriteString(d.names[i])
		own := entries
		for n, e := range entries {
			if int(e.object) != i {
				own = entries[:n]
				break
			}
		}
		entries = entries[len(own):]
		for n, e := range own {
			rec, _ := readRecord(log, int(e.at))
			again := slices.ContainsFunc(own[n+1:], func(later entry) bool {
				head, _ := uvarint(log, int(later.at))
				return int(head>>flagBits) == rec.key
			})
			if !again {
				writeRecord(&b, rec, o)
			}
		}
	}
	r.text = b.String()
	if cap := len(r.text) + len(r.text)/8; b.Cap() > cap {
		r.text = strings.Clone(r.text)
	}
	return r
}

// record is a record of the log, or one of a Recording.
type record struct {
	key, flag    int
	line, column int // where the text gives it
	text         string
}

func uvarint(b string, at int) (n uint64, next int) {
	for shift := 0; ; shift += 7 {
		c := b[at]
		at++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n, at
		}
	}
}

// readRecord reads a record from the log, after its object, or from the text of
// a Recording.
func readRecord(b string, at int) (r record, next int) {
	n, at := uvarint(b, at)
	r.key, r.flag = int(n>>flagBits), int(n&(1<<flagBits-1))
	if r.flag == isDefault {
		return r, at
	}
	if r.flag == isGiven {
		n, at = uvarint(b, at)
		r.line = int(n)
		n, at = uvarint(b, at)
		r.column = int(n)
	}
	n, at = uvarint(b, at)
	r.text = b[at : at+int(n)]
	return r, at + int(n)
}

// writeRecord writes a record of an object. Its lines are relative to the
// object's.
func writeRecord(b *strings.Builder, r record, o *object) {
	var number [3 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(number[:0], uint64(r.key<<flagBits|r.flag))
	if r.flag == isGiven {
		head = binary.AppendVarint(head, int64(r.line)-int64(o.line))
		head = binary.AppendUvarint(head, uint64(r.column))
	}
	if r.flag != isDefault {
		head = binary.AppendUvarint(head, uint64(len(r.text)))
	}
	b.Write(head)
	b.WriteString(r.text)
}

// value is one key of an object.
type value struct {
	key  *shapeKey
	rec  record
	text string // the value in effect
}

func (v *value) given() bool { return v.rec.flag == isGiven }

// isNothing reports whether the text does not give the key and there is no
// default.
func (v *value) isNothing() bool { return v.rec.flag == isDefault && v.key.nothing }

// name returns the name of an object, and where its values begin.
func (r *Recording) name(i int) (string, int) {
	n, at := uvarint(r.text, int(r.objects[i].at))
	return r.text[at : at+int(n)], at + int(n)
}

func (r *Recording) end(i int) int {
	if i+1 < len(r.objects) {
		return int(r.objects[i+1].at)
	}
	return len(r.text)
}

// next reads the value of object i at a place of the text.
func (r *Recording) next(i, at int) (v value, next int) {
	v.rec, next = readRecord(r.text, at)
	v.key = &r.shapes[r.objects[i].shape].keys[v.rec.key]
	if v.text = v.rec.text; v.rec.flag == isDefault {
		v.text = v.key.def
	}
	if v.given() {
		delta := int64(v.rec.line >> 1)
		if v.rec.line&1 != 0 {
			delta = ^delta
		}
		v.rec.line = int(int64(r.objects[i].line) + delta)
	}
	return v, next
}

// values calls yield with each value of an object.
func (r *Recording) values(i int, yield func(value)) {
	_, at := r.name(i)
	for end := r.end(i); at < end; {
		var v value
		v, at = r.next(i, at)
		yield(v)
	}
}

// place returns the place of an object or, with a line and column, of one of
// its values.
func (r *Recording) place(i, line, column int) origin.Place {
	o := &r.objects[i]
	if line == 0 {
		line, column = int(o.line), int(o.column)
	}
	if line == 0 || int(o.file) >= len(r.files) {
		return origin.Place{}
	}
	return origin.Place{File: r.files[o.file], Line: line, Column: column}
}

// path returns the path of an object: "interface.lan0".
func (r *Recording) path(i int) string {
	if i == 0 {
		return ""
	}
	o := &r.objects[i]
	name, _ := r.name(i)
	return dotted(r.path(int(o.parent)), named(r.shapes[o.shape].relative, name))
}

// named appends the name of a table to a path, or its number if it has no name.
func named(relative, name string) string {
	if strings.HasPrefix(name, "[") {
		return relative + name
	}
	return dotted(relative, name)
}

// Key is a key that the getters ask for, in all tables of its kind.
type Key struct {
	Pattern string // "interface.*.mtu"; "*" is any name
	Table   bool   // its value is a table or an array of tables
	Default string // the default; "" if there is none or it varies
}

// Keys returns all keys that getters have asked for, sorted and without
// duplicates.
func (r *Recording) Keys() []Key {
	keys := map[string]Key{}
	for _, s := range r.shapes {
		_, isValue := s.number[""]
		if s.pattern != "" {
			keys[s.pattern] = Key{Pattern: s.pattern, Table: !isValue}
		}
	}
	for _, s := range r.shapes {
		for _, k := range s.keys {
			key := Key{Pattern: dotted(s.pattern, k.name), Table: k.table, Default: k.def}
			if key.Table = key.Table || keys[key.Pattern].Table; key.Table || k.varies {
				key.Default = ""
			} else if key.Default == "" {
				key.Default = k.said
			}
			keys[key.Pattern] = key
		}
	}
	list := slices.Collect(maps.Values(keys))
	slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.Pattern, b.Pattern) })
	return list
}

// Given calls yield with the pattern and the line of each key that the text
// gives.
func (r *Recording) Given(yield func(pattern string, line int)) {
	for i := range r.objects {
		s := r.shapes[r.objects[i].shape]
		r.values(i, func(v value) {
			if v.given() {
				yield(dotted(s.pattern, v.key.name), v.rec.line)
			}
		})
	}
}
