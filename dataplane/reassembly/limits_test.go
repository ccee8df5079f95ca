package reassembly

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

func TestExpire(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 8, Bytes: 1 << 20})
	if got := table.Deadline(); !got.IsZero() {
		t.Fatalf("deadline of an empty table: %v", got)
	}
	first4, first6 := piece4(1, 0, 3000, true), piece6(3, 0, 64, true)
	add := func(p []byte, in routing.InterfaceID, at time.Duration) {
		t.Helper()
		if _, v := table.Add(p, in, epoch.Add(at)); v != held {
			t.Fatalf("added at %v: %v, want %v", at, v, held)
		}
	}
	add(piece4(1, 3000, 8, true), 1, 0)
	add(first4, 2, 30*time.Second) // a later fragment does not move the deadline
	add(piece4(2, 8, 8, true), 3, 10*time.Second)
	add(first6, 4, 20*time.Second)
	if want := epoch.Add(time.Minute); !table.Deadline().Equal(want) {
		t.Errorf("deadline %v, want %v", table.Deadline(), want)
	}
	if x, ok := table.Expire(epoch.Add(time.Minute - 1)); ok {
		t.Errorf("expired before its time: %+v", x)
	}
	tests := []Expired{
		{First: first4, In: 2, Fragments: 2},
		{First: nil, In: 3, Fragments: 1},
		{First: first6, In: 4, Fragments: 1},
	}
	now := epoch.Add(time.Minute)
	for i, want := range tests {
		got, ok := table.Expire(now)
		if !ok {
			t.Fatalf("packet %d does not expire", i)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet %d (-want +got):\n%s", i, diff)
		}
		if i == 0 {
			if x, ok := table.Expire(now); ok {
				t.Errorf("a second packet expires with the first: %+v", x)
			}
		}
		now = epoch.Add(2 * time.Minute)
	}
	if x, ok := table.Expire(now); ok {
		t.Errorf("expired from an empty table: %+v", x)
	}
	if packets, held := table.Held(); packets != 0 || held != 0 {
		t.Errorf("%d packets and %d bytes are held after all expired", packets, held)
	}
}

// TestExpireSilently: RFC 5722 §4, nothing is said about an overlap, not even
// later; but then the identification is free again.
func TestExpireSilently(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 8, Bytes: 1 << 20})
	table.Add(piece6(1, 0, 64, true), 1, epoch)
	table.Add(piece6(1, 8, 64, true), 1, epoch)
	if _, v := table.Add(piece6(1, 72, 64, true), 1, epoch); v != overlap {
		t.Fatalf("after an overlap: %v", v)
	}
	if packets, bytes := table.Held(); packets != 1 || bytes != 0 {
		t.Errorf("after an overlap %d packets and %d bytes are held, want 1 and 0", packets, bytes)
	}
	if x, ok := table.Expire(epoch.Add(time.Minute)); ok {
		t.Errorf("an overlap expires: %+v", x)
	}
	if _, v := table.Add(piece6(1, 0, 64, true), 1, epoch.Add(time.Minute)); v != held {
		t.Errorf("the identification again: %v, want %v", v, held)
	}
}

func TestPacketsBound(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 3, Bytes: 1 << 20})
	for id := range uint16(3) {
		if _, v := table.Add(piece4(id, 0, 8, true), 1, epoch); v != held {
			t.Fatalf("packet %d: %v", id, v)
		}
	}
	if _, v := table.Add(piece4(3, 0, 8, true), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("a fourth packet: %v, want it refused", v)
	}
	if _, v := table.Add(piece4(1, 8, 8, false), 1, epoch); v != whole {
		t.Errorf("the rest of the second packet: %v, want it whole", v)
	}
	if _, v := table.Add(piece4(3, 0, 8, true), 1, epoch); v != held {
		t.Errorf("a fourth packet once there is room: %v", v)
	}
	table.Add(piece4(0, 0, 16, true), 1, epoch) // an overlap: the place can be had
	if _, v := table.Add(piece4(4, 0, 8, true), 1, epoch); v != held {
		t.Errorf("a packet more than an overlap leaves room for: %v", v)
	}
	empty := New(Config{})
	if _, v := empty.Add(piece4(0, 0, 8, true), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("a table without room: %v", v)
	}
}

func TestBytesBound(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 100, Bytes: 5 * pageSize})
	// The first fragment takes a page for its headers and two for its data.
	if _, v := table.Add(piece4(1, 0, 4000, true), 1, epoch); v != held {
		t.Fatalf("first packet: %v", v)
	}
	if _, bytes := table.Held(); bytes != 3*pageSize {
		t.Errorf("%d bytes are held, want %d", bytes, 3*pageSize)
	}
	if _, v := table.Add(piece4(2, 0, 4000, true), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("second packet: %v, want it refused", v)
	}
	if packets, _ := table.Held(); packets != 1 {
		t.Errorf("a refused packet stays: %d are held", packets)
	}
	if _, v := table.Add(piece4(1, 4000, 4000, false), 1, epoch); v != whole {
		t.Errorf("the rest of the first packet, in the pages left: %v", v)
	}
	if _, v := table.Add(piece4(2, 0, 4000, true), 1, epoch); v != held {
		t.Errorf("second packet once there is room: %v", v)
	}
}

