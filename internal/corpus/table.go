package corpus

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Prefixes gives the IPv4 prefixes of a full table of the internet, in its order.
func Prefixes(tb testing.TB) []netip.Prefix {
	tb.Helper()
	return slices.DeleteFunc(Table(tb), func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// Table gives all prefixes of a full table of the internet, in its order: IPv4 and
// then IPv6.
func Table(tb testing.TB) []netip.Prefix {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	text, err := unpacked(filepath.Join(dir, "tables", "bart-prefixes-1062k.txt.gz"))
	if err != nil {
		tb.Fatalf("read the table: %v", err)
	}
	var list []netip.Prefix
	for line := range strings.Lines(string(text)) {
		p, err := netip.ParsePrefix(strings.TrimSpace(line))
		if err != nil {
			tb.Fatalf("read the table: %v", err)
		}
		list = append(list, p)
	}
	return list
}
