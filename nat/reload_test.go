package nat

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/flow"
)

// A reload keeps every session whose rule is the same by name and definition,
// wherever it stands now, and ends the others at once.
func TestReload(t *testing.T) {
	before := forwards()
	before.Pools = []PoolConfig{{Name: "cgn", Addresses: ranges("203.0.113.32/30")}}
	before.Source = append(before.Source, SourceRule{Name: "dmz-out", Method: FromPool, Pool: "cgn", Match: Match{Outbound: []string{"wan0"}, Sources: ranges("192.168.20.0/24")}})
	s := newSite(t, before)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.want("tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, lan, "tcp 203.0.113.9:1000 > 192.168.10.20:8443")
	s.want("udp 203.0.113.9:1000 > 198.51.100.2:8001", wan, lan, "udp 203.0.113.9:1000 > 192.168.10.21:9001")
	s.want("tcp 192.168.10.3:1000 > 198.51.100.2:443", lan, lan, "tcp 198.51.100.2:1000 > 192.168.10.20:8443") // of two rules
	s.flow("udp 192.168.20.7:5000 > 203.0.113.9:53", dmz, wan)

	after := forwards()
	after.Pools = []PoolConfig{{Name: "cgn", Addresses: ranges("203.0.113.32/30"), Ports: flow.PortRange{First: 1024, Last: 65535}}}
	after.Source = []SourceRule{
		{Name: "new", Method: Exempt, Match: Match{Destinations: ranges("10.0.0.0/8")}},
		before.Source[1], // of a pool that changes
		before.Source[0],
	}
	after.Source[2].Origin = 77 // another line says the same
	after.Destination[0], after.Destination[2] = after.Destination[2], after.Destination[0]
	after.Destination[2].Ports = flow.PortRange{First: 9443, Last: 9443}
	after.Destination = append(after.Destination[:1], after.Destination[2:]...)
	impact := s.commit(after)
	want := Impact{
		Kept:    []string{"destination exposed", "destination same", "source lan-out"},
		Added:   []string{"source new"},
		Changed: []string{"destination web", "source dmz-out"},
		Removed: []string{"destination range"},
		Ends:    4,
	}
	if diff := cmp.Diff(want, impact); diff != "" {
		t.Errorf("impact (-want +got):\n%s", diff)
	}
	if s.live() != 1 {
		t.Errorf("%d sessions are left, want the one of lan-out", s.live())
	}
	s.want("udp 203.0.113.9:53 > 198.51.100.2:5000", wan, lan, "udp 203.0.113.9:53 > 192.168.10.2:5000")
	s.want("tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, lan, "tcp 203.0.113.9:1000 > 192.168.10.20:9443")
	s.wantSound()

	s.commit(Config{})
	if s.live() != 0 || s.n.mappings.n != 0 || len(s.n.spaces) != 0 || slices.IndexFunc(s.n.counts, func(c *counts) bool { return c != nil }) >= 0 || len(s.n.poolByID) != 0 {
		t.Errorf("without rules %d sessions, %d mappings, %d spaces, %d rules, %d pools are left",
			s.live(), s.n.mappings.n, len(s.n.spaces), len(s.n.counts), len(s.n.poolByID))
	}
}

// Reloading the same configuration again and again touches nothing.
func TestReloadOfTheSame(t *testing.T) {
	s := newSite(t, forwards())
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	for range 5 {
		impact := s.commit(forwards())
		if len(impact.Added)+len(impact.Changed)+len(impact.Removed)+impact.Ends != 0 {
			t.Fatalf("impact of the same: %+v", impact)
		}
	}
	if s.live() != 1 {
		t.Errorf("%d sessions are left of one", s.live())
	}
	s.wantSound()
}

// REQ-7 and the brief life of leases: sessions by an address that an interface
// has lost end at once, those by others stay.
func TestInterfaceAddressChanges(t *testing.T) {
	cfg := lanOut()
	cfg.Source = append(cfg.Source, SourceRule{Name: "second", Match: Match{Outbound: []string{"wan1"}}})
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.want("udp 192.168.10.2:5000 > 192.0.2.1:53", lan, backup, "udp 203.0.113.2:5000 > 192.0.2.1:53")
	changed := testInterfaces()
	changed[wan].Addresses = prefixes("198.51.100.6/30")
	if err := s.n.SetInterfaces(changed); err != nil {
		t.Fatal(err)
	}
	if s.live() != 1 {
		t.Errorf("%d sessions are left, want the one by wan1", s.live())
	}
	s.want("udp 192.168.10.2:5000 > 203.0.113.9:53", lan, wan, "udp 198.51.100.6:5000 > 203.0.113.9:53")
	s.want("udp 192.168.10.2:5000 > 192.0.2.1:53", lan, backup, "udp 203.0.113.2:5000 > 192.0.2.1:53")
	s.wantSound()

	changed[wan].Addresses = nil
	if err := s.n.SetInterfaces(changed); err != nil {
		t.Fatal(err)
	}
	s.want("udp 192.168.10.2:5000 > 203.0.113.9:53", lan, wan, "nat_pool_exhausted")
	s.wantSound()
	if err := s.n.SetInterfaces(changed[:1]); err == nil || !strings.Contains(err.Error(), `"wan0" does not exist`) {
		t.Errorf("without wan0: %v", err)
	}
}

func TestPrepareErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Source[0].Match.Outbound = []string{"wan9"} }, `nat source rule "lan-out": outbound interface "wan9" does not exist; want one of dmz0, lan0, wan0, wan1`},
		{func(c *Config) { c.Source[0].Name = "" }, `nat source rule "": it has no name`},
		{func(c *Config) { c.Source = append(c.Source, c.Source[0]) }, `nat source rule "lan-out": the name is used twice`},
		{func(c *Config) { c.Source[0].Method, c.Source[0].Pool = FromPool, "x" }, `nat source rule "lan-out": translation pool:x: there is no such pool`},
		{func(c *Config) { c.Source[0].Method = FixedAddress }, `nat source rule "lan-out": translation`},
		{func(c *Config) { c.Source[0].Match.Sources = ranges("2001:db8::/64") }, `nat source rule "lan-out": addresses 2001:db8::/64: want IPv4`},
		{func(c *Config) { c.Destination[1].Ports = flow.PortRange{First: 9000, Last: 9010} }, `nat destination rule "range": translation to ports 9000-9010: want one range of as many`},
		{func(c *Config) { c.Destination[1].Match.DestinationPorts = []flow.PortRange{{First: 9, Last: 8}} }, `nat destination rule "range": ports 9-8: want the lower one first`},
		{func(c *Config) { c.Destination[0].Address = netip.Addr{} }, `nat destination rule "web": translation`},
		{func(c *Config) { c.Destination[0].Match = Match{} }, `nat destination rule "web": it matches whatever passes`},
		{func(c *Config) { c.Destination[0].Match.Outbound = []string{"lan0"} }, `nat destination rule "web": outbound interface`},
		{func(c *Config) { c.Pools = []PoolConfig{{Name: "p"}} }, `nat pool "p": it has no addresses`},
		{func(c *Config) { c.Pools = []PoolConfig{{Name: "p", Addresses: ranges("10.0.0.0/15")}} }, `nat pool "p": addresses 10.0.0.0/15: a pool can have 65536 at most`},
		{func(c *Config) {
			c.Static = []StaticRule{{Name: "s", Outside: netip.MustParsePrefix("1.2.3.4/32"), Inside: netip.MustParsePrefix("10.0.0.0/31")}}
		}, `nat static rule "s": outside 1.2.3.4/32, inside 10.0.0.0/31: want`},
		{func(c *Config) {
			c.Static = []StaticRule{{Name: "s", Outside: netip.MustParsePrefix("198.51.100.0/30"), Inside: netip.MustParsePrefix("10.0.0.0/30")}}
		}, `198.51.100.2 is the address of interface wan0`},
		{func(c *Config) {
			c.Static = []StaticRule{{Name: "s", Outside: netip.MustParsePrefix("203.0.113.8/30"), Inside: netip.MustParsePrefix("10.0.0.0/30")}}
			c.Source[0].Method, c.Source[0].Address = FixedAddress, netip.MustParseAddr("203.0.113.9")
		}, `translation 203.0.113.9: it is outside of static rule "s"`},
		{func(c *Config) { c.Source = make([]SourceRule, 1<<15) }, `nat has 32772 rules; want 32767 at most`},
		{func(c *Config) { c.MaxSessions = -1 }, `nat max-sessions -1: want 1 to`},
		{func(c *Config) { c.Timeouts.UDP = 1 }, `nat udp timeout 1ns: want`},
	} {
		cfg := forwards()
		c.change(&cfg)
		_, _, err := New(Options{Random: rand.NewPCG(1, 1)}).Prepare(cfg, testInterfaces())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v\n    want %s", err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	cfg := lanOut()
	cfg.MaxSessions, cfg.MaxSessionsPerHost = 10, 4
	s := newSite(t, cfg)
	remote := func(host, port string) string { return "tcp 192.168.10." + host + ":5000 > 203.0.113.9:" + port }
	for _, port := range []string{"1", "2", "3", "4"} {
		s.outside(remote("2", port))
	}
	s.want(remote("2", "5"), lan, wan, "nat_host_limit")
	for _, port := range []string{"1", "2", "3", "4"} {
		s.outside(remote("3", port))
	}
	s.outside(remote("4", "1"))
	s.outside(remote("4", "2"))
	s.want(remote("5", "1"), lan, wan, "nat_session_limit")
	s.want(remote("2", "4"), lan, wan, "tcp 198.51.100.2:5000 > 203.0.113.9:4") // the old ones go on
	if got := s.n.Totals(); got.Sessions != 10 || got.Made != 10 || got.HostFull != 1 || got.TableFull != 1 {
		t.Errorf("totals %+v", got)
	}
	if n := s.n.Clear(Filter{Inside: EndpointFilter{Addresses: netip.MustParsePrefix("192.168.10.2/32")}}); n != 4 {
		t.Errorf("%d sessions cleared, want 4", n)
	}
	s.outside(remote("5", "1"))
	s.wantSound()
}

