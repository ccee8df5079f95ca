package nat

import (
	"sync"
	"testing"

	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

// ICMP errors (RFC 5508 §4): the quoted packet becomes what its sender sent,
// the outer destination its sender, and a router behind the translation is
// hidden as the host is.
func TestErrors(t *testing.T) {
	cfg := forwards()
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.outside("icmp 192.168.10.2:7 > 203.0.113.9")
	s.want("tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, lan, "tcp 203.0.113.9:1000 > 192.168.10.20:8443")
	s.want("tcp 192.168.10.3:1000 > 198.51.100.2:443", lan, lan, "tcp 198.51.100.2:1000 > 192.168.10.20:8443")
	for _, c := range []struct {
		name         string
		outer, inner string
		in           routing.InterfaceID
		to, quoted   string
	}{
		{
			"from the server", "icmp 203.0.113.9 > 198.51.100.2", "udp 198.51.100.2:5000 > 203.0.113.9:53", wan,
			"icmp 203.0.113.9 > 192.168.10.2", "udp 192.168.10.2:5000 > 203.0.113.9:53",
		},
		{
			"from a router on the way: traceroute", "icmp 192.0.2.1 > 198.51.100.2", "udp 198.51.100.2:5000 > 203.0.113.9:53", wan,
			"icmp 192.0.2.1 > 192.168.10.2", "udp 192.168.10.2:5000 > 203.0.113.9:53",
		},
		{
			"about a query", "icmp 192.0.2.1 > 198.51.100.2", "icmp 198.51.100.2:7 > 203.0.113.9", wan,
			"icmp 192.0.2.1 > 192.168.10.2", "icmp 192.168.10.2:7 > 203.0.113.9",
		},
		{
			"from the inside host, about an answer", "icmp 192.168.10.2 > 203.0.113.9", "udp 203.0.113.9:53 > 192.168.10.2:5000", lan,
			"icmp 198.51.100.2 > 203.0.113.9", "udp 203.0.113.9:53 > 198.51.100.2:5000",
		},
		{
			"from a router inside, which stays hidden", "icmp 192.168.99.1 > 203.0.113.9", "udp 203.0.113.9:53 > 192.168.10.2:5000", lan,
			"icmp 198.51.100.2 > 203.0.113.9", "udp 203.0.113.9:53 > 198.51.100.2:5000",
		},
		{
			"from a forwarded server", "icmp 192.168.10.20 > 203.0.113.9", "tcp 203.0.113.9:1000 > 192.168.10.20:8443", lan,
			"icmp 198.51.100.2 > 203.0.113.9", "tcp 203.0.113.9:1000 > 198.51.100.2:443",
		},
		{
			"from outside about a forwarded server's answer", "icmp 192.0.2.1 > 198.51.100.2", "tcp 198.51.100.2:443 > 203.0.113.9:1000", wan,
			"icmp 192.0.2.1 > 192.168.10.20", "tcp 192.168.10.20:8443 > 203.0.113.9:1000",
		},
		{ // RFC 5508 REQ-7
			"by hairpin", "icmp 192.168.10.20 > 198.51.100.2", "tcp 198.51.100.2:1000 > 192.168.10.20:8443", lan,
			"icmp 198.51.100.2 > 192.168.10.3", "tcp 192.168.10.3:1000 > 198.51.100.2:443",
		},
		{
			"about the router's own packet", "icmp 192.0.2.1 > 198.51.100.2", "udp 198.51.100.2:123 > 203.0.113.9:123", wan,
			"icmp 192.0.2.1 > 198.51.100.2", "udp 198.51.100.2:123 > 203.0.113.9:123",
		},
		{ // sent to somebody else than the one whose packet it quotes
			"misdirected", "icmp 192.0.2.1 > 192.168.10.3", "udp 198.51.100.2:5000 > 203.0.113.9:53", wan,
			"icmp 192.0.2.1 > 192.168.10.3", "udp 198.51.100.2:5000 > 203.0.113.9:53",
		},
	} {
		p := Packet{Key: key(c.outer), Inner: key(c.inner), Error: true, In: c.in}
		got := s.pass(p, wan+lan-c.in)
		if got.Verdict != verdict.None || text(got.To) != c.to || text(got.Inner) != c.quoted {
			t.Errorf("%s:\n got %s, quoting %s (%s)\nwant %s, quoting %s", c.name, text(got.To), text(got.Inner), got.Verdict, c.to, c.quoted)
		}
	}
	if s.live() != 4 {
		t.Errorf("%d sessions after errors, want the 4 there were", s.live())
	}
}

// An error for an address of a pool about nothing that is known ends here.
func TestErrorUnmatched(t *testing.T) {
	s := newSite(t, poolOf(flow.PortRange{}, "203.0.113.32/30"))
	p := Packet{Key: key("icmp 192.0.2.1 > 203.0.113.33"), Inner: key("udp 203.0.113.33:5000 > 203.0.113.9:53"), Error: true, In: wan}
	if got := s.pass(p, lan); got.Verdict != verdict.NATICMPUnmatched {
		t.Errorf("%s, %s", got.Verdict, text(got.To))
	}
}

// What is asked dry changes nothing, and is what happens then.
func TestDry(t *testing.T) {
	s := newSite(t, lanOut())
	s.outside("udp 192.168.10.3:5000 > 203.0.113.9:53")
	p := packetOf(key("udp 192.168.10.2:5000 > 203.0.113.9:53"), lan)
	p.Dry = true
	told := s.pass(p, wan)
	if told.Session != NoSession || !told.New || s.n.RuleNames(told.Rule) != "source lan-out" || s.live() != 1 {
		t.Errorf("asked dry: %+v, %d sessions", told, s.live())
	}
	if got := s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53"); "udp "+got+" > 203.0.113.9:53" != text(told.To) {
		t.Errorf("told %s, became %s", text(told.To), got)
	}
	s.wantSound()
}

// Explaining a flow that is refused names the reason and the rule, and does not
// count as a refusal.
func TestDryRefusal(t *testing.T) {
	cfg := lanOut()
	cfg.MaxSessionsPerHost = 1
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	refused := func() uint64 { return s.n.Totals().HostFull + s.n.RuleStates()[0].HostFull }
	p := packetOf(key("udp 192.168.10.2:5001 > 203.0.113.9:53"), lan)
	for _, dry := range []bool{true, false} {
		p.Dry = dry
		if told := s.pass(p, wan); told.Verdict != verdict.NATHostLimit || s.n.RuleNames(told.Rule) != "source lan-out" {
			t.Errorf("dry %v: %s by %q, want it refused by lan-out for the host's limit", dry, told.Verdict, s.n.RuleNames(told.Rule))
		}
		if got := refused(); (got == 0) != dry {
			t.Errorf("dry %v: %d refusals counted", dry, got)
		}
	}
	s.wantSound()
}

// Several workers, a clock, reloads and whoever shows and clears, at once.
func TestRaces(t *testing.T) {
	cfg := forwards()
	cfg.Filtering = EndpointIndependent
	cfg.MaxSessions = 500
	s := newSite(t, cfg)
	var all sync.WaitGroup
	run := func(times int, f func(i int)) {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range times {
				f(i)
			}
		}()
	}
	for worker := range 3 {
		run(4000, func(i int) {
			k := flow.Key{Proto: protoUDP, Src: 0xc0a80a02 + uint32(i*7%50), SrcPort: uint16(4000 + i%5), Dst: 0xcb007109, DstPort: uint16(1 + i%7)}
			got := s.pass(packetOf(k, lan), wan)
			if got.Verdict == verdict.None && (got.To.Src == k.Src || got.To.Dst != k.Dst) {
				t.Errorf("worker %d: %s leaves as %s", worker, text(k), text(got.To))
			}
			if back := s.pass(packetOf(got.To.Reverse(), wan), lan); back.Verdict == verdict.None && back.Session != NoSession && back.To.Dst>>16 != 0xc0a8 {
				t.Errorf("worker %d: the answer to %s goes to %s", worker, text(k), text(back.To))
			}
		})
	}
	run(3000, func(i int) {
		own := packetOf(flow.Key{Proto: protoTCP, Src: 0xc6336402, SrcPort: uint16(4000 + i%9), Dst: 0xcb007109, DstPort: uint16(100 + i%7)}, routing.NoInterface)
		own.Own = true
		s.pass(own, wan)
		in := packetOf(flow.Key{Proto: protoTCP, Src: 0xcb007109, SrcPort: uint16(i % 50), Dst: 0xc6336402, DstPort: 179}, wan)
		s.n.Delivered(&in, s.now)
	})
	run(300, func(i int) { s.n.Tick(flow.Time(i*1000), 100) })
	run(100, func(i int) { s.n.Clear(Filter{Port: uint16(4000 + i%5)}) })
	run(100, func(int) { s.n.PoolStates(); s.n.RuleStates(); s.n.Totals(); s.n.Proxied() })
	run(30, func(i int) {
		c := cfg
		if i%2 == 1 {
			c.Mapping, c.Filtering = AddressDependent, AddressDependent
			c.Source = append([]SourceRule(nil), cfg.Source...)
			c.Source[0].Match.Protocols = []uint8{protoUDP}
		}
		ifs := testInterfaces()
		if i%3 == 2 {
			ifs[wan].Addresses = nil
		}
		r, _, err := s.n.Prepare(c, ifs)
		if err != nil {
			t.Error(err)
			return
		}
		s.n.Commit(r)
		if i%4 != 0 { // else the next one ends what this one leaves
			for s.n.Review() {
			}
		}
	})
	all.Wait()
	for s.n.Review() {
	}
	s.wantSound()
	s.n.Clear(Filter{})
	s.wantSound()
	if s.n.mappings.n != 0 || len(s.n.permitted) != 0 || len(s.n.pairs) != 0 {
		t.Errorf("%d mappings, %d permissions, %d pairs are left of no session", s.n.mappings.n, len(s.n.permitted), len(s.n.pairs))
	}
}

// A packet of a session takes no memory.
func TestEstablishedAllocatesNothing(t *testing.T) {
	s := newSite(t, lanOut())
	p := packetOf(key("tcp 192.168.10.2:5000 > 203.0.113.9:53"), lan)
	var tr Translation
	if got := testing.AllocsPerRun(100, func() {
		s.n.Touch([]uint64{s.n.Hash(&p)})
		s.n.Inbound(&p, 1, &tr)
		s.n.Outbound(&p, wan, 1, &tr)
	}); got != 0 {
		t.Errorf("%v allocations for a packet, want none", got)
	}
}
