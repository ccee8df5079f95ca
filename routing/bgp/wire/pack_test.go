package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// unpack decodes messages, and gives all prefixes that they withdraw and announce,
// each with its path identifier, and of the latter the attributes.
func unpack(tb fatal, b []byte, s *Session) (gone, came []string, a Attributes, messages []int) {
	var u Update
	for len(b) > 0 {
		m, rest, r := Split(b, s.Longest())
		if !r.OK() || m.Type != TypeUpdate {
			tb.Fatalf("message %d: %v %v", len(messages), m.Type, r.String())
		}
		DecodeUpdate(m.Body(), s, &u)
		if u.Approach != Accept {
			r := u.Strongest()
			tb.Fatalf("message %d: %v", len(messages), r.String())
		}
		kinds := 0
		for i := range u.Reach {
			for _, n := range []NLRI{u.Withdrawn[i], u.Reach[i].NLRI} {
				if len(n.Octets) > 0 {
					kinds++
				}
			}
			gone, came = each(gone, u.Withdrawn[i]), each(came, u.Reach[i].NLRI)
			if r := &u.Reach[i]; len(r.Octets) > 0 {
				set := u.AppendSet(nil, r)
				set.Read(&a)
			}
		}
		if kinds != 1 { // RFC 7606 §5.1
			tb.Fatalf("message %d has %d kinds of prefixes", len(messages), kinds)
		}
		messages = append(messages, len(m.Octets))
		b = rest
	}
	return gone, came, a, messages
}

type fatal interface{ Fatalf(string, ...any) }

func each(list []string, n NLRI) []string {
	for path, p := range n.All {
		list = append(list, fmt.Sprintf("%d:%v", path, p))
	}
	return list
}

// Whatever is packed is decoded to the same, in messages that are as full as they
// may be.
func TestPacker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Session{
			External: true, FourOctetAS: rapid.Bool().Draw(t, "four octets"), ExtendedMessage: rapid.Bool().Draw(t, "extended"),
			Families: Of(IPv4Unicast, IPv6Unicast), ExtendedNextHop: Of(IPv4Unicast), KeepASSets: true,
			SendPaths: rapid.SampledFrom([]Families{0, Of(IPv4Unicast), Of(IPv4Unicast, IPv6Unicast)}).Draw(t, "paths"),
		}
		s.ReceivePaths = s.SendPaths
		f := rapid.SampledFrom([]Family{IPv4Unicast, IPv6Unicast}).Draw(t, "family")
		var a Attributes
		drawAttributes(t, &a, f)
		n := rapid.SampledFrom([]int{0, 1, 2, 1000, 3000}).Draw(t, "prefixes")
		var want []string
		var p Packer
		p.Begin(nil, &s)
		withdraw := rapid.Bool().Draw(t, "withdraw")
		switch {
		case withdraw:
			p.Withdraw(f)
		case !p.Announce(f, &a):
			t.Fatal("no room")
		}
		longest := 0
		for i := range n {
			prefix := drawnPrefix(i, f)
			path := uint32(0)
			if s.SendPaths.Has(f) {
				path = uint32(i % 3)
			}
			p.Add(uint32(i%3), prefix)
			want = append(want, fmt.Sprintf("%d:%v", path, prefix))
			longest = max(longest, len(appendPrefix(nil, prefix))+4)
		}
		gone, came, got, messages := unpack(t, p.Bytes(), &s)
		if withdraw {
			gone, came = came, gone
		}
		if len(gone) != 0 || !slices.Equal(came, want) {
			t.Fatalf("%d and %d prefixes came, want 0 and %d", len(gone), len(came), len(want))
		}
		for _, length := range messages[:max(0, len(messages)-1)] {
			if length+p.largest()+4 < s.Longest() {
				t.Fatalf("a message of %d octets before the last one, of %d at most", length, s.Longest())
			}
		}
		if withdraw || n == 0 {
			return
		}
		var whole Attributes
		set := a.AppendSet(nil)
		set.Read(&whole)
		if d := cmp.Diff(whole, got, compareAttributes); d != "" {
			t.Fatalf("attributes (-packed +decoded):\n%s", d)
		}
	})
}

func drawnPrefix(i int, f Family) netip.Prefix {
	if f == IPv4Unicast {
		a := [4]byte{byte(1 + i%200), byte(i >> 8), byte(i)}
		p, _ := netip.AddrFrom4(a).Prefix(8 + i%17)
		return p
	}
	a := [16]byte{0x20, 1, byte(i >> 8), byte(i), 5: byte(i)}
	p, _ := netip.AddrFrom16(a).Prefix(i % 129)
	return p
}

