package icmp

import (
	"net/netip"
	"slices"
	"testing"

	"routerd/internal/corpus"
	"routerd/internal/packet"
)

func TestMayAnswer4(t *testing.T) {
	from := func(a string) func(packet.IPv4) {
		return func(p packet.IPv4) { p.SetSrc(netip.MustParseAddr(a)) }
	}
	to := func(a string) func(packet.IPv4) {
		return func(p packet.IPv4) { p.SetDst(netip.MustParseAddr(a)) }
	}
	message := func(typ uint8) func(packet.IPv4) {
		return func(p packet.IPv4) { p.SetProtocol(packet.ProtoICMP); p[20] = typ }
	}
	tests := []struct {
		name   string
		change func(packet.IPv4)
		want   bool
	}{
		{"a UDP datagram", func(packet.IPv4) {}, true},
		{"the first fragment", func(p packet.IPv4) { p.SetFragment(false, true, 0) }, true},
		{"a middle fragment", func(p packet.IPv4) { p.SetFragment(false, true, 8) }, false},
		{"the last fragment", func(p packet.IPv4) { p.SetFragment(false, false, 65528) }, false},
		{"to a multicast group", to("224.0.0.5"), false},
		{"to the last multicast group", to("239.255.255.255"), false},
		{"to everybody", to("255.255.255.255"), false},
		{"to class E", to("240.0.0.1"), true}, // a martian, which has no error anyway
		{"from nobody", from("0.0.0.0"), false},
		{"from network 0", from("0.1.2.3"), false},
		{"from network 1", from("1.0.0.1"), true},
		{"from loopback", from("127.0.0.1"), false},
		{"from a multicast group", from("224.0.0.1"), false},
		{"from class E", from("240.0.0.1"), false},
		{"from everybody", from("255.255.255.255"), false},
		{"from the last unicast network", from("223.255.255.254"), true},
		{"echo request", message(8), true},
		{"echo reply", message(0), true},
		{"destination unreachable", message(3), false},
		{"source quench", message(4), false},
		{"redirect", message(5), false},
		{"time exceeded", message(11), false},
		{"parameter problem", message(12), false},
		{"timestamp", message(13), true},
		{"an unknown type", message(200), true},
		{"ICMP without a type", func(p packet.IPv4) { message(8)(p); p.SetTotalLen(20) }, false},
	}
	for _, test := range tests {
		p := packet4(40)
		test.change(p)
		if got := MayAnswer4(p); got != test.want {
			t.Errorf("about %s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestMayAnswer6(t *testing.T) {
	var (
		exceeded = Error{Type: TimeExceeded6}
		tooBig   = Error{Type: PacketTooBig6, Rest: 1280}
		option   = Error{Type: ParameterProblem6, Code: CodeOption6, Rest: 42}
		field    = Error{Type: ParameterProblem6, Rest: 42}
	)
	plain := func(packet.IPv6) {}
	from := func(a string) func(packet.IPv6) {
		return func(p packet.IPv6) { p.SetSrc(netip.MustParseAddr(a)) }
	}
	// chain sets the payload and the next header that names its first byte.
	chain := func(next uint8, payload ...byte) func(packet.IPv6) {
		return func(p packet.IPv6) {
			p.SetNextHeader(next)
			p.SetPayloadLen(copy(p[40:], payload))
		}
	}
	group := func(change func(packet.IPv6)) func(packet.IPv6) {
		return func(p packet.IPv6) { change(p); p.SetDst(netip.MustParseAddr("ff0e::1")) }
	}
	hopByHop := func(option byte) func(packet.IPv6) {
		return chain(0, 17, 0, option, 4, 0, 0, 0, 0, 1, 2, 3, 4, 0, 8, 0, 0)
	}
	tests := []struct {
		name   string
		change func(packet.IPv6)
		e      Error
		want   bool
	}{
		{"a UDP packet", plain, exceeded, true},
		{"a packet to a group", group(plain), exceeded, false},
		{"a packet to a group, too big", group(plain), tooBig, true},
		{"a packet to a group, unknown option 10", group(hopByHop(0x9e)), option, true},
		{"a packet to a group, unknown option 11", group(hopByHop(0xde)), option, false},
		{"a packet to one host, unknown option 11", hopByHop(0xde), option, true},
		{"a packet to a group, bad field", group(hopByHop(0x9e)), field, false},
		{"a packet to a group, pointer outside", group(plain), Error{Type: ParameterProblem6, Code: CodeOption6, Rest: 1 << 31}, false},
		{"from nobody", from("::"), exceeded, false},
		{"from loopback", from("::1"), exceeded, false},
		{"from a group", from("ff02::1"), exceeded, false},
		{"from a mapped address", from("::ffff:192.0.2.1"), exceeded, false},
		{"from a translated address", from("64:ff9b::192.0.2.1"), exceeded, true},
		{"from a link-local address", from("fe80::1"), exceeded, true},
		{"echo request", chain(58, 128, 0, 0, 0, 0, 0, 0, 0), exceeded, true},
		{"destination unreachable", chain(58, 1, 0, 0, 0, 0, 0, 0, 0), exceeded, false},
		{"too big about too big", group(chain(58, 2, 0, 0, 0, 0, 0, 0, 0)), tooBig, false},
		{"an unknown error", chain(58, 127, 0, 0, 0, 0, 0, 0, 0), exceeded, false},
		{"redirect", chain(58, 137, 0, 0, 0, 0, 0, 0, 0), exceeded, false},
		{"neighbour solicitation", chain(58, 135, 0, 0, 0, 0, 0, 0, 0), exceeded, true},
		{"an error behind destination options", chain(60, 58, 0, 1, 4, 0, 0, 0, 0, 3, 0, 0, 0), exceeded, false},
		{"an error behind two headers", chain(0, 60, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0, 4, 0), exceeded, false},
		{"an echo request behind options", chain(60, 58, 0, 1, 4, 0, 0, 0, 0, 128, 0, 0, 0), exceeded, true},
		{"an error in a first fragment", chain(44, 58, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0, 0), exceeded, false},
		{"a later fragment", chain(44, 58, 0, 0, 9, 0, 0, 0, 9, 1, 0, 0, 0), exceeded, true},
		{"ICMPv6 without a type", chain(58), exceeded, false},
		{"a chain that breaks off", chain(60, 58, 9, 1, 4, 0, 0, 0, 0), field, true},
	}
	for _, test := range tests {
		p := packet6(64)
		test.change(p)
		if got := MayAnswer6(p, test.e); got != test.want {
			t.Errorf("about %s: %v, want %v", test.name, got, test.want)
		}
	}
}

// FuzzAnswer has every guard, echo check and builder read arbitrary bytes.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"ipv4-options", "ipv4-fragments", "ipv4-malformed", "ipv6-exthdr", "ipv6-malformed"} {
		for _, p := range corpus.Hex(f, name) {
			f.Add(p, uint32(42))
		}
	}
	f.Add(udp4, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, rest uint32) {
		if p := packet.IPv4(b); p.Valid() {
			if MayAnswer4(p) {
				e := packet.IPv4(AppendError4(nil, p, router4, Error{Type: ParameterProblem, Rest: rest}))
				if !e.Valid() || !e.HeaderChecksumOK() || !ChecksumOK4(e) || len(e) > MaxError4 || MayAnswer4(e) {
					t.Errorf("error % x about % x", e, p)
				}
			}
			if EchoRequestOK4(p) {
				EchoReply4(p)
				if !p.Valid() || !p.HeaderChecksumOK() || !ChecksumOK4(p) || EchoRequestOK4(p) {
					t.Errorf("echo reply % x", p)
				}
			}
		}
		if p := packet.IPv6(slices.Clone(b)); p.Valid() {
			problem := Error{Type: ParameterProblem6, Code: CodeOption6, Rest: rest}
			if MayAnswer6(p, problem) {
				e := packet.IPv6(AppendError6(nil, p, router6, problem))
				if !e.Valid() || !ChecksumOK6(e, 40) || len(e) > MaxError6 || MayAnswer6(e, problem) {
					t.Errorf("error % x about % x", e, p)
				}
			}
			x := packet.WalkExtensions(p)
			if x.Upper == packet.ProtoICMPv6 && EchoRequestOK6(p, x.Offset) {
				if r := EchoReply6(p, x.Offset); !r.Valid() || !ChecksumOK6(r, 40) || EchoRequestOK6(r, 40) {
					t.Errorf("echo reply % x", r)
				}
			}
		}
	})
}
