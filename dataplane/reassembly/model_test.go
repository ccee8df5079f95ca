package reassembly

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// TestShuffled cuts several packets up at random, of both families, and hands
// over the fragments shuffled and some of them twice: every packet must come
// out as it went in.
func TestShuffled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pieces [][]byte
		want := map[byte][]byte{} // by identification
		for id := range byte(rapid.IntRange(1, 4).Draw(t, "packets")) {
			six := rapid.Bool().Draw(t, "six")
			total := rapid.IntRange(9, 5000).Draw(t, "length")
			payload := make([]byte, total)
			pattern(payload, 0)
			want[id] = payload
			for at := 0; at < total; {
				n := min(rapid.IntRange(1, 80).Draw(t, "units")*8, total-at)
				if at == 0 && n == total {
					n = total / 2 / 8 * 8 // at least two, or it is none
					n = max(n, 8)
				}
				p := []byte(piece4(uint16(id), at, n, at+n < total))
				if six {
					p = piece6(uint32(id), at, n, at+n < total)
				}
				pieces = append(pieces, p)
				at += n
			}
		}
		again := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, "again")
		pieces = rapid.Permutation(append(pieces, again...)).Draw(t, "order")

		out := map[byte]bool{}
		table := New(Config{Timeout: time.Minute, Packets: 16, Bytes: 1 << 20})
		for _, p := range pieces {
			got, v := table.Add(p, 1, epoch)
			if v == held {
				continue
			}
			if v != whole {
				t.Fatalf("a fragment is %v", v)
			}
			id, head := p[5], 20
			if p[0]>>4 == 6 {
				id, head = p[47], 40
			}
			if payload, ok := want[id]; !ok || !bytes.Equal(got[head:], payload) {
				t.Fatalf("packet %d of %d bytes came out as % x", id, len(payload), got)
			}
			if head == 20 && (!packet.IPv4(got).Valid() || !packet.IPv4(got).HeaderChecksumOK() || packet.IPv4(got).IsFragment()) {
				t.Fatalf("header % x", got[:20])
			}
			if head == 40 && (!packet.IPv6(got).Valid() || packet.IPv6(got).NextHeader() != 253) {
				t.Fatalf("header % x", got[:40])
			}
			out[id] = true
		}
		// Duplicates that come late begin a packet anew; every packet has come
		// out once all the same.
		if len(out) != len(want) {
			t.Fatalf("%d packets came out of %d", len(out), len(want))
		}
	})
}

// model keeps the fragments of one packet in a list and looks at every byte.
type model struct {
	list []step
	fate verdict.Verdict
}

func (m *model) add(s step) verdict.Verdict {
	end := s.offset + s.n
	if s.n == 0 || s.more && s.n%8 != 0 || 20+end > 65535 {
		return malformed
	}
	if m.fate != verdict.None {
		return m.fate
	}
	for _, o := range m.list {
		if o.offset == s.offset && o.n == s.n && o.more == s.more {
			return held
		}
	}
	for _, o := range m.list {
		// The last unit belongs to the fragment whole, even where it is cut.
		if s.offset < (o.offset+o.n+7)/8*8 && o.offset < (end+7)/8*8 {
			m.fate = overlap
			return overlap
		}
	}
	for _, o := range m.list {
		oEnd := o.offset + o.n
		if !o.more && (!s.more || end >= oEnd) || !s.more && oEnd >= end {
			m.fate = malformed
			return malformed
		}
	}
	m.list = append(m.list, s)
	slices.SortFunc(m.list, func(a, b step) int { return a.offset - b.offset })
	at := 0
	for _, o := range m.list {
		if o.offset != at {
			return held
		}
		at += o.n
	}
	if m.list[len(m.list)-1].more {
		return held
	}
	*m = model{}
	return whole
}

