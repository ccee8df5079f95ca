package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/corpus"
	"routerd/routing/keys"
)

// roundTrip checks what must hold of any octets: they are refused, or what they
// decode to is built and decoded again to the same, without authentication and
// with each.
func roundTrip(t *testing.T, raw []byte, sealers []*Sealer) {
	t.Helper()
	rebuild(t, raw)
	var p, again Packet
	if !Decode(raw, &p).OK() {
		return
	}
	for _, u := range p.Updates {
		walk(u.LSA)
	}
	for _, s := range sealers {
		whole := p
		s.Verify(raw, &whole, 1)
		built := p.Append(nil, s, 0x1_0000_0002, 1)
		if r := Decode(built, &again); !r.OK() {
			t.Fatalf("%+v, built again: %v", p, r)
		}
		if r := s.Verify(built, &again, 1); !r.OK() || again.LLS.Present != p.LLS.Present {
			t.Fatalf("built with %v: %v, block %v, want %v", s.kind(), r, again.LLS.Present, p.LLS.Present)
		}
		want := p
		want.Auth, want.Refused = again.Auth, nil
		want.Hello.Options, want.Description.Options = again.Hello.Options, again.Description.Options
		if p.options()&^OptionL != again.options()&^OptionL {
			t.Fatalf("options %x, want %x", again.options(), p.options())
		}
		if d := cmp.Diff(want, again, same); d != "" {
			t.Fatalf("built and decoded again (-was +is):\n%s", d)
		}
	}
}

// walk reads all that an LSA has; it must not panic.
func walk(l LSA) {
	switch l.Type() {
	case RouterLSA:
		for link := range RouterBody(l.Body()).Links {
			link.Prefix()
		}
	case NetworkLSA:
		for range NetworkBody(l.Body()).Routers {
		}
		l.Prefix()
	case SummaryLSA, ASBRSummary:
		SummaryBody(l.Body()).Metric()
		l.Prefix()
	case ExternalLSA, NSSALSA:
		ExternalBody(l.Body()).Tag()
		l.Prefix()
	}
}

// allSealers is one of each kind of authentication.
func allSealers(tb testing.TB) []*Sealer {
	tb.Helper()
	list := []*Sealer{nil}
	for _, a := range []struct {
		kind AuthType
		a    keys.Algorithm
	}{
		{AuthSimple, keys.PlainText},
		{AuthCryptographic, keys.KeyedMD5},
		{AuthCryptographic, keys.HMACSHA1},
		{AuthExtended, keys.HMACSHA512},
	} {
		s, err := NewSealer(a.kind, a.a, 1, []byte("key"))
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// Cut short anywhere a packet is refused, or only its LLS block is gone.
func TestTruncation(t *testing.T) {
	var packets [][]byte
	for _, g := range golden {
		packets = append(packets, octets(t, g.raw))
	}
	for i := range sealed {
		raw, _, _ := sealedPacket(t, i)
		packets = append(packets, raw)
	}
	for _, raw := range packets {
		var p Packet
		if r := Decode(raw, &p); !r.OK() {
			t.Fatal(r)
		}
		end := int(raw[3]) + int(p.Auth.Length)
		for n := range raw {
			r := Decode(raw[:n:n], &p)
			if r.OK() != (n >= end) || r.OK() && p.LLS.Present {
				t.Errorf("%d of %d octets of %x: %v, block %v", n, len(raw), raw, r, p.LLS.Present)
			}
			// With the length of what is left, it is refused or whole.
			if n >= HeaderSize && !p.Auth.sealed() {
				rebuild(t, sum(bytes.Clone(raw[:n])))
			}
		}
	}
	for _, g := range goldenLSAs {
		l := octets(t, g.raw)
		for n := LSAHeaderSize; n < len(l); n++ {
			cut := LSA(bytes.Clone(l[:n]))
			cut[lengthAt], cut[lengthAt+1] = 0, byte(n)
			c := fletcher(cut)
			cut[lsaChecksumAt], cut[lsaChecksumAt+1] = byte(c>>8), byte(c)
			r := cut.Check()
			shorter := cut.Type() == NetworkLSA && n == LSAHeaderSize+8 || cut.Type() >= LinkOpaque
			if r.OK() != shorter {
				t.Errorf("%s: %d of %d octets: %v", g.name, n, len(l), r)
			}
		}
	}
}

func FuzzPacket(f *testing.F) {
	for _, g := range golden {
		f.Add(octets(f, g.raw))
	}
	for i := range sealed {
		raw, _, _ := sealedPacket(f, i)
		f.Add(raw)
	}
	for _, list := range [][][]byte{corpus.Hex(f, "ospfv2"), captured(f), fuzzed(f)} {
		for _, raw := range list {
			f.Add(raw)
		}
	}
	sealers := allSealers(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		roundTrip(t, raw, sealers)
		if len(raw) >= HeaderSize && len(raw) < 1<<16 { // a right checksum, so that more is read
			raw = bytes.Clone(raw)
			raw[0], raw[14], raw[15] = version, 0, 0
			roundTrip(t, sum(raw), sealers)
		}
	})
}

func FuzzLSA(f *testing.F) {
	for _, g := range goldenLSAs {
		f.Add(octets(f, g.raw))
	}
	for _, raw := range vectors(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < LSAHeaderSize || len(raw) > 0xffff {
			return
		}
		l := LSA(bytes.Clone(raw))
		l[lengthAt], l[lengthAt+1] = byte(len(l)>>8), byte(len(l))
		c := fletcher(l)
		l[lsaChecksumAt], l[lsaChecksumAt+1] = byte(c>>8), byte(c)
		switch r := l.Check(); r.Reason {
		case Accepted:
			walk(l)
		case LSAChecksum:
			t.Fatalf("%x: its own checksum does not hold", l)
		}
	})
}

// An Update of forty LSAs and a Hello are decoded, verified and built without an
// allocation, digests included.
func TestAllocations(t *testing.T) {
	update := Packet{Type: TypeUpdate}
	l := LSA(octets(t, externalHeader+externalBody))
	for range 40 {
		update.Updates = append(update.Updates, Update{l, 1})
	}
	greeting := Packet{Type: TypeHello, Hello: wantHello, LLS: LLS{Present: true}}
	for _, s := range allSealers(t) {
		for _, p := range []*Packet{&update, &greeting} {
			raw := p.Append(nil, s, 1, 1)
			buf := make([]byte, 0, len(raw))
			var into Packet
			if n := testing.AllocsPerRun(100, func() {
				if r := Decode(raw, &into); !r.OK() {
					t.Fatal(r)
				}
				if r := s.Verify(raw, &into, 1); !r.OK() {
					t.Fatal(r)
				}
				buf = into.Append(buf[:0], s, 1, 1)
			}); n != 0 {
				t.Errorf("%v of %v: %v allocations, want none", p.Type, s.kind(), n)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	p := Packet{Type: TypeUpdate}
	l := LSA(octets(b, routerHeader+routerBody))
	for range 20 {
		p.Updates = append(p.Updates, Update{l, 1})
	}
	for _, s := range allSealers(b) {
		b.Run(s.kind().String(), func(b *testing.B) {
			raw := p.Append(nil, s, 1, 1)
			var into Packet
			b.ReportAllocs()
			for b.Loop() {
				if r := Decode(raw, &into); !r.OK() {
					b.Fatal(r)
				}
				if r := s.Verify(raw, &into, 1); !r.OK() {
					b.Fatal(r)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20, "ns/LSA")
		})
	}
}
