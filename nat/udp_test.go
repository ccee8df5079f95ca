package nat

import (
	"net/netip"
	"strings"
	"testing"

	"routerd/flow"
	"routerd/internal/verdict"
)

// The requirements of RFC 4787, by number.

func TestREQ1EndpointIndependentMapping(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			mapping Behavior
			// The same outside endpoint towards another port of the same
			// host, and towards another host.
			port, host bool
		}{
			{EndpointIndependent, true, true},
			{AddressDependent, true, false},
			{AddressAndPortDependent, false, false},
		} {
			cfg := lanOut()
			cfg.Mapping = c.mapping
			s := newSite(t, cfg)
			first := s.outside(proto + " 192.168.10.2:5000 > 203.0.113.9:53")
			if first != "198.51.100.2:5000" {
				t.Errorf("%s, %s: outside endpoint %s, want the port kept", proto, c.mapping, first)
			}
			port := s.outside(proto + " 192.168.10.2:5000 > 203.0.113.9:54")
			host := s.outside(proto + " 192.168.10.2:5000 > 203.0.113.10:53")
			if (port == first) != c.port || (host == first) != c.host {
				t.Errorf("%s, %s: %s, then %s to another port and %s to another host", proto, c.mapping, first, port, host)
			}
			s.wantSound()
		}
	}
}

// RFC 7857 §5: what TCP has says nothing of UDP.
func TestMappingsAreOfOneProtocol(t *testing.T) {
	s := newSite(t, lanOut())
	s.want("tcp 192.168.10.2:5000 > 203.0.113.9:80", lan, wan, "tcp 198.51.100.2:5000 > 203.0.113.9:80")
	s.want("udp 192.168.10.3:5000 > 203.0.113.9:80", lan, wan, "udp 198.51.100.2:5000 > 203.0.113.9:80")
}

func poolOf(ports flow.PortRange, list ...string) Config {
	cfg := lanOut()
	cfg.Pools = []PoolConfig{{Name: "cgn", Addresses: ranges(list...), Ports: ports}}
	cfg.Source[0].Method, cfg.Source[0].Pool = FromPool, "cgn"
	return cfg
}

func TestREQ2PairedPooling(t *testing.T) {
	cfg := poolOf(flow.PortRange{First: 1024, Last: 1031}, "203.0.113.32/30")
	s := newSite(t, cfg)
	used := map[string]int{}
	for host := range 12 {
		var of string
		for _, flow := range []string{"udp 192.168.10.%:1024 > 1.2.3.4:5", "tcp 192.168.10.%:1024 > 1.2.3.4:5", "icmp 192.168.10.%:9 > 1.2.3.4"} {
			k := strings.Replace(flow, "%", addr(uint32(host + 2)).String()[len("0.0.0."):], 1)
			a := netip.MustParseAddrPort(s.outside(k)).Addr().String()
			if of == "" {
				of = a
				used[a]++
			}
			if a != of {
				t.Errorf("host %d has the address %s and, for %s, %s", host, of, k, a)
			}
		}
	}
	if len(used) < 2 {
		t.Errorf("all of 12 hosts have one of four addresses: %v", used)
	}
	s.wantSound()

	cfg.Pairing = Arbitrary
	s = newSite(t, cfg)
	used = map[string]int{}
	for port := range 8 {
		a := netip.MustParseAddrPort(s.outside("udp 192.168.10.2:" + addr(uint32(100 + port)).String()[len("0.0.0."):] + " > 1.2.3.4:5"))
		used[a.Addr().String()]++
	}
	if len(used) < 2 {
		t.Errorf("arbitrary pooling gave one host one address 8 times: %v", used)
	}
}

// RFC 7857 §4: a host whose address has run out of ports is refused, and
// others are not.
func TestREQ2PairedHostIsRefused(t *testing.T) {
	s := newSite(t, poolOf(flow.PortRange{First: 2000, Last: 2001}, "203.0.113.32/31"))
	for _, k := range []string{"udp 192.168.10.2:1 > 1.2.3.4:5", "udp 192.168.10.2:2 > 1.2.3.4:5"} {
		s.outside(k)
	}
	s.want("udp 192.168.10.2:3 > 1.2.3.4:5", lan, wan, "nat_pool_exhausted")
	s.outside("udp 192.168.10.3:3 > 1.2.3.4:5")
	s.wantSound()
}

