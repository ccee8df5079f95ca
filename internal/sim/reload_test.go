package sim

import (
	"testing"
	"time"
)

// A static route that is removed while RIP is out of the configuration is not
// passed on when RIP is back.
func TestRIPOutAndBack(t *testing.T) {
	s := newRIPScript(1)
	play := func(text string) string {
		t.Helper()
		got, err := s.Play(text)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	play(`router r1
  stub 10.1.1.1/24
  eth0 10.0.12.1/24
static r1 198.51.100.0/24 via 10.1.1.9
static r1 203.0.113.0/24 via 10.1.1.9
router r2
  eth0 10.0.12.2/24
link r1:eth0 r2:eth0
rip r1 redistribute=static:4
  eth0
rip r2
  eth0
until r2 203.0.113.0/24 5 10s
----

`)
	node, cfg, err := s.Router("r1")
	if err != nil {
		t.Fatal(err)
	}
	speaks := cfg.Protocols
	cfg.Protocols = nil
	if err := node.Apply(*cfg); err != nil {
		t.Fatal(err)
	}
	run(t, s.Network, time.Second)
	play("remove r1 198.51.100.0/24\nrun 1s\n")
	cfg.Protocols = speaks
	if err := node.Apply(*cfg); err != nil {
		t.Fatal(err)
	}
	run(t, s.Network, 10*time.Second)
	const want = "fib r2\n----\n10.0.12.0/24         connected  eth0\n203.0.113.0/24       rip        10.0.12.1 eth0\n"
	if got := play("fib r2\n----\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
