package reassembly

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

// from4 gives an IPv4 fragment another source.
func from4(p packet.IPv4, src byte) packet.IPv4 {
	p[15] = src
	p.FillChecksum()
	return p
}

// TestOldestMakesRoom: a table that is full gives up its oldest packet, so
// that fragments which nobody completes cannot shut out those that come after.
func TestOldestMakesRoom(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 3, Bytes: 1 << 20})
	for id := range uint16(4) {
		if _, v := table.Add(piece4(id, 0, 8, true), 1, epoch); v != held {
			t.Fatalf("packet %d: %v, want it held", id, v)
		}
	}
	if packets, _ := table.Held(); packets != 3 {
		t.Errorf("%d packets are held, want 3", packets)
	}
	if got := table.Evicted(); got != 1 {
		t.Errorf("%d packets were given up, want 1", got)
	}
	if got := table.Evicted(); got != 0 {
		t.Errorf("%d packets are said to be given up again", got)
	}
	for id := uint16(1); id < 4; id++ {
		if _, v := table.Add(piece4(id, 8, 8, false), 1, epoch); v != whole {
			t.Errorf("the rest of packet %d: %v, want it whole", id, v)
		}
	}
	if _, v := table.Add(piece4(0, 8, 8, false), 1, epoch); v != held {
		t.Errorf("the rest of the packet given up: %v, want it to begin anew", v)
	}
	if _, v := New(Config{}).Add(piece4(0, 0, 8, true), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("a table without room: %v", v)
	}
}

// TestSourceBound: a source that has its share gives up its own oldest packet,
// and nobody else's. All addresses of an IPv6 /64 are one source.
func TestSourceBound(t *testing.T) {
	six := func(id uint32, network, host byte) packet.IPv6 {
		p := piece6(id, 0, 8, true)
		p[15], p[23] = network, host
		return p
	}
	table := New(Config{Timeout: time.Minute, Packets: 80, Bytes: 1 << 20})
	table.Add(from4(piece4(1, 0, 8, true), 1), 1, epoch)
	table.Add(six(1, 1, 1), 1, epoch)
	for id := range uint32(1000) {
		table.Add(from4(piece4(uint16(id), 0, 8, true), 2), 1, epoch)
		table.Add(six(id, 2, byte(id)), 1, epoch)
	}
	if packets, _ := table.Held(); packets != 2+2*80/4 {
		t.Errorf("%d packets are held, want 2 and twice the quarter of 80", packets)
	}
	if _, v := table.Add(from4(piece4(1, 8, 8, false), 1), 1, epoch); v != whole {
		t.Errorf("the rest of another IPv4 source's packet: %v, want it whole", v)
	}
	rest := piece6(1, 8, 8, false)
	rest[15], rest[23] = 1, 1
	if _, v := table.Add(rest, 1, epoch); v != whole {
		t.Errorf("the rest of another IPv6 source's packet: %v, want it whole", v)
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
	if _, v := table.Add(piece4(2, 0, 4000, true), 1, epoch); v != held {
		t.Errorf("second packet: %v, want the first to make room", v)
	}
	if packets, bytes := table.Held(); packets != 1 || bytes != 3*pageSize {
		t.Errorf("%d packets and %d bytes are held, want 1 and %d", packets, bytes, 3*pageSize)
	}
	if _, v := table.Add(piece4(2, 4000, 4000, true), 1, epoch); v != held {
		t.Errorf("more of the second packet, in the pages left: %v", v)
	}
	if _, v := table.Add(piece4(2, 8000, 4000, false), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("more of it than there are pages: %v, want it refused", v)
	}
	if _, v := table.Add(piece4(3, 0, 16000, true), 1, epoch); v != verdict.FragmentTableFull {
		t.Errorf("a fragment larger than the table: %v, want it refused", v)
	}
	if packets, _ := table.Held(); packets != 1 {
		t.Errorf("after a refused packet %d are held, want the other", packets)
	}
}

// TestSourceBytesBound: what bounds a source in packets bounds it in bytes too.
func TestSourceBytesBound(t *testing.T) {
	table := New(Config{Timeout: time.Minute, Packets: 4096, Bytes: 1 << 20})
	table.Add(from4(piece4(1, 0, 8, true), 1), 1, epoch)
	for id := range uint16(200) {
		if _, v := table.Add(from4(piece4(id, 0, 16000, true), 2), 1, epoch); v != held {
			t.Fatalf("packet %d of the flood: %v, want it held", id, v)
		}
		if _, bytes := table.Held(); bytes > 2*pageSize+1<<18 {
			t.Fatalf("after packet %d %d bytes are held, want the other's and at most a quarter of a MiB", id, bytes)
		}
	}
	if _, v := table.Add(from4(piece4(1, 8, 8, false), 1), 1, epoch); v != whole {
		t.Errorf("the rest of another source's packet: %v, want it whole", v)
	}
}

// TestFlood: among 1,000 first fragments a second that nobody completes, from
// everywhere or from the very source, every packet is put together whose
// fragments come within a tenth of a second of each other.
func TestFlood(t *testing.T) {
	for name, source := range map[string]func(i int) byte{
		"from everywhere":           func(i int) byte { return byte(i) },
		"from the sender's address": func(int) byte { return 7 },
	} {
		t.Run(name, func(t *testing.T) {
			table := New(Default)
			lost, flood := 0, uint16(0)
			for i := range 100 {
				at := epoch.Add(time.Duration(i) * time.Second)
				table.Add(piece4(uint16(i), 0, 1480, true), 1, at)
				for range 100 {
					at = at.Add(time.Millisecond)
					flood++
					table.Add(from4(piece4(1000+flood, 0, 1480, true), source(int(flood))), 1, at)
				}
				if _, v := table.Add(piece4(uint16(i), 1480, 100, false), 1, at); v != whole {
					lost++
				}
				for range 900 {
					at = at.Add(time.Millisecond)
					flood++
					table.Add(from4(piece4(1000+flood, 0, 1480, true), source(int(flood))), 1, at)
				}
			}
			if lost != 0 {
				t.Errorf("%d of 100 packets were lost", lost)
			}
			if packets, bytes := table.Held(); packets > Default.Packets || bytes > Default.Bytes {
				t.Errorf("%d packets and %d bytes are held, want at most %+v", packets, bytes, Default)
			}
		})
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

// TestMemoryBound floods small tables at random with fragments of few sources:
// what is held stays within all bounds, and adds up.
func TestMemoryBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Timeout: time.Minute,
			Packets: rapid.SampledFrom([]int{1, 3, 16, 100}).Draw(t, "packets"),
			Bytes:   rapid.SampledFrom([]int{0, pageSize, 16 << 10, 200 << 10, 1 << 20}).Draw(t, "bytes"),
		}
		table := New(cfg)
		now := epoch
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
			for _, ok := table.Expire(now); ok; _, ok = table.Expire(now) {
			}
			id := rapid.IntRange(0, 200).Draw(t, "id")
			offset := rapid.IntRange(0, 3).Draw(t, "offset") * 1480
			n := rapid.SampledFrom([]int{8, 1480, 16000, 40000}).Draw(t, "length")
			source := rapid.IntRange(1, 4).Draw(t, "source")
			if rapid.Bool().Draw(t, "six") {
				p := piece6(uint32(id), offset, n, true)
				p[15] = byte(source)
				table.Add(p, 1, now)
			} else {
				table.Add(from4(piece4(uint16(id), offset, n, true), byte(source)), 1, now)
			}
			checkBounds(t, table, cfg)
		}
	})
}

