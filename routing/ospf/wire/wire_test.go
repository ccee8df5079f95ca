package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/internal/corpus"
)

var octets = corpus.Octets

var same = cmpopts.EquateEmpty()

const (
	routerHeader   = "0005 22 01 0a000001 0a000001 80000003 ebfe 0040"
	routerBody     = "03 00 0003 0a000002 c0000201 01 00 000a c0000202 c0000202 02 01 0001 00 00 0005 cb007100 ffffff00 03 00 0064"
	externalHeader = "0001 02 05 c6336400 0a000009 ffffffff ebdb 0024"
	externalBody   = "fffffe00 80000014 c0000207 00000539"
	hello          = "ffffff00 000a 02 01 00000028 c0000202 c0000201 0a000002 0a000003"
	signalled      = "ffffff00 000a 12 01 00000028 c0000202 c0000201 0a000002 0a000003"
)

var (
	wantHello = Hello{
		Mask: 0xffffff00, HelloInterval: 10, Options: OptionE, Priority: 1, DeadInterval: 40,
		DR: 0xc0000202, BDR: 0xc0000201, Neighbors: []ID{0x0a000002, 0x0a000003},
	}
	wantHeaders = []Header{goldenLSAs[0].header, goldenLSAs[4].header}
)

func withL(h Hello) Hello { h.Options |= OptionL; return h }

// Packets that are decoded and built again to the same octets. Their checksums
// were computed apart.
var golden = []struct {
	name string
	raw  string
	want Packet
}{
	{
		"hello", `
		02 01 0034          // version 2, Hello, 52 octets
		0a000001 00000000   // router, area
		5a8c 00 00          // checksum, instance, no authentication
		00000000 00000000
		ffffff00 000a 02 01 // mask, 10 s, E, priority
		00000028            // dead after 40 s
		c0000202 c0000201   // DR, BDR
		0a000002 0a000003   // neighbours`,
		Packet{Type: TypeHello, Router: 0x0a000001, Hello: wantHello},
	},
	{
		"hello with link-local signalling", `
		02 01 0034 0a000001 00000000 4a8c 00 00 00000000 00000000
		` + signalled + `
		78ed 0006               // checksum, 24 octets
		0001 0004 00000001      // extended options: LR
		8000 0005 00000001 07 000000 // private, five octets filled up to eight`,
		Packet{Type: TypeHello, Router: 0x0a000001, Hello: withL(wantHello), LLS: LLS{true, []byte{
			0, 1, 0, 4, 0, 0, 0, 1, 0x80, 0, 0, 5, 0, 0, 0, 1, 7, 0, 0, 0,
		}}},
	},
	{
		"database description", `
		02 02 0048 0a000001 00000000 d747 00 00 00000000 00000000
		05dc 42 03 00001000     // MTU 1500, O and E, more and master, number
		` + routerHeader + externalHeader,
		Packet{
			Type: TypeDescription, Router: 0x0a000001,
			Description: Description{1500, OptionE | OptionO, FlagMore | FlagMaster, 0x1000}, Headers: wantHeaders,
		},
	},
	{
		"request", `
		02 03 0030 0a000001 00000000 d1b7 00 00 00000000 00000000
		00000001 0a000001 0a000001
		0000000b 04000000 0a000006`,
		Packet{Type: TypeRequest, Router: 0x0a000001, Requests: []Identity{
			{RouterLSA, 0x0a000001, 0x0a000001}, {ASOpaque, 0x04000000, 0x0a000006},
		}},
	},
	{
		"update", `
		02 04 0080 0a000001 00000001 5510 00 00 00000000 00000000
		00000002                // two
		` + routerHeader + routerBody + externalHeader + externalBody,
		Packet{Type: TypeUpdate, Router: 0x0a000001, Area: 1},
	},
	{
		"acknowledgement", `
		02 05 0040 0a000001 00000000 2f2c 00 00 00000000 00000000
		` + routerHeader + externalHeader,
		Packet{Type: TypeAcknowledgement, Router: 0x0a000001, Headers: wantHeaders},
	},
}

func TestPackets(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			raw := octets(t, g.raw)
			want := g.want
			if want.Type == TypeUpdate {
				router, external := LSA(octets(t, routerHeader+routerBody)), LSA(octets(t, externalHeader+externalBody))
				want.Updates = []Update{{router, 5}, {external, 1}}
			}
			var p Packet
			for range 2 { // into the same one again
				if r := Decode(raw, &p); !r.OK() {
					t.Fatalf("refused: %v", r)
				}
				if d := cmp.Diff(want, p, same); d != "" {
					t.Fatalf("decoded (-want +got):\n%s", d)
				}
			}
			if r := (*Sealer)(nil).Verify(raw, &p, 0); !r.OK() {
				t.Errorf("not verified: %v", r)
			}
			if back := p.Append([]byte("before"), nil, 0, 0)[len("before"):]; !bytes.Equal(back, raw) {
				t.Errorf("built\n%x, want\n%x", back, raw)
			}
		})
	}
}

