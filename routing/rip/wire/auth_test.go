package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/routing/keys"
)

// One response sealed in each way. The authentication data were computed
// apart, by Python's hashlib and hmac, from RFC 4822 §2.4 and §2.5.
var sealed = []struct {
	name   string
	seal   Seal
	secret string
	entry  string // the authentication entry
	data   string // what follows the trailer's mark
}{
	{"plain text", Seal{Algorithm: keys.PlainText}, "secret", "ffff 0002 73656372 65740000 00000000 00000000", ""},
	{"plain text, too long", Seal{Algorithm: keys.PlainText}, "0123456789abcdefg", "ffff 0002 30313233 34353637 38396162 63646566", ""},
	{"md5", Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Sequence: 0x45}, "core key", "ffff 0003 002c 01 10 00000045 00000000 00000000", "f938dd8bbeea81e5270b12a3a0d07f25"},
	{"md5, long key", Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Sequence: 0x45}, "a key of more than sixteen octets", "ffff 0003 002c 01 10 00000045 00000000 00000000", "9bd324987e73909a8b4047909dc28bcb"},
	{"HMAC sha1", Seal{Algorithm: keys.HMACSHA1, KeyID: 2, Sequence: 0x45}, "core key", "ffff 0003 002c 02 14 00000045 00000000 00000000", "43647854be46546ec0bf4f384f1f79513bb70f6e"},
	{"HMAC sha1, long key", Seal{Algorithm: keys.HMACSHA1, KeyID: 2, Sequence: 0x45}, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "ffff 0003 002c 02 14 00000045 00000000 00000000", "4f7211fe47fc6a3ac38b56dea78ed51a78407f11"},
	{"HMAC sha256", Seal{Algorithm: keys.HMACSHA256, KeyID: 3, Sequence: 0x45}, "core key", "ffff 0003 002c 03 20 00000045 00000000 00000000", "46e1c5e2608057a974eeb644aa9eeac8f6369840f3e4e052be739a6683716f1b"},
	{"HMAC sha384", Seal{Algorithm: keys.HMACSHA384, KeyID: 4, Sequence: 0x45}, "core key", "ffff 0003 002c 04 30 00000045 00000000 00000000", "628a5ff2b9594177d5e3c90c0c7ecaada5207e7192ae41727246120668723c1108846d68fa081cb6c8d53aad079635a5"},
	{"HMAC sha512", Seal{Algorithm: keys.HMACSHA512, KeyID: 255, Sequence: 0x45}, "core key", "ffff 0003 002c ff 40 00000045 00000000 00000000", "b23c54abb542ed211d0f4b5afe3cc59eacb916171a58dc26625fe058c47b6572c541a9e81795a3d42d1c87eab5c044dc804508a5b51853f362e120de01835fd0"},
	{"HMAC sha512, long key", Seal{Algorithm: keys.HMACSHA512, KeyID: 255, Sequence: 0x45}, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ffff 0003 002c ff 40 00000045 00000000 00000000", "58f531e5c8f5288b07ad5cec6cfab64476e05230b057a7f88e486c58e5e24949a8cd4a65e9cbaec9a8a9b3c7e96ec80ef923688f9e3a301a597199c93a45ecc6"},
}

const sealedEntry = "0002 0000 0a000100 ffffff00 00000000 00000001"

func TestSeal(t *testing.T) {
	for _, tt := range sealed {
		t.Run(tt.name, func(t *testing.T) {
			text := "02 02 0000" + tt.entry + sealedEntry
			auth := Auth{Type: AuthPassword}
			if tt.data != "" {
				text += "ffff 0001" + tt.data
				auth = Auth{Type: AuthCryptographic, KeyID: tt.seal.KeyID, Sequence: tt.seal.Sequence}
			}
			raw := octets(t, text)
			tt.seal.Secret = []byte(tt.secret)
			p := Packet{Command: Response, Version: 2, Entries: []Entry{{Prefix: pfx("10.0.1.0/24"), Metric: 1}}}
			if got := RIP.Append(nil, &p, tt.seal); !bytes.Equal(got, raw) {
				t.Fatalf("built\n%x, want\n%x", got, raw)
			}
			var got Packet
			if err := RIP.Decode(raw, &got); err != nil {
				t.Fatal(err)
			}
			p.Auth = auth
			if d := cmp.Diff(p, got, same); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			if !Verify(raw, tt.seal) {
				t.Error("does not verify")
			}
			for _, other := range sealed {
				if other.seal.Algorithm == tt.seal.Algorithm && other.secret == tt.secret {
					continue
				}
				other.seal.Secret = []byte(other.secret)
				if Verify(raw, other.seal) {
					t.Errorf("verifies as %s", other.name)
				}
			}
			if Verify(raw, Seal{}) {
				t.Error("verifies without a key")
			}
			if tt.data == "" {
				return
			}
			for i := range raw { // any octet changed: refused or not verified
				bad := bytes.Clone(raw)
				bad[i] ^= 0x10
				if RIP.Decode(bad, &got) == nil && got.Auth.Type == AuthCryptographic && Verify(bad, tt.seal) {
					t.Errorf("verifies with octet %d changed", i)
				}
			}
		})
	}
}

// A request for the whole table is sealed too.
func TestSealRequest(t *testing.T) {
	s := Seal{Algorithm: keys.HMACSHA256, KeyID: 9, Sequence: 1 << 31, Secret: []byte("k")}
	raw := RIP.Append([]byte("before"), &Packet{Command: Request, Version: 2, Whole: true}, s)[len("before"):]
	var p Packet
	if err := RIP.Decode(raw, &p); err != nil {
		t.Fatal(err)
	}
	if !p.Whole || p.Auth != (Auth{AuthCryptographic, 9, 1 << 31}) || !Verify(raw, s) {
		t.Errorf("decoded %+v, verified: %v", p, Verify(raw, s))
	}
}

func TestTrailer(t *testing.T) {
	const data = "00112233 44556677 8899aabb ccddeeff"
	for _, tt := range []struct {
		name string
		raw  string // behind the header and ffff 0003
		want error
	}{
		{"RFC 4822", "002c 01 10 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data, nil},
		{"counted with its header", "002c 01 14 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data, nil},
		{"no entries", "0018 01 10 00000045 00000000 00000000" + "ffff 0001" + data, nil},
		{"within the header", "0010 01 10 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data, ErrTrailer},
		{"beyond the packet", "ffff 01 10 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data, ErrTrailer},
		{"nothing behind the mark", "002c 01 00 00000045 00000000 00000000" + sealedEntry + "ffff 0001", ErrTrailer},
		{"no trailer", "002c 01 10 00000045 00000000 00000000" + sealedEntry, ErrTrailer},
		{"another mark", "002c 01 10 00000045 00000000 00000000" + sealedEntry + "ffff 0002" + data, ErrTrailer},
		{"shorter than announced", "002c 01 11 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data, ErrTrailer},
		{"longer than announced", "002c 01 10 00000045 00000000 00000000" + sealedEntry + "ffff 0001" + data + "00", ErrTrailer},
		{"between entries", "0020 01 10 00000045 00000000 00000000" + "0002 0000 0a000100" + "ffff 0001" + data, ErrLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			if err := RIP.Decode(octets(t, "02 02 0000 ffff 0003"+tt.raw), &p); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