func drawAttributes(t *rapid.T, a *Attributes, f Family) {
	a.Origin, a.ASPath = OriginEGP, drawPath(t, 2, []SegmentType{SegmentSequence, SegmentSet})
	hops := []NextHop{
		{Address: netip.MustParseAddr("2001:db8::1")},
		{LinkLocal: netip.MustParseAddr("fe80::1")},
		{Address: netip.MustParseAddr("2001:db8::1"), LinkLocal: netip.MustParseAddr("fe80::1")},
	}
	if f == IPv4Unicast {
		hops = append(hops, NextHop{Address: netip.MustParseAddr("192.0.2.1")})
	}
	a.NextHop = rapid.SampledFrom(hops).Draw(t, "next hop")
	a.MED, a.OTC = 7, 70000
	a.Aggregator = Aggregator{rapid.SampledFrom([]uint32{1, 65535, 65536, 70000}).Draw(t, "aggregator"), 1}
	a.Communities = octets4(rapid.SliceOfN(rapid.Uint32(), 1, 80).Draw(t, "communities"))
	for _, code := range []Attribute{AttrOrigin, AttrASPath, AttrNextHop} {
		a.Set(code)
	}
	for _, code := range []Attribute{AttrMED, AttrOTC, AttrAggregator, AttrCommunities, AttrAtomicAggregate} {
		if rapid.Bool().Draw(t, code.String()) {
			a.Set(code)
		}
	}
	if rapid.Bool().Draw(t, "unknown") {
		a.takeUnknown(200, []byte{1})
		a.takeUnknown(30, nil)
	}
}

func octets4(list []uint32) (b []byte) {
	for _, c := range list {
		b = binary.BigEndian.AppendUint32(b, c)
	}
	return b
}

