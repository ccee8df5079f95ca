package daemon

import (
	"fmt"
	"strings"
	"testing"

	"routerd/internal/control"
)

// A port at which the router itself serves is not given to an inside host that
// speaks from the same one, and is free again when nobody serves there.
func TestNATKeepsPortsOfListeners(t *testing.T) {
	s := newNATSite(t, masquerade)
	stack := strings.Replace(s.hosts[0], "-h1", "-stack", 1)
	s.write(masquerade + fmt.Sprintf("[local-stack]\nnetns = %q\n", stack))
	echo(t, s.far, "198.51.100.2:7")
	s.start()
	ports := func(want int) {
		t.Helper()
		wait(t, fmt.Sprintf("%d UDP ports in use", want), func() error {
			list, err := s.client().NATPools(t.Context())
			if err != nil {
				return err
			}
			if got := list.Pools[0].Used.UDP; got != want {
				return fmt.Errorf("there are %d", got)
			}
			return nil
		})
	}
	from := func(host int, port uint16) uint16 {
		t.Helper()
		c := packetConn(t, s.hosts[host], fmt.Sprintf("10.0.%d.2:%d", host+1, port))
		got, err := seen(c, "198.51.100.2:7")
		if err != nil || got.Addr() != mustAddr("203.0.113.1") {
			t.Fatalf("port %d is seen as %s (%v), want a port of the router's", port, got, err)
		}
		return got.Port()
	}
	ports(0)
	if got := from(0, 8080); got != 8080 {
		t.Errorf("port 8080 is seen as %d, want it kept: nobody serves there", got)
	}
	ports(1)
	stop := echo(t, stack, "203.0.113.1:8081")
	ports(2)
	if got := from(0, 8081); got == 8081 {
		t.Error("a host speaks from the port at which the router serves")
	}
	ports(3)
	c := packetConn(t, s.far, "198.51.100.2:9000")
	if got, err := seen(c, "203.0.113.1:8081"); err != nil || got.Port() != 9000 {
		t.Errorf("what the router serves is answered as %s (%v)", got, err)
	}
	stop()
	// What was answered there is a session of the router's own, which holds
	// the port as long as it lives.
	if _, err := s.client().ClearNAT(t.Context(), control.NATQuery{}); err != nil {
		t.Fatal(err)
	}
	ports(0)
	if got := from(1, 8081); got != 8081 {
		t.Errorf("port 8081 is seen as %d, want it kept now that nobody serves there", got)
	}
}
