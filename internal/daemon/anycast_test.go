package daemon

import (
	"strings"
	"testing"
)

// TestAnycastOnAnEthernet: a host finds and reaches the router by the address
// of all routers of its subnet (RFC 4291 §2.6.1), by the group in which the
// router's own address is asked for, and its fragments are put together.
func TestAnycastOnAnEthernet(t *testing.T) {
	s := newLAN(t, []string{"2001:db8:12::2/64"}, `addresses = ["2001:db8:12::1/64"]`)
	s.start()
	wait(t, "h2 to reach the router", func() error { return s.ping(1, "2001:db8:12::1") })
	s.in(1, "ip", "-6", "route", "add", "default", "via", "2001:db8:12::1")
	for _, to := range []string{"2001:db8:12::", "2001:db8:1::", "ff02::1:ff00:1%eth0", "ff02::1:ff00:0%eth0", "ff02::2%eth0"} {
		for _, size := range []string{"56", "4000"} {
			// ping counts what it hears, from whatever address it comes.
			out := s.in(1, "ping", "-n", "-c1", "-W5", "-M", "dont", "-s", size, to)
			if !strings.Contains(out, " 1 received") {
				t.Errorf("%s bytes to %s: %s", size, to, out)
			}
		}
	}
	for to, want := range map[string]string{"2001:db8:12::": "local", "2001:db8:12::2": "forward"} {
		x, err := s.client().ExplainRoute(t.Context(), mustAddr(to))
		if err != nil || x.Entry == nil || x.Entry.Action != want || (len(x.Neighbors) == 0) != (want == "local") {
			t.Errorf("%s is explained as %+v with neighbours %v (%v), want %s", to, x.Entry, x.Neighbors, err, want)
		}
	}
	if n := s.must("ip", "-n", s.hosts[1], "-6", "neigh", "show", "2001:db8:12::"); !strings.Contains(n, "lladdr") || strings.Contains(n, "FAILED") {
		t.Errorf("h2 knows the anycast address as %q, want a link-layer address", n)
	}
}