// The octets of a message, of each form.
func TestPackedOctets(t *testing.T) {
	var a Attributes
	a.Origin, a.ASPath, a.NextHop = OriginIGP, octets(t, "0201 00010001"), NextHop{Address: netip.MustParseAddr("192.0.2.1")}
	for _, code := range []Attribute{AttrOrigin, AttrASPath, AttrNextHop} {
		a.Set(code)
	}
	six := a
	six.NextHop = NextHop{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1")}
	aggregated := a
	aggregated.ASPath, aggregated.Aggregator = octets(t, "0201 0000fde9"), Aggregator{65535, 0x0a000001}
	aggregated.Set(AttrAggregator)
	s, old, paths := external, old, external
	paths.SendPaths = Of(IPv4Unicast, IPv6Unicast)
	for _, test := range []struct {
		name    string
		session *Session
		family  Family
		attrs   *Attributes // nil: withdraw
		prefix  string
		want    string
	}{
		{"IPv4", &s, IPv4Unicast, &a, "203.0.113.0/24", `
			0000 0014
			400101 00 400206 0201 00010001 400304 c0000201
			18 cb0071`},
		{"IPv4 to an old speaker", &old, IPv4Unicast, &a, "203.0.113.0/24", `
			0000 001b
			400101 00 400204 0201 5ba0 400304 c0000201
			c01106 0201 00010001
			18 cb0071`},
		{"an aggregator that fits into two octets", &old, IPv4Unicast, &aggregated, "203.0.113.0/24", `
			0000 001b
			400101 00 400204 0201 fde9 400304 c0000201
			c00706 ffff 0a000001
			18 cb0071`},
		{"IPv4 with a path identifier", &paths, IPv4Unicast, &a, "203.0.113.0/24", `
			0000 0014 400101 00 400206 0201 00010001 400304 c0000201
			00000005 18 cb0071`},
		{"IPv4 withdrawn", &s, IPv4Unicast, nil, "203.0.113.0/24", "0004 18 cb0071 0000"},
		{"IPv6", &s, IPv6Unicast, &six, "2001:db8:1::/48", `
			0000 003d
			900e002c 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
			30 20010db80001
			400101 00 400206 0201 00010001`},
		{"IPv6 withdrawn", &s, IPv6Unicast, nil, "2001:db8:1::/48", "0000 000e 900f000a 0002 01 30 20010db80001"},
		{"IPv4 with an IPv6 next hop", &s, IPv4Unicast, &six, "203.0.113.0/24", `
			0000 003a
			900e0029 0001 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
			18 cb0071
			400101 00 400206 0201 00010001`},
	} {
		var p Packer
		p.Begin(nil, test.session)
		if test.attrs == nil {
			p.Withdraw(test.family)
		} else if !p.Announce(test.family, test.attrs) {
			t.Fatalf("%s: no room", test.name)
		}
		p.Add(5, netip.MustParsePrefix(test.prefix))
		if got, want := p.Bytes(), message(t, TypeUpdate, test.want); !slices.Equal(got, want) {
			t.Errorf("%s:\n%x, want\n%x", test.name, got, want)
		}
	}
}

// Attributes that leave no room for a prefix are not announced, and ones that leave
// just enough are.
func TestNoRoom(t *testing.T) {
	for _, f := range []Family{IPv4Unicast, IPv6Unicast} {
		s := external
		var a Attributes
		hop := "192.0.2.1"
		if f == IPv6Unicast {
			hop = "2001:db8::1"
		}
		a.NextHop, a.ASPath = NextHop{Address: netip.MustParseAddr(hop)}, nil
		a.Set(AttrNextHop)
		a.Set(AttrOrigin)
		a.Set(AttrASPath)
		room := 0
		for n := 3900; n < 4096; n++ {
			a.Unknown = []UnknownAttribute{{200, make([]byte, n)}}
			var p Packer
			p.Begin(nil, &s)
			if !p.Announce(f, &a) {
				if b := p.Bytes(); len(b) != 0 {
					t.Fatalf("%v: %d octets without a prefix", f, len(b))
				}
				continue
			}
			room++
			host := netip.PrefixFrom(drawnPrefix(7, f).Addr(), f.Bits())
			p.Add(0, host)
			p.Add(0, host)
			_, came, _, messages := unpack(t, p.Bytes(), &s)
			if len(came) != 2 || slices.Max(messages) > MaxMessage {
				t.Fatalf("%v, %d octets: %d prefixes in messages of %v octets", f, n, len(came), messages)
			}
		}
		if room < 50 || room > 190 {
			t.Errorf("%v: %d of 196 lengths have room", f, room)
		}
	}
}

// A Packer is used for one thing after the other.
func TestPackerMixed(t *testing.T) {
	var a Attributes
	a.NextHop = NextHop{Address: netip.MustParseAddr("2001:db8::1")}
	for _, code := range []Attribute{AttrOrigin, AttrASPath, AttrNextHop} {
		a.Set(code)
	}
	var p Packer
	p.Begin(nil, &external)
	p.Withdraw(IPv6Unicast)
	p.Withdraw(IPv4Unicast) // without prefixes there is no message
	for i := range 3 {
		p.Add(0, drawnPrefix(i, IPv4Unicast))
	}
	p.Announce(FamilyFor(drawnPrefix(40, IPv6Unicast)), &a)
	p.Add(0, drawnPrefix(40, IPv6Unicast))
	p.Withdraw(IPv6Unicast)
	p.Add(0, drawnPrefix(50, IPv6Unicast))
	if n := p.Len(); n != len(p.Bytes()) { // the open message ends with its prefixes
		t.Errorf("%d octets before the end, %d after", n, len(p.Bytes()))
	}
	gone, came, _, messages := unpack(t, p.Bytes(), &external)
	if got := strings.Join(gone, " ") + " and " + strings.Join(came, " "); len(gone) != 4 || len(came) != 1 || len(messages) != 3 {
		t.Errorf("%s in %d messages", got, len(messages))
	}
}

// Prefixes go on behind others where the message that they would begin says the same.
func TestPackerContinues(t *testing.T) {
	for _, wide := range []bool{true, false} {
		base := Attributes{Origin: OriginIGP, NextHop: NextHop{Address: netip.MustParseAddr("192.0.2.1")}}
		base.ASPath = Path{2, 1, 0, 0, 0xfd, 0xe9}
		for _, code := range []Attribute{AttrOrigin, AttrASPath, AttrNextHop} {
			base.Set(code)
		}
		var p Packer
		p.Begin(nil, &Session{External: true, FourOctetAS: wide, Families: Of(IPv4Unicast) | Of(IPv6Unicast)})
		for _, f := range []Family{IPv4Unicast, IPv6Unicast} {
			for _, test := range []struct {
				name   string
				change func(a *Attributes)
				f      Family
				want   bool
			}{
				{"the same", func(*Attributes) {}, f, true},
				{"another MED", func(a *Attributes) { a.MED = 1; a.Set(AttrMED) }, f, false},
				{"another path", func(a *Attributes) { a.ASPath = Path{2, 1, 0, 0, 0xfd, 0xea} }, f, false},
				{"another next hop", func(a *Attributes) { a.NextHop.Address = netip.MustParseAddr("192.0.2.2") }, f, false},
				{"one of IPv6", func(a *Attributes) { a.NextHop.Address = netip.MustParseAddr("2001:db8::1") }, f, false},
				{"the other family", func(*Attributes) {}, IPv4Unicast + IPv6Unicast - f, false},
			} {
				a := base
				if !p.Announce(f, &a) {
					t.Fatal("no room")
				}
				test.change(&a)
				if got := p.Continues(test.f, &a); got != test.want {
					t.Errorf("%v, %s: goes on %v, want %v", f, test.name, got, test.want)
				}
			}
			p.Withdraw(f)
			if p.Continues(f, &base) {
				t.Errorf("%v: an announcement goes on behind withdrawals", f)
			}
		}
	}
}