func TestREQ3NoPortOverloading(t *testing.T) {
	for _, mapping := range []Behavior{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
		cfg := poolOf(flow.PortRange{First: 2000, Last: 2009}, "203.0.113.32/32")
		cfg.Mapping = mapping
		s := newSite(t, cfg)
		seen := map[string]bool{}
		for host := range 10 {
			a := s.outside("tcp " + netip.AddrPortFrom(addr(0xc0a80a02+uint32(host)), 2000).String() + " > 203.0.113.9:80")
			if seen[a] {
				t.Errorf("%s: %s is given twice", mapping, a)
			}
			seen[a] = true
		}
		s.want("tcp 192.168.10.99:2000 > 203.0.113.9:80", lan, wan, "nat_pool_exhausted")
		s.want("tcp 192.168.10.99:2000 > 203.0.113.10:80", lan, wan, "nat_pool_exhausted")
	}
}

func TestREQ3PortClass(t *testing.T) {
	s := newSite(t, lanOut())
	s.outside("udp 192.168.10.2:500 > 203.0.113.9:500")
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:500")
	low := netip.MustParseAddrPort(s.outside("udp 192.168.10.3:500 > 203.0.113.9:500")).Port()
	high := netip.MustParseAddrPort(s.outside("udp 192.168.10.3:5000 > 203.0.113.9:500")).Port()
	if low > 1023 || low == 500 || low == 0 || high < 1024 || high == 5000 {
		t.Errorf("500 became %d, 5000 became %d; want others in the same class", low, high)
	}
}

func TestREQ4PortParity(t *testing.T) {
	s := newSite(t, lanOut())
	for host := range 20 {
		for _, port := range []uint16{5000, 5001} {
			k := "udp " + netip.AddrPortFrom(addr(0xc0a80a02+uint32(host)), port).String() + " > 203.0.113.9:80"
			if got := netip.MustParseAddrPort(s.outside(k)).Port(); got&1 != port&1 {
				t.Errorf("%s became port %d", k, got)
			}
		}
	}
}

func TestREQ8Filtering(t *testing.T) {
	for _, c := range []struct {
		filtering Behavior
		port      string // from another port of a host that was spoken to
		host      string // from a host that was not
	}{
		{EndpointIndependent, "udp 203.0.113.9:99 > 192.168.10.2:5000", "udp 203.0.113.77:1 > 192.168.10.2:5000"},
		{AddressDependent, "udp 203.0.113.9:99 > 192.168.10.2:5000", "nat_filtered"},
		{AddressAndPortDependent, "nat_filtered", "nat_filtered"},
	} {
		cfg := lanOut()
		cfg.Filtering = c.filtering
		s := newSite(t, cfg)
		s.want("udp 203.0.113.77:1 > 198.51.100.2:5000", wan, wan, "udp 203.0.113.77:1 > 198.51.100.2:5000") // for the router itself
		s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
		s.want("udp 203.0.113.9:53 > 198.51.100.2:5000", wan, lan, "udp 203.0.113.9:53 > 192.168.10.2:5000")
		s.want("udp 203.0.113.9:99 > 198.51.100.2:5000", wan, lan, c.port)
		s.want("udp 203.0.113.77:1 > 198.51.100.2:5000", wan, lan, c.host)
		if c.host != "nat_filtered" {
			// The answer to a stranger is of the same session.
			s.want("udp 192.168.10.2:5000 > 203.0.113.77:1", lan, wan, "udp 198.51.100.2:5000 > 203.0.113.77:1")
			if s.live() != 3 {
				t.Errorf("%s: %d sessions, want 3", c.filtering, s.live())
			}
		}
		s.want("udp 203.0.113.9:53 > 198.51.100.2:5001", wan, wan, "udp 203.0.113.9:53 > 198.51.100.2:5001")
		s.wantSound()
	}
}

// Filtering does not depend on the mapping (RFC 4787 §5): each kind of filtering
// admits the same senders under each kind of mapping.
func TestFilteringIsNotMapping(t *testing.T) {
	for _, mapping := range []Behavior{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
		for filtering, want := range map[Behavior][2]string{
			EndpointIndependent:     {"udp 203.0.113.9:99 > 192.168.10.2:5000", "udp 203.0.113.77:1 > 192.168.10.2:5000"},
			AddressDependent:        {"udp 203.0.113.9:99 > 192.168.10.2:5000", "nat_filtered"},
			AddressAndPortDependent: {"nat_filtered", "nat_filtered"},
		} {
			cfg := lanOut()
			cfg.Mapping, cfg.Filtering = mapping, filtering
			s := newSite(t, cfg)
			s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
			s.want("udp 203.0.113.9:99 > 198.51.100.2:5000", wan, lan, want[0])
			s.want("udp 203.0.113.77:1 > 198.51.100.2:5000", wan, lan, want[1])
			if want[1] != "nat_filtered" {
				s.want("udp 192.168.10.2:5000 > 203.0.113.77:1", lan, wan, "udp 198.51.100.2:5000 > 203.0.113.77:1")
			}
			s.wantSound()
		}
	}
}

