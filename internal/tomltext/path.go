package tomltext

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
)

// Path names a place in the tree of values: nil is the whole text.
type Path []step

// step leads from a table to one of its keys, or from an array to one of its
// elements.
type step struct {
	key   string
	index int // of an element, counted from 1; 0 for a key
}

// With leads on to a key.
func (p Path) With(key string) Path { return append(p[:len(p):len(p)], step{key: key}) }

// Element leads on to the element of an array at index i, counted from 0.
func (p Path) Element(i int) Path { return append(p[:len(p):len(p)], step{index: i + 1}) }

// pathID stands for a path in the maps of one Document, in eight bytes and
// without the keys, so that one key costs the same however deep it stands: a
// hash, under a seed that nobody can know before.
type pathID uint64

// id is that of a path.
func (d *Document) id(p Path) pathID {
	id := pathID(0)
	for _, s := range p {
		if s.index > 0 {
			id = d.element(id, s.index-1)
		} else {
			id = d.below(id, s.key)
		}
	}
	return id
}

// below leads on from a path to a key.
func (d *Document) below(id pathID, key string) pathID {
	var h maphash.Hash
	h.SetSeed(d.seed)
	var b [9]byte
	binary.LittleEndian.PutUint64(b[1:], uint64(id))
	h.Write(b[:])
	h.WriteString(key)
	return pathID(h.Sum64())
}

// element leads on from a path to an element of the array there, counted from 0.
func (d *Document) element(id pathID, i int) pathID {
	var b [17]byte
	b[0] = 1 // no key
	binary.LittleEndian.PutUint64(b[1:], uint64(id))
	binary.LittleEndian.PutUint64(b[9:], uint64(i))
	return pathID(maphash.Bytes(d.seed, b[:]))
}

// String is how people write the path: elements of arrays as [n], counted
// from 1, and keys in quotes where the file needs them.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.index > 0:
			fmt.Fprintf(&b, "[%d]", s.index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if isBare(s.key) {
			b.WriteString(s.key)
		} else {
			b.WriteString(strconv.Quote(s.key))
		}
	}
	return b.String()
}

// isBare reports whether TOML lets a key stand without quotes.
func isBare(key string) bool {
	return key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// Matches reports whether the path has the keys of a pattern, words joined by
// dots, of which "*" is any key.
func (p Path) Matches(pattern string) bool {
	words := strings.FieldsFunc(pattern, func(c rune) bool { return c == '.' })
	if len(words) != len(p) {
		return false
	}
	for i, w := range words {
		if p[i].index > 0 || w != "*" && w != p[i].key {
			return false
		}
	}
	return true
}
