package multicast

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"routerd/internal/packet"
)

var (
	rip4  = netip.MustParseAddr("224.0.0.9")
	rip6  = netip.MustParseAddr("ff02::9")
	node  = netip.MustParseAddr("ff02::1:ff00:1")
	our4  = netip.MustParseAddr("192.0.2.1")
	our6  = netip.MustParseAddr("fe80::1")
	them4 = netip.MustParseAddr("192.0.2.9")
	them6 = netip.MustParseAddr("fe80::9")
)

// igmp is an IGMP message from them, with a router alert and its checksum.
func igmp(dst netip.Addr, body ...byte) []byte {
	return finishIGMP(append(beginIGMP(nil, them4, dst), body...), 0)
}

// mld is an MLD message from them, of which body is what follows the checksum.
func mld(dst netip.Addr, kind byte, body ...byte) []byte {
	return finishMLD(append(beginMLD(nil, them6, dst, kind), body...), 0)
}

func parse(p []byte) (Message, error) {
	if ip := packet.IPv4(p); ip.Valid() {
		return parseIGMP(ip)
	}
	if ip := packet.IPv6(p); ip.Valid() {
		return parseMLD(ip)
	}
	return Message{}, ErrLength
}

var group6 = []byte{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9} // ff02::9

func about6(code byte, group []byte, more ...byte) []byte {
	return append(append([]byte{0x27, code, 0, 0}, group...), more...) // 0x2710 ms is 10 s
}

