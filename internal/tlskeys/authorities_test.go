package tlskeys

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The authorities follow their file; while it holds something else those before
// count.
func TestAuthoritiesFollowTheirFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.crt")
	first, key := makePair(t, "first")
	second, _ := makePair(t, "second")
	for _, c := range []struct{ text, says string }{
		{"", "it has no certificate"},
		{"precious", "it has no certificate"},
		{string(first) + string(key), "it has a block of the type PRIVATE KEY: wanted only certificates"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x509"},
	} {
		put(t, path, []byte(c.text))
		if _, err := OpenAuthorities(path, nil); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("of %q: %v, want %q and the path", c.text, err, c.says)
		}
	}
	put(t, path, first)
	a, err := OpenAuthorities(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	look := func() bool {
		a.mu.Lock()
		a.looked = time.Time{}
		before := a.pool
		a.mu.Unlock()
		return a.Pool() != before
	}
	if look() {
		t.Error("the same file gives another pool")
	}
	put(t, path, append([]byte("Our two:\n"), append(first, second...)...))
	if before := a.pool; !look() || a.Pool().Equal(before) {
		t.Error("a second authority is not taken up")
	}
	put(t, path, []byte("half of a"))
	if look() {
		t.Error("a file without certificates is taken up")
	}
	put(t, path, second)
	if !look() {
		t.Error("a mended file is not taken up")
	}
}
