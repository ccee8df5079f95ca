package wire

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"routerd/internal/corpus"
)

var octets = corpus.Octets

var golden = []struct {
	name string
	raw  string
	want Packet
	seal Seal
}{
	{
		"down, nobody heard yet", `
		20          // version 1, no diagnostic
		40          // Down
		03          // multiplier
		18          // length 24
		00 00 00 01 // my discriminator
		00 00 00 00 // yours, unknown
		00 0f 42 40 // desired min TX: 1 s
		00 00 c3 50 // required min RX: 50 ms
		00 00 00 00 // no echo`,
		Packet{State: Down, DetectMult: 3, My: 1, DesiredMinTx: 1_000_000, RequiredMinRx: 50_000},
		Seal{},
	},
	{
		"up, detection time expired before, poll", `
		21          // version 1, control detection time expired
		ea          // Up, P, C, D
		ff          // multiplier 255
		18
		de ad be ef 01 02 03 04
		00 00 0c e4 // 3.3 ms
		00 98 96 80 // 10 s
		00 00 c3 50 // echo: 50 ms`,
		Packet{
			Diagnostic: DetectionTimeExpired, State: Up, Poll: true, ControlPlaneIndependent: true, Demand: true, DetectMult: 255,
			My: 0xdeadbeef, Your: 0x01020304, DesiredMinTx: 3300, RequiredMinRx: 10_000_000, RequiredMinEchoRx: 50_000,
		},
		Seal{},
	},
	{
		"simple password", `
		27          // administratively down
		14          // AdminDown, F, A
		05 21       // multiplier 5, length 33
		00 00 00 07 00 00 00 08
		00 0f 42 40 00 0f 42 40 00 00 00 00
		01 09 2a    // simple, 9 octets, key 42
		73 65 63 72 65 74`, // "secret"
		Packet{
			Diagnostic: AdministrativelyDown, State: AdminDown, Final: true, DetectMult: 5, My: 7, Your: 8, DesiredMinTx: 1_000_000, RequiredMinRx: 1_000_000,
			Auth: Auth{Type: SimplePassword, KeyID: 42},
		},
		Seal{Type: SimplePassword, KeyID: 42, Secret: []byte("secret")},
	},
	{
		"meticulous keyed MD5", `
		20 84       // Init, A
		03 30       // length 48
		00 00 00 07 00 00 00 08
		00 0f 42 40 00 0f 42 40 00 00 00 00
		03 18 01 00 // meticulous keyed MD5, 24 octets, key 1, reserved
		ff ff ff fe // sequence number
		` + digestOf(func(b []byte) []byte { s := md5.Sum(b); return s[:] },
			"2084033000000007000000080"+"00f4240000f42400000000003180100fffffffe"+"736563726574"+strings.Repeat("00", 10)),
		Packet{State: Init, DetectMult: 3, My: 7, Your: 8, DesiredMinTx: 1_000_000, RequiredMinRx: 1_000_000, Auth: Auth{MeticulousKeyedMD5, 1, 0xfffffffe}},
		Seal{Type: MeticulousKeyedMD5, KeyID: 1, Sequence: 0xfffffffe, Secret: []byte("secret")},
	},
	{
		"keyed SHA-1", `
		20 c4       // Up, A
		03 34       // length 52
		00 00 00 07 00 00 00 08
		00 0f 42 40 00 0f 42 40 00 00 00 00
		04 1c 02 00 // keyed SHA-1, 28 octets, key 2, reserved
		00 00 00 05 // sequence number
		` + digestOf(func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
			"20c4033400000007000000080"+"00f4240000f4240000000000"+"41c020000000005"+"736563726574"+strings.Repeat("00", 14)),
		Packet{State: Up, DetectMult: 3, My: 7, Your: 8, DesiredMinTx: 1_000_000, RequiredMinRx: 1_000_000, Auth: Auth{KeyedSHA1, 2, 5}},
		Seal{Type: KeyedSHA1, KeyID: 2, Sequence: 5, Secret: []byte("secret")},
	},
}