func checkBounds(t *rapid.T, table *Table, cfg Config) {
	packets, bytes := table.Held()
	if packets > cfg.Packets || bytes > cfg.Bytes || len(table.pages.all)*pageSize > cfg.Bytes || len(table.spare) > cfg.Packets {
		t.Fatalf("%d packets, %d bytes, %d pages, %d spare; want at most %+v", packets, bytes, len(table.pages.all), len(table.spare), cfg)
	}
	sum, of := 0, map[uint64]struct{ packets, pages int }{}
	for i := range table.order {
		s := &table.order[i]
		pages := 0
		for _, p := range append(s.datagram.pages[:], s.header) {
			if p != noPage {
				pages++
			}
		}
		if pages != s.held || s.tag != s.key.tag() || s.source != s.key.source() {
			t.Fatalf("packet %d has %d pages and is said to hold %d", i, pages, s.held)
		}
		if i > 0 && s.deadline.Before(table.order[i-1].deadline) {
			t.Fatalf("packet %d is older than the one before it", i)
		}
		sum += pages
		o := of[s.source]
		o.packets++
		o.pages += pages
		of[s.source] = o
	}
	if sum*pageSize != bytes {
		t.Fatalf("packets hold %d bytes, the table %d", sum*pageSize, bytes)
	}
	for source, o := range of {
		if o.packets > max(cfg.Packets/4, min(cfg.Packets, 16)) || o.pages > max(cfg.Bytes/pageSize/4, 2*33) {
			t.Fatalf("source %x has %d packets and %d pages of %+v", source, o.packets, o.pages, cfg)
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

// TestEvictingAllocates: nor does a table that is full, of packets or of bytes.
func TestEvictingAllocates(t *testing.T) {
	for name, n := range map[string]int{"packets": 8, "bytes": 16000} {
		table := New(Default)
		p, id := piece4(1, 0, n, true), uint16(0)
		add := func() {
			id++
			p.SetID(id)
			p[15] = byte(id)
			table.Add(p, 1, epoch)
		}
		for range 3 * Default.Packets {
			add()
		}
		if n := testing.AllocsPerRun(1000, add); n != 0 || table.Evicted() == 0 {
			t.Errorf("%v allocations for a fragment that finds the %s taken, want none", n, name)
		}
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

// BenchmarkAddFull: every fragment finds the table full of others, of its own
// source or of many, and gives up the oldest.
func BenchmarkAddFull(b *testing.B) {
	for name, source := range map[string]func(i int) byte{
		"one": func(int) byte { return 7 }, "many": func(i int) byte { return byte(i) },
	} {
		b.Run("source="+name, func(b *testing.B) {
			table := New(Default)
			p := piece4(0, 0, 8, true)
			i := 0
			add := func() {
				p.SetID(uint16(i))
				p[15], p[14] = source(i), byte(i>>16)
				table.Add(p, 1, epoch)
				i++
			}
			for range 2 * Default.Packets {
				add()
			}
			b.ReportAllocs()
			for b.Loop() {
				add()
			}
		})
	}
}
