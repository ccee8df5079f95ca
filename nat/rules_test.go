package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

func forwards() Config {
	cfg := lanOut()
	address := ranges("198.51.100.2/32")
	cfg.Destination = []DestinationRule{
		{
			Name: "web", Hairpin: true, Address: netip.MustParseAddr("192.168.10.20"), Ports: flow.PortRange{First: 8443, Last: 8443},
			Match: Match{Inbound: []string{"wan0"}, Protocols: []uint8{protoTCP}, Destinations: address, DestinationPorts: []flow.PortRange{{First: 443, Last: 443}}},
		},
		{
			Name: "range", Address: netip.MustParseAddr("192.168.10.21"), Ports: flow.PortRange{First: 9000, Last: 9009},
			Match: Match{Inbound: []string{"wan0"}, Destinations: address, DestinationPorts: []flow.PortRange{{First: 8000, Last: 8009}}},
		},
		{
			Name: "same", Address: netip.MustParseAddr("192.168.10.22"),
			Match: Match{Inbound: []string{"wan0"}, Protocols: []uint8{protoUDP}, Sources: ranges("203.0.113.0/24"), Destinations: address, DestinationPorts: []flow.PortRange{{First: 7000, Last: 7100}}},
		},
		{
			Name: "exposed", Address: netip.MustParseAddr("192.168.20.30"),
			Match: Match{Inbound: []string{"wan1"}},
		},
	}
	return cfg
}

