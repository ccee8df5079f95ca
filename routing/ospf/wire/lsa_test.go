package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// LSAs of each type. The checksums were computed apart, by RFC 1008 §7.
var goldenLSAs = []struct {
	name   string
	raw    string
	header Header
	body   Body
}{
	{
		"router", `
		0005 22 01        // age 5, E and DC, router
		0a000001 0a000001 // itself
		80000003 ebfe 0040
		03 00 0003        // B and E, three links
		0a000002 c0000201 01 00 000a // router 10.0.0.2
		c0000202 c0000202 02 01 0001 // network 192.0.2.2, with one metric by type of service
		  00 00 0005
		cb007100 ffffff00 03 00 0064 // 203.0.113.0/24`,
		Header{Identity{RouterLSA, 0x0a000001, 0x0a000001}, 5, 0x22, -0x7ffffffd, 0xebfe, 64},
		nil,
	},
	{
		"network", `
		0001 02 02 c0000202 0a000002 80000001 fd74 0020
		ffffff00 0a000002 0a000001`,
		Header{Identity{NetworkLSA, 0xc0000202, 0x0a000002}, 1, OptionE, InitialSequence, 0xfd74, 32},
		&Network{Mask: 0xffffff00, Routers: []ID{0x0a000002, 0x0a000001}},
	},
	{
		"summary, of the highest age and number", `
		0e10 02 03 cb007100 0a000001 7fffffff 47c4 001c
		ffffff00 0000000b`,
		Header{Identity{SummaryLSA, 0xcb007100, 0x0a000001}, MaxAge, OptionE, MaxSequence, 0x47c4, 28},
		&Summary{Mask: 0xffffff00, Metric: 11},
	},
	{
		"AS boundary router, unreachable, its age stands still", `
		800a 02 04 0a000009 0a000001 80000001 201e 001c
		00000000 00ffffff`,
		Header{Identity{ASBRSummary, 0x0a000009, 0x0a000001}, 0x800a, OptionE, InitialSequence, 0x201e, 28},
		&Summary{Metric: Infinity},
	},
	{
		"external of type 2", `
		0001 02 05 c6336400 0a000009 ffffffff ebdb 0024
		fffffe00 80000014 c0000207 00000539`,
		Header{Identity{ExternalLSA, 0xc6336400, 0x0a000009}, 1, OptionE, -1, 0xebdb, 36},
		&External{Mask: 0xfffffe00, Type2: true, Metric: 20, Forwarding: 0xc0000207, Tag: 1337},
	},
	{
		"NSSA, to be translated", `
		0001 08 07 c6336400 0a000009 00000000 96e7 0024
		fffffe00 00000014 c0000207 00000000`,
		Header{Identity{NSSALSA, 0xc6336400, 0x0a000009}, 1, OptionNP, 0, 0x96e7, 36},
		&External{Mask: 0xfffffe00, Metric: 20, Forwarding: 0xc0000207},
	},
	{
		"opaque, of a link: grace", `
		0001 42 09 03000000 0a000006 80000001 b4c6 0024
		0001 0004 00000078 0002 0001 00000000`,
		Header{Identity{LinkOpaque, 0x03000000, 0x0a000006}, 1, OptionE | OptionO, InitialSequence, 0xb4c6, 36},
		Opaque{0, 1, 0, 4, 0, 0, 0, 120, 0, 2, 0, 1, 0, 0, 0, 0},
	},
	{
		"opaque, of an area", `
		0001 42 0a 01000001 0a000006 80000001 4ea0 001c
		0001 0004 0a000006`,
		Header{Identity{AreaOpaque, 0x01000001, 0x0a000006}, 1, OptionE | OptionO, InitialSequence, 0x4ea0, 28},
		Opaque{0, 1, 0, 4, 10, 0, 0, 6},
	},
	{
		"opaque, of the AS, empty", `
		0001 42 0b 04000000 0a000006 80000001 7494 0014`,
		Header{Identity{ASOpaque, 0x04000000, 0x0a000006}, 1, OptionE | OptionO, InitialSequence, 0x7494, 20},
		Opaque{},
	},
}

