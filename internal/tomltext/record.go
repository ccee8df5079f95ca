package tomltext

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"routerd/internal/origin"
)

// shape is what the tables of one pattern have in common: the keys that
// getters have asked for, in the order in which they first did.
type shape struct {
	pattern  string // "interface.*"; "" for the whole text
	relative string // without that of the object that holds it: "interface"
	keys     []shapeKey
	number   map[string]int
	below    map[string]*shape
	index    int
}

// shapeKey is a key of a shape. The text has it, or what applies without it is
// the same in almost every table: that is kept here, once.
type shapeKey struct {
	name    string // "host.device"; "" for the value that stands under the table's own name
	def     string
	value   any // that def is the text of, where it is quick to compare
	hasDef  bool
	nothing bool   // the default stands for nothing at all: false, no address
	varies  bool   // from table to table
	said    string // by Default, for who asks about the key
	table   bool   // it leads to a table, or to several
}

// recorder notes what the getters read, as they read it. A record is three
// numbers and a text in log, so that a text of a million keys costs little more
// while it is read, and Recording puts them in order.
type recorder struct {
	shapes  []*shape
	objects []object
	names   []string // of the objects
	files   []string
	log     []byte
}

// object is a table that is known by its name, or that is there or not.
type object struct {
	parent uint32 // an index
	at     uint32 // in the text of a Recording
	line   uint32
	column uint16
	shape  uint16
	file   uint16
}

// What a record says of its key.
const (
	isDefault      = iota // not given, and the shape's default applies
	isOtherDefault        // not given, and another one does: a text follows
	isGiven               // a place and a text follow
	flagBits       = 2
)

func newRecorder() recorder {
	root := &shape{number: map[string]int{}, below: map[string]*shape{}}
	return recorder{shapes: []*shape{root}, objects: []object{{}}, names: []string{""}}
}

// child is the shape of tables below s, at a path from it; wild ones have a
// name of their own behind that.
func (d *Document) child(s *shape, relative string, wild bool) *shape {
	id := relative
	if wild {
		id += ".*"
	}
	if c := s.below[id]; c != nil {
		return c
	}
	c := &shape{
		pattern: dotted(s.pattern, id), relative: relative, number: map[string]int{}, below: map[string]*shape{}, index: len(d.shapes),
	}
	s.below[id] = c
	d.shapes = append(d.shapes, c)
	return c
}

