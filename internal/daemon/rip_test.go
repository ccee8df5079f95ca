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
	"time"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
	"routerd/internal/protocols/rip"
	"routerd/routing/keys"
	"routerd/routing/rip/wire"
)

// speaker is a router on a host's link that hears what r1 says and says what
// the test wants.
type speaker struct {
	t    *testing.T
	conn *net.UDPConn
	seal wire.Seal
}

func newSpeaker(t *testing.T, ns, address string, seal wire.Seal) *speaker {
	t.Helper()
	s := &speaker{t: t, seal: seal}
	inNetns(t, ns, func() (err error) {
		if s.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero, Port: 520}); err != nil {
			return err
		}
		raw, err := s.conn.SyscallConn()
		if err != nil {
			return err
		}
		group := &unix.IPMreq{Multiaddr: [4]byte{224, 0, 0, 9}, Interface: netip.MustParseAddr(address).As4()}
		var joined error
		err = raw.Control(func(fd uintptr) {
			joined = unix.SetsockoptIPMreq(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, group)
		})
		return errors.Join(err, joined)
	})
	t.Cleanup(func() { s.conn.Close() })
	return s
}

// hear gives the next packet that r1 says within a moment.
func (s *speaker) hear(within time.Duration) (p wire.Packet, err error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return p, err
	}
	buf := make([]byte, 2048)
	n, _, err := s.conn.ReadFromUDPAddrPort(buf)
	if err == nil {
		err = wire.RIP.Decode(buf[:n], &p)
	}
	return p, err
}

// until hears until f has what it wants. A busy machine may have it miss what is said at
// the start; it is said again some 30 s later.
func (s *speaker) until(what string, f func(wire.Packet) bool) {
	s.t.Helper()
	var last []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		p, err := s.hear(time.Second)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if f(p) {
			return
		}
		last = append(last, fmt.Sprint(p.Command, p.Entries))
	}
	s.t.Fatalf("waiting for %s: heard %s", what, strings.Join(last, "; "))
}

func (s *speaker) say(prefix string, metric uint8) {
	s.t.Helper()
	p := wire.Packet{Command: wire.Response, Version: 2, Entries: []wire.Entry{{Prefix: netip.MustParsePrefix(prefix), Metric: metric}}}
	if _, err := s.conn.WriteToUDPAddrPort(wire.RIP.Append(nil, &p, s.seal), netip.MustParseAddrPort("224.0.0.9:520")); err != nil {
		s.t.Fatal(err)
	}
}

// told is what a packet says of each prefix.
func told(p wire.Packet) map[string]uint8 {
	m := map[string]uint8{}
	for _, e := range p.Entries {
		m[e.Prefix.String()] = e.Metric
	}
	return m
}

// keyed is how the neighbours of a keyed site seal a packet with a number.
func keyed(number uint32) wire.Seal {
	return wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 7, Secret: []byte("secret"), Sequence: number}
}

