package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A Linux host on the other end of a veth asks for the router's address.
func TestKernelResolvesTheRouter(t *testing.T) {
	if _, err := exec.LookPath("arping"); err != nil {
		t.Skip("arping is not installed")
	}
	s := newSite(t)
	ns := s.core(0)
	s.must("ip", "netns", "add", ns)
	t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	s.must("ip", "link", "add", "core0", "netns", ns, "type", "veth", "peer", "name", "eth0", "netns", s.hosts[0])
	s.in(0, "ip", "address", "add", "10.0.1.2/24", "dev", "eth0")
	s.in(0, "ip", "link", "set", "eth0", "up")
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.core0]
kind = "packet"
netns = %q
addresses = ["10.0.1.1/24"]
`, s.socket(), ns)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	wait(t, "the host to reach the router", func() error { return s.ping(0, "10.0.1.1") })
	mac := strings.Fields(s.must("ip", "-n", ns, "-o", "link", "show", "core0"))
	known := s.in(0, "ip", "neigh", "show", "10.0.1.1")
	found := false
	for i, word := range mac {
		found = found || word == "link/ether" && strings.Contains(known, mac[i+1])
	}
	if !found {
		t.Errorf("the host knows %q, want the port's address of %q", known, mac)
	}
	if out := s.in(0, "arping", "-c", "2", "-w", "5", "-I", "eth0", "10.0.1.1"); !strings.Contains(out, "Received 2 response") {
		t.Errorf("arping: %s, want 2 responses", out)
	}
}
