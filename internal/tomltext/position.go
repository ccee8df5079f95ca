package tomltext

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// span is a range of bytes in the text.
type span struct{ from, to int }

// place is where a key and its value stand, in bytes. A table's value is its
// header. There is one for each key of the text, so it is kept small.
type place struct{ key, value extent }

type extent struct{ from, to uint32 }

func (s span) extent() extent { return extent{uint32(s.from), uint32(s.to)} }
func (e extent) span() span   { return span{int(e.from), int(e.to)} }

// brace gives the end of an inline table whose last element ends at from, or
// from where the brace is on a later line: no caret goes there.
func (d *Document) brace(from int) int {
	rest := strings.TrimLeft(d.text[from:], " \t,")
	if strings.HasPrefix(rest, "}") {
		return len(d.text) - len(rest) + 1
	}
	return from
}

func join(a, b span) span {
	if a.from == a.to {
		return b
	}
	return span{min(a.from, b.from), max(a.to, b.to)}
}

// note keeps the first place of a key: a table may be opened again.
func (d *Document) note(id pathID, key, value span) {
	k, v := key.extent(), value.extent()
	old, seen := d.at[id]
	if !seen {
		d.at[id] = place{k, v}
	} else if old.value == old.key {
		d.at[id] = place{old.key, v}
	}
}

func rangeOf(raw unstable.Range) span {
	return span{int(raw.Offset), int(raw.Offset + raw.Length)}
}

// where gives the place of at, or of the nearest table that holds it.
func (d *Document) where(at Path) place {
	for ; len(at) > 0; at = at[:len(at)-1] {
		if p, ok := d.at[d.id(at)]; ok {
			return p
		}
	}
	return place{}
}