func TestExhaustion(t *testing.T) {
	cfg := poolOf(flow.PortRange{First: 2000, Last: 2003}, "203.0.113.32/31")
	cfg.Pairing = Arbitrary
	s := newSite(t, cfg)
	k := func(i int) string {
		return "tcp " + netip.AddrPortFrom(addr(0xc0a80a02), uint16(4000+i)).String() + " > 203.0.113.9:1"
	}
	for i := range 8 {
		s.outside(k(i))
	}
	for i := range 100 {
		s.want(k(8+i), lan, wan, "nat_pool_exhausted")
	}
	want := []PoolState{{
		Kind: PoolNamed, Name: "cgn", Addresses: ranges("203.0.113.32/31"), Size: 2, Ports: flow.PortRange{First: 2000, Last: 2003},
		TCP: 8, Capacity: 8, Mappings: 8, Refused: 100, Empty: []uint8{protoTCP},
	}}
	if diff := cmp.Diff(want, s.n.PoolStates(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	if got := s.n.RuleStates()[0]; got.Sessions != 8 || got.Exhausted != 100 || got.Name != "lan-out" {
		t.Errorf("rule %+v", got)
	}
	s.want(k(0), lan, wan, text(s.n.Sessions().Find(key(k(0))).Other.Reverse()))
	s.outside(strings.Replace(k(9), "tcp", "udp", 1))
	// One that ends makes room for one.
	s.n.Clear(Filter{Port: 4003})
	s.outside(k(50))
	s.want(k(51), lan, wan, "nat_pool_exhausted")
	s.wantSound()
}

// Sessions without packets end by Tick, and their mappings with the last.
func TestExpiry(t *testing.T) {
	s := newSite(t, lanOut())
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.outside("udp 192.168.10.2:5000 > 203.0.113.10:53")
	tick := func(at flow.Time) {
		for s.now < at {
			s.now += 10_000
			for s.n.Tick(s.now, 1000) == 1000 {
			}
		}
	}
	tick(200_000)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.10:53") // refreshed
	tick(400_000)
	if s.live() != 1 || s.n.mappings.n != 1 {
		t.Errorf("%d sessions and %d mappings after 400 s, want the refreshed one", s.live(), s.n.mappings.n)
	}
	// REQ-6: what comes from outside keeps nothing alive.
	s.want("udp 203.0.113.10:53 > 198.51.100.2:5000", wan, lan, "udp 203.0.113.10:53 > 192.168.10.2:5000")
	tick(600_000)
	if s.live() != 0 || s.n.mappings.n != 0 {
		t.Errorf("%d sessions and %d mappings after 600 s, want none", s.live(), s.n.mappings.n)
	}
	s.wantSound()
}
