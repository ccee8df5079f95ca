package corpus

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Octets reads the hexadecimal of a test; what follows "//" in a line is left out.
func Octets(tb testing.TB, text string) []byte {
	tb.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatalf("hexadecimal of the test: %v", err)
	}
	return b
}