func dotted(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

func (s *shape) key(name string) (int, *shapeKey) {
	n, known := s.number[name]
	if !known {
		n = len(s.keys)
		s.number[name] = n
		s.keys = append(s.keys, shapeKey{name: name})
	}
	return n, &s.keys[n]
}

// enter makes sub an object of its own below s, known by name. One that the
// text does not have is none; its keys are noted all the same.
func (s *Section) enter(sub *Section, of *shape, name string) {
	sub.shape = of
	if sub.Table == nil || s.object < 0 {
		sub.object = -1
		return
	}
	sub.object = s.doc.newObject(s.object, of, name)
}

func (d *Document) newObject(parent int, of *shape, name string) int {
	d.objects = append(d.objects, object{parent: uint32(parent), shape: uint16(of.index)})
	d.names = append(d.names, name)
	return len(d.objects) - 1
}

// stands notes where an object stands.
func (d *Document) stands(n int, p origin.Place) {
	o := &d.objects[n]
	o.line, o.column, o.file = uint32(p.Line), uint16(min(p.Column, 1<<16-1)), d.fileNumber(p.File)
}

func (d *Document) fileNumber(name string) uint16 {
	for i, f := range d.files {
		if f == name {
			return uint16(i)
		}
	}
	if len(d.files) == 1<<16-1 {
		return 0
	}
	d.files = append(d.files, name)
	return uint16(len(d.files) - 1)
}

// slot gives the object, the shape and the number of the key that a getter
// reads. A value in a table whose keys are names is an object by itself.
func (s *Section) slot(key string) (n int, of *shape, number int) {
	if !s.named {
		number, _ = s.shape.key(s.prefix + key)
		return s.object, s.shape, number
	}
	of = s.doc.child(s.shape, strings.TrimSuffix(s.prefix, "."), true)
	number, _ = of.key("")
	if s.object < 0 || !s.Has(key) {
		return -1, of, number
	}
	if n = s.members[key]; n == 0 {
		n = s.doc.newObject(s.object, of, key)
		s.doc.stands(n, s.placeOf(key))
		if s.members == nil {
			s.members = map[string]int{}
		}
		s.members[key] = n
	}
	return n, of, number
}

// placeOf is the Document's KeyPlace of a key, which the table has.
func (s *Section) placeOf(key string) origin.Place {
	if !s.hasID {
		s.id, s.hasID = s.doc.id(s.At), true
	}
	if p, ok := s.doc.at[s.doc.below(s.id, key)]; ok {
		return s.doc.problem(p.key.span(), "").Place
	}
	return s.doc.KeyPlace(s.At.With(key))
}

// put appends a record: the object, the key with what is said of it, and the
// rest as that demands.
func (d *Document) put(n, number, flag int, at origin.Place, text string) {
	if n < 0 {
		return
	}
	d.log = binary.AppendUvarint(d.log, uint64(n))
	d.log = binary.AppendUvarint(d.log, uint64(number<<flagBits|flag))
	if flag == isDefault {
		return
	}
	if flag == isGiven {
		d.log = binary.AppendUvarint(d.log, uint64(at.Line))
		d.log = binary.AppendUvarint(d.log, uint64(at.Column))
	}
	d.log = binary.AppendUvarint(d.log, uint64(len(text)))
	d.log = append(d.log, text...)
}

// Record says what the value of a key comes to, where no getter can know: a
// value of several forms, or one that another file has a part in. What was
// recorded of the key before is forgotten.
func (s *Section) Record(key, text string) {
	n, _, number := s.slot(key)
	if !s.Has(key) {
		s.Default(key, text)
		return
	}
	s.doc.put(n, number, isGiven, s.placeOf(key), text)
}

// Default says what applies where the text does not have the key, if that is
// not what its getter was told; "" is nothing at all.
func (s *Section) Default(key, text string) {
	n, of, number := s.slot(key)
	k := &of.keys[number]
	if k.said = text; text == "" {
		k.varies = true // what the getter was told is none
	}
	if !s.Has(key) {
		s.doc.putDefault(n, number, k, text, text == "")
	}
}

func (d *Document) putDefault(n, number int, k *shapeKey, text string, nothing bool) {
	if k.hasDef && text == k.def && nothing == k.nothing {
		d.put(n, number, isDefault, origin.Place{}, "")
		return
	}
	d.put(n, number, isOtherDefault, origin.Place{}, text)
}

func (k *shapeKey) defaults(text string, value any, nothing bool) {
	if !k.hasDef {
		k.def, k.value, k.hasDef, k.nothing = strings.Clone(text), value, true, nothing
	}
	k.varies = k.varies || text != k.def
}

// recordAbsent notes that the text does not have a key, and what applies.
func recordAbsent[T any](s *Section, key string, def T, how Reading[T]) {
	n, of, number := s.slot(key)
	k := &of.keys[number]
	quick := quickly(def)
	if k.hasDef && quick != nil && k.value == quick {
		s.doc.put(n, number, isDefault, origin.Place{}, "")
		return
	}
	text, nothing := defaultText(def, how)
	k.defaults(text, quick, nothing)
	s.doc.putDefault(n, number, k, text, nothing)
}

// recordNone notes that the text does not have a key whose values are a list.
func (s *Section) recordNone(key string) {
	n, of, number := s.slot(key)
	k := &of.keys[number]
	k.defaults("", nil, true)
	s.doc.putDefault(n, number, k, "", true)
}

// noteDefault keeps what would apply without a key that the text has, for who
// asks about the key.
func noteDefault[T any](s *Section, key string, def T, how Reading[T]) {
	_, of, number := s.slot(key)
	k := &of.keys[number]
	if quick := quickly(def); !k.hasDef || quick != nil && k.value != quick {
		text, nothing := defaultText(def, how)
		k.defaults(text, quick, nothing)
	}
}

// quickly is the value where it is quick to compare, nil otherwise.
func quickly[T any](def T) any {
	if kind := reflect.TypeFor[T]().Kind(); kind <= reflect.Float64 || kind == reflect.String {
		return def
	}
	return nil
}

// defaultText is what applies without a key, and whether that is nothing at
// all.
func defaultText[T any](def T, how Reading[T]) (text string, nothing bool) {
	text, _ = textOf(def)
	if nothing = reflect.ValueOf(&def).Elem().IsZero(); nothing && !sayable(def, text, how) {
		text = ""
	}
	return text, nothing && (text == "" || text == "false")
}

// sayable reports whether the text could give the zero value that applies
// without a key: one that it could not give stands for none, as an address or a
// range does.
func sayable[T any](zero T, text string, how Reading[T]) bool {
	var err error
	switch v := any(zero).(type) {
	case bool:
	case int:
		_, err = how.Read(int64(v))
	default:
		if _, err = how.Read(text); reflect.TypeFor[T]().Kind() == reflect.Struct {
			return false
		}
	}
	return err == nil
}

// recordGiven notes the values that a key was read as.
func recordGiven[T any](s *Section, key string, values ...Item[T]) {
	n, _, number := s.slot(key)
	if n < 0 {
		return
	}
	var words [1]string
	texts := words[:0]
	for _, v := range values {
		text, ok := textOf(v.Value)
		if !ok {
			text = s.doc.written(v.At)
		}
		texts = append(texts, text)
	}
	s.doc.put(n, number, isGiven, s.placeOf(key), strings.Join(texts, " "))
}

// written is a value as it stands in the text, without its quotes.
func (d *Document) written(at Path) string {
	s := d.where(at).value
	text := d.text[s.from:s.to]
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[0] == text[len(text)-1] {
		return text[1 : len(text)-1]
	}
	return text
}

// textOf is a value as people read it, if it says so itself.
func textOf[T any](v T) (string, bool) {
	switch v := any(v).(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case fmt.Stringer:
		return v.String(), true
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return r.String(), true
	}
	return "", false
}