func TestDestinationRules(t *testing.T) {
	s := newSite(t, forwards())
	for _, c := range []struct {
		packet string
		in     routing.InterfaceID
		want   string
	}{
		{"tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, "tcp 203.0.113.9:1000 > 192.168.10.20:8443"},
		{"udp 203.0.113.9:1000 > 198.51.100.2:443", wan, "udp 203.0.113.9:1000 > 198.51.100.2:443"},
		{"tcp 203.0.113.9:1000 > 198.51.100.2:444", wan, "nat_no_mapping"},
		{"tcp 203.0.113.9:1000 > 198.51.100.2:8000", wan, "tcp 203.0.113.9:1000 > 192.168.10.21:9000"},
		{"udp 203.0.113.9:1000 > 198.51.100.2:8009", wan, "udp 203.0.113.9:1000 > 192.168.10.21:9009"},
		{"udp 203.0.113.9:1000 > 198.51.100.2:8010", wan, "udp 203.0.113.9:1000 > 198.51.100.2:8010"},
		{"icmp 203.0.113.9:1000 > 198.51.100.2", wan, "icmp 203.0.113.9:1000 > 198.51.100.2"},
		{"udp 203.0.113.9:1000 > 198.51.100.2:7050", wan, "udp 203.0.113.9:1000 > 192.168.10.22:7050"},
		{"udp 192.0.2.9:1000 > 198.51.100.2:7050", wan, "udp 192.0.2.9:1000 > 198.51.100.2:7050"},
		{"tcp 203.0.113.9:1 > 203.0.113.2:22", backup, "tcp 203.0.113.9:1 > 192.168.20.30:22"},
		{"icmp 203.0.113.9:7 > 203.0.113.2", backup, "icmp 203.0.113.9:7 > 192.168.20.30"},
		// From inside, without hairpin: for the router itself.
		{"tcp 192.168.10.2:1000 > 198.51.100.2:8000", lan, "tcp 192.168.10.2:1000 > 198.51.100.2:8000"},
	} {
		s.want(c.packet, c.in, lan, c.want)
	}
	// The answers, and later packets of the same flow.
	s.want("tcp 192.168.10.20:8443 > 203.0.113.9:1000", lan, wan, "tcp 198.51.100.2:443 > 203.0.113.9:1000")
	s.want("udp 192.168.10.21:9009 > 203.0.113.9:1000", lan, wan, "udp 198.51.100.2:8009 > 203.0.113.9:1000")
	s.want("icmp 192.168.20.30 > 203.0.113.9:7", dmz, backup, "icmp 203.0.113.2 > 203.0.113.9:7")
	s.wantSound()
}

// The source of a flow through a port forward is an outside endpoint as well
// when it came from inside, whether or not a source rule covers the host.
func TestDestinationHairpin(t *testing.T) {
	s := newSite(t, forwards())
	s.want("tcp 192.168.10.2:1000 > 198.51.100.2:443", lan, lan, "tcp 198.51.100.2:1000 > 192.168.10.20:8443")
	s.want("tcp 192.168.10.20:8443 > 198.51.100.2:1000", lan, lan, "tcp 198.51.100.2:443 > 192.168.10.2:1000")
	s.want("tcp 192.168.20.7:2000 > 198.51.100.2:443", dmz, lan, "tcp 198.51.100.2:2000 > 192.168.10.20:8443")
	s.want("tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, lan, "tcp 203.0.113.9:1000 > 192.168.10.20:8443")
	s.wantSound()
}

// A forwarded port is never given to anyone's mapping; a port that a mapping
// has when the rule comes is kept from the next one.
func TestForwardedPortsAreHeld(t *testing.T) {
	cfg := forwards()
	s := newSite(t, cfg)
	if got := s.outside("tcp 192.168.10.2:8000 > 203.0.113.9:80"); got == "198.51.100.2:8000" {
		t.Errorf("a mapping has %s, which is forwarded", got)
	}
	if got := s.outside("tcp 192.168.10.2:8010 > 203.0.113.9:80"); got != "198.51.100.2:8010" {
		t.Errorf("a port next to a forwarded range became %s", got)
	}
	cfg.Destination[1].Match.DestinationPorts = []flow.PortRange{{First: 8005, Last: 8014}}
	s.commit(cfg)
	s.want("tcp 192.168.10.2:8010 > 203.0.113.9:81", lan, wan, "tcp 198.51.100.2:8010 > 203.0.113.9:81")
	if got := s.outside("tcp 192.168.10.2:8000 > 203.0.113.8:80"); got == "198.51.100.2:8000" {
		t.Errorf("an endpoint changed its mapping to %s while it had sessions", got)
	}
	s.n.Clear(Filter{})
	if got := s.outside("tcp 192.168.10.2:8000 > 203.0.113.9:80"); got != "198.51.100.2:8000" {
		t.Errorf("a port that is forwarded no longer became %s", got)
	}
	if got := s.outside("tcp 192.168.10.2:8010 > 203.0.113.9:80"); got == "198.51.100.2:8010" {
		t.Errorf("a mapping has %s, which is forwarded now", got)
	}
	s.wantSound()
}

func TestStaticRules(t *testing.T) {
	cfg := lanOut()
	cfg.Static = []StaticRule{
		{Name: "host", Interfaces: []string{"wan0"}, Outside: netip.MustParsePrefix("203.0.113.10/32"), Inside: netip.MustParsePrefix("192.168.10.10/32"), Hairpin: true},
		{Name: "net", Outside: netip.MustParsePrefix("203.0.113.64/28"), Inside: netip.MustParsePrefix("192.168.20.16/28")},
	}
	s := newSite(t, cfg)
	s.want("tcp 192.0.2.1:5 > 203.0.113.10:22", wan, lan, "tcp 192.0.2.1:5 > 192.168.10.10:22")
	s.want("tcp 192.168.10.10:22 > 192.0.2.1:5", lan, wan, "tcp 203.0.113.10:22 > 192.0.2.1:5")
	s.want("udp 192.168.10.10:53 > 192.0.2.1:53", lan, wan, "udp 203.0.113.10:53 > 192.0.2.1:53")
	s.want("udp 192.168.10.10:53 > 192.168.20.1:53", lan, dmz, "udp 192.168.10.10:53 > 192.168.20.1:53")
	s.want("gre 192.0.2.1 > 203.0.113.70", wan, dmz, "gre 192.0.2.1 > 192.168.20.22")
	s.want("gre 192.168.20.22 > 192.0.2.1", dmz, wan, "gre 203.0.113.70 > 192.0.2.1")
	s.want("icmp 192.168.20.31:9 > 192.0.2.1", dmz, wan, "icmp 203.0.113.79:9 > 192.0.2.1")
	s.want("icmp 192.0.2.1 > 203.0.113.79:9", wan, dmz, "icmp 192.0.2.1 > 192.168.20.31:9")
	// By hairpin: the one inside host sees the other one's outside.
	s.want("tcp 192.168.10.2:1000 > 203.0.113.10:22", lan, lan, "tcp 198.51.100.2:1000 > 192.168.10.10:22")
	s.want("tcp 192.168.10.10:22 > 198.51.100.2:1000", lan, lan, "tcp 203.0.113.10:22 > 192.168.10.2:1000")
	if !s.n.Outside(number(netip.MustParseAddr("203.0.113.10"))) || s.n.Outside(number(netip.MustParseAddr("198.51.100.2"))) || s.n.Outside(number(netip.MustParseAddr("203.0.113.80"))) {
		t.Errorf("the addresses that translation owns are %v", s.n.Proxied())
	}
	s.wantSound()
}

func TestSourceRules(t *testing.T) {
	cfg := poolOf(flow.PortRange{}, "203.0.113.32/29")
	cfg.Source = append([]SourceRule{
		{Name: "not", Method: Exempt, Match: Match{Outbound: []string{"wan0"}, Destinations: ranges("10.0.0.0/8")}},
		{Name: "mail", Method: FixedAddress, Address: netip.MustParseAddr("203.0.113.99"), Match: Match{Protocols: []uint8{protoTCP}, Sources: ranges("192.168.10.0/24"), DestinationPorts: []flow.PortRange{{First: 25, Last: 25}, {First: 465, Last: 465}}}},
	}, cfg.Source...)
	cfg.Source = append(cfg.Source, SourceRule{Name: "second", Match: Match{Outbound: []string{"wan1"}, Sources: ranges("192.168.10.0/24")}})
	s := newSite(t, cfg)
	s.want("tcp 192.168.10.2:5000 > 10.1.1.1:80", lan, wan, "tcp 192.168.10.2:5000 > 10.1.1.1:80")
	s.want("tcp 192.168.10.2:5000 > 192.0.2.1:465", lan, wan, "tcp 203.0.113.99:5000 > 192.0.2.1:465")
	if got := s.outside("udp 192.168.10.2:5000 > 192.0.2.1:465"); !strings.HasPrefix(got, "203.0.113.3") {
		t.Errorf("udp to 465 has %s, want one of the pool", got)
	}
	s.want("udp 192.168.10.2:5000 > 192.0.2.1:53", lan, backup, "udp 203.0.113.2:5000 > 192.0.2.1:53")
	s.want("udp 192.168.20.2:5000 > 192.0.2.1:53", dmz, wan, "udp 192.168.20.2:5000 > 192.0.2.1:53")
	s.want("udp 192.168.10.2:5000 > 192.168.20.2:53", lan, dmz, "udp 192.168.10.2:5000 > 192.168.20.2:53")
	// Nobody is behind these, from whatever side it is asked.
	for _, in := range []routing.InterfaceID{lan, wan} {
		s.want("udp 192.0.2.1:53 > 203.0.113.33:9", in, wan, "nat_no_mapping")
		s.want("icmp 192.0.2.1:53 > 203.0.113.99", in, wan, "nat_no_mapping")
	}
	s.wantSound()
}

// A packet that may begin nothing never leaves with its inside address.
func TestNothingLeaks(t *testing.T) {
	s := newSite(t, lanOut())
	late := packetOf(key("icmp 192.168.10.2 > 203.0.113.9:7"), lan)
	late.Query = false
	if got := s.pass(late, wan); got.Verdict != verdict.NATInvalidState {
		t.Errorf("an echo reply that nobody waits for: %s, %s", got.Verdict, text(got.To))
	}
	stray := Packet{Key: key("icmp 192.168.10.2 > 203.0.113.9"), Inner: key("udp 203.0.113.9:5 > 192.168.10.2:6"), Error: true, In: lan}
	if got := s.pass(stray, wan); got.Verdict != verdict.NATICMPUnmatched {
		t.Errorf("an error about nothing that was translated: %s, %s", got.Verdict, text(got.To))
	}
	stray.Key, stray.In = key("icmp 192.168.20.2 > 203.0.113.9"), dmz
	if got := s.pass(stray, wan); got.Verdict != verdict.None || got.To != stray.Key {
		t.Errorf("an error of a host that no rule translates: %s, %s", got.Verdict, text(got.To))
	}
	for _, flags := range []uint8{fin | ack, rst, syn | ack} {
		p := packetOf(key("tcp 192.168.10.2:5000 > 203.0.113.9:80"), lan)
		p.TCP.Flags = flags
		if got := s.pass(p, wan); got.Verdict != verdict.NATInvalidState {
			t.Errorf("a segment with flags %#x and no session: %s, %s", flags, got.Verdict, text(got.To))
		}
	}
}

func TestPortless(t *testing.T) {
	s := newSite(t, lanOut())
	s.want("gre 192.168.10.2 > 203.0.113.9", lan, wan, "gre 198.51.100.2 > 203.0.113.9")
	s.want("gre 203.0.113.9 > 198.51.100.2", wan, lan, "gre 203.0.113.9 > 192.168.10.2")
	s.want("gre 192.168.10.3 > 203.0.113.9", lan, wan, "nat_portless") // whose would the answers be?
	s.want("gre 192.168.10.3 > 203.0.113.10", lan, wan, "gre 198.51.100.2 > 203.0.113.10")
	s.wantSound()

	s = newSite(t, poolOf(flow.PortRange{}, "203.0.113.32/31"))
	one := text(s.pass(packetOf(key("gre 192.168.10.2 > 192.0.2.9"), lan), wan).To)
	two := text(s.pass(packetOf(key("gre 192.168.10.4 > 192.0.2.9"), lan), wan).To)
	if one == two || !strings.HasPrefix(two, "gre 203.0.113.3") {
		t.Errorf("two hosts to one remote: %s and %s", one, two)
	}
}

// The router's own flows hold their ports, and give way to none that were
// there before.
func TestOwnFlows(t *testing.T) {
	s := newSite(t, lanOut())
	own := func(k string) Translation {
		p := packetOf(key(k), routing.NoInterface)
		p.Own = true
		return s.pass(p, wan)
	}
	if got := own("tcp 198.51.100.2:40000 > 203.0.113.9:179"); text(got.To) != "tcp 198.51.100.2:40000 > 203.0.113.9:179" || got.Session == NoSession {
		t.Errorf("an own flow leaves as %s, session %d", text(got.To), got.Session)
	}
	if got := s.outside("tcp 192.168.10.2:40000 > 203.0.113.9:179"); got == "198.51.100.2:40000" {
		t.Errorf("an inside host has the own flow's %s", got)
	}
	// The other way round the own flow is moved, and its answers come back.
	s.outside("tcp 192.168.10.2:50000 > 203.0.113.9:80")
	moved := own("tcp 198.51.100.2:50000 > 203.0.113.9:80")
	if moved.To.SrcPort == 50000 || moved.Session == NoSession {
		t.Fatalf("an own flow whose port is taken leaves as %s", text(moved.To))
	}
	s.want(text(moved.To.Reverse()), wan, wan, "tcp 203.0.113.9:80 > 198.51.100.2:50000")
	// Without ports it holds the remote address.
	if got := own("gre 198.51.100.2 > 203.0.113.9"); got.Session == NoSession || text(got.To) != "gre 198.51.100.2 > 203.0.113.9" {
		t.Errorf("an own tunnel leaves as %s, session %d", text(got.To), got.Session)
	}
	s.want("gre 192.168.10.2 > 203.0.113.9", lan, wan, "nat_portless")
	// An address that nobody shares has no sessions.
	if got := own("tcp 192.168.10.1:22 > 192.168.10.2:40000"); got.Session != NoSession || got.Verdict != verdict.None {
		t.Errorf("a flow from the inside address: %+v", got)
	}
	s.wantSound()
	s.n.Clear(Filter{})
	s.wantSound()
}

func TestDeliveredFlows(t *testing.T) {
	s := newSite(t, lanOut())
	in := packetOf(key("tcp 203.0.113.9:3333 > 198.51.100.2:179"), wan)
	if got := s.pass(in, wan); got.To != in.Key || got.Session != NoSession {
		t.Fatalf("a packet for a listener: %+v", got)
	}
	s.n.Delivered(&in, s.now)
	out := packetOf(in.Key.Reverse(), routing.NoInterface)
	out.Own, out.TCP.Flags = true, syn|ack
	if got := s.pass(out, wan); got.Session == NoSession || got.Direction != flow.Reply || got.To != out.Key {
		t.Errorf("the listener's answer: %+v", got)
	}
	if got := s.outside("tcp 192.168.10.2:179 > 203.0.113.9:80"); got == "198.51.100.2:179" {
		t.Errorf("an inside host has %s while the router uses it", got)
	}
	s.n.Delivered(&in, s.now) // once more: nothing new
	s.wantSound()

	s = newSite(t, lanOut())
	s.n.Listen([]Listener{{Protocol: protoTCP, Port: 179}})
	if got := s.outside("tcp 192.168.10.2:179 > 203.0.113.9:80"); got == "198.51.100.2:179" {
		t.Errorf("an inside host has %s, where the router listens", got)
	}
	s.n.Delivered(&in, s.now)
	if s.n.Sessions().Find(in.Key).Session == NoSession {
		t.Error("a flow to a port that is held for listening got no session")
	}
	s.n.Listen(nil)
	s.n.Clear(Filter{})
	if got := s.outside("tcp 192.168.10.2:179 > 203.0.113.9:80"); got != "198.51.100.2:179" {
		t.Errorf("a port where nobody listens any longer became %s", got)
	}
	s.wantSound()
}

// A listener that comes when a mapping has its port gets the port when the
// mapping ends. Until then strangers are filtered, or with endpoint-independent
// filtering are the inside host's.
func TestListenerOfAMappedPort(t *testing.T) {
	for _, filtering := range []Behavior{AddressAndPortDependent, EndpointIndependent} {
		cfg := lanOut()
		cfg.Filtering = filtering
		s := newSite(t, cfg)
		if got := s.outside("tcp 192.168.10.2:179 > 203.0.113.9:80"); got != "198.51.100.2:179" {
			t.Fatalf("port 179 became %s", got)
		}
		bgp, other := Listener{Protocol: protoTCP, Port: 179}, Listener{Address: addr(0xc6336402), Protocol: protoTCP, Port: 22}
		if got := s.n.Listen([]Listener{bgp, other}); !slices.Equal(got, []Listener{bgp}) {
			t.Errorf("%s: mapped already are %v, want port 179", filtering, got)
		}
		stranger := packetOf(key("tcp 203.0.113.7:3333 > 198.51.100.2:179"), wan)
		stranger.TCP.Flags = syn
		got := s.pass(stranger, lan)
		if filtered := got.Verdict == verdict.NATFiltered; filtered != (filtering != EndpointIndependent) || !filtered && got.Session == NoSession {
			t.Errorf("%s: a stranger: %+v", filtering, got)
		}
		s.n.Clear(Filter{})
		if got := s.outside("tcp 192.168.10.2:179 > 203.0.113.9:80"); got == "198.51.100.2:179" {
			t.Errorf("%s: an inside host has %s again, where the router listens", filtering, got)
		}
		if got := s.pass(stranger, lan); got.Verdict != verdict.None || got.To != stranger.Key {
			t.Errorf("%s: a stranger for the listener: %+v", filtering, got)
		}
		s.wantSound()
	}
}

// Of a pool around an interface's own address, ARP answers for the rest.
func TestProxied(t *testing.T) {
	for _, c := range []struct{ pool, want string }{
		{"198.51.100.0/30", "[198.51.100.0/31 198.51.100.3]"},
		{"198.51.100.2/32", "[]"},
		{"198.51.100.2/31", "[198.51.100.3]"},
		{"198.51.100.8/31", "[198.51.100.8]"},
		{"203.0.113.32/29", "[203.0.113.32/29]"},
	} {
		s := newSite(t, poolOf(flow.PortRange{}, c.pool))
		if got := fmt.Sprint(s.n.Proxied()); got != c.want {
			t.Errorf("pool %s: %s, want %s", c.pool, got, c.want)
		}
	}
	if got := newSite(t, lanOut()).n.Proxied(); len(got) != 0 {
		t.Errorf("masquerade has ARP answer for %v", got)
	}
}

// RFC 5508 REQ-1a: an identifier of queries is mapped for all remote hosts,
// preserved where it is free, and 0 is one like any other.
func TestQueryIdentifiers(t *testing.T) {
	s := newSite(t, lanOut())
	s.want("icmp 192.168.10.2:7 > 203.0.113.9", lan, wan, "icmp 198.51.100.2:7 > 203.0.113.9")
	s.want("icmp 192.168.10.2:7 > 203.0.113.10", lan, wan, "icmp 198.51.100.2:7 > 203.0.113.10")
	s.want("icmp 203.0.113.10 > 198.51.100.2:7", wan, lan, "icmp 203.0.113.10 > 192.168.10.2:7")
	if got := s.outside("icmp 192.168.10.3:7 > 203.0.113.9"); got == "198.51.100.2:7" {
		t.Errorf("two hosts have the identifier of %s", got)
	}
	s.want("icmp 192.168.10.2 > 203.0.113.9", lan, wan, "icmp 198.51.100.2 > 203.0.113.9")
	// A query from outside is the router's to answer, whatever is mapped.
	s.want("icmp 203.0.113.77:7 > 198.51.100.2", wan, wan, "icmp 203.0.113.77:7 > 198.51.100.2")
	s.wantSound()
}

// A connection that began before the router did keeps its port and goes on.
func TestConnectionsOutliveARestart(t *testing.T) {
	s := newSite(t, forwards())
	late := packetOf(key("tcp 192.168.10.2:5000 > 203.0.113.9:80"), lan)
	late.TCP.Flags = ack
	if got := s.pass(late, wan); text(got.To) != "tcp 198.51.100.2:5000 > 203.0.113.9:80" || got.Session == NoSession {
		t.Errorf("from inside: %s (%s)", text(got.To), got.Verdict)
	}
	late = packetOf(key("tcp 203.0.113.9:1000 > 198.51.100.2:443"), wan)
	late.TCP.Flags = ack
	if got := s.pass(late, lan); text(got.To) != "tcp 203.0.113.9:1000 > 192.168.10.20:8443" || got.Session == NoSession {
		t.Errorf("to a port forward: %s (%s)", text(got.To), got.Verdict)
	}
}