// An LSA goes out with the age that it is given, and is itself left alone.
func TestUpdateAge(t *testing.T) {
	l := LSA(octets(t, externalHeader+externalBody))
	p := Packet{Type: TypeUpdate, Updates: []Update{{l, 0x0102}}}
	raw := p.Append(nil, nil, 0, 0)
	if r := Decode(raw, &p); !r.OK() || p.Updates[0].Age != 0x0102 || l.Age() != 1 {
		t.Errorf("%v: %+v, kept %d", r, p.Updates, l.Age())
	}
}

func TestRefusals(t *testing.T) {
	h := func(text string) string { return "02" + text }
	const rest = "0a000001 00000000"
	for _, tt := range []struct {
		name string
		raw  string
		want Refusal
		text string
	}{
		{"nothing", "", Refusal{Short, 0, 24}, "octets in a packet, want a header of 24: 0"},
		{"version 3", "03 01 0018" + rest + "0000 0000 00000000 00000000", Refusal{Version, 3, 2}, "OSPF version: theirs 3, ours 2"},
		{"type 0", h("00 0018") + rest + "0000 0000 00000000 00000000", Refusal{PacketType, 0, 0}, "unknown type of packet: 0"},
		{"type 6", h("06 0018") + rest + "0000 0000 00000000 00000000", Refusal{PacketType, 6, 0}, "unknown type of packet: 6"},
		{"length below the header", h("05 0017") + rest + "0000 0000 00000000 00000000", Refusal{PacketLength, 23, 24}, "packet length in the header, and octets that came: theirs 23, ours 24"},
		{"length beyond the packet", h("05 0019") + rest + "0000 0000 00000000 00000000", Refusal{PacketLength, 25, 24}, ""},
		{"instance 1", h("05 0018") + rest + "0000 0100 00000000 00000000", Refusal{Instance, 1, 0}, ""},
		{"authentication 4", h("05 0018") + rest + "0000 0004 00000000 00000000", Refusal{AuthUnknown, 4, 0}, ""},
		{"checksum", h("05 0018") + rest + "f3e0 0000 00000000 00000000", Refusal{Checksum, 0xf3e0, 0xf3e1}, "checksum: theirs 0xf3e0, ours 0xf3e1"},
		{"no digest", h("05 0018") + rest + "0000 0002 0000 01 10 00000001", Refusal{AuthLength, 16, 0}, ""},
		{"no sequence number", h("05 0018") + rest + "0000 0003 000000 07 00000001 00000000000000", Refusal{AuthLength, 7, 7}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			r := Decode(octets(t, tt.raw), &p)
			if r != tt.want {
				t.Errorf("got %+v, want %+v", r, tt.want)
			}
			if tt.text != "" && r.String() != tt.text {
				t.Errorf("in words %q, want %q", r, tt.text)
			}
		})
	}
}

// sum gives the packet a right length and checksum.
func sum(b []byte) []byte {
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	c := headerChecksum(b)
	b[checksumAt], b[checksumAt+1] = byte(c>>8), byte(c)
	return b
}

