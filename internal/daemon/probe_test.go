package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"routerd/internal/control"
)

// probeSite is a router between a TUN and a TAP, with routes that end and one whose next
// hop is silent, and more of a configuration.
func probeSite(t *testing.T, more string) *site {
	s := newSite(t)
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.lan1]
kind = "tap"
addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.2.2/24", "2001:db8:2::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[static]
route = [{ prefix = "198.51.100.0/24", action = "blackhole" }, { prefix = "203.0.113.0/24", next-hop = "10.0.2.99" }]
`, s.socket(), s.hosts[0], s.hosts[1])
	if err := os.WriteFile(s.config, []byte(text+strings.Replace(more, "STACK", strings.Replace(s.hosts[0], "-h1", "-stack", 1), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		wait(t, "h1 to reach "+to, func() error { return s.ping(0, to) })
	}
	return s
}

// mirror answers each datagram to an address in a namespace.
func mirror(t *testing.T, ns, address string) {
	t.Helper()
	var c net.PacketConn
	inNetns(t, ns, func() (err error) {
		c, err = net.ListenPacket("udp", address)
		return err
	})
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
}

// probed is what a test expects of a probe.
type probed struct {
	name    string
	q       control.ProbeQuery
	verdict string // observed
	out     string
	kind    string // of the answer, "" for none
	text    string // in it
	differs bool   // from the prediction
}

func (p *probed) check(t *testing.T, r control.ProbeResult) {
	t.Helper()
	o := r.Observation
	kind, text, from := "", "", netip.Addr{}
	if o.Answer != nil {
		kind, text, from = o.Answer.Kind, o.Answer.Text, o.Answer.From
	}
	if o.Verdict != p.verdict || o.Out != p.out || kind != p.kind || !strings.Contains(text, p.text) || r.Agrees == p.differs {
		t.Errorf("%s: %+v with the answer %+v, agrees %v: %s", p.name, o, o.Answer, r.Agrees, r.Says)
	}
	if kind != "" && (from != p.q.Dst || o.Answer.In != p.out || o.Answer.After <= 0) {
		t.Errorf("%s: answered by %s on %s after %v s, want %s on %s", p.name, from, o.Answer.In, o.Answer.After, p.q.Dst, p.out)
	}
	if left := o.Left > 0; left != (o.Class == "passed") {
		t.Errorf("%s: %s, and left after %v s", p.name, o.Verdict, o.Left)
	}
	if len(r.Prediction.Steps) == 0 || r.Packet == "" || r.Says == "" {
		t.Errorf("%s: explained as %+v", p.name, r)
	}
}

func echoTo(dst string) control.ProbeQuery { return control.ProbeQuery{Dst: mustAddr(dst)} }

func portOf(protocol, dst string, port uint16) control.ProbeQuery {
	return control.ProbeQuery{Dst: mustAddr(dst), Protocol: protocol, DstPort: port}
}

// answered are probes that the host behind lan1 answers, in each family.
func answered(s *site) (list []probed) {
	for _, dst := range []string{"10.0.2.2", "2001:db8:2::2"} {
		listen(s.t.(*testing.T), s.hosts[1], netip.AddrPortFrom(mustAddr(dst), 8080).String())
		mirror(s.t.(*testing.T), s.hosts[1], netip.AddrPortFrom(mustAddr(dst), 5353).String())
		large := echoTo(dst)
		large.Size = 3000
		list = append(list,
			probed{name: "echo to " + dst, q: echoTo(dst), verdict: "originated", out: "lan1", kind: "echo_reply"},
			probed{name: "in pieces to " + dst, q: large, verdict: "originated", out: "lan1", kind: "echo_reply"},
			probed{name: "closed port of " + dst, q: portOf("udp", dst, 9), verdict: "originated", out: "lan1", kind: "icmp_error", text: "port unreachable"},
			probed{name: "datagram to " + dst, q: portOf("udp", dst, 5353), verdict: "originated", out: "lan1", kind: "udp"},
			probed{name: "refused by " + dst, q: portOf("tcp", dst, 9), verdict: "originated", out: "lan1", kind: "tcp_refused"},
			probed{name: "accepted by " + dst, q: portOf("tcp", dst, 8080), verdict: "originated", out: "lan1", kind: "tcp_accepted"},
		)
	}
	return list
}

// probe sends a probe, as soon as the limit of probes in a second lets it.
func (s *site) probe(q control.ProbeQuery) (r control.ProbeResult) {
	s.t.Helper()
	wait(s.t, "a probe to be sent", func() (err error) {
		r, err = s.client().Probe(context.Background(), q)
		var refused *control.Error
		if errors.As(err, &refused) && refused.Status != http.StatusTooManyRequests {
			s.t.Fatal(err)
		}
		return err
	})
	return r
}

// TestProbe: what a probe's prediction says is what happens to it, and what comes back is told.
func TestProbe(t *testing.T) {
	s := probeSite(t, "")
	tooBig := echoTo("10.0.2.2")
	tooBig.Size, tooBig.DF = 1501, true
	for _, p := range append(answered(s),
		probed{name: "echo by a TUN", q: echoTo("10.0.1.2"), verdict: "originated", out: "lan0", kind: "echo_reply"},
		probed{name: "too big", q: tooBig, verdict: "too_big"},
		probed{name: "no route", q: echoTo("192.0.2.1"), verdict: "no_route"},
		probed{name: "blackhole", q: echoTo("198.51.100.9"), verdict: "blackhole"},
		probed{name: "a next hop that is silent", q: echoTo("203.0.113.9"), verdict: "resolving", out: "lan1", differs: true},
	) {
		r := s.probe(p.q)
		p.check(t, r)
		if p.verdict == "resolving" && (r.Observation.NextHop != mustAddr("10.0.2.99") || !strings.Contains(r.Says, "10.0.2.99")) {
			t.Errorf("%s: %+v: %s, want it to name 10.0.2.99", p.name, r.Observation, r.Says)
		}
	}
	// A connection that was accepted is reset, or the host would keep it half open.
	wait(t, "no connection to be half open", func() error {
		for _, family := range []string{"tcp", "tcp6"} {
			if list := s.in(1, "cat", "/proc/net/"+family); strings.Contains(list, " 03 ") {
				return fmt.Errorf("h2 has %s", list)
			}
		}
		return nil
	})
	// A next hop that is not known is asked for, and the probe leaves then.
	if _, err := s.client().ClearNeighbors(t.Context(), control.NeighborQuery{Address: mustAddr("10.0.2.2")}); err != nil {
		t.Fatal(err)
	}
	r := s.probe(echoTo("10.0.2.2"))
	(&probed{name: "to a neighbour that was forgotten", q: echoTo("10.0.2.2"), verdict: "originated", out: "lan1", kind: "echo_reply"}).check(t, r)
	if r.Prediction.Verdict != "resolving" || r.Observation.MAC == "" || r.Observation.NextHop != mustAddr("10.0.2.2") {
		t.Errorf("predicted %+v, observed %+v: want that the neighbour is asked for, and who it is", r.Prediction, r.Observation)
	}
}

// TestProbeIsRefused: a probe comes from the router and goes beyond it, and there are not many.
func TestProbeIsRefused(t *testing.T) {
	s := probeSite(t, "")
	from := func(src, dst string) control.ProbeQuery {
		return control.ProbeQuery{Src: mustAddr(src), Dst: mustAddr(dst)}
	}
	for _, q := range []control.ProbeQuery{
		echoTo("10.0.1.1"), echoTo("2001:db8:1::1"), echoTo("2001:db8:1::"), echoTo("224.0.0.1"), echoTo("ff02::1"), echoTo("255.255.255.255"),
		echoTo("127.0.0.1"), echoTo("0.0.0.0"), echoTo("fe80::1"), from("10.0.1.2", "10.0.2.2"), from("10.0.2.2", "10.0.1.2"), from("2001:db8:9::1", "2001:db8:2::2"),
	} {
		_, err := s.client().Probe(t.Context(), q)
		var refused *control.Error
		if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
			t.Errorf("from %s to %s: %v, want 400", q.Src, q.Dst, err)
		}
	}
	r := s.probe(from("10.0.1.1", "10.0.2.2"))
	if r.Observation.Answer == nil || !strings.Contains(r.Packet, "10.0.1.1 > 10.0.2.2") {
		t.Errorf("from another address of the router's: %+v", r)
	}
	var limited, sent int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			_, err := s.client().Probe(context.Background(), echoTo("203.0.113.9"))
			var refused *control.Error
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				sent++
			case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
				limited++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if sent == 0 || limited == 0 {
		t.Errorf("of twelve at once %d were sent and %d refused", sent, limited)
	}
	s.probe(echoTo("10.0.1.2")) // the others have ended
}

// TestProbeIsTranslatedAndTracked: with a filter, translation and a TCP/IP stack of the
// router's own a probe's answers are still its.
func TestProbeIsTranslatedAndTracked(t *testing.T) {
	s := probeSite(t, `
[local-stack]
netns = "STACK"
[[nat.source]]
name = "out"
outbound-interface = "lan1"
translation = "masquerade"
[acl]
local = "router"
[acl.router]
[[acl.router.rule]]
name = "inside"
inbound-interface = "lan0"
action = "accept"
`)
	for _, p := range answered(s) {
		p.check(t, s.probe(p.q))
	}
}
