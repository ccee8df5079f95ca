package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/corpus"
	"routerd/routing/keys"
)

// roundTrip checks what must hold of any octets: they are refused, or what
// they decode to is built and decoded again to the same.
func roundTrip(t *testing.T, protocol Protocol, raw []byte) {
	t.Helper()
	var p, again Packet
	if protocol.Decode(raw, &p) != nil {
		return
	}
	if got := len(p.Entries) + len(p.Refused); got > len(raw)/EntrySize {
		t.Fatalf("%d entries in %d octets", got, len(raw))
	}
	for _, e := range p.Entries {
		if !Destination(e.Prefix) || e.Prefix != e.Prefix.Masked() || e.Prefix.Addr().Is4() != (protocol == RIP) ||
			p.Command == Response && (e.Metric < 1 || e.Metric > Infinity) {
			t.Fatalf("entry %+v got through", e)
		}
	}
	if p.Auth.Type != AuthNone {
		Verify(raw, Seal{Algorithm: keys.KeyedMD5, Secret: []byte("key")})
		Verify(raw, Seal{Algorithm: keys.PlainText, Secret: []byte("key")})
		Verify(raw, Seal{Algorithm: keys.HMACSHA512, Secret: []byte("key")})
	}
	if len(p.Refused) > 0 || p.Command == Request && len(p.Entries) == 1 {
		return // left to itself, one entry may ask for the whole table
	}
	p.Auth = Auth{}
	if err := protocol.Decode(protocol.Append(nil, &p, Seal{}), &again); err != nil {
		t.Fatalf("%+v, built again: %v", p, err)
	}
	if d := cmp.Diff(p, again, same); d != "" {
		t.Fatalf("built and decoded again (-was +is):\n%s", d)
	}
}

// Cut short anywhere, a packet is refused, or the cut is between two entries
// of one without a trailer.
func TestTruncation(t *testing.T) {
	for _, g := range golden {
		raw := octets(t, g.raw)
		for n := range raw {
			var p Packet
			err := g.protocol.Decode(raw[:n:n], &p)
			if between := n >= HeaderSize && (n-HeaderSize)%EntrySize == 0; (err == nil) != between {
				t.Errorf("%s: %d of %d octets: %v", g.name, n, len(raw), err)
			}
		}
	}
	for _, s := range sealed {
		if s.data == "" {
			continue
		}
		raw := octets(t, "02 02 0000"+s.entry+sealedEntry+"ffff 0001"+s.data)
		for n := range raw {
			var p Packet
			err := RIP.Decode(raw[:n:n], &p)
			switch {
			case n == HeaderSize: // a header without an entry
			case n == len(raw)-trailerHeader:
				// As long as a trailer that counts its header, but not as
				// long as the algorithm's.
				s.seal.Secret = []byte(s.secret)
				if err != nil || Verify(raw[:n:n], s.seal) {
					t.Errorf("%s: %d of %d octets: %v, or verified", s.name, n, len(raw), err)
				}
			case err == nil:
				t.Errorf("%s: %d of %d octets are decoded", s.name, n, len(raw))
			}
		}
	}
}

func FuzzRIP(f *testing.F) {
	seed(f, RIP)
	f.Fuzz(func(t *testing.T, raw []byte) { roundTrip(t, RIP, raw) })
}

func FuzzRIPng(f *testing.F) {
	seed(f, RIPng)
	f.Fuzz(func(t *testing.T, raw []byte) { roundTrip(t, RIPng, raw) })
}

func seed(f *testing.F, protocol Protocol) {
	for _, g := range golden {
		if g.protocol == protocol {
			f.Add(octets(f, g.raw))
		}
	}
	for _, raw := range vectors(f) {
		f.Add(raw)
	}
	if protocol == RIPng {
		return
	}
	for _, raw := range corpus.Hex(f, "rip") {
		f.Add(raw)
	}
	for _, s := range sealed {
		if s.data != "" {
			f.Add(octets(f, "02 02 0000"+s.entry+sealedEntry+"ffff 0001"+s.data))
		}
	}
}

// 25 entries are decoded, and built into a buffer, without an allocation.
func TestAllocations(t *testing.T) {
	p := Packet{Command: Response, Version: 2}
	for i := range MaxEntries {
		p.Entries = append(p.Entries, Entry{Prefix: pfx("10.0.1.0/24"), Metric: uint8(i%15 + 1)})
	}
	raw := RIP.Append(nil, &p, Seal{})
	buf := make([]byte, 0, len(raw))
	if n := testing.AllocsPerRun(100, func() {
		if err := RIP.Decode(raw, &p); err != nil {
			t.Fatal(err)
		}
		buf = RIP.Append(buf[:0], &p, Seal{})
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	p := Packet{Command: Response, Version: 2}
	for range MaxEntries {
		p.Entries = append(p.Entries, Entry{Prefix: pfx("10.0.1.0/24"), Metric: 1})
	}
	raw := RIP.Append(nil, &p, Seal{})
	b.ReportAllocs()
	for b.Loop() {
		if err := RIP.Decode(raw, &p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxEntries, "ns/entry")
}
