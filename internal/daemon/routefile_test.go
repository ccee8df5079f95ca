package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/control"
)

// A file of routes beside the configuration: its routes say their lines, a reload
// takes up all of what has changed in it, while packets are forwarded, or, with a
// mistake in any line, nothing.
func TestRouteFile(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "routes.txt")
	const many = 20_000
	write := func(first int, more string) {
		t.Helper()
		var text strings.Builder
		for i := first; i < first+many; i++ {
			fmt.Fprintf(&text, "20.%d.%d.0/24 via 10.0.2.2\n", i>>8, i&255)
		}
		if err := os.WriteFile(path, []byte(text.String()+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0, "")
	s.write("[static]\nfile = \"routes.txt\"\n")
	s.start()
	c := s.client()
	routes := func() int {
		t.Helper()
		n := 0
		for after := (netip.Prefix{}); ; {
			page, err := c.Routes(t.Context(), control.RouteQuery{After: after, Limit: control.MaxPage, Source: "static"})
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.Routes)
			if after = page.Next; !after.IsValid() {
				return n
			}
		}
	}
	origin := func(prefix string) string {
		t.Helper()
		page, err := c.Routes(t.Context(), control.RouteQuery{Prefix: netip.MustParsePrefix(prefix)})
		if err != nil || len(page.Routes) != 1 {
			t.Fatalf("routes to %s: %+v, %v, want one", prefix, page.Routes, err)
		}
		return page.Routes[0].Origin
	}
	if n, at := routes(), origin("20.1.0.0/24"); n != many || !strings.HasSuffix(at, "routes.txt:257") {
		t.Errorf("%d routes, one of them of %s, want %d and routes.txt:257", n, at, many)
	}
	stop := s.stream()
	write(100, "20.0.0.0/24 vai 10.0.2.2\n")
	_, err := c.Reload(t.Context())
	var refused *control.Error
	if !errors.As(err, &refused) || !strings.Contains(fmt.Sprint(refused.Problems), fmt.Sprintf("routes.txt:%d", many+1)) &&
		!strings.Contains(fmt.Sprintf("%+v", refused.Problems), fmt.Sprintf("Line:%d", many+1)) {
		t.Errorf("a reload with a mistake in the last line: %v, want it refused there", err)
	}
	if n, at := routes(), origin("20.1.0.0/24"); n != many || !strings.HasSuffix(at, "routes.txt:257") {
		t.Errorf("after a refused reload %d routes, one of them of %s, want %d and routes.txt:257", n, at, many)
	}
	write(100, "blackhole 30.0.0.0/8\n")
	diff, err := c.Diff(t.Context())
	if err != nil || len(diff.Changes) != 1 || diff.Changes[0].Impact != "routes added: 101, removed: 100, changed: 0" {
		t.Errorf("diff says %+v, %v, want 101 routes added and 100 removed", diff.Changes, err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, at := routes(), origin("20.1.0.0/24"); n != many+1 || !strings.HasSuffix(at, "routes.txt:157") {
		t.Errorf("when the reload has ended %d routes, one of them of %s, want %d and routes.txt:157", n, at, many+1)
	}
	if sent, lost := stop(); lost != 0 || sent == 0 {
		t.Errorf("%d of %d packets lost during the reloads, want none", lost, sent)
	}
}

// Metrics tell whether the file of routes has changed since it was read, and when
// it is as before.
func TestMetricsTellOfTheRouteFile(t *testing.T) {
	s := newSite(t)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := port.Addr().String()
	port.Close()
	path := filepath.Join(s.dir, "routes.txt")
	s.write(fmt.Sprintf("[metrics]\nlisten = %q\n[static]\nfile = \"routes.txt\"\n", address))
	started := false
	for i, step := range []struct {
		text    string // "" for no file
		differs float64
	}{
		{"198.51.100.0/24 via 10.0.2.2\n", 0},
		{"198.51.100.0/24 via 10.0.2.2 10.0.2.3\n", 1},
		{"nonsense\n", 1},
		{"", 1},
		{"198.51.100.0/24 via 10.0.2.2 # as before\n", 0},
	} {
		err := os.Remove(path)
		if step.text != "" {
			err = os.WriteFile(path, []byte(step.text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !started {
			s.start()
			started = true
		}
		if got := s.metrics(address)["routerd_config_differs"]; got != step.differs {
			t.Errorf("step %d: the file differs: %v, want %v", i, got, step.differs)
		}
	}
}
