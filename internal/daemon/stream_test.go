package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/beacon"
	"routerd/internal/control"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// talker is a router of two that speak the protocol for tests, r1 and r2, on a
// cable between their namespaces:
//
//	[ r1 ] core0 ---- core0 [ r2 ]      10.0.12.1/24 ---- 10.0.12.2/24
//	[ r1 ] core1 ---- core1 [ r2 ]      10.0.13.1/24 ---- 10.0.13.2/24
type talker struct {
	*site
	number int
	stack  string // namespace
	stop   func()

	mu     sync.Mutex
	cfg    beacon.Config
	beacon *beacon.Core
}

// Step has the core looked at only between two of its steps.
type watchedCore struct {
	protocol.Core
	of *talker
}

func (w watchedCore) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.Core.Step(now, in, out)
}

// look runs f between two steps of the core.
func (s *talker) look(f func(c *beacon.Core) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(s.beacon)
}

// configure has the router speak as cfg says, at once where it runs.
func (s *talker) configure(cfg beacon.Config) {
	s.t.Helper()
	s.mu.Lock()
	s.cfg = cfg
	s.mu.Unlock()
	if s.stop != nil {
		c := control.Dial(s.socket())
		defer c.Close()
		if _, err := c.Reload(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// run starts the router.
func (s *talker) run() {
	s.t.Helper()
	o := s.options()
	o.more = []unlisted{{
		Kind: router.Kind{Name: "beacon", Source: routing.SourceOSPF, New: func(st protocol.Start) protocol.Core {
			c := beacon.New(st)
			s.mu.Lock()
			s.beacon = c.(*beacon.Core)
			s.mu.Unlock()
			return watchedCore{c, s}
		}},
		config: func() router.ProtocolConfig {
			s.mu.Lock()
			defer s.mu.Unlock()
			return router.ProtocolConfig{Config: s.cfg}
		},
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	s.ready(done)
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("r%d ended with: %v", s.number, err)
		}
		o.Stderr.Close()
	})
	s.t.Cleanup(s.stop)
}

func beaconConfig(n int) beacon.Config {
	return beacon.Config{
		Interfaces: []string{"core0"}, Interval: 100 * time.Millisecond, Dead: 2 * time.Second,
		Announce: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.9.%d.0/24", n))},
		Keys:     keys.Chain{{ID: 7, Algorithm: keys.HMACSHA256, Secret: []byte("signed")}},
		Streams:  &beacon.Streams{StreamOptions: protocol.StreamOptions{TTL: 255, MinTTL: 255, DSCP: protocol.CS6, Secret: "md5"}},
	}
}

// talkers makes both, each of which change may configure another way, and runs
// them.
func talkers(t *testing.T, change func(n int, c *beacon.Config)) [2]*talker {
	t.Helper()
	base := newSite(t)
	var both [2]*talker
	for i := range both {
		ns := base.core(i)
		base.must("ip", "netns", "add", ns)
		t.Cleanup(func() { base.must("ip", "netns", "del", ns) })
		r := &site{t: t, dir: t.TempDir(), hosts: base.hosts}
		r.config = filepath.Join(r.dir, "routerd.toml")
		both[i] = &talker{site: r, number: i + 1, stack: strings.Replace(base.hosts[i], "-h", "-stack", 1), cfg: beaconConfig(i + 1)}
		if change != nil {
			change(i+1, &both[i].cfg)
		}
	}
	for _, cable := range []string{"core0", "core1"} {
		base.must("ip", "link", "add", cable, "netns", base.core(0), "type", "veth", "peer", "name", cable, "netns", base.core(1))
		for i := range both {
			base.must("ip", "-n", base.core(i), "link", "set", cable, "up")
		}
	}
	for i, s := range both {
		text := fmt.Sprintf(`name = "r%[1]d"
state-dir = %[5]q
[api]
listen = ["unix://%[2]s"]
[local-stack]
netns = %[4]q
[interface.core0]
kind = "packet"
netns = %[3]q
addresses = ["10.0.12.%[1]d/24", "2001:db8:12::%[1]d/64"]
[interface.core1]
kind = "packet"
netns = %[3]q
addresses = ["10.0.13.%[1]d/24", "2001:db8:13::%[1]d/64"]
`, s.number, s.socket(), base.core(i), s.stack, s.dir)
		if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.run()
	}
	return both
}

// neighbor gives the other router as s sees it.
func (s *talker) neighbor(c *beacon.Core) (*beacon.Neighbor, error) {
	n := c.Neighbors[netip.AddrFrom4([4]byte{10, 0, 12, byte(3 - s.number)})]
	if n == nil {
		return nil, fmt.Errorf("r%d has neighbours %v", s.number, c.Neighbors)
	}
	return n, nil
}

// talks says why s has no connection with its neighbour, the one of number times
// or later, by which both have said hello.
func (s *talker) talks(times int) error {
	return s.look(func(c *beacon.Core) error {
		n, err := s.neighbor(c)
		if err != nil {
			return err
		}
		if !n.Stream.Up || n.Stream.Times < times || !strings.HasPrefix(string(n.Stream.Heard), "hello") {
			return fmt.Errorf("r%d: connection up %v, the number %d, heard %.40q, before: %v; no listener because of %v",
				s.number, n.Stream.Up, n.Stream.Times, n.Stream.Heard, n.Stream.Why, c.Refused())
		}
		return nil
	})
}

func (s *talker) times() (n int) {
	_ = s.look(func(c *beacon.Core) error {
		if x, err := s.neighbor(c); err == nil {
			n = x.Stream.Times
		}
		return nil
	})
	return n
}

func talk(t *testing.T, both [2]*talker, times int) {
	t.Helper()
	for _, s := range both {
		wait(t, "a connection", func() error { return s.talks(times) })
	}
}

// Two routers find each other, route, and talk by a signed connection of one hop,
// and what a reload changes of claims and groups is changed while they run.
func TestProtocolOnRealPorts(t *testing.T) {
	both := talkers(t, nil)
	talk(t, both, 1)
	for _, s := range both {
		wait(t, "routes, probes and the next hop", func() error {
			return s.look(func(c *beacon.Core) error {
				hop := netip.AddrFrom4([4]byte{10, 0, 12, byte(3 - s.number)})
				if c.Probes == 0 || c.Installed == 0 || !c.NextHops[hop].Reachable || c.Forged > 0 {
					return fmt.Errorf("%d probes, installed %d, next hop %+v, %d forged", c.Probes, c.Installed, c.NextHops[hop], c.Forged)
				}
				return nil
			})
		})
	}
	l, _ := lookLink(both[0])
	if l.Speed != 10e9 {
		t.Errorf("a veth has %d bit/s, want the 10 Gbit/s that it says", l.Speed)
	}
	other := netip.MustParseAddr("239.255.70.2")
	for n, s := range both {
		c := beaconConfig(n + 1)
		c.Wide, c.Groups = true, []netip.Addr{other, beacon.Group}
		s.configure(c)
	}
	heardAnew(t, both, true)
	for n, s := range both { // only the second group is left
		c := beaconConfig(n + 1)
		c.Wide, c.Groups = true, []netip.Addr{other}
		s.configure(c)
	}
	heardAnew(t, both, true)
	c := beaconConfig(1) // and r1 has left it: it hears nothing any more
	both[0].configure(c)
	heardAnew(t, [2]*talker{both[0], both[0]}, false)
	c.Groups = []netip.Addr{other}
	both[0].configure(c)
	talk(t, both, 1)
	before := both[1].times()
	both[0].stop()
	wait(t, "r2 to hear the goodbye, or that r1 is gone", func() error {
		return both[1].look(func(c *beacon.Core) error {
			n, err := both[1].neighbor(c)
			if err != nil || n.Stream.Up || n.Stream.Times != before || !errors.Is(n.Stream.Why, protocol.ErrStreamEnd) {
				return fmt.Errorf("neighbour %+v, %v", n, err)
			}
			return nil
		})
	})
	var was uint64
	_ = both[0].look(func(c *beacon.Core) error { was = c.Sequence; return nil })
	both[0].run()
	talk(t, both, 1)
	_ = both[0].look(func(c *beacon.Core) error {
		if c.Sequence <= was {
			t.Errorf("after a restart the announcement %d follows %d", c.Sequence, was)
		}
		return nil
	})
}

func lookLink(s *talker) (l protocol.LinkUp, ok bool) {
	_ = s.look(func(c *beacon.Core) error { l, ok = c.Link("core0"); return nil })
	return l, ok
}

// heardAnew waits until announcements come from now on, or come no more.
func heardAnew(t *testing.T, both [2]*talker, wanted bool) {
	t.Helper()
	for _, s := range both {
		wait(t, fmt.Sprintf("news of the neighbour: %v", wanted), func() error {
			return s.look(func(c *beacon.Core) error {
				n, err := s.neighbor(c)
				switch {
				case !wanted && err != nil:
					return nil // it has fallen silent
				case !wanted:
					return fmt.Errorf("still a neighbour, heard at %v", n.Heard)
				case err != nil:
					return err
				case c.Probes < 3 || n.Sequence < 3:
					return fmt.Errorf("%d probes, announcement %d", c.Probes, n.Sequence)
				}
				c.Probes, n.Sequence = 0, 0
				return nil
			})
		})
	}
}

// A cable that is cut and mended, and a stack that is deleted and made anew, end
// the connection; there is another one afterwards, without anybody's help.
func TestConnectionComesBack(t *testing.T) {
	both := talkers(t, nil)
	talk(t, both, 1)
	wire := both[0].site.core(0)
	both[0].must("ip", "-n", wire, "link", "set", "core0", "down")
	for _, s := range both {
		wait(t, "the neighbour to be lost", func() error {
			return s.look(func(c *beacon.Core) error {
				if n, err := s.neighbor(c); err == nil {
					return fmt.Errorf("r%d still has %+v", s.number, n)
				}
				return nil
			})
		})
	}
	both[0].must("ip", "-n", wire, "link", "set", "core0", "up")
	talk(t, both, 1)
	before := [2]int{both[0].times(), both[1].times()}
	both[0].must("ip", "netns", "del", both[0].stack)
	for i, s := range both {
		wait(t, "another connection, in a stack that was made anew", func() error { return s.talks(before[i] + 1) })
	}
	// The device alone: the namespace and what is open in it stays.
	before = [2]int{both[0].times(), both[1].times()}
	both[1].must("ip", "-n", both[1].stack, "link", "del", "routerd0")
	said := func() (n int) {
		_ = both[0].look(func(c *beacon.Core) error {
			if x, err := both[0].neighbor(c); err == nil {
				n = len(x.Stream.Heard)
			}
			return nil
		})
		return n
	}
	wait(t, "the device to come back", func() error {
		return device.InNamespace(both[1].stack, func() error {
			_, err := net.InterfaceByName("routerd0")
			return err
		})
	})
	heard := said()
	wait(t, "the connection to go on", func() error {
		if now := said(); now < heard+3 {
			return fmt.Errorf("%d octets were heard by it, %d when the device came back", now, heard)
		}
		return nil
	})
	if now := [2]int{both[0].times(), both[1].times()}; now != before {
		t.Errorf("the device of a stack was made anew in the same namespace: %v connections, want %v as before", now, before)
	}
}

// A peer with another secret, or one that is too far away, never has a connection.
func TestConnectionThatIsRefused(t *testing.T) {
	for what, change := range map[string]func(n int, c *beacon.Config){
		"another secret": func(n int, c *beacon.Config) { c.Streams.Secret = fmt.Sprint("of r", n) },
		"the dialler signs nothing": func(n int, c *beacon.Config) {
			if n == 1 {
				c.Streams.Secret = ""
			}
		},
		"the listener signs nothing": func(n int, c *beacon.Config) {
			if n == 2 {
				c.Streams.Secret = ""
			}
		},
		"the dialler's TTL is too low": func(n int, c *beacon.Config) {
			if n == 1 {
				c.Streams.TTL = 254
			}
		},
		"the listener's TTL is too low": func(n int, c *beacon.Config) {
			if n == 2 {
				c.Streams.TTL = 64
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			both := talkers(t, func(n int, c *beacon.Config) {
				c.Dead = time.Second
				change(n, c)
			})
			wait(t, "the dialler to give up", func() error {
				return both[0].look(func(c *beacon.Core) error {
					n, err := both[0].neighbor(c)
					if err == nil && n.Stream.Why == nil {
						err = fmt.Errorf("connection %+v", n.Stream)
					}
					return err
				})
			})
			for _, s := range both {
				if n := s.times(); n != 0 {
					t.Errorf("r%d had %d connections, want none", s.number, n)
				}
			}
			for n, s := range both { // mended by a reload
				s.configure(beaconConfig(n + 1))
			}
			talk(t, both, 1)
		})
	}
}

// Somebody in the stack's namespace has the port: the protocol is told so in
// words, and listens when the port is free.
func TestListenerWhosePortIsTaken(t *testing.T) {
	both := talkers(t, func(n int, c *beacon.Config) {
		if n == 2 {
			c.Streams = nil
		}
	})
	l := listen(t, both[1].stack, fmt.Sprintf("0.0.0.0:%d", beacon.Port))
	both[1].configure(beaconConfig(2))
	wait(t, "the listener to be refused", func() error {
		return both[1].look(func(c *beacon.Core) error {
			if err := c.Refused(); err == nil || !strings.Contains(err.Error(), "somebody else in the namespace of the router's own stack has the port") {
				return fmt.Errorf("refused: %v", err)
			}
			return nil
		})
	})
	l.Close()
	talk(t, both, 1)
}

// Without a stack of the router's own there are no connections, which a protocol
// is told in words; with the next reload that brings one there are.
func TestConnectionsWithoutAStack(t *testing.T) {
	both := talkers(t, nil)
	talk(t, both, 1)
	text, err := os.ReadFile(both[1].config)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	without := slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return l == "[local-stack]" || strings.Contains(l, both[1].stack)
	})
	write := func(lines []string) {
		if err := os.WriteFile(both[1].config, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		both[1].configure(beaconConfig(2))
	}
	write(without)
	wait(t, "the protocol to hear that there is no stack", func() error {
		return both[1].look(func(c *beacon.Core) error {
			if !errors.Is(c.Refused(), protocol.ErrNoStack) {
				return fmt.Errorf("refused: %v", c.Refused())
			}
			return nil
		})
	})
	write(lines)
	talk(t, both, 1)
}

// Link-local addresses of two cables: a connection by each, which goes by its own
// cable alone, signed and of one hop; with another stack they come back.
func TestConnectionsOfLinkLocalAddresses(t *testing.T) {
	both := talkers(t, func(n int, c *beacon.Config) {
		c.Family, c.Interfaces = 6, []string{"core0", "core1"}
		c.Announce = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("2001:db8:9:%d::/64", n))}
		c.Streams.Bulk = 200_000
	})
	// on says what is the matter with the connection by an interface.
	on := func(s *talker, name string, f func(*beacon.Neighbor) error) error {
		return s.look(func(c *beacon.Core) error {
			l, up := c.Link(name)
			if !up {
				return fmt.Errorf("r%d has no %s", s.number, name)
			}
			for a, n := range c.Neighbors {
				if n.Link != l.Link || !a.IsLinkLocalUnicast() {
					continue
				}
				if !n.Stream.Up || !strings.HasPrefix(string(n.Stream.Heard), "hello") || len(n.Stream.Heard) < 200_000 {
					return fmt.Errorf("r%d %s: connection with %v up %v, heard %d octets, before: %v; no listener: %v",
						s.number, name, a, n.Stream.Up, len(n.Stream.Heard), n.Stream.Why, c.Refused())
				}
				return f(n)
			}
			return fmt.Errorf("r%d has no neighbour on %s", s.number, name)
		})
	}
	fine := func(*beacon.Neighbor) error { return nil }
	for _, s := range both {
		for _, name := range []string{"core0", "core1"} {
			wait(t, "a connection by "+name, func() error { return on(s, name, fine) })
		}
		if out := s.must("ip", "-n", s.stack, "-6", "address", "show", "dev", "core1"); !strings.Contains(out, "fe80::") {
			t.Errorf("the stack of r%d has by core1\n%s", s.number, out)
		}
	}
	heard := 0
	_ = on(both[0], "core0", func(n *beacon.Neighbor) error { heard = len(n.Stream.Heard); return nil })
	both[0].must("ip", "-n", both[0].site.core(0), "link", "set", "core1", "down")
	wait(t, "the neighbour on core1 to be lost", func() error {
		if err := on(both[0], "core1", fine); err == nil {
			return errors.New("it is there")
		}
		return nil
	})
	wait(t, "the connection by the other cable to go on", func() error {
		return on(both[0], "core0", func(n *beacon.Neighbor) error {
			if n.Stream.Times != 1 || len(n.Stream.Heard) <= heard {
				return fmt.Errorf("connection number %d, %d octets heard, %d before", n.Stream.Times, len(n.Stream.Heard), heard)
			}
			return nil
		})
	})
	both[0].must("ip", "-n", both[0].site.core(0), "link", "set", "core1", "up")
	both[1].must("ip", "netns", "del", both[1].stack)
	for _, s := range both {
		for _, name := range []string{"core0", "core1"} {
			wait(t, "a connection by "+name+" in another stack", func() error {
				return on(s, name, func(n *beacon.Neighbor) error {
					if name == "core0" && n.Stream.Times < 2 {
						return errors.New("still the first one")
					}
					return nil
				})
			})
		}
	}
}
