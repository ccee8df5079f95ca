package events

import (
	"fmt"
	"strconv"
	"strings"
)

// Cursor is a position in a ring: everything up to that number has been read.
type Cursor struct {
	Epoch  uint32
	Number uint64
}

// String writes the cursor as ParseCursor reads it: "7f3a9c21:184460".
func (c Cursor) String() string { return string(c.append(nil)) }

func (c Cursor) append(to []byte) []byte {
	const hex = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		to = append(to, hex[c.Epoch>>shift&15])
	}
	to = append(to, ':')
	return strconv.AppendUint(to, c.Number, 10)
}

// ParseCursor reads a cursor.
func ParseCursor(text string) (Cursor, error) {
	epoch, number, ok := strings.Cut(text, ":")
	e, err1 := strconv.ParseUint(epoch, 16, 32)
	n, err2 := strconv.ParseUint(number, 10, 64)
	c := Cursor{uint32(e), n}
	if !ok || err1 != nil || err2 != nil || c.String() != text {
		return Cursor{}, fmt.Errorf("%.64q is no cursor: wanted an epoch and a number, such as 7f3a9c21:184460", text)
	}
	return c, nil
}
