package arp

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/icmp"
	"routerd/internal/packet"
)

const request = "\x00\x01\x08\x00\x06\x04\x00\x01" + // Ethernet, IPv4, 6, 4, request
	"\x02\x00\x00\x00\x00\x0a\xc0\x00\x02\x0a" + // sender
	"\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x01" // target

func TestPacket(t *testing.T) {
	p := Packet(request)
	if !p.Valid() {
		t.Fatal("a good request is refused")
	}
	if p.Op() != OpRequest || p.SenderMAC() != peerMAC || p.SenderAddr() != peer4 || p.TargetMAC() != (MAC{}) || p.TargetAddr() != our4 {
		t.Errorf("read %v %v %v %v %v", p.Op(), p.SenderMAC(), p.SenderAddr(), p.TargetMAC(), p.TargetAddr())
	}
	if built := AppendPacket(nil, OpRequest, peerMAC, peer4, MAC{}, our4); string(built) != request {
		t.Errorf("built % x, want % x", built, request)
	}
	for n := range len(request) {
		if Packet(request[:n]).Valid() {
			t.Errorf("%d bytes are taken for a packet", n)
		}
	}
	for at, what := range map[int]string{1: "hardware", 3: "protocol", 4: "hardware length", 5: "protocol length"} {
		b := []byte(request)
		b[at] ^= 0x40
		if Packet(b).Valid() {
			t.Errorf("a wrong %s is taken", what)
		}
	}
}

