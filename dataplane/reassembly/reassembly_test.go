package reassembly

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// piece4 makes an IPv4 fragment: protocol 253, identification id, n bytes of
// the payload that pattern gives.
func piece4(id uint16, offset, n int, more bool) packet.IPv4 {
	p := make(packet.IPv4, 20+n)
	p[0] = 0x45
	p.SetTotalLen(20 + n)
	p.SetID(id)
	p.SetFragment(false, more, offset)
	p.SetTTL(9)
	p.SetProtocol(253)
	copy(p[12:], []byte{192, 0, 2, 7, 198, 51, 100, 1})
	pattern(p[20:], offset)
	p.FillChecksum()
	return p
}

// piece6 does the same for IPv6, with nothing but the fragment header.
func piece6(id uint32, offset, n int, more bool) packet.IPv6 {
	p := make(packet.IPv6, 48+n)
	p.SetVersion(0, 0)
	p.SetPayloadLen(8 + n)
	p.SetNextHeader(packet.ProtoFragment)
	p.SetHopLimit(9)
	copy(p[8:], []byte{0x20, 0x01, 0x0d, 0xb8})
	copy(p[24:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	packet.FragmentHeader(p[40:]).Set(253, offset, more, id)
	pattern(p[48:], offset)
	return p
}

// pattern fills b with what belongs at offset of a payload.
func pattern(b []byte, offset int) {
	for i := range b {
		at := offset + i
		b[i] = byte(at*7 + at>>8)
	}
}

func TestWhole4(t *testing.T) {
	// Two fragments of a UDP datagram, the second with options fewer and
	// another TTL: only the first one's header counts.
	first := packet.IPv4{
		0x46, 0xb8, 0x00, 0x28, // 24 bytes of header, 40 in all
		0x12, 0x34, 0x20, 0x00, // identification, more fragments
		0x09, 0x11, 0x00, 0x00,
		192, 0, 2, 7,
		198, 51, 100, 1,
		0x94, 0x04, 0x00, 0x00, // router alert
		0x82, 0x9a, 0x82, 0x9b, 0x00, 0x15, 0x00, 0x00, // UDP header, 21 bytes in all
		1, 2, 3, 4, 5, 6, 7, 8,
	}
	last := packet.IPv4{
		0x45, 0x00, 0x00, 0x19, // 25 bytes
		0x12, 0x34, 0x00, 0x02, // offset 16
		0x08, 0x11, 0x00, 0x00,
		192, 0, 2, 7,
		198, 51, 100, 1,
		9, 10, 11, 12, 13,
		0xee, // link padding
	}
	want := packet.IPv4{
		0x46, 0xb8, 0x00, 0x2d, // 45 bytes
		0x12, 0x34, 0x00, 0x00, // no fragment
		0x09, 0x11, 0x00, 0x00,
		192, 0, 2, 7,
		198, 51, 100, 1,
		0x94, 0x04, 0x00, 0x00,
		0x82, 0x9a, 0x82, 0x9b, 0x00, 0x15, 0x00, 0x00,
		1, 2, 3, 4, 5, 6, 7, 8,
		9, 10, 11, 12, 13,
	}
	want.FillChecksum()
	for _, order := range [][]packet.IPv4{{first, last}, {last, first}} {
		table := New(Default)
		if whole, v := table.Add(order[0], 1, epoch); v != verdict.FragmentHeld || whole != nil {
			t.Fatalf("one fragment: %v, whole % x; want it held", v, whole)
		}
		whole, v := table.Add(order[1], 2, epoch)
		if v != verdict.None {
			t.Fatalf("both fragments: %v, want the whole packet", v)
		}
		if diff := cmp.Diff([]byte(want), whole); diff != "" {
			t.Errorf("whole (-want +got):\n%s", diff)
		}
		if packets, held := table.Held(); packets != 0 || held != 0 {
			t.Errorf("%d packets and %d bytes are held after the end, want none", packets, held)
		}
	}
}

func TestWhole6(t *testing.T) {
	head := func(length, next byte) packet.IPv6 {
		return packet.IPv6{
			0x60, 0x00, 0x00, 0x00, 0x00, length, next, 0x09,
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		}
	}
	first := append(head(32, 0),
		44, 0, 5, 2, 0, 0, 1, 0, // hop-by-hop: router alert; a fragment header follows
		17, 0, 0x00, 0x01, 0, 0, 0, 9, // UDP, offset 0, more, identification 9
		0x82, 0x9a, 0x82, 0x9b, 0, 19, 0, 0, // UDP header, 19 bytes in all
		1, 2, 3, 4, 5, 6, 7, 8,
	)
	last := append(head(11, 44),
		99, 0, 0x00, 0x10, 0, 0, 0, 9, // next header differs; offset 16, last
		9, 10, 11,
	)
	want := append(head(27, 0),
		17, 0, 5, 2, 0, 0, 1, 0, // UDP follows
		0x82, 0x9a, 0x82, 0x9b, 0, 19, 0, 0,
		1, 2, 3, 4, 5, 6, 7, 8,
		9, 10, 11,
	)
	for _, order := range [][]packet.IPv6{{first, last}, {last, first}} {
		table := New(Default)
		if _, v := table.Add(order[0], 1, epoch); v != verdict.FragmentHeld {
			t.Fatalf("one fragment: %v, want it held", v)
		}
		whole, v := table.Add(order[1], 1, epoch)
		if v != verdict.None {
			t.Fatalf("both fragments: %v, want the whole packet", v)
		}
		if diff := cmp.Diff([]byte(want), whole); diff != "" {
			t.Errorf("whole (-want +got):\n%s", diff)
		}
	}
}

// TestAtomic: RFC 6946 §4, an atomic fragment is whole by itself and leaves
// other fragments of its identification alone.
func TestAtomic(t *testing.T) {
	table := New(Default)
	add := func(p packet.IPv6) ([]byte, verdict.Verdict) { t.Helper(); return table.Add(p, 1, epoch) }
	if _, v := add(piece6(5, 0, 16, true)); v != verdict.FragmentHeld {
		t.Fatalf("first fragment: %v", v)
	}
	whole, v := add(piece6(5, 0, 12, false))
	if v != verdict.None {
		t.Fatalf("atomic fragment: %v, want it whole", v)
	}
	want := piece6(5, 0, 12, false)
	want = append(want[:40], want[48:]...)
	want.SetNextHeader(253)
	want.SetPayloadLen(12)
	if diff := cmp.Diff([]byte(want), whole); diff != "" {
		t.Errorf("atomic fragment (-want +got):\n%s", diff)
	}
	if whole, v = add(piece6(5, 16, 3, false)); v != verdict.None || len(whole) != 59 {
		t.Errorf("last fragment after an atomic one: %v, %d bytes, want 59", v, len(whole))
	}
}

type step struct {
	offset, n int
	more      bool
	want      verdict.Verdict
}

const (
	held      = verdict.FragmentHeld
	overlap   = verdict.FragmentOverlap
	malformed = verdict.FragmentMalformed
	whole     = verdict.None
)

var steps = []struct {
	name  string
	steps []step
}{
	{"in order", []step{{0, 16, true, held}, {16, 8, true, held}, {24, 5, false, whole}}},
	{"backwards", []step{{24, 5, false, held}, {16, 8, true, held}, {0, 16, true, whole}}},
	{"longest", []step{{0, 65528 - 48, true, held}, {65528 - 48, 8, true, held}, {65528 - 40, 5, false, whole}}},
	{"duplicate of the first", []step{{0, 16, true, held}, {0, 16, true, held}, {16, 5, false, whole}}},
	{"duplicate in the middle", []step{{16, 16, true, held}, {32, 8, true, held}, {16, 16, true, held}, {40, 5, false, held}, {0, 16, true, whole}}},
	{"duplicate of the last", []step{{16, 5, false, held}, {16, 5, false, held}, {0, 16, true, whole}}},
	{"the same bytes in two pieces", []step{{0, 16, true, held}, {0, 8, true, overlap}, {16, 5, false, overlap}}},
	{"two pieces again in one", []step{{0, 8, true, held}, {8, 8, true, held}, {0, 16, true, overlap}}},
	{"tail of another", []step{{0, 16, true, held}, {8, 8, true, overlap}}},
	{"beyond another", []step{{0, 16, true, held}, {8, 16, true, overlap}}},
	{"front of another", []step{{8, 16, true, held}, {0, 16, true, overlap}}},
	{"around another", []step{{8, 8, true, held}, {0, 24, true, overlap}}},
	{"a longer duplicate", []step{{0, 16, true, held}, {0, 24, true, overlap}}},
	{"the last one, not last", []step{{16, 8, false, held}, {16, 8, true, overlap}}},
	{"the last one, longer and not last", []step{{16, 5, false, held}, {16, 8, true, overlap}}},
	{"the last one, longer", []step{{16, 5, false, held}, {16, 6, false, overlap}}},
	{"a middle one, last", []step{{16, 8, true, held}, {16, 8, false, overlap}}},
	{"after an overlap, all of it", []step{{0, 16, true, held}, {8, 8, true, overlap}, {0, 16, true, overlap}, {16, 5, false, overlap}}},
	{"an end before what is there", []step{{32, 8, true, held}, {8, 8, false, malformed}, {0, 8, true, malformed}}},
	{"an end where another goes on", []step{{8, 8, true, held}, {0, 8, false, malformed}}},
	{"data beyond the end", []step{{8, 8, false, held}, {16, 8, true, malformed}}},
	{"a second end", []step{{8, 8, false, held}, {24, 8, false, malformed}}},
	{"an end moved inwards", []step{{24, 8, false, held}, {8, 3, false, malformed}}},
	{"more to come, where the end is", []step{{16, 8, false, held}, {8, 8, true, held}, {24, 8, true, malformed}}},
	{"no data", []step{{16, 0, false, malformed}, {0, 16, true, held}, {16, 5, false, whole}}},
	{"no data, more", []step{{0, 0, true, malformed}}},
	{"not a multiple of eight", []step{{0, 9, true, malformed}, {0, 16, true, held}, {16, 1, false, whole}}},
	{"too long", []step{{65528, 8, false, malformed}, {0, 8, true, held}}},
}

func TestSteps(t *testing.T) {
	for _, test := range steps {
		for _, six := range []bool{false, true} {
			table := New(Default)
			for i, s := range test.steps {
				if six && s.offset == 0 && !s.more {
					continue // an atomic fragment, not part of anything
				}
				p, head := []byte(piece4(7, s.offset, s.n, s.more)), 20
				if six {
					p, head = piece6(7, s.offset, s.n, s.more), 40
				}
				got, v := table.Add(p, 1, epoch)
				if v != s.want {
					t.Errorf("%s, IPv6 %v, step %d: %v, want %v", test.name, six, i, v, s.want)
				}
				if v != whole {
					continue
				}
				total := 0
				for _, s := range test.steps {
					if !s.more && s.want != malformed {
						total = s.offset + s.n
					}
				}
				want := make([]byte, total)
				if pattern(want, 0); !bytes.Equal(got[head:], want) {
					t.Errorf("%s, IPv6 %v: payload of %d bytes differs", test.name, six, len(want))
				}
			}
			if packets, bytes := table.Held(); packets == 0 && bytes != 0 {
				t.Errorf("%s: %d bytes are held for no packet", test.name, bytes)
			}
		}
	}
}

// TestDuplicateOtherBytes: equal bounds with other bytes are an overlap.
func TestDuplicateOtherBytes(t *testing.T) {
	table := New(Default)
	table.Add(piece4(1, 8, 4000, true), 1, epoch)
	p := piece4(1, 8, 4000, true)
	p[4019]++ // the last byte, in the second page
	if _, v := table.Add(p, 1, epoch); v != overlap {
		t.Errorf("other bytes in the same place: %v, want %v", v, overlap)
	}
}

// TestKey: what differs in any part of the key is another packet.
func TestKey(t *testing.T) {
	changes4 := map[string]int{"source": 12, "destination": 19, "protocol": 9, "identification": 5}
	for name, at := range changes4 {
		table := New(Default)
		table.Add(piece4(1, 0, 8, true), 1, epoch)
		p := piece4(1, 8, 8, false)
		p[at]++
		if _, v := table.Add(p, 1, epoch); v != held {
			t.Errorf("IPv4 fragment of another %s: %v, want %v", name, v, held)
		}
	}
	changes6 := map[string]int{"source": 23, "destination": 24, "identification": 44}
	for name, at := range changes6 {
		table := New(Default)
		table.Add(piece6(1, 0, 8, true), 1, epoch)
		p := piece6(1, 8, 8, false)
		p[at]++
		if _, v := table.Add(p, 1, epoch); v != held {
			t.Errorf("IPv6 fragment of another %s: %v, want %v", name, v, held)
		}
	}
	table := New(Default)
	table.Add(piece4(1, 0, 8, true), 1, epoch)
	if _, v := table.Add(piece4(1, 8, 8, false), 2, epoch); v != whole {
		t.Errorf("the rest by another interface: %v, want the whole packet", v)
	}
}

func TestProblem6(t *testing.T) {
	report := func(code uint8, pointer uint32) packet.Problem {
		return packet.Problem{Action: packet.ActionReportUnicast, Code: code, Pointer: pointer}
	}
	upper := func(next byte, n int) packet.IPv6 {
		p := piece6(1, 0, n, true)
		p[40] = next
		for i := range p[48:] {
			p[48+i] = 0
		}
		return p
	}
	options := func(p packet.IPv6) packet.IPv6 { // eight bytes of destination options in front
		q := append(append(append(packet.IPv6{}, p[:40]...), 44, 0, 1, 4, 0, 0, 0, 0), p[40:]...)
		q.SetNextHeader(60)
		q.SetPayloadLen(p.PayloadLen() + 8)
		return q
	}
	tests := []struct {
		name string
		p    packet.IPv6
		v    verdict.Verdict
		want packet.Problem
	}{
		{"odd length", piece6(1, 8, 9, true), malformed, report(0, 4)},
		{"odd length, first", piece6(1, 0, 9, true), malformed, report(0, 4)},
		{"too long", piece6(1, 65528, 8, false), malformed, report(0, 42)},
		{"longest", piece6(1, 65528, 7, false), held, packet.Problem{}},
		{"too long by its options", options(piece6(1, 65528, 7, false)), malformed, report(0, 50)},
		{"TCP header cut", upper(6, 16), malformed, report(3, 0)},
		{"TCP header", upper(6, 24), held, packet.Problem{}},
		{"options without an end", upper(60, 8), malformed, report(3, 0)},
		{"nothing follows", upper(59, 8), held, packet.Problem{}},
		{"no fragment header", piece6(1, 0, 0, true)[:40], malformed, packet.Problem{}},
	}
	for _, test := range tests {
		if len(test.p) == 40 {
			test.p.SetPayloadLen(0)
		}
		table := New(Default)
		if _, v := table.Add(test.p, 1, epoch); v != test.v || table.Problem() != test.want {
			t.Errorf("%s: %v, problem %+v; want %v, %+v", test.name, v, table.Problem(), test.v, test.want)
		}
	}
	table := New(Default)
	table.Add(piece6(1, 8, 9, true), 1, epoch)
	if table.Add(piece6(1, 8, 8, true), 1, epoch); table.Problem() != (packet.Problem{}) {
		t.Error("a problem outlives its fragment")
	}
}