// newKeyedSite is a site that keeps state and authenticates RIP on lan0.
func newKeyedSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	state := filepath.Join(s.dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "core-1"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(nil, "state-dir = %q\n%s[rip.interface.lan0]\nauth = { type = \"md5\", keys = \"core\" }\n[rip.interface.lan1]\npassive = true\n[[keys.core]]\nid = 7\nfile = \"core-1\"\n", state, text)
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Authentication's numbers go on rising over a restart, since neighbours
// refuse what is lower than the last one (RFC 4822 §3.2.2).
func TestRIPNumbersSurviveARestart(t *testing.T) {
	s := newKeyedSite(t)
	last := uint32(0)
	for run := range 3 {
		stop := s.start()
		h := newSpeaker(t, s.hosts[0], "10.0.1.2", wire.Seal{})
		before, stopping, stopped := last, false, make(chan struct{})
		h.until("an update and a goodbye", func(p wire.Packet) bool {
			if p.Auth.Type != wire.AuthCryptographic || p.Auth.KeyID != 7 {
				t.Fatalf("authenticated by %+v, want key 7", p.Auth)
			}
			// Within a run they may repeat (RFC 4822 §2.1: non-decreasing).
			if p.Auth.Sequence < last || p.Auth.Sequence == before {
				t.Errorf("run %d says number %d after %d", run, p.Auth.Sequence, last)
			}
			last = p.Auth.Sequence
			if !stopping && told(p)["10.0.2.0/24"] == 1 {
				stopping = true
				go func() { stop(); close(stopped) }()
			}
			return told(p)["10.0.2.0/24"] == wire.Infinity
		})
		<-stopped
		h.conn.Close()
	}
}

// learned waits until the router knows a prefix by RIP.
func (s *site) learned(prefix string) {
	s.t.Helper()
	c := s.client()
	wait(s.t, prefix+" to be learned", func() error {
		page, err := control.Get[rip.RoutePage](s.t.Context(), c, "rip/route", nil)
		if err != nil {
			return err
		}
		for _, r := range page.Routes {
			if r.Prefix.String() == prefix && r.State == "learned" {
				return nil
			}
		}
		return fmt.Errorf("there are %v", page.Routes)
	})
}

// refused gives how many packets were refused on lan0 for a reason.
func (s *site) refused(why string) (n uint64) {
	s.t.Helper()
	list, err := control.Get[rip.InterfaceList](s.t.Context(), s.client(), "rip/interface", rip.InterfaceQuery{Interface: "lan0"})
	if err != nil || len(list.Interfaces) != 1 {
		s.t.Fatalf("lan0 is %+v: %v", list, err)
	}
	for _, c := range list.Interfaces[0].Refused {
		if c.Kind == why {
			n = c.Count
		}
	}
	return n
}

// awaitRefused waits until so many were.
func (s *site) awaitRefused(why string, want uint64) {
	s.t.Helper()
	wait(s.t, fmt.Sprintf("%d packets refused for %s", want, why), func() error {
		if n := s.refused(why); n != want {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// What an authenticated neighbour said in an earlier life of the router is not
// taken in later ones, though nobody waited for it to be saved; and also not in
// the life after one in which the neighbour was silent.
func TestRIPReplayAfterARestart(t *testing.T) {
	s := newKeyedSite(t)
	number := uint32(5000)
	for run := range 3 {
		stop := s.start()
		h := newSpeaker(t, s.hosts[0], "10.0.1.2", keyed(number))
		if run > 0 {
			h.seal = keyed(number - 2)
			h.say("198.51.100.0/24", 1)
			s.awaitRefused("authentication", 1)
		}
		if run != 1 { // silent, but for what is old
			h.seal = keyed(number)
			h.say("203.0.113.0/24", 1)
			s.learned("203.0.113.0/24")
			h.seal = keyed(number + 1) // within the interval of saves
			h.say("203.0.114.0/24", 1)
			s.learned("203.0.114.0/24")
			number += 2
		}
		h.conn.Close()
		stop()
	}
}

// A wrong key is a warning, one for all its packets; the counter has them all.
func TestRIPWrongKeyIsOneWarning(t *testing.T) {
	s := newKeyedSite(t)
	s.start()
	h := newSpeaker(t, s.hosts[0], "10.0.1.2", wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 7, Secret: []byte("guess"), Sequence: 1})
	const packets = 50
	for range packets {
		h.say("198.51.100.0/24", 1)
	}
	s.awaitRefused("authentication", packets)
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "authentication failed") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines, want one:\n%s", len(lines), strings.Join(lines, ""))
	}
	for _, word := range []string{"WARN", "lan0", "10.0.1.2", "key 7"} { // RFC 4822 §2.3.2 (5)
		if !strings.Contains(lines[0], word) {
			t.Errorf("%q does not say %q", lines[0], word)
		}
	}
}

// Of what is said too often the first is told, and then how much more there
// was.
func TestWarningsAreHeldBack(t *testing.T) {
	var w warning
	now := time.Unix(1000, 0)
	if held, due := w.allow(now); !due || held != 0 {
		t.Errorf("the first: %d held, due %v", held, due)
	}
	for range 7 {
		if _, due := w.allow(now.Add(warningEvery - 1)); due {
			t.Error("due again before its time")
		}
	}
	if held, due := w.allow(now.Add(warningEvery)); !due || held != 7 {
		t.Errorf("after %v: %d held, due %v; want 7 and due", warningEvery, held, due)
	}
	if held, due := w.allow(now.Add(2 * warningEvery)); !due || held != 0 {
		t.Errorf("after %v more: %d held, due %v; want none and due", warningEvery, held, due)
	}
}

// A router that stops says so: its neighbour need not wait for three minutes.
func TestRIPSaysGoodbye(t *testing.T) {
	s := newSite(t)
	s.write("[rip.interface.lan0]\n[rip.interface.lan1]\npassive = true\n")
	stop := s.start()
	h := newSpeaker(t, s.hosts[0], "10.0.1.2", wire.Seal{})
	h.until("the other subnet", func(p wire.Packet) bool { return told(p)["10.0.2.0/24"] == 1 })
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	h.until("that it cannot be reached any more", func(p wire.Packet) bool { return told(p)["10.0.2.0/24"] == wire.Infinity })
	<-stopped
}

// A reload that changes one interface leaves what was learned on others alone.
func TestRIPReloadLeavesOthersAlone(t *testing.T) {
	s := newSite(t)
	both := "[rip.interface.lan0]\n[rip.interface.lan1]\n"
	s.write(both)
	s.start()
	c := s.client()
	routes := func() map[string]rip.Route {
		t.Helper()
		page, err := control.Get[rip.RoutePage](t.Context(), c, "rip/route", nil)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]rip.Route{}
		for _, r := range page.Routes {
			m[r.Prefix.String()] = r
		}
		return m
	}
	newSpeaker(t, s.hosts[0], "10.0.1.2", wire.Seal{}).say("198.51.100.0/24", 2)
	other := newSpeaker(t, s.hosts[1], "10.0.2.2", wire.Seal{})
	other.say("203.0.113.0/24", 2)
	wait(t, "both routes", func() error {
		if r := routes(); r["198.51.100.0/24"].Metric != 3 || r["203.0.113.0/24"].Metric != 3 {
			return fmt.Errorf("there are %v", r)
		}
		return nil
	})
	before := routes()
	s.write(both + "metric = 5\n") // of lan1, the last
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.say("203.0.113.0/24", 2)
	wait(t, "the route by lan1 to be dearer", func() error {
		if r := routes()["203.0.113.0/24"]; r.Metric != 7 {
			return fmt.Errorf("it is %+v", r)
		}
		return nil
	})
	is, was := routes()["198.51.100.0/24"], before["198.51.100.0/24"]
	if !is.Since.Equal(was.Since) || is.State != "learned" || is.Metric != 3 {
		t.Errorf("the route by lan0 is %+v, was %+v", is, was)
	}
}