func TestParse(t *testing.T) {
	all6 := make([]byte, 16)
	for _, c := range []struct {
		name string
		raw  []byte
		want Message
	}{
		{"IGMPv1 query", igmp(allHosts, 0x11, 0, 0, 0, 0, 0, 0, 0), Message{Version: 1, MaxResponse: 10 * time.Second}},
		{"IGMPv2 query", igmp(allHosts, 0x11, 200, 0, 0, 0, 0, 0, 0), Message{Version: 2, MaxResponse: 20 * time.Second}},
		{"IGMPv2 query of a group", igmp(rip4, 0x11, 10, 0, 0, 224, 0, 0, 9), Message{Version: 2, Group: rip4, MaxResponse: time.Second}},
		{
			"IGMPv3 query", igmp(allHosts, 0x11, 100, 0, 0, 0, 0, 0, 0, 0x0a, 125, 0, 0),
			Message{Version: 3, MaxResponse: 10 * time.Second, Robustness: 2, Interval: 125 * time.Second},
		},
		{ // 0x8f: (15|16)<<(0+3) = 248 tenths; 0x9a: (10|16)<<(1+3) = 416 s
			"IGMPv3 query with floating codes and a source",
			igmp(rip4, 0x11, 0x8f, 0, 0, 224, 0, 0, 9, 0x07, 0x9a, 0, 1, 10, 0, 0, 1),
			Message{
				Version: 3, Group: rip4, MaxResponse: 24800 * time.Millisecond, Robustness: 7, Interval: 416 * time.Second,
				sources: []byte{10, 0, 0, 1},
			},
		},
		{"IGMPv1 report", igmp(rip4, 0x12, 0, 0, 0, 224, 0, 0, 9), Message{Kind: Report, Version: 1, Group: rip4}},
		{"IGMPv2 report", igmp(rip4, 0x16, 0, 0, 0, 224, 0, 0, 9), Message{Kind: Report, Version: 2, Group: rip4}},
		{"IGMPv2 leave", igmp(allRouters4, 0x17, 0, 0, 0, 224, 0, 0, 9), Message{Kind: Leave, Version: 2, Group: rip4}},
		{"MLDv1 query", mld(allNodes, 130, about6(0x10, all6)...), Message{Version: 2, MaxResponse: 10 * time.Second}},
		{"MLDv1 query of a group", mld(rip6, 130, about6(0x10, group6)...), Message{Version: 2, Group: rip6, MaxResponse: 10 * time.Second}},
		{
			"MLDv2 query", mld(allNodes, 130, about6(0x10, all6, 2, 125, 0, 0)...),
			Message{Version: 3, MaxResponse: 10 * time.Second, Robustness: 2, Interval: 125 * time.Second},
		},
		{ // 0x8001: (1|0x1000)<<3 ms
			"MLDv2 query with a floating code", mld(allNodes, 130, append(append([]byte{0x80, 1, 0, 0}, all6...), 0, 0, 0, 0)...),
			Message{Version: 3, MaxResponse: 32776 * time.Millisecond},
		},
		{"MLDv1 report", mld(rip6, 131, about6(0, group6)...), Message{Kind: Report, Version: 2, Group: rip6}},
		{"MLDv1 done", mld(allRouters6, 132, about6(0, group6)...), Message{Kind: Leave, Version: 2, Group: rip6}},
		{"MLDv2 report", mld(allMLDv2, 143, 0, 0, 0, 0), Message{Kind: Change, Version: 3}},
	} {
		got, err := parse(c.raw)
		c.want.Src = them4
		if c.raw[0]>>4 == 6 {
			c.want.Src = them6
		}
		if !c.want.Group.IsValid() {
			c.want.Group = unspecified(c.raw[0]>>4 == 6)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Message{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
		for n := range c.raw { // cut off anywhere it is refused, never read beyond
			if _, err := parse(c.raw[:n:n]); err == nil {
				t.Errorf("%s: accepted with %d of %d bytes", c.name, n, len(c.raw))
			}
			short := bytes.Clone(c.raw[:n])
			switch { // the same with lengths that agree
			case c.raw[0]>>4 == 4 && n >= 24:
				finishIGMPLen(short)
			case c.raw[0]>>4 == 6 && n >= 52:
				finishMLD(short, 0)
			default:
				continue
			}
			if m, err := parse(short); err == nil && m.Kind == c.want.Kind && m.Version == c.want.Version && c.want.Kind != Change && len(m.sources) > 0 {
				t.Errorf("%s: accepted with its sources cut off at %d bytes", c.name, n)
			}
		}
	}
}

func finishIGMPLen(b []byte) {
	p := packet.IPv4(b)
	p.SetTotalLen(len(b))
	p.FillChecksum()
	if len(b) >= 28 {
		finishIGMP(b, 0)
	}
}

func TestParseRefuses(t *testing.T) {
	all6 := make([]byte, 16)
	query4, query6 := igmp(allHosts, 0x11, 100, 0, 0, 0, 0, 0, 0), mld(allNodes, 130, about6(0x10, all6)...)
	change := func(p []byte, f func(b []byte)) []byte {
		b := bytes.Clone(p)
		f(b)
		if b[0]>>4 == 4 {
			packet.IPv4(b).FillChecksum()
		}
		return b
	}
	for _, c := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"IGMP of another type", igmp(allHosts, 0x13, 0, 0, 0, 0, 0, 0, 0), ErrType},
		{"IGMP with a wrong checksum", change(query4, func(b []byte) { b[26] ^= 1 }), ErrChecksum},
		{"IGMP from afar", change(query4, func(b []byte) { b[8] = 2 }), ErrHopLimit},
		{"IGMP without router alert", change(query4, func(b []byte) { copy(b[20:], []byte{1, 1, 1, 1}) }), ErrRouterAlert},
		{"an IGMP query between the versions", igmp(allHosts, 0x11, 100, 0, 0, 0, 0, 0, 0, 0, 0), ErrLength},
		{"an IGMP query of more sources than are there", igmp(rip4, 0x11, 100, 0, 0, 224, 0, 0, 9, 0, 0, 0, 2, 10, 0, 0, 1), ErrLength},
		{"a general IGMP query to a group", igmp(rip4, 0x11, 100, 0, 0, 0, 0, 0, 0), ErrDestination},
		{"an IGMP query of a host", igmp(allHosts, 0x11, 100, 0, 0, 10, 0, 0, 1), ErrGroup},
		{"an IGMP fragment", change(query4, func(b []byte) { b[6] = 0x20 }), ErrType},
		{"MLD of another type", mld(allNodes, 128, about6(0x10, all6)...), ErrType},
		{"MLD with a wrong checksum", change(query6, func(b []byte) { b[50] ^= 1 }), ErrChecksum},
		{"MLD from afar", change(query6, func(b []byte) { b[7] = 255 }), ErrHopLimit},
		{"MLD without router alert", change(query6, func(b []byte) { copy(b[42:], []byte{1, 4, 0, 0, 0, 0}) }), ErrRouterAlert},
		{"an MLD query between the versions", mld(allNodes, 130, about6(0x10, all6, 0, 0)...), ErrLength},
		{"an MLD query of more sources than are there", mld(rip6, 130, about6(0x10, group6, 0, 0, 0, 1)...), ErrLength},
		{"a general MLD query to a group", mld(rip6, 130, about6(0x10, all6)...), ErrDestination},
		{"an MLD query of a host", mld(allNodes, 130, about6(0x10, append([]byte{0x20}, all6[1:]...))...), ErrGroup},
		{"an MLD query from a global address", change(query6, func(b []byte) {
			copy(b[8:], []byte{0x20, 1})
			packet.ICMP(b[48:]).SetChecksum(0)
			finishMLD(b, 0)
		}), ErrSource},
	} {
		if _, err := parse(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// What is sent, byte by byte.
func TestBytes(t *testing.T) {
	records := []record{{kind: toExclude, group: rip4}}
	want := []byte{
		0x46, 0xc0, 0, 40, 0, 0, 0x40, 0, 1, 2, 0x41, 0xf8, // 24 bytes of header, precedence 6, DF, TTL 1, IGMP
		192, 0, 2, 1, 224, 0, 0, 22, 0x94, 4, 0, 0, // to all IGMPv3 routers; router alert
		0x22, 0, 0xf9, 0xf4, 0, 0, 0, 1, // report, checksum, 1 record
		4, 0, 0, 0, 224, 0, 0, 9, // TO_EX {}
	}
	if got := appendIGMP3(nil, our4, records); !bytes.Equal(got, want) || !packet.IPv4(got).HeaderChecksumOK() {
		t.Errorf("IGMPv3 report\n got %x\nwant %x", got, want)
	}
	want6 := []byte{
		0x60, 0, 0, 0, 0, 36, 0, 1, // 36 bytes, hop-by-hop, hop limit 1
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16,
		58, 0, 5, 2, 0, 0, 1, 0, // ICMPv6 next; router alert, PadN
		143, 0, 0, 0, 0, 0, 0, 1, // report, 1 record
		3, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, // TO_IN {}
	}
	got := appendMLD2(nil, our6, []record{{kind: toInclude, group: rip6}})
	sum := packet.PseudoHeaderSum6(got[8:24], got[24:40], packet.ProtoICMPv6, len(got)-48)
	if packet.Sum(got[48:], sum) != 0xffff {
		t.Errorf("MLDv2 report: wrong checksum")
	}
	got[50], got[51] = 0, 0
	if !bytes.Equal(got, want6) {
		t.Errorf("MLDv2 report\n got %x\nwant %x", got, want6)
	}
}

// An independent decoder reads what is sent.
func TestIndependentDecoder(t *testing.T) {
	p := gopacket.NewPacket(appendIGMP3(nil, our4, []record{{kind: isExclude, group: rip4}}), layers.LayerTypeIPv4, gopacket.Default)
	if g, ok := p.Layer(layers.LayerTypeIGMP).(*layers.IGMP); !ok || p.ErrorLayer() != nil || g.Type != layers.IGMPMembershipReportV3 ||
		len(g.GroupRecords) != 1 || g.GroupRecords[0].Type != layers.IGMPIsEx || g.GroupRecords[0].MulticastAddress.String() != "224.0.0.9" {
		t.Errorf("IGMPv3 report is read as %v", p)
	}
	p = gopacket.NewPacket(appendIGMP(nil, Leave, 2, our4, rip4), layers.LayerTypeIPv4, gopacket.Default)
	if g, ok := p.Layer(layers.LayerTypeIGMP).(*layers.IGMPv1or2); !ok || g.Type != layers.IGMPLeaveGroup || g.GroupAddress.String() != "224.0.0.9" {
		t.Errorf("IGMPv2 leave is read as %v", p)
	}
	p = gopacket.NewPacket(appendMLD2(nil, our6, []record{{kind: toExclude, group: rip6}, {kind: isInclude, group: node, sources: []netip.Addr{them6}}}), layers.LayerTypeIPv6, gopacket.Default)
	if g, ok := p.Layer(layers.LayerTypeMLDv2MulticastListenerReport).(*layers.MLDv2MulticastListenerReportMessage); !ok || p.ErrorLayer() != nil ||
		len(g.MulticastAddressRecords) != 2 || g.MulticastAddressRecords[0].MulticastAddress.String() != "ff02::9" ||
		len(g.MulticastAddressRecords[1].SourceAddresses) != 1 {
		t.Errorf("MLDv2 report is read as %v", p)
	}
	p = gopacket.NewPacket(appendMLD(nil, Report, our6, rip6), layers.LayerTypeIPv6, gopacket.Default)
	if g, ok := p.Layer(layers.LayerTypeMLDv1MulticastListenerReport).(*layers.MLDv1MulticastListenerReportMessage); !ok || g.MulticastAddress.String() != "ff02::9" {
		t.Errorf("MLDv1 report is read as %v", p)
	}
}

func TestReportable(t *testing.T) {
	for a, want := range map[string]bool{
		"224.0.0.1": false, "224.0.0.2": true, "224.0.0.9": true, "239.1.2.3": true, "192.0.2.1": false,
		"ff02::1": false, "ff02::2": true, "ff02::1:ff00:1": true, "ff01::1": false, "ff00::5": false, "ff05::2": true, "2001:db8::1": false,
	} {
		if got := Reportable(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v, want %v", a, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(igmp(rip4, 0x11, 0x8f, 0, 0, 224, 0, 0, 9, 0x07, 0x9a, 0, 1, 10, 0, 0, 1))
	f.Add(mld(rip6, 130, about6(0x10, group6, 0, 0, 0, 0)...))
	f.Add(appendMLD2(nil, our6, []record{{kind: toExclude, group: rip6}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err == nil && m.Kind == Query && !m.Group.IsUnspecified() && !m.Group.IsMulticast() {
			t.Errorf("a query about %v", m.Group)
		}
		for _, s := range m.Sources() {
			if s.Is4() != m.Group.Is4() {
				t.Errorf("source %v of group %v", s, m.Group)
			}
		}
		x := New(1)
		x.Step(someday, InterfaceUp{Interface: eth0, MTU: 1500, Source4: our4, Source6: our6, Groups: []netip.Addr{rip4, rip6}}, nil)
		x.Step(someday, Received{eth0, b}, nil)
	})
}