func TestBodyRefusals(t *testing.T) {
	const header = "0000 0a000001 00000000 0000 0000 00000000 00000000"
	external := externalHeader + externalBody
	broken := strings.Replace(external, "0539", "0538", 1)
	unknown := strings.Replace(external, "0001 02 05", "0001 02 06", 1)
	for _, tt := range []struct {
		name    string
		raw     string
		want    Refusal
		updates int
		refused []Reason
	}{
		{name: "hello, half a neighbour", raw: "02 01" + header + hello + "0a00", want: Refusal{BodyLength, 54, 0}},
		{name: "hello, cut", raw: "02 01" + header + "ffffff00 000a 02 01 00000028", want: Refusal{Reason: BodyLength, Theirs: 36}},
		{name: "description, half a header", raw: "02 02" + header + "05dc 42 03 00001000 0000", want: Refusal{Reason: BodyLength, Theirs: 34}},
		{name: "request, half", raw: "02 03" + header + "00000001 0a000001", want: Refusal{Reason: BodyLength, Theirs: 32}},
		{name: "acknowledgement, half", raw: "02 05" + header + routerHeader[:20], want: Refusal{Reason: BodyLength, Theirs: 32}},
		{name: "acknowledgement of nothing", raw: "02 05" + header},
		{name: "update without a count", raw: "02 04" + header, want: Refusal{Reason: BodyLength, Theirs: 24}},
		{name: "update of nothing", raw: "02 04" + header + "00000000"},
		{name: "fewer than announced", raw: "02 04" + header + "00000002" + external, want: Refusal{LSACount, 2, 1}},
		{name: "more than announced", raw: "02 04" + header + "00000001" + external + external, want: Refusal{LSACount, 1, 2}},
		{name: "huge count", raw: "02 04" + header + "ffffffff", want: Refusal{LSACount, 0xffffffff, 0}},
		{name: "half a header", raw: "02 04" + header + "00000001" + externalHeader[:20], want: Refusal{LSALength, 8, 20}},
		{name: "length within the header", raw: "02 04" + header + "00000001" + strings.Replace(external, "0024", "0013", 1), want: Refusal{LSALength, 19, 36}},
		{name: "length beyond the packet", raw: "02 04" + header + "00000001" + strings.Replace(external, "0024", "0025", 1), want: Refusal{LSALength, 37, 36}},
		{name: "one of three changed, one unknown", raw: "02 04" + header + "00000003" + broken + unknown + external, updates: 1, refused: []Reason{LSAChecksum, LSAChecksum}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			if r := Decode(sum(octets(t, tt.raw)), &p); r != tt.want {
				t.Fatalf("got %+v (%v), want %+v", r, r, tt.want)
			}
			var refused []Reason
			for _, r := range p.Refused {
				refused = append(refused, r.Refusal.Reason)
			}
			if d := cmp.Diff(tt.refused, refused, same); tt.want.OK() && (d != "" || len(p.Updates) != tt.updates) {
				t.Errorf("%d used, want %d; refused (-want +got):\n%s", len(p.Updates), tt.updates, d)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name   string
		theirs func(h *Hello)
		mask   bool
		want   string
	}{
		{"same", func(*Hello) {}, true, "accepted"},
		{"mask", func(h *Hello) { h.Mask = 0xffff0000 }, true, "network mask: theirs 255.255.0.0, ours 255.255.255.0"},
		{"mask, of a point-to-point link", func(h *Hello) { h.Mask = 0 }, false, "accepted"},
		{"hello interval", func(h *Hello) { h.HelloInterval = 5 }, true, "hello interval in seconds: theirs 5, ours 10"},
		{"dead interval", func(h *Hello) { h.DeadInterval = 1 << 31 }, true, "dead interval in seconds: theirs 2147483648, ours 40"},
		{"stub", func(h *Hello) { h.Options = 0 }, true, "external routes in the area (option E): theirs 0, ours 1"},
		{"NSSA", func(h *Hello) { h.Options |= OptionNP }, true, "NSSA (option N): theirs 1, ours 0"},
		{"what does not matter", func(h *Hello) { h.Options |= OptionDC | OptionO; h.Priority, h.DR = 7, 9 }, true, "accepted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			theirs := wantHello
			tt.theirs(&theirs)
			if got := theirs.Compare(&wantHello, tt.mask).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Each word and sentence is there, and no two are the same.
func TestWords(t *testing.T) {
	seen := map[string]Reason{}
	for r := range numReasons {
		for _, text := range []string{"word " + r.String(), reasons[r].text} {
			if other, twice := seen[text]; twice || reasons[r].text == "" || r.String() == "" {
				t.Errorf("reason %d and %d: %q", r, other, text)
			}
			seen[text] = r
		}
	}
	for got, want := range map[string]string{
		numReasons.String(): "unknown", Refusal{Reason: numReasons}.String(): "unknown",
		TypeAcknowledgement.String(): "link-state-acknowledgement", Type(0).String(): "type 0", Type(6).String(): "type 6",
		NSSALSA.String(): "nssa-external", LSType(6).String(): "type 6", LSType(0).String(): "type 0", LSType(99).String(): "type 99",
		AuthExtended.String(): "cryptographic-extended", AuthType(9).String(): "type 9",
		Refusal{AuthDiffers, 2, 0}.String(): "authentication: theirs cryptographic, ours none",
		ID(0xc0000201).String():             "192.0.2.1",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if i := ID(0x0a0b0c0d); IDOf(i.Addr()) != i {
		t.Errorf("%v by its address is %v", i, IDOf(i.Addr()))
	}
}