func TestLSA(t *testing.T) {
	for _, g := range goldenLSAs {
		t.Run(g.name, func(t *testing.T) {
			l := LSA(octets(t, g.raw))
			if r := l.Check(); !r.OK() {
				t.Fatalf("refused: %v", r)
			}
			if d := cmp.Diff(g.header, l.Header()); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
			if g.body == nil {
				return
			}
			h := g.header
			h.Checksum, h.Length = 0xdead, 0xbeef // found out, not believed
			if back := AppendLSA([]byte("x"), &h, g.body)[1:]; !bytes.Equal(back, l) {
				t.Errorf("built\n%x, want\n%x", back, l)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	lsa := func(i int) LSA { return octets(t, goldenLSAs[i].raw) }
	router := RouterBody(lsa(0).Body())
	want := []Link{
		{0x0a000002, 0xc0000201, LinkPointToPoint, 10},
		{0xc0000202, 0xc0000202, LinkTransit, 1},
		{0xcb007100, 0xffffff00, LinkStub, 100},
	}
	links := slices.Collect(router.Links)
	if d := cmp.Diff(want, links); d != "" || router.Flags() != RouterB|RouterE {
		t.Errorf("router: flags %x, links (-want +got):\n%s", router.Flags(), d)
	}
	if p := links[2].Prefix().String(); p != "203.0.113.0/24" {
		t.Errorf("stub network %s", p)
	}
	h := Header{Identity: lsa(0).Identity()}
	again := LSA(AppendLSA(nil, &h, &Router{router.Flags(), links}))
	if d := cmp.Diff(want, slices.Collect(RouterBody(again.Body()).Links)); d != "" || !again.Check().OK() {
		t.Errorf("built again: %v, links (-want +got):\n%s", again.Check(), d)
	}
	network := NetworkBody(lsa(1).Body())
	if got := slices.Collect(network.Routers); !slices.Equal(got, []ID{0x0a000002, 0x0a000001}) || network.Mask() != 0xffffff00 {
		t.Errorf("network: %v %v", got, network.Mask())
	}
	if s := SummaryBody(lsa(2).Body()); s.Metric() != 11 || s.Mask().String() != "255.255.255.0" {
		t.Errorf("summary: %d %v", s.Metric(), s.Mask())
	}
	e := ExternalBody(lsa(4).Body())
	if !e.Type2() || e.Metric() != 20 || e.Forwarding().String() != "192.0.2.7" || e.Tag() != 1337 || e.Mask() != 0xfffffe00 {
		t.Errorf("external: %v %d %v %d", e.Type2(), e.Metric(), e.Forwarding(), e.Tag())
	}
	if p := lsa(4).Prefix().String(); p != "198.51.100.0/23" {
		t.Errorf("external network %s", p)
	}
	// What a link state ID has beyond the mask belongs to no prefix, and a mask
	// with a gap has none.
	if p := prefix(0xc63364ff, 0xffffff00).String(); p != "198.51.100.0/24" {
		t.Errorf("masked: %s", p)
	}
	for _, mask := range []ID{0xff00ff00, 0x7fffffff, 1} {
		if p := prefix(0x0a000000, mask); p.IsValid() {
			t.Errorf("mask %v: %v", mask, p)
		}
	}
	for bits := range 33 {
		if p := prefix(0xffffffff, MaskOf(bits)); p.Bits() != bits {
			t.Errorf("%d bits: %v", bits, p)
		}
	}
}

// Whatever octet of an LSA changes, but its age, the checksum finds it.
func TestChecksumFindsChanges(t *testing.T) {
	for _, g := range goldenLSAs {
		l := LSA(octets(t, g.raw))
		for i := range l {
			for _, bit := range []byte{0x01, 0x80} {
				l[i] ^= bit
				if r := l.Check(); (r.Reason == LSAChecksum) != (i >= 2) {
					t.Errorf("%s, octet %d changed: %v", g.name, i, r)
				}
				l[i] ^= bit
			}
		}
	}
}

func TestLSARefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind LSType
		seq  int32
		body string
		want Reason
	}{
		{"a type that is not used", 6, InitialSequence, "", LSAType},
		{"type 8", 8, InitialSequence, "", LSAType},
		{"type 12", 12, InitialSequence, "", LSAType},
		{"reserved number", RouterLSA, reservedSequence, "00 00 0000", LSASequence},
		{"router without links", RouterLSA, InitialSequence, "00 00 0000", Accepted},
		{"router, no body", RouterLSA, InitialSequence, "", LSABody},
		{"router, a link too few", RouterLSA, InitialSequence, "00 00 0001", LSABody},
		{"router, a link too many", RouterLSA, InitialSequence, "00 00 0000 00000000 00000000 01 00 0000", LSABody},
		{"router, half a link", RouterLSA, InitialSequence, "00 00 0001 00000000 00000000", LSABody},
		{"router, metrics too few", RouterLSA, InitialSequence, "00 00 0001 00000000 00000000 01 02 0000 00000000", LSABody},
		{"network of nobody", NetworkLSA, InitialSequence, "ffffff00", LSABody},
		{"network, half a router", NetworkLSA, InitialSequence, "ffffff00 0a000001 0a00", LSABody},
		{"summary, short", SummaryLSA, InitialSequence, "ffffff00", LSABody},
		{"summary with metrics by type of service", SummaryLSA, InitialSequence, "ffffff00 00000001 00000002", Accepted},
		{"external, short", ExternalLSA, InitialSequence, "ffffff00 00000001 00000000", LSABody},
		{"external, half a type of service", NSSALSA, InitialSequence, "ffffff00 00000001 00000000 00000000 00000000", LSABody},
		{"opaque of five octets", AreaOpaque, InitialSequence, "0102030405", Accepted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Header{Identity: Identity{tt.kind, 1, 2}, Sequence: tt.seq}
			l := LSA(AppendLSA(nil, &h, Opaque(octets(t, tt.body))))
			if r := l.Check(); r.Reason != tt.want {
				t.Errorf("got %v, want %v", r, tt.want)
			}
		})
	}
	zero := LSA(octets(t, goldenLSAs[1].raw))
	zero[lsaChecksumAt], zero[lsaChecksumAt+1] = 0, 0
	if r := zero.Check(); r != (Refusal{LSAChecksum, 0, 0xfd74}) {
		t.Errorf("checksum zero: %v", r)
	}
}

// The checksum of any octets is that of a plain reading of RFC 1008 §7.
func TestFletcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 64), rapid.IntRange(4000, 9000)).Draw(t, "octets of the body")
		fill := rapid.OneOf(rapid.Byte(), rapid.Just(byte(0xff)), rapid.Just(byte(0)))
		l := LSA(rapid.SliceOfN(fill, LSAHeaderSize, LSAHeaderSize).Draw(t, "header"))
		l = append(l, bytes.Repeat([]byte{fill.Draw(t, "body")}, n)...)
		got := fletcher(l)
		c0, c1 := 0, 0
		for i, o := range l[2:] {
			if i != 14 && i != 15 {
				c0 = (c0 + int(o)) % 255
			}
			c1 = (c1 + c0) % 255
		}
		length := len(l) - 2
		x := ((length-15)*c0 - c1) % 255
		y := (c1 - (length-14)*c0) % 255
		for _, o := range []*int{&x, &y} {
			if *o <= 0 {
				*o += 255
			}
		}
		if want := uint16(x)<<8 | uint16(y); got != want {
			t.Fatalf("%x: %04x, want %04x", l, got, want)
		}
		l[lsaChecksumAt], l[lsaChecksumAt+1] = byte(got>>8), byte(got)
		if !fletcherHolds(l[2:]) {
			t.Fatalf("%x: its own checksum does not hold", l)
		}
	})
}