func TestAddresses(t *testing.T) {
	m := MAC{0x00, 0x1d, 0x09, 0xf0, 0x92, 0xab}
	for _, c := range []struct{ got, want string }{
		{m.String(), "00:1d:09:f0:92:ab"},
		{LinkLocal(m).String(), "fe80::21d:9ff:fef0:92ab"},
		{SolicitedNode(LinkLocal(m)).String(), "ff02::1:fff0:92ab"},
		{MulticastMAC(netip.MustParseAddr("224.128.0.5")).String(), "01:00:5e:00:00:05"},
		{MulticastMAC(SolicitedNode(LinkLocal(m))).String(), "33:33:ff:f0:92:ab"},
		{AllNodes.String(), "ff02::1"},
		{AllRouters.String(), "ff02::2"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

// solicitation is a neighbour solicitation for 2001:db8::1 from 2001:db8::10.
const solicitation = "\x60\x00\x00\x00\x00\x20\x3a\xff" + // IPv6, 32 bytes, ICMPv6, hop limit 255
	"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10" +
	"\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x00\x00\x01" +
	"\x87\x00\x1c\x11\x00\x00\x00\x00" + // type 135, code 0, checksum, reserved
	"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + // target
	"\x01\x01\x02\x00\x00\x00\x00\x0a" // source link-layer address

// messages is one good message of each type.
func messages() map[uint8][]byte {
	ll := LinkLocal(peerMAC)
	return map[uint8][]byte{
		icmp.RouterSolicitation6: AppendRouterSolicitation(nil, ll, AllRouters, peerMAC),
		icmp.RouterAdvertisement6: AppendRouterAdvertisement(nil, ll, AllNodes, &RouterAdvertisement{
			RouterHeader: RouterHeader{64, true, true, 1800 * time.Second, 30 * time.Second, time.Second, PreferenceLow},
			Source:       peerMAC, MTU: 1400,
			Prefixes: []PrefixInformation{
				{netip.MustParsePrefix("2001:db8:1::/64"), true, true, 2592000 * time.Second, 604800 * time.Second},
				{netip.MustParsePrefix("2001:db8:2::/48"), false, true, Infinite, Infinite},
			},
			RDNSS: []netip.Addr{our6, peer6}, RDNSSLifetime: 1200 * time.Second,
		}),
		icmp.NeighborSolicitation6:  []byte(solicitation),
		icmp.NeighborAdvertisement6: AppendAdvertisement(nil, peer6, our6, peer6, peerMAC, true, true, false),
		icmp.Redirect6: AppendRedirect(nil, ll, peer6, LinkLocal(newMAC), netip.MustParseAddr("2001:db8:9::9"), newMAC,
			[]byte("the beginning of a packet")),
	}
}

func TestSolicitationBytes(t *testing.T) {
	group := SolicitedNode(our6)
	if b := AppendSolicitation(nil, peer6, group, our6, peerMAC, nil); string(b) != solicitation {
		t.Errorf("built\n% x, want\n% x", b, solicitation)
	}
	m, err := Parse(packet.IPv6(solicitation))
	want := Message{Type: icmp.NeighborSolicitation6, Src: peer6, Dst: group, Target: our6, LinkAddress: peerMAC}
	if d := cmp.Diff(want, m, cmpopts.IgnoreUnexported(Message{}), addr); err != nil || d != "" {
		t.Errorf("%v, difference (-want +got):\n%s", err, d)
	}
}

var addr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestParseWhatIsBuilt(t *testing.T) {
	all := messages()
	parse := func(kind uint8) Message {
		m, err := Parse(all[kind])
		if err != nil || m.Type != kind {
			t.Fatalf("type %d: %+v, %v", kind, m, err)
		}
		return m
	}
	if m := parse(icmp.RouterSolicitation6); m.LinkAddress != peerMAC {
		t.Errorf("router solicitation: %+v", m)
	}
	if m := parse(icmp.NeighborAdvertisement6); !m.Router || !m.Solicited || m.Override || m.Target != peer6 || m.LinkAddress != peerMAC {
		t.Errorf("neighbour advertisement: %+v", m)
	}
	if m := parse(icmp.Redirect6); m.Target != LinkLocal(newMAC) || m.Destination != netip.MustParseAddr("2001:db8:9::9") ||
		m.LinkAddress != newMAC || !bytes.HasPrefix(m.RedirectedHeader(), []byte("the beginning of a packet")) {
		t.Errorf("redirect: %+v", m)
	}
	m := parse(icmp.RouterAdvertisement6)
	if want := (RouterHeader{64, true, true, 1800 * time.Second, 30 * time.Second, time.Second, PreferenceLow}); m.Header != want || m.MTU != 1400 {
		t.Errorf("router advertisement: %+v, MTU %d", m.Header, m.MTU)
	}
	var got []PrefixInformation
	for p := range m.Prefixes {
		got = append(got, p)
	}
	if len(got) != 2 || got[0].Valid != 2592000*time.Second || got[1].Prefix != netip.MustParsePrefix("2001:db8:2::/48") ||
		got[1].OnLink || got[1].Preferred != Infinite {
		t.Errorf("prefixes %+v", got)
	}
	var servers []netip.Addr
	for s, lifetime := range m.RDNSS {
		if servers = append(servers, s); lifetime != 1200*time.Second {
			t.Errorf("server %v for %v", s, lifetime)
		}
	}
	if len(servers) != 2 || servers[0] != our6 || servers[1] != peer6 {
		t.Errorf("servers %v", servers)
	}
}

func TestRedirectFitsLeastMTU(t *testing.T) {
	for n := range 1300 {
		b := AppendRedirect(nil, LinkLocal(ourMAC), peer6, our6, our6, newMAC, make([]byte, n))
		if len(b) > packet.IPv6MinMTU {
			t.Fatalf("a redirect about %d bytes has %d", n, len(b))
		}
		if _, err := Parse(b); err != nil {
			t.Fatalf("a redirect about %d bytes: %v", n, err)
		}
	}
}

// resum makes the checksum and the payload length right again, so that a test
// finds what it looks for.
func resum(b []byte) []byte {
	packet.ICMP(b[packet.IPv6Header:]).SetChecksum(0)
	return finishND(b, 0)
}

func TestTruncated(t *testing.T) {
	for kind, whole := range messages() {
		for n := range whole {
			cut := append([]byte(nil), whole[:n]...)
			if packet.IPv6(cut).Valid() {
				t.Fatalf("type %d: %d bytes are a valid packet", kind, n)
			}
			if n < packet.IPv6Header+8 {
				continue
			}
			// With lengths and checksum that agree a cut is only good at the
			// end of an option.
			least := packet.IPv6Header + shortest[kind]
			_, err := Parse(resum(cut))
			switch {
			case n < least && !errors.Is(err, ErrLength):
				t.Errorf("type %d, cut to %d: %v, want %v", kind, n, err, ErrLength)
			case n >= least && (n-least)%optionUnit != 0 && !errors.Is(err, ErrOption):
				t.Errorf("type %d, cut to %d: %v, want %v", kind, n, err, ErrOption)
			case n == least && err != nil:
				t.Errorf("type %d without options: %v", kind, err)
			}
		}
	}
}

// RFC 4861 §6.1, §7.1 and §8.1, and RFC 6980: one line a rule.
func TestValidation(t *testing.T) {
	const body = packet.IPv6Header
	global := netip.MustParseAddr("2001:db8::99")
	group := netip.MustParseAddr("ff02::9")
	all := messages()
	edit := func(kind uint8, f func(b []byte)) []byte {
		b := append([]byte(nil), all[kind]...)
		f(b)
		return resum(b)
	}
	src := func(a netip.Addr) func([]byte) { return func(b []byte) { packet.IPv6(b).SetSrc(a) } }
	target := func(a netip.Addr) func([]byte) {
		return func(b []byte) { x := a.As16(); copy(b[body+8:], x[:]) }
	}
	const (
		rs, ra   = icmp.RouterSolicitation6, icmp.RouterAdvertisement6
		nsol     = icmp.NeighborSolicitation6
		nadv     = icmp.NeighborAdvertisement6
		redirect = icmp.Redirect6
	)
	fragmented := append([]byte(nil), all[nsol][:body]...)
	fragmented = append(fragmented, packet.ProtoICMPv6, 0, 0, 0, 0, 0, 0, 1) // an atomic fragment
	fragmented = append(fragmented, all[nsol][body:]...)
	packet.IPv6(fragmented).SetNextHeader(packet.ProtoFragment)
	packet.IPv6(fragmented).SetPayloadLen(len(fragmented) - body)
	sum := append([]byte(nil), all[nsol]...)
	sum[body+2]++
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"fragmented", fragmented, ErrFragmented},
		{"checksum", sum, ErrChecksum},
		{"echo request", edit(nsol, func(b []byte) { b[body] = icmp.EchoRequest6 }), ErrNotDiscovery},
		{"RS from nobody, with address", edit(rs, src(nobody)), ErrSource},
		{"RA from a global address", edit(ra, src(global)), ErrSource},
		{"NS of a group", edit(nsol, target(group)), ErrTarget},
		{"NS from nobody, with address", edit(nsol, src(nobody)), ErrSource},
		{"NS from nobody to unicast", AppendSolicitation(nil, nobody, our6, our6, MAC{}, nil), ErrSource},
		{"NS from nobody to its group", AppendSolicitation(nil, nobody, SolicitedNode(our6), our6, MAC{}, nil), nil},
		{"NS from a group", edit(nsol, src(group)), ErrSource},
		{"NA of a group", edit(nadv, target(group)), ErrTarget},
		{"NA solicited, to a group", AppendAdvertisement(nil, peer6, AllNodes, peer6, peerMAC, false, true, true), ErrSolicited},
		{"NA unsolicited, to a group", AppendAdvertisement(nil, peer6, AllNodes, peer6, peerMAC, false, false, true), nil},
		{"redirect from a global address", edit(redirect, src(global)), ErrSource},
		{"redirect of a group", AppendRedirect(nil, LinkLocal(peerMAC), peer6, group, group, MAC{}, nil), ErrTarget},
		{"redirect to a global router", edit(redirect, target(global)), ErrTarget},
		{"redirect on the link", AppendRedirect(nil, LinkLocal(peerMAC), peer6, global, global, MAC{}, nil), nil},
		{"link-layer address of two units", edit(nsol, func(b []byte) { b[body+25] = 2 }), ErrOption},
		{"link-layer address of a group", edit(nsol, func(b []byte) { b[body+26] = 1 }), ErrOption},
		{"unknown option", edit(nsol, func(b []byte) { b[body+24] = 200 }), nil},
	} {
		if _, err := Parse(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for kind, least := range shortest {
		for name, x := range map[string]struct {
			b    []byte
			want error
		}{
			"hop limit":       {edit(kind, func(b []byte) { packet.IPv6(b).SetHopLimit(254) }), ErrHopLimit},
			"code":            {edit(kind, func(b []byte) { b[body+1] = 1 }), ErrCode},
			"option length 0": {edit(kind, func(b []byte) { b[body+least+1] = 0 }), ErrOption},
			"reserved fields": {edit(kind, func(b []byte) {
				if kind != ra {
					b[body+7] = 0xff
				}
			}), nil},
		} {
			if _, err := Parse(x.b); !errors.Is(err, x.want) {
				t.Errorf("type %d, %s: %v, want %v", kind, name, err, x.want)
			}
		}
	}
}

// An address is text to whoever writes it: a log line, JSON.
func TestMACIsText(t *testing.T) {
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("seen", "mac", MAC{2, 0, 0, 0, 0xab, 1})
	if want := `"mac":"02:00:00:00:ab:01"`; !strings.Contains(b.String(), want) {
		t.Errorf("logged as %s, want %s in it", b.String(), want)
	}
}