// digestOf hashes a packet that has the secret where the digest comes.
func digestOf(sum func([]byte) []byte, text string) string {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(sum(b))
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		raw := octets(t, g.raw)
		var p Packet
		if err := Decode(raw, &p); err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		if d := cmp.Diff(g.want, p); d != "" {
			t.Errorf("%s (-want +got):\n%s", g.name, d)
		}
		if back := p.Append(nil, g.seal); !bytes.Equal(back, raw) {
			t.Errorf("%s: built again:\n%x, want\n%x", g.name, back, raw)
		}
		if g.seal.Type == AuthNone {
			continue
		}
		if !Verify(raw, g.seal) {
			t.Errorf("%s: it does not verify", g.name)
		}
		for _, wrong := range []Seal{{Type: g.seal.Type, Secret: []byte("Secret")}, {Type: g.seal.Type%5 + 1, Secret: g.seal.Secret}, {}} {
			if Verify(raw, wrong) {
				t.Errorf("%s: it verifies with %v %q", g.name, wrong.Type, wrong.Secret)
			}
		}
	}
}

// Any octet that changes after sealing spoils a digest.
func TestDigestCoversThePacket(t *testing.T) {
	for _, g := range golden {
		if !g.seal.Type.Sequenced() {
			continue
		}
		raw := octets(t, g.raw)
		for at := range raw {
			b := bytes.Clone(raw)
			b[at] ^= 0x10
			var p Packet
			if Decode(b, &p) == nil && Verify(b, g.seal) {
				t.Errorf("%s: octet %d may change", g.name, at)
			}
		}
	}
}

// Cut short anywhere, a packet is refused; with more behind it, it is the same.
func TestTruncation(t *testing.T) {
	for _, g := range golden {
		raw := octets(t, g.raw)
		for n := range raw {
			var p Packet
			if err := Decode(raw[:n:n], &p); !errors.Is(err, ErrShort) && !errors.Is(err, ErrLength) {
				t.Errorf("%s: %d of %d octets: %v", g.name, n, len(raw), err)
			}
		}
		var p Packet
		longer := append(bytes.Clone(raw), 1, 2, 3)
		if err := Decode(longer, &p); err != nil || p != g.want {
			t.Errorf("%s: with octets behind it: %+v, %v", g.name, p, err)
		}
		if g.seal.Type != AuthNone && !Verify(longer, g.seal) {
			t.Errorf("%s: with octets behind it, it does not verify", g.name)
		}
	}
}

