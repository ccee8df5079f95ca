package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/internal/corpus"
	"routerd/routing/keys"
)

var octets = corpus.Octets

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var same = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// reasons gives the errors of what was refused, by index.
func reasons(p *Packet) map[int]error {
	m := map[int]error{}
	for _, r := range p.Refused {
		m[r.Index] = r.Err
	}
	return m
}

// Packets that are decoded and built again to the same octets.
var golden = []struct {
	name     string
	protocol Protocol
	raw      string
	want     Packet
}{
	{
		"version 1, whole table", RIP, `
		01 01 0000                                   // request, version 1
		0000 0000 00000000 00000000 00000000 00000010 // any family, infinity`,
		Packet{Command: Request, Version: 1, Whole: true},
	},
	{
		"version 1", RIP, `
		02 01 0000
		0002 0000 0a46b200 00000000 00000000 00000001
		0002 0000 00000000 00000000 00000000 0000000f // the default`,
		Packet{Command: Response, Version: 1, Entries: []Entry{
			{Prefix: pfx("10.70.178.0/32"), NoMask: true, Metric: 1},
			{Prefix: pfx("0.0.0.0/0"), Metric: 15},
		}},
	},
	{
		"version 2", RIP, `
		02 02 0000
		0002 1234 0a000200 ffffff00 00000000 00000001 // with a tag
		0002 0000 c6336400 fffffffe c0000201 00000010 // poison, with a next hop
		0002 0000 00000000 00000000 00000000 00000003 // the default
		0002 0000 00000000 80000000 00000000 00000003 // half of everything
		0002 0000 0a010203 00000000 00000000 00000002 // no mask said`,
		Packet{Command: Response, Version: 2, Entries: []Entry{
			{Prefix: pfx("10.0.2.0/24"), Tag: 0x1234, Metric: 1},
			{Prefix: pfx("198.51.100.0/31"), NextHop: addr("192.0.2.1"), Metric: 16},
			{Prefix: pfx("0.0.0.0/0"), Metric: 3},
			{Prefix: pfx("0.0.0.0/1"), Metric: 3},
			{Prefix: pfx("10.1.2.3/32"), NoMask: true, Metric: 2},
		}},
	},
	{
		"version 2, request of two", RIP, `
		01 02 0000
		0002 0000 0a000200 ffffff00 00000000 00000000
		0002 0000 0a000300 ffffff00 00000000 00000010`,
		Packet{Command: Request, Version: 2, Entries: []Entry{
			{Prefix: pfx("10.0.2.0/24")}, {Prefix: pfx("10.0.3.0/24"), Metric: 16},
		}},
	},
	{"version 2, nothing", RIP, `02 02 0000`, Packet{Command: Response, Version: 2}},
	{
		"RIPng, whole table", RIPng, `
		01 01 0000
		00000000 00000000 00000000 00000000 0000 00 10`,
		Packet{Command: Request, Version: 1, Whole: true},
	},
	{
		"RIPng, next hops", RIPng, `
		02 01 0000
		20010db8 00010000 00000000 00000000 0007 30 02 // of the sender
		fe800000 00000000 50bfcfff febe9999 0000 00 ff // next hop
		20010db8 10000000 00000000 00000000 0000 40 01
		20010db8 10000000 00000000 00000001 0000 80 10 // poison of a host
		00000000 00000000 00000000 00000000 0000 00 ff // the sender again
		00000000 00000000 00000000 00000000 0000 00 05 // the default`,
		Packet{Command: Response, Version: 1, Entries: []Entry{
			{Prefix: pfx("2001:db8:1::/48"), Tag: 7, Metric: 2},
			{Prefix: pfx("2001:db8:1000::/64"), NextHop: addr("fe80::50bf:cfff:febe:9999"), Metric: 1},
			{Prefix: pfx("2001:db8:1000::1/128"), NextHop: addr("fe80::50bf:cfff:febe:9999"), Metric: 16},
			{Prefix: pfx("::/0"), Metric: 5},
		}},
	},
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			raw := octets(t, g.raw)
			var got Packet
			if err := g.protocol.Decode(raw, &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(g.want, got, same); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			if back := g.protocol.Append(nil, &got, Seal{}); !bytes.Equal(back, raw) {
				t.Errorf("built again:\n%x, want\n%x", back, raw)
			}
		})
	}
}

