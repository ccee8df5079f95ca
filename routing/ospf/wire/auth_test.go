package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/routing/keys"
)

// One Hello with link-local signalling, sealed in each way. The digests of the
// packet and of its block were computed apart, by Python's hashlib and hmac, from
// RFC 2328 §D.4.3, RFC 5709 §3.3 and RFC 7474 §5, §6.
var sealed = []struct {
	name      string
	kind      AuthType
	algorithm keys.Algorithm
	secret    string
	auth      string // checksum, instance, type, authentication field
	digest    string
	block     string // digest of the LLS block
}{
	{"simple", AuthSimple, keys.PlainText, "secret", "4a8b 00 01 73656372 65740000", "", ""},
	{"simple, too long", AuthSimple, keys.PlainText, "0123456789", "4a8b 00 01 30313233 34353637", "", ""},
	{"md5", AuthCryptographic, keys.KeyedMD5, "core key", "0000 00 02 0000 07 10 00000045", "db524b5726531808770043e6b1857196", "76aa0a7a889f45e3929594691b4312f9"},
	{"md5, long secret", AuthCryptographic, keys.KeyedMD5, "a key of more than sixteen octets", "0000 00 02 0000 07 10 00000045", "4160a2f65f5047aac2b27d1166fb3b72", "6927f930ced5c117e4a979c624e21cf3"},
	{"HMAC sha1", AuthCryptographic, keys.HMACSHA1, "core key", "0000 00 02 0000 07 14 00000045", "3a1ec393c7a0d0d1dfce5e3f2f3f6bed2c5f2605", "539c1d052dbdfd6e5567bc8457e5b3a05365c377"},
	{"HMAC sha1, long secret", AuthCryptographic, keys.HMACSHA1, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "0000 00 02 0000 07 14 00000045", "198d1a1864c264b6038af328d3cca272a862b16d", "2f022cafcc140744749b4b394d73844a41f6cb69"},
	{"HMAC sha256", AuthCryptographic, keys.HMACSHA256, "core key", "0000 00 02 0000 07 20 00000045", "e387c85bb02b8115bd65229d8710c152672d59eabf9cbdf4cf71307ed06be1ce", "6b6111d7d76fa8829e2ebc8327d8af0192f2248b45e6208a72a1efce68b6efd2"},
	{"HMAC sha384", AuthCryptographic, keys.HMACSHA384, "core key", "0000 00 02 0000 07 30 00000045", "d596c4b9c2df05f55f5844c72edb0d6fae3a3dbff119da3af1fec403f96822ceb0838474746724d9808ee1201d8b6005", "a643fe27976d1ae5a9691762f89f84c830025dbfbe70fa384452953e7d405a72ca06e3b6d14fd900e1e6fb22eb4df4b7"},
	{"HMAC sha512", AuthCryptographic, keys.HMACSHA512, "core key", "0000 00 02 0000 07 40 00000045", "5e30dd73ac9f15605fc42d9f9752be9b081c1f03e4a02a0265c4699a3c899bbde5bd2b07f91693fdcdd00ed7c20eadda0b3959d67b2bd064bde66c54316e13d8", "2d6634df15ca633985a4d7b587b259f4e5ab4a3d42c5dc2465c101b05ee22be4cbc9fa9b26773f621238c9856112a830189346e4d889f0c724c56cb594060bb0"},
	{"HMAC sha512, long secret", AuthCryptographic, keys.HMACSHA512, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "0000 00 02 0000 07 40 00000045", "2ecace94e02eba74fdfbc5b299ace3546e759128ca9697424011e29c4dd2c90feeff96a496e0764051317654dd1f770aa8b20c83a65d80c5a31f5f931a3f69c7", "6f63e89d3ab02ead35f62fa5aabaa977ddc081d6118c21671e39be686087da2faa608b874568fcbb80eb447177a49b3b4ad91546a5b8e4e96218e6ef989d7520"},
	{"extended sha1", AuthExtended, keys.HMACSHA1, "core key", "0000 00 03 000000 1c 01020304", "809e84ab66911b78c9cd7700b86c11f7f8903f13", "88dbde4672d56ccf461513c097fb301229586763"},
	{"extended sha256", AuthExtended, keys.HMACSHA256, "core key", "0000 00 03 000000 28 01020304", "b3422aa75efb21846ddcbca9091b8d7da4513de1bab19d355aec4432d4f61a37", "25004bfde2411dd899a12a5a34482a7d21770dbfe6536ae8afeb1b1268ec17df"},
	// Longer than the hash only with the protocol's number behind it.
	{"extended sha256, 31 octets", AuthExtended, keys.HMACSHA256, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", "0000 00 03 000000 28 01020304", "d2a46b4edbb3494f1eb72bf17c3da9b658608ffe857301c748e330fc88d3acf7", "f3ba6915d4b98f0275576dfc08ba92dc323392edb1d6f2b30e1e0ad41c38fbac"},
	{"extended sha384", AuthExtended, keys.HMACSHA384, "core key", "0000 00 03 000000 38 01020304", "031a6dca1053be8af4101ab9b9b6ab558d6e942566b255e3b88240e032cf23b55a6d9468e139524f44060d04be1997c2", "f32cba549dbdc4b34cb06e76cb2fa260dd0c18aadde232c69ad813f29aff149bdcfa4ec485e1ea94defd0f2309116ec9"},
	{"extended sha512", AuthExtended, keys.HMACSHA512, "core key", "0000 00 03 000000 48 01020304", "851c8910663cde2fc50f8e6db2bd577b2bba6c4ac319d09c83f764bfa7370ddcdff55fd6c216d060bf606e56ab110109a2018e90a328eeff9bf3475ed4636395", "e59207cb18e08b618c30f36376feec853fcea241a3eab40cc2c25a1fb40808fb07b4e5fbf3440046a8c5ca35d1ed1a9f965fc61dd27743e8058bad49332a64e0"},
}

const (
	source   ID     = 0xc0000201
	extended uint64 = 0x5_0000_0045
)

// sealedPacket gives the octets of sealed[i], its Auth and its key.
func sealedPacket(t testing.TB, i int) (raw []byte, auth Auth, s *Sealer) {
	t.Helper()
	row := &sealed[i]
	auth = Auth{Type: row.kind}
	text := "02 01 0034 0a000001 00000000" + row.auth + signalled
	switch size := row.algorithm.Size(); row.kind {
	case AuthCryptographic:
		auth.KeyID, auth.Sequence, auth.Length = 7, 0x45, uint8(size)
		text += row.digest
	case AuthExtended:
		auth.KeyID, auth.Sequence, auth.Length = 0x01020304, extended, uint8(size+8)
		text += "00000005 00000045" + row.digest
	}
	raw = octets(t, text)
	if size := row.algorithm.Size(); size > 0 {
		raw = append(raw, 0, 0, 0, byte((4+8+8+size)/4)) // no checksum, and the length
		raw = append(raw, octets(t, "0001 0004 00000001 0002")...)
		raw = append(raw, 0, byte(4+size))
		raw = append(raw, octets(t, "00000045"+row.block)...)
	} else {
		raw = append(raw, octets(t, "fff6 0003 0001 0004 00000001")...)
	}
	s, err := NewSealer(row.kind, row.algorithm, auth.KeyID, []byte(row.secret))
	if err != nil {
		t.Fatal(err)
	}
	return raw, auth, s
}

func TestSeal(t *testing.T) {
	for i, tt := range sealed {
		t.Run(tt.name, func(t *testing.T) {
			raw, auth, s := sealedPacket(t, i)
			want := Packet{
				Type: TypeHello, Router: 0x0a000001, Auth: auth, Hello: withL(wantHello),
				LLS: LLS{Present: true, TLVs: AppendExtendedOptions(nil, ExtendedResync)},
			}
			got := want.Append([]byte("before"), s, auth.Sequence, source)[len("before"):]
			if !bytes.Equal(got, raw) {
				t.Fatalf("built\n%x, want\n%x", got, raw)
			}
			var p Packet
			if r := Decode(raw, &p); !r.OK() {
				t.Fatalf("refused: %v", r)
			}
			if d := cmp.Diff(want, p, same); d != "" {
				t.Fatalf("decoded (-want +got):\n%s", d)
			}
			if r := s.Verify(raw, &p, source); !r.OK() || !p.LLS.Present {
				t.Errorf("verified: %v, block %v", r, p.LLS.Present)
			}
			if bits, ok := p.LLS.ExtendedOptions(); !ok || bits != ExtendedResync {
				t.Errorf("extended options %x %v", bits, ok)
			}
			for j, other := range sealed {
				if _, _, o := sealedPacket(t, j); j != i && (other.kind != tt.kind || other.secret != tt.secret || other.algorithm != tt.algorithm) {
					if r := o.Verify(raw, &p, source); r.OK() {
						t.Errorf("verifies as %s", other.name)
					}
				}
			}
			if r := (*Sealer)(nil).Verify(raw, &p, source); r.Reason != AuthDiffers {
				t.Errorf("without a key: %v", r)
			}
		})
	}
}

// An octet changed in the packet refuses it; one in the block leaves the packet
// and takes the block. With AuthExtended the source address counts too.
func TestVerifyChanged(t *testing.T) {
	for i, tt := range sealed {
		if tt.digest == "" {
			continue
		}
		raw, auth, s := sealedPacket(t, i)
		end := 52 + int(auth.Length)
		for at := range raw {
			bad := bytes.Clone(raw)
			bad[at] ^= 0x10
			var p Packet
			r := Decode(bad, &p)
			if r.OK() {
				r = s.Verify(bad, &p, source)
			}
			switch {
			case at < end && r.OK() && (at != 30 || p.LLS.Present): // 30: OptionL itself
				t.Errorf("%s: verifies with octet %d changed", tt.name, at)
			case at >= end && (!r.OK() || p.LLS.Present):
				t.Errorf("%s: octet %d of the block changed: %v, block %v", tt.name, at-end, r, p.LLS.Present)
			}
		}
		var p Packet
		Decode(raw, &p)
		if r := s.Verify(raw, &p, source+1); r.OK() != (tt.kind == AuthCryptographic) {
			t.Errorf("%s: from another address: %v", tt.name, r)
		}
	}
}

func TestVerifyWords(t *testing.T) {
	raw, _, _ := sealedPacket(t, 4) // HMAC sha1
	seal := func(kind AuthType, a keys.Algorithm, id uint32, secret string) *Sealer {
		s, err := NewSealer(kind, a, id, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tt := range []struct {
		name string
		raw  []byte
		seal *Sealer
		want Refusal
	}{
		{"simple, not digests", raw, seal(AuthSimple, keys.PlainText, 0, "x"), Refusal{AuthDiffers, 2, 1}},
		{"extended", raw, seal(AuthExtended, keys.HMACSHA1, 7, "core key"), Refusal{AuthDiffers, 2, 3}},
		{"another key", raw, seal(AuthCryptographic, keys.HMACSHA1, 8, "core key"), Refusal{KeyID, 7, 8}},
		{"another algorithm", raw, seal(AuthCryptographic, keys.KeyedMD5, 7, "core key"), Refusal{DigestLength, 20, 16}},
		{"another secret", raw, seal(AuthCryptographic, keys.HMACSHA1, 7, "core kez"), Refusal{Reason: Digest}},
	} {
		var p Packet
		if r := Decode(tt.raw, &p); !r.OK() {
			t.Fatal(r)
		}
		if r := tt.seal.Verify(tt.raw, &p, source); r != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, r, tt.want)
		}
	}
	simple, _, _ := sealedPacket(t, 0)
	var p Packet
	Decode(simple, &p)
	if r := seal(AuthSimple, keys.PlainText, 0, "Secret").Verify(simple, &p, source); r.Reason != Password {
		t.Errorf("another password: %v", r)
	}
}

func TestReplayed(t *testing.T) {
	for _, tt := range []struct {
		kind      AuthType
		seq, last uint64
		ok        bool
	}{
		{AuthNone, 0, 5, true},
		{AuthSimple, 0, 5, true},
		{AuthCryptographic, 4, 5, false},
		{AuthCryptographic, 5, 5, true},
		{AuthCryptographic, 6, 5, true},
		{AuthExtended, 4, 5, false},
		{AuthExtended, 5, 5, false},
		{AuthExtended, 6, 5, true},
		{AuthExtended, 1 << 32, 0xffffffff, true},
	} {
		if r := (Auth{Type: tt.kind, Sequence: tt.seq}).Replayed(tt.last); r.OK() != tt.ok {
			t.Errorf("%v, %d after %d: %v", tt.kind, tt.seq, tt.last, r)
		}
	}
	if got, want := (Auth{Type: AuthCryptographic, Sequence: 4}).Replayed(5).String(), "cryptographic sequence number, and the last one heard: theirs 4, ours 5"; got != want {
		t.Errorf("in words %q, want %q", got, want)
	}
}

func TestNewSealer(t *testing.T) {
	for _, tt := range []struct {
		kind AuthType
		a    keys.Algorithm
		id   uint32
		ok   bool
	}{
		{AuthNone, keys.None, 0, false},
		{AuthSimple, keys.PlainText, 0, true},
		{AuthSimple, keys.KeyedMD5, 0, false},
		{AuthCryptographic, keys.PlainText, 0, false},
		{AuthCryptographic, keys.KeyedMD5, 255, true},
		{AuthCryptographic, keys.HMACSHA256, 256, false},
		{AuthExtended, keys.HMACSHA256, 256, true},
		{AuthExtended, keys.KeyedMD5, 1, false},
		{AuthExtended, keys.None, 1, false},
	} {
		s, err := NewSealer(tt.kind, tt.a, tt.id, []byte("k"))
		if (err == nil) != tt.ok || (s != nil) != tt.ok {
			t.Errorf("%v with %v, key %d: %v", tt.kind, tt.a, tt.id, err)
		}
	}
}

// A block without authentication behind a packet that has a digest is no block,
// nor is one with another sequence number (RFC 5613 §2.5).
func TestBlockNotSealed(t *testing.T) {
	raw, auth, s := sealedPacket(t, 6)
	end := 52 + int(auth.Length)
	plain := append(bytes.Clone(raw[:end]), octets(t, "fff6 0003 0001 0004 00000001")...)
	var p Packet
	if r := Decode(plain, &p); !r.OK() || !p.LLS.Present {
		t.Fatalf("%v, block %v", r, p.LLS.Present)
	}
	if r := s.Verify(plain, &p, source); !r.OK() || p.LLS.Present {
		t.Errorf("%v, block %v", r, p.LLS.Present)
	}
	other := (&Packet{Type: TypeHello, Hello: wantHello, LLS: LLS{Present: true}}).Append(nil, s, 0x46, source)
	mixed := append(bytes.Clone(raw[:end]), other[end:]...)
	if r := Decode(mixed, &p); !r.OK() || !p.LLS.Present {
		t.Fatalf("%v, block %v", r, p.LLS.Present)
	}
	if r := s.Verify(mixed, &p, source); !r.OK() || p.LLS.Present {
		t.Errorf("sequence number of another packet: %v, block %v", r, p.LLS.Present)
	}
}