// RFC 5880 §6.8.6, in its order.
func TestRefused(t *testing.T) {
	plain, simple, sha := golden[0].raw, golden[2].raw, golden[4].raw
	for _, tt := range []struct {
		name, raw string
		change    func(b []byte)
		want      error
	}{
		{"version 0", plain, func(b []byte) { b[0] = 0 }, ErrVersion},
		{"version 2", plain, func(b []byte) { b[0] = 0x40 }, ErrVersion},
		{"length 23", plain, func(b []byte) { b[3] = 23 }, ErrLength},
		{"length 24 with A", plain, func(b []byte) { b[1] |= bitAuth }, ErrLength},
		{"length beyond the payload", plain, func(b []byte) { b[3] = 25 }, ErrLength},
		{"multiplier 0", plain, func(b []byte) { b[2] = 0 }, ErrDetectMult},
		{"multipoint", plain, func(b []byte) { b[1] |= bitMultipoint }, ErrMultipoint},
		{"discriminator 0", plain, func(b []byte) { b[7] = 0 }, ErrDiscriminator},
		{"both 0: the multiplier is looked at first", plain, func(b []byte) { b[2], b[7] = 0, 0 }, ErrDetectMult},
		{"no password", simple, func(b []byte) { b[25] = 3 }, ErrAuthLength},
		{"password of 17 octets", simple, func(b []byte) { b[25] = 20 }, ErrAuthLength},
		{"section beyond the packet", simple, func(b []byte) { b[25] = 10 }, ErrAuthLength},
		{"SHA-1 of 27 octets", sha, func(b []byte) { b[25] = 27 }, ErrAuthLength},
		{"MD5 as long as SHA-1", sha, func(b []byte) { b[24] = 2 }, ErrAuthLength},
	} {
		b := octets(t, tt.raw)
		tt.change(b)
		var p Packet
		if err := Decode(b, &p); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A type that is not known is the session's to refuse.
func TestUnknownAuthType(t *testing.T) {
	b := octets(t, golden[4].raw)
	b[24] = 6
	var p Packet
	if err := Decode(b, &p); err != nil || p.Auth != (Auth{Type: 6}) {
		t.Errorf("%+v, %v", p.Auth, err)
	}
	if Verify(b, Seal{Type: 6}) {
		t.Error("it verifies")
	}
	if got := p.Auth.Type.String(); got != "type 6" {
		t.Errorf("its name is %q", got)
	}
}

func drawPacket(t *rapid.T) (p Packet, s Seal) {
	word := rapid.Uint32()
	p = Packet{
		Diagnostic: Diagnostic(rapid.IntRange(0, 31).Draw(t, "diagnostic")), State: State(rapid.IntRange(0, 3).Draw(t, "state")),
		Poll: rapid.Bool().Draw(t, "poll"), Final: rapid.Bool().Draw(t, "final"), Demand: rapid.Bool().Draw(t, "demand"),
		ControlPlaneIndependent: rapid.Bool().Draw(t, "independent"),
		DetectMult:              rapid.Uint8Range(1, 255).Draw(t, "multiplier"), My: rapid.Uint32Range(1, 1<<32-1).Draw(t, "my"), Your: word.Draw(t, "your"),
		DesiredMinTx: word.Draw(t, "tx"), RequiredMinRx: word.Draw(t, "rx"), RequiredMinEchoRx: word.Draw(t, "echo"),
	}
	s.Type = AuthType(rapid.IntRange(0, 5).Draw(t, "type"))
	if s.Type == AuthNone {
		return p, s
	}
	s.KeyID = rapid.Byte().Draw(t, "key")
	s.Secret = rapid.SliceOfN(rapid.Byte(), 1, s.Type.LongestSecret()).Draw(t, "secret")
	if s.Type.Sequenced() {
		s.Sequence = word.Draw(t, "sequence")
	}
	p.Auth = Auth{s.Type, s.KeyID, s.Sequence}
	return p, s
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawPacket(t)
		raw := p.Append([]byte("before"), s)[6:]
		var again Packet
		if err := Decode(raw, &again); err != nil || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
		if s.Type != AuthNone && !Verify(raw, s) {
			t.Fatal("it does not verify")
		}
		if len(raw) > MaxSize {
			t.Fatalf("%d octets, at most %d", len(raw), MaxSize)
		}
	})
}

func TestAllocations(t *testing.T) {
	raw := octets(t, golden[4].raw)
	buf := make([]byte, 0, MaxSize)
	var p Packet
	if n := testing.AllocsPerRun(100, func() {
		if Decode(raw, &p) != nil || !Verify(raw, golden[4].seal) {
			t.Fatal("refused")
		}
		buf = p.Append(buf[:0], golden[4].seal)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		State(4).String(): "unknown", Up.String(): "up", Diagnostic(9).String(): "unknown",
		PathDown.String(): "path down", MeticulousKeyedSHA1.String(): "meticulous-keyed-sha1",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if AuthType(6).LongestSecret() != 0 || AuthType(6).Sequenced() || !MeticulousKeyedMD5.Meticulous() || KeyedSHA1.Meticulous() {
		t.Error("what types are")
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := octets(b, golden[1].raw)
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(raw, &p); err != nil {
			b.Fatal(err)
		}
	}
}