// TestFirstTooLong: the headers that count are the first fragment's, and with
// them the packet may be longer than any.
func TestFirstTooLong(t *testing.T) {
	options4 := func(n int) packet.IPv4 {
		p := piece4(1, 0, 8, true)
		p = slices.Insert(p, 20, bytes.Repeat([]byte{packet.OptionNop}, n)...)
		p[0] += byte(n / 4)
		p.SetTotalLen(len(p))
		return p
	}
	options6 := func(n int) packet.IPv6 { // destination options, all padding
		p := piece6(1, 0, 8, true)
		p = slices.Insert(p, 40, make([]byte, n)...)
		if n > 0 {
			p.SetNextHeader(packet.ProtoDestOptions)
			p[40], p[41] = packet.ProtoFragment, byte(n/8-1)
		}
		p.SetPayloadLen(len(p) - 40)
		return p
	}
	// The ends leave room for 20 bytes of options, and for 8.
	rest4 := [][]byte{piece4(1, 8, 65480, true), piece4(1, 65488, 7, false)}
	rest6 := [][]byte{piece6(1, 8, 65504, true), piece6(1, 65512, 15, false)}
	tests := []struct {
		name  string
		first []byte
		rest  [][]byte
		want  verdict.Verdict
	}{
		{"IPv4 without options", options4(0), rest4, whole},
		{"IPv4 with 20 bytes of options", options4(20), rest4, whole},
		{"IPv4 with 24 bytes of options", options4(24), rest4, malformed},
		{"IPv6 without options", options6(0), rest6, whole},
		{"IPv6 with 8 bytes of options", options6(8), rest6, whole},
		{"IPv6 with 16 bytes of options", options6(16), rest6, malformed},
	}
	for _, test := range tests {
		for _, late := range []bool{false, true} {
			pieces := append([][]byte{test.first}, test.rest...)
			if late {
				slices.Reverse(pieces)
			}
			table := New(Default)
			for i, p := range pieces {
				want := held
				if i == 2 {
					want = test.want
				}
				if _, v := table.Add(p, 1, epoch); v != want {
					t.Errorf("%s, first fragment last %v, step %d: %v, want %v", test.name, late, i, v, want)
				}
			}
			if _, bytes := table.Held(); bytes != 0 {
				t.Errorf("%s: %d bytes stay held", test.name, bytes)
			}
		}
	}
	for n, want := range map[int]verdict.Verdict{2000: held, 2008: malformed} {
		if _, v := New(Default).Add(options6(n), 1, epoch); v != want {
			t.Errorf("%d bytes of options in front of a fragment header: %v, want %v", n, v, want)
		}
	}
}

// TestMemoryBound floods a table with fragments that never make a packet.
func TestMemoryBound(t *testing.T) {
	cfg := Config{Timeout: time.Minute, Packets: 16, Bytes: 64 << 10}
	table := New(cfg)
	for i := range 5000 {
		now := epoch.Add(time.Duration(i) * time.Second)
		for _, ok := table.Expire(now); ok; _, ok = table.Expire(now) {
		}
		table.Add(piece4(uint16(i), (i%60)*1000, 1000, true), 1, now)
		table.Add(piece6(uint32(i), (i%7)*1000, 3000, true), 1, now)
		packets, bytes := table.Held()
		if packets > cfg.Packets || bytes > cfg.Bytes || len(table.pages.all)*pageSize > cfg.Bytes || len(table.spare) > cfg.Packets {
			t.Fatalf("round %d: %d packets, %d bytes, %d pages, %d spare; want at most %+v", i, packets, bytes, len(table.pages.all), len(table.spare), cfg)
		}
	}
}

func TestAddAllocates(t *testing.T) {
	table := New(Default)
	a, b, c := piece4(1, 0, 1480, true), piece4(1, 1480, 1480, true), piece4(1, 2960, 100, false)
	x, y := piece6(1, 0, 1232, true), piece6(1, 1232, 100, false)
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range [][]byte{c, a, x, b, y} {
			table.Add(p, 1, epoch)
		}
		table.Add(a, 1, epoch)
		table.Expire(epoch.Add(time.Hour))
	}); n != 0 {
		t.Errorf("%v allocations for two packets and an expiry, want none", n)
	}
}

// TestNotKept: the fragment's buffer may be used again at once.
func TestNotKept(t *testing.T) {
	table := New(Default)
	p := piece4(1, 0, 64, true)
	table.Add(p, 1, epoch)
	for i := range p {
		p[i] = 0xff
	}
	got, v := table.Add(piece4(1, 64, 8, false), 1, epoch)
	want := make([]byte, 72)
	if pattern(want, 0); v != whole || !bytes.Equal(got[20:], want) {
		t.Errorf("%v, % x; want the bytes that were there", v, got)
	}
}

func BenchmarkAdd4(b *testing.B) {
	table := New(Default)
	pieces := [][]byte{piece4(1, 0, 1480, true), piece4(1, 1480, 1480, true), piece4(1, 2960, 1040, false)}
	b.ReportAllocs()
	b.SetBytes(4000)
	for b.Loop() {
		for _, p := range pieces {
			table.Add(p, 1, epoch)
		}
	}
}

func BenchmarkAdd6(b *testing.B) {
	table := New(Default)
	pieces := [][]byte{piece6(1, 0, 1232, true), piece6(1, 1232, 1232, true), piece6(1, 2464, 1040, false)}
	b.ReportAllocs()
	b.SetBytes(3504)
	for b.Loop() {
		for _, p := range pieces {
			table.Add(p, 1, epoch)
		}
	}
}

// BenchmarkAddFull: every fragment finds the table full of others.
func BenchmarkAddFull(b *testing.B) {
	table := New(Default)
	for id := range uint16(Default.Packets) {
		table.Add(piece4(id, 0, 8, true), 1, epoch)
	}
	p := piece4(1000, 0, 8, true)
	b.ReportAllocs()
	for b.Loop() {
		table.Add(p, 1, epoch)
	}
}