// An inside endpoint that has two mappings, and whose answers to one remote
// endpoint leave by the first, is not reached from there by the second.
func TestOneMappingForEachRemoteEndpoint(t *testing.T) {
	cfg := lanOut()
	cfg.Mapping, cfg.Filtering = AddressDependent, EndpointIndependent
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	second := s.outside("udp 192.168.10.2:5000 > 203.0.113.10:53")
	s.want("udp 203.0.113.9:53 > "+second, wan, lan, "nat_filtered")
	s.want("udp 203.0.113.9:54 > "+second, wan, lan, "udp 203.0.113.9:54 > 192.168.10.2:5000")
	s.wantSound()
}

// A change of the filter is for the sessions that exist as well.
func TestFilteringReload(t *testing.T) {
	cfg := lanOut()
	cfg.Filtering = AddressAndPortDependent
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.want("udp 203.0.113.9:99 > 198.51.100.2:5000", wan, lan, "nat_filtered")
	cfg.Filtering = AddressDependent
	s.commit(cfg)
	s.want("udp 203.0.113.8:99 > 198.51.100.2:5000", wan, lan, "nat_filtered")
	s.want("udp 203.0.113.9:99 > 198.51.100.2:5000", wan, lan, "udp 203.0.113.9:99 > 192.168.10.2:5000")
}

func TestREQ9Hairpinning(t *testing.T) {
	for _, filtering := range []Behavior{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
		for _, proto := range []string{"udp", "tcp"} {
			cfg := lanOut()
			cfg.Filtering = filtering
			s := newSite(t, cfg)
			s.outside(proto + " 192.168.10.2:5000 > 203.0.113.9:53")
			s.outside(proto + " 192.168.10.3:6000 > 203.0.113.9:53")
			// a) the source is the outside endpoint.
			s.want(proto+" 192.168.10.2:5000 > 198.51.100.2:6000", lan, lan, proto+" 198.51.100.2:5000 > 192.168.10.3:6000")
			s.want(proto+" 192.168.10.3:6000 > 198.51.100.2:5000", lan, lan, proto+" 198.51.100.2:6000 > 192.168.10.2:5000")
			s.wantSound()
		}
	}
	cfg := lanOut()
	cfg.NoHairpin = true
	s := newSite(t, cfg)
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	s.want("udp 192.168.10.3:6000 > 198.51.100.2:5000", lan, lan, "nat_filtered")
}

// Either side's first packet may be the one that makes a session of a
// hairpin; the answer goes back by it and a mapping outlives neither use.
func TestHairpinHoldsBothMappings(t *testing.T) {
	s := newSite(t, lanOut())
	s.outside("udp 192.168.10.3:6000 > 203.0.113.9:53")
	s.want("udp 192.168.10.2:5000 > 198.51.100.2:6000", lan, lan, "udp 198.51.100.2:5000 > 192.168.10.3:6000")
	s.n.Clear(Filter{Remote: EndpointFilter{Addresses: netip.MustParsePrefix("203.0.113.9/32")}})
	s.wantSound()
	if s.n.mappings.n != 2 {
		t.Errorf("%d mappings while the hairpin's session lives, want 2", s.n.mappings.n)
	}
	s.want("udp 192.168.10.3:6000 > 198.51.100.2:5000", lan, lan, "udp 198.51.100.2:6000 > 192.168.10.2:5000")
	s.n.Clear(Filter{})
	s.wantSound()
	if s.n.mappings.n != 0 || s.live() != 0 {
		t.Errorf("%d mappings and %d sessions are left of none", s.n.mappings.n, s.live())
	}
}

// REQ-12: whatever ICMP error comes, the session stays, and is not refreshed.
func TestREQ12ErrorsEndNothing(t *testing.T) {
	s := newSite(t, lanOut())
	s.outside("udp 192.168.10.2:5000 > 203.0.113.9:53")
	for _, from := range []string{"203.0.113.9", "203.0.113.200"} {
		var tr Translation
		p := Packet{Key: key("icmp " + from + " > 198.51.100.2"), Inner: key("udp 198.51.100.2:5000 > 203.0.113.9:53"), Error: true, In: wan}
		s.n.Inbound(&p, s.now, &tr)
		if tr.Verdict != verdict.None || text(tr.To) != "icmp "+from+" > 192.168.10.2" {
			t.Errorf("an error from %s leaves as %s (%s)", from, text(tr.To), tr.Verdict)
		}
	}
	if s.live() != 1 {
		t.Errorf("%d sessions after errors, want 1", s.live())
	}
	if hit := s.n.Sessions().Find(key("udp 192.168.10.2:5000 > 203.0.113.9:53")); hit.Direction != flow.Forward || hit.Session == NoSession {
		t.Errorf("the session is %+v", hit)
	}
}
