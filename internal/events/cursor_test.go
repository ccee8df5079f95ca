package events

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCursorText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Cursor{rapid.Uint32().Draw(t, "epoch"), rapid.Uint64().Draw(t, "number")}
		got, err := ParseCursor(c.String())
		if err != nil || got != c {
			t.Fatalf("ParseCursor(%q) = %v, %v", c.String(), got, err)
		}
	})
}

// Only what String writes is a cursor: two texts never mean the same one.
func TestCursorRefused(t *testing.T) {
	for _, text := range []string{
		"", ":", "7f3a9c21", "7f3a9c21:", ":1", "7F3A9C21:1", "7f3a9c2:1", "07f3a9c21:1", "7f3a9c21:01", "7f3a9c21:-1",
		"7f3a9c21:+1", " 7f3a9c21:1", "7f3a9c21:1 ", "7f3a9c21:1:2", "7f3a9c21:18446744073709551616", "zf3a9c21:1",
		"7f3a9c21:1\x00", strings.Repeat("7", 100_000) + ":1",
	} {
		if c, err := ParseCursor(text); err == nil {
			t.Errorf("ParseCursor(%.40q) = %v, want an error", text, c)
		} else if len(err.Error()) > 250 {
			t.Errorf("ParseCursor(%.40q): the error has %d bytes", text, len(err.Error()))
		}
	}
}