// TestModel hands over fragments of one packet at random offsets and of
// random lengths, so that most overlap, and compares every verdict.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m model
		table := New(Default)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			s := step{
				offset: rapid.IntRange(0, 12).Draw(t, "offset") * 8,
				n:      rapid.IntRange(0, 5).Draw(t, "units") * 8,
				more:   rapid.IntRange(0, 3).Draw(t, "more") != 0,
			}
			if rapid.IntRange(0, 5).Draw(t, "odd") == 0 {
				s.n += rapid.IntRange(0, 7).Draw(t, "bytes")
			}
			if rapid.IntRange(0, 20).Draw(t, "far") == 0 {
				s.offset = 65528 - 8*rapid.IntRange(0, 4).Draw(t, "from the end")
			}
			if s.offset == 0 && !s.more {
				continue // not a fragment
			}
			want := m.add(s)
			if _, got := table.Add(piece4(1, s.offset, s.n, s.more), 1, epoch); got != want {
				t.Fatalf("%d bytes at %d, more %v: %v, want %v", s.n, s.offset, s.more, got, want)
			}
		}
	})
}

// TestBitmap compares with one bool for each unit.
func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bitmap
		var plain [numUnits]bool
		near := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(numUnits-200, numUnits))
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			from, to := near.Draw(t, "from"), near.Draw(t, "to")
			if from > to {
				from, to = to, from
			}
			part := plain[from:to]
			if got, want := b.any(from, to), slices.Contains(part, true); got != want {
				t.Fatalf("any(%d, %d) = %v, want %v", from, to, got, want)
			}
			if got, want := b.all(from, to), !slices.Contains(part, false); got != want {
				t.Fatalf("all(%d, %d) = %v, want %v", from, to, got, want)
			}
			b.set(from, to)
			for i := range part {
				part[i] = true
			}
		}
	})
}

// FuzzAdd hands over several packets, each with its length in front, as they
// may arrive: whatever comes back is a packet.
func FuzzAdd(f *testing.F) {
	var pair []byte
	for _, name := range []string{"ipv4-fragments", "ipv6-exthdr"} {
		for i, p := range corpus.Hex(f, name) {
			one := append([]byte{byte(len(p) >> 8), byte(len(p))}, p...)
			f.Add(one)
			if pair = append(pair, one...); i%4 == 3 {
				f.Add(pair)
				pair = nil
			}
		}
	}
	var seed []byte
	for _, p := range [][]byte{piece6(1, 16, 5, false), piece4(1, 0, 16, true), piece6(1, 0, 16, true), piece4(1, 16, 5, false)} {
		seed = append(append(seed, byte(len(p)>>8), byte(len(p))), p...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		table := New(Config{Timeout: 10 * time.Second, Packets: 4, Bytes: 40 << 10})
		now := epoch
		for len(b) >= 2 {
			n := min(int(b[0])<<8|int(b[1]), len(b)-2)
			p := b[2 : 2+n]
			b, now = b[2+n:], now.Add(time.Second)
			for x, ok := table.Expire(now); ok; x, ok = table.Expire(now) {
				if x.First != nil && !packet.IPv4(x.First).Valid() && !packet.IPv6(x.First).Valid() {
					t.Fatalf("first fragment % x", x.First)
				}
			}
			four, six := packet.IPv4(p), packet.IPv6(p)
			if !(four.Valid() && four.IsFragment()) && !(six.Valid() && packet.WalkExtensions(six).Fragment >= 0) {
				continue
			}
			got, v := table.Add(p, 1, now)
			switch v {
			case whole:
				four, six := packet.IPv4(got), packet.IPv6(got)
				if !(four.Valid() && four.TotalLen() == len(got) && !four.IsFragment() && four.HeaderChecksumOK()) &&
					!(six.Valid() && six.TotalLen() == len(got)) {
					t.Fatalf("whole packet % x", got)
				}
			case held, overlap, malformed, verdict.FragmentTableFull:
				if got != nil {
					t.Fatalf("%v comes with a packet", v)
				}
			default:
				t.Fatalf("verdict %v", v)
			}
			if packets, bytes := table.Held(); packets > 4 || bytes > 40<<10 {
				t.Fatalf("%d packets and %d bytes are held", packets, bytes)
			}
		}
	})
}