func TestRefusedPackets(t *testing.T) {
	entry := "0002 0000 0a000200 ffffff00 00000000 00000001"
	entry1 := "0002 0000 0a000200 00000000 00000000 00000001"
	auth := "ffff 0002 73656372657400000000000000000000"
	for _, tt := range []struct {
		name     string
		protocol Protocol
		raw      string
		want     error
	}{
		{"empty", RIP, "", ErrShort},
		{"half a header", RIPng, "0201", ErrShort},
		{"command 3", RIP, "0302 0000" + entry, ErrCommand},
		{"command 0", RIPng, "0001 0000", ErrCommand},
		{"version 0", RIP, "0200 0000" + entry1, ErrVersion},
		{"version 2 of RIPng", RIPng, "0202 0000", ErrVersion},
		{"version 0 of RIPng", RIPng, "0200 0000", ErrVersion},
		{"version 1, header", RIP, "0201 0001" + entry1, ErrReserved},
		{"version 1, tag", RIP, "0201 0000 0002 0001 0a000200 00000000 00000000 00000001", ErrReserved},
		{"version 1, mask", RIP, "0201 0000 0002 0000 0a000200 ffffff00 00000000 00000001", ErrReserved},
		{"version 1, next hop", RIP, "0201 0000 0002 0000 0a000200 00000000 0a000001 00000001", ErrReserved},
		{"version 1, whole table", RIP, "0101 0000 0000 0000 00000000 000000ff 00000000 00000010", ErrReserved},
		{"part of an entry", RIP, "0202 0000" + entry[:19], ErrLength},
		{"part of an entry of RIPng", RIPng, "0201 0000 20010db8", ErrLength},
		{"26 entries", RIP, "0202 0000" + strings.Repeat(entry, 26), ErrTooMany},
		{"25 entries and a password", RIP, "0202 0000" + auth + strings.Repeat(entry, 25), ErrTooMany},
		{"password behind an entry", RIP, "0202 0000" + entry + auth, ErrAuthPlace},
		{"second password", RIP, "0202 0000" + auth + auth, ErrAuthPlace},
		{"authentication type 4", RIP, "0202 0000 ffff 0004 00000000000000000000000000000000", ErrAuthType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			if err := tt.protocol.Decode(octets(t, tt.raw), &p); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRefusedEntries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol Protocol
		raw      string
		want     error
	}{
		{"family 1", RIP, "0001 0000 0a000200 ffffff00 00000000 00000001", ErrFamily},
		{"family 0 in a response", RIP, "0000 0000 00000000 00000000 00000000 00000010", ErrFamily},
		{"mask with a gap", RIP, "0002 0000 0a000200 ff00ff00 00000000 00000001", ErrMask},
		{"mask from below", RIP, "0002 0000 00000000 000000ff 00000000 00000001", ErrMask},
		{"loopback", RIP, "0002 0000 7f000001 ffffffff 00000000 00000003", ErrPrefix},
		{"net 0", RIP, "0002 0000 00000000 ff000000 00000000 00000003", ErrPrefix},
		{"group", RIP, "0002 0000 e0000009 ffffffff 00000000 00000003", ErrPrefix},
		{"class E", RIP, "0002 0000 f0000000 f0000000 00000000 00000003", ErrPrefix},
		{"metric 0", RIP, "0002 0000 0a000400 ffffff00 00000000 00000000", ErrMetric},
		{"metric 17", RIP, "0002 0000 0a000400 ffffff00 00000000 00000011", ErrMetric},
		{"metric 256+1", RIP, "0002 0000 0a000400 ffffff00 00000000 00000101", ErrMetric},
		{"length 129", RIPng, "20010db8 10000000 00000000 00000003 0000 81 02", ErrBits},
		{"metric 17 of RIPng", RIPng, "20010db8 10000000 00000000 00000000 0000 40 11", ErrMetric},
		{"metric 0 of RIPng", RIPng, "20010db8 10000000 00000000 00000000 0000 40 00", ErrMetric},
		{"link-local", RIPng, "fe800000 00000000 00000000 00000000 0000 40 01", ErrPrefix},
		{"group of RIPng", RIPng, "ff020000 00000000 00000000 00000009 0000 80 01", ErrPrefix},
		{"loopback of RIPng", RIPng, "00000000 00000000 00000000 00000001 0000 80 01", ErrPrefix},
		{"unspecified", RIPng, "00000000 00000000 00000000 00000000 0000 80 01", ErrPrefix},
		{"mapped", RIPng, "00000000 00000000 0000ffff 0a000000 0000 68 01", ErrPrefix},
	} {
		t.Run(tt.name, func(t *testing.T) {
			good, version := "0002 0000 0a000900 ffffff00 00000000 00000001", "02"
			if tt.protocol == RIPng {
				good, version = "20010db8 00090000 00000000 00000000 0000 40 01", "01"
			}
			var p Packet
			if err := tt.protocol.Decode(octets(t, "02"+version+"0000"+good+tt.raw+good), &p); err != nil {
				t.Fatal(err)
			}
			if got := reasons(&p); len(got) != 1 || !errors.Is(got[1], tt.want) {
				t.Errorf("refused %v, want entry 1: %v", got, tt.want)
			}
			if len(p.Entries) != 2 {
				t.Errorf("%d entries are left, want the two good ones", len(p.Entries))
			}
			if p.Refused == nil {
				return
			}
			if text := p.Refused[0].Error(); !strings.HasPrefix(text, "entry 1: "+tt.want.Error()) {
				t.Errorf("sentence %q", text)
			}
		})
	}
}

// A next hop that is not on the link counts as none in RIPng; what the length
// leaves out of an address does not count in either protocol.
func TestForgiven(t *testing.T) {
	var p Packet
	raw := octets(t, `
		02 01 ffff                                     // what is reserved is not looked at
		20010db8 00000000 00000000 00000001 0001 08 ff // next hop, but a global address
		20010db8 00010000 00000000 00000001 0000 30 01
		20010db8 00000000 00000000 00000000 0000 00 02 // length 0: the default`)
	if err := RIPng.Decode(raw, &p); err != nil {
		t.Fatal(err)
	}
	want := []Entry{{Prefix: pfx("2001:db8:1::/48"), Metric: 1}, {Prefix: pfx("::/0"), Metric: 2}}
	if d := cmp.Diff(want, p.Entries, same); d != "" {
		t.Errorf("RIPng (-want +got):\n%s", d)
	}
	raw = octets(t, `02 03 ffff 0002 0000 0a000207 ffffff00 00000000 00000001`)
	if err := RIP.Decode(raw, &p); err != nil {
		t.Fatalf("version 3 with a reserved field: %v", err)
	}
	want = []Entry{{Prefix: pfx("10.0.2.0/24"), Metric: 1}}
	if d := cmp.Diff(want, p.Entries, same); d != "" {
		t.Errorf("version 3 (-want +got):\n%s", d)
	}
}

func TestDestination(t *testing.T) {
	for p, want := range map[string]bool{
		"0.0.0.0/0": true, "0.0.0.0/1": true, "0.0.0.0/8": false, "0.1.2.3/32": false, "1.0.0.0/8": true,
		"126.0.0.0/7": true, "127.0.0.0/8": false, "223.255.255.0/24": true, "224.0.0.0/4": false,
		"192.0.0.0/2": true, "255.255.255.255/32": false,
		"::/0": true, "::/127": true, "::/128": false, "::2/128": true, "fe80::/9": true, "fe80::/10": false,
		"fec0::/10": true, "ff00::/8": false, "fe00::/7": true, "::ffff:0:0/95": true, "::ffff:1.2.3.4/128": false,
	} {
		if got := Destination(pfx(p)); got != want {
			t.Errorf("%s may be carried: %v, want %v", p, got, want)
		}
	}
	if Destination(netip.Prefix{}) {
		t.Error("no prefix is a destination")
	}
}

func TestCapacity(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		mtu      int
		seal     Seal
		want     int
	}{
		{RIP, 1500, Seal{}, 25},
		{RIP, 576, Seal{}, 25},
		{RIP, 9000, Seal{Algorithm: keys.PlainText}, 24},
		{RIP, 1500, Seal{Algorithm: keys.HMACSHA512}, 24},
		{RIPng, 1500, Seal{}, 72},
		{RIPng, 1280, Seal{}, 61},
		{RIPng, 40, Seal{}, 1},
	} {
		if got := tt.protocol.Capacity(tt.mtu, tt.seal); got != tt.want {
			t.Errorf("%v, MTU %d, %v: %d entries, want %d", tt.protocol, tt.mtu, tt.seal.Algorithm, got, tt.want)
		}
	}
}
