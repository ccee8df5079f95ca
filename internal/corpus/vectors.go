package corpus

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Vectors gives the packets of a protocol ("ripv2") from holo's own tests, by name.
// They are absent where the corpora are, see Dir.
func Vectors(tb testing.TB, protocol string) map[string][]byte {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "vectors", "holo-packet-vectors.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var list []struct{ Name, Proto, Hex string }
	if err := json.Unmarshal(text, &list); err != nil {
		tb.Fatal(err)
	}
	m := map[string][]byte{}
	for _, v := range list {
		if v.Proto != protocol {
			continue
		}
		if m[v.Name], err = hex.DecodeString(v.Hex); err != nil {
			tb.Fatalf("vector %s of %s: %v", v.Name, protocol, err)
		}
	}
	return m
}
