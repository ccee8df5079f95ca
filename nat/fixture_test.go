package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

// The router of the tests: a network inside, a server's network, two ways out.
const (
	lan routing.InterfaceID = iota
	dmz
	wan
	backup
)

func testInterfaces() []Interface {
	return []Interface{
		{lan, "lan0", prefixes("192.168.10.1/24")},
		{dmz, "dmz0", prefixes("192.168.20.1/24")},
		{wan, "wan0", prefixes("2001:db8::1/64", "198.51.100.2/30", "198.51.100.9/32")},
		{backup, "wan1", prefixes("203.0.113.2/30")},
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func ranges(list ...string) []flow.AddressRange {
	var out []flow.AddressRange
	for _, p := range prefixes(list...) {
		out = append(out, flow.RangeOf(p))
	}
	return out
}

// lanOut masquerades the inside network by wan0.
func lanOut() Config {
	return Config{Source: []SourceRule{{
		Name:  "lan-out",
		Match: Match{Outbound: []string{"wan0"}, Sources: ranges("192.168.10.0/24")},
	}}}
}

// bench is a NAT and the clock that it is asked by.
type site struct {
	t   testing.TB
	n   *NAT
	now flow.Time
}

func newSite(t testing.TB, cfg Config) *site {
	t.Helper()
	s := &site{t: t, n: New(Options{Random: rand.NewPCG(1, 1)})}
	s.commit(cfg)
	return s
}

func (s *site) commit(cfg Config) Impact {
	s.t.Helper()
	r, impact, err := s.n.Prepare(cfg, testInterfaces())
	if err != nil {
		s.t.Fatalf("preparing: %v", err)
	}
	s.n.Commit(r)
	for s.n.Review() {
	}
	return impact
}

// key reads "proto source > destination" with ports where the protocol has
// them: "udp 192.168.10.2:5000 > 203.0.113.9:53", "icmp 10.0.0.1:7 > 10.0.0.2".
func key(text string) flow.Key {
	var proto, src, dst string
	if _, err := fmt.Sscanf(text, "%s %s > %s", &proto, &src, &dst); err != nil {
		panic(fmt.Sprintf("key %q: %v", text, err))
	}
	k := flow.Key{Proto: map[string]uint8{"tcp": 6, "udp": 17, "icmp": 1, "gre": 47}[proto]}
	k.Src, k.SrcPort = endpoint(src)
	k.Dst, k.DstPort = endpoint(dst)
	return k
}

func endpoint(s string) (uint32, uint16) {
	if a, err := netip.ParseAddr(s); err == nil {
		return number(a), 0
	}
	ap := netip.MustParseAddrPort(s)
	return number(ap.Addr()), ap.Port()
}

// text is the inverse of key.
func text(k flow.Key) string {
	side := func(a uint32, port uint16) string {
		if port == 0 {
			return addr(a).String()
		}
		return netip.AddrPortFrom(addr(a), port).String()
	}
	proto := map[uint8]string{6: "tcp", 17: "udp", 1: "icmp", 47: "gre"}[k.Proto]
	return proto + " " + side(k.Src, k.SrcPort) + " > " + side(k.Dst, k.DstPort)
}

// The flags of a segment.
const (
	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

func packetOf(k flow.Key, in routing.InterfaceID) Packet {
	p := Packet{Key: k, In: in}
	switch k.Proto {
	case protoTCP:
		p.TCP = flow.Segment{Flags: syn, Seq: 1000, Window: 65535}
	case protoICMP:
		p.Query = k.SrcPort != 0 || k.DstPort == 0
	}
	return p
}

// pass takes a packet through both stages.
func (s *site) pass(p Packet, out routing.InterfaceID) Translation {
	var t Translation
	if !p.Own {
		s.n.Inbound(&p, s.now, &t)
	}
	if t.Verdict == verdict.None {
		s.n.Outbound(&p, out, s.now, &t)
	}
	return t
}

// flow passes a packet of the key and gives what it leaves as, or the verdict.
func (s *site) flow(k string, in, out routing.InterfaceID) string {
	t := s.pass(packetOf(key(k), in), out)
	if t.Verdict != verdict.None {
		return t.Verdict.Label()
	}
	return text(t.To)
}

// want passes a packet and compares what it leaves as.
func (s *site) want(k string, in, out routing.InterfaceID, want string) {
	s.t.Helper()
	if got := s.flow(k, in, out); got != want {
		s.t.Errorf("%s, in by %s, out by %s:\n got %s\nwant %s", k, testInterfaces()[in].Name, testInterfaces()[out].Name, got, want)
	}
}

// outside passes a flow of an inside host out by wan0 and gives its outside
// endpoint.
func (s *site) outside(k string) string {
	s.t.Helper()
	t := s.pass(packetOf(key(k), lan), wan)
	if t.Verdict != verdict.None {
		s.t.Fatalf("%s: %s, want a session", k, t.Verdict)
	}
	return netip.AddrPortFrom(addr(t.To.Src), t.To.SrcPort).String()
}

// live is the number of sessions.
func (s *site) live() int { return s.n.totals.active }

// wantSound checks that mappings, ports and sessions fit each other.
func (s *site) wantSound() {
	s.t.Helper()
	n := s.n
	uses := map[uint32]uint32{}
	sessions := 0
	n.each(func(x *flow.Session) {
		sessions++
		if x.Owner != 0 {
			uses[x.Owner]++
		}
		f, r := x.Forward, x.Reply
		if (f.Dst != r.Src || f.DstPort != r.SrcPort) && destinationOf(x.Rule) == 0 {
			uses[n.mappings.outside(f.Dst, f.Proto, f.DstPort)]++
		}
	})
	if sessions != n.totals.active {
		s.t.Errorf("%d sessions are counted, %d are there", n.totals.active, sessions)
	}
	if len(uses) != n.mappings.n || uses[0] != 0 {
		s.t.Errorf("%d mappings, %d of them in use (%v)", n.mappings.n, len(uses), uses)
	}
	if n.active.Load().cfg.Filtering == AddressDependent {
		if diff := cmp.Diff(s.permissionsOf(), n.permitted); diff != "" {
			s.t.Errorf("permissions (-of the sessions +recorded):\n%s", diff)
		}
	}
	taken := 0
	for number, want := range uses {
		m := n.mappings.at(number)
		if m.sessions != want {
			s.t.Errorf("mapping %+v counts %d sessions, %d use it", *m, m.sessions, want)
		}
		if n.mappings.find(m, n.mappings.insideHash(m)) != number || n.mappings.outside(m.outside, m.proto, m.outsidePort) != number {
			s.t.Errorf("mapping %+v is not found by its endpoints", *m)
		}
		if sp := n.spaces[m.outside]; sp == nil || !sp.has(m.proto, m.outsidePort) {
			s.t.Errorf("the port of mapping %+v is not taken", *m)
		} else if i, _ := slot(m.proto); sp.held[port{i, m.outsidePort}] == 0 {
			taken++
		}
	}
	for _, sp := range n.spaces {
		taken += len(sp.held)
		for i := range sp.sets {
			if set := sp.sets[i].Load(); set != nil {
				taken -= set.Len()
			}
		}
	}
	if taken != 0 {
		s.t.Errorf("%d more ports are mapped or held than taken", taken)
	}
}
