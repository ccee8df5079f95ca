package fib

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines reads a gzipped text of the corpora, which lie beside the repository.
func lines(tb testing.TB, name string) []string {
	tb.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpora", "tables", name))
	if errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("the corpus %s is not there: %v", name, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	s := bufio.NewScanner(z)
	for s.Scan() {
		out = append(out, s.Text())
	}
	if err := s.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

// publicTable is the changes that load a full view of the public Internet, over
// 64 next hops.
func publicTable(tb testing.TB) []Change {
	text := lines(tb, "bart-prefixes-1062k.txt.gz")
	changes := make([]Change, len(text))
	entries := make([]Entry, len(text))
	var groups [64]*Group
	for i := range groups {
		groups[i] = NewGroup([]NextHop{{Interface: 1, Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
	}
	for i, s := range text {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			tb.Fatal(err)
		}
		entries[i] = Entry{Prefix: p, Group: groups[mix(uint64(i))%64]}
		changes[i] = Change{p, &entries[i]}
	}
	return changes
}

func TestPublicTable(t *testing.T) {
	if testing.Short() {
		t.Skip("loading a million prefixes is not short")
	}
	changes := publicTable(t)
	f := Empty().Apply(changes)
	if n := f.Len4() + f.Len6(); n != len(changes) {
		t.Errorf("%d prefixes in the table, want %d", n, len(changes))
	}
	type question struct {
		addr netip.Addr
		way  *Way
	}
	var asked []question
	for _, line := range lines(t, "lpm-expected-bart-dev.tsv.gz") {
		a, want, _ := strings.Cut(line, "\t")
		got, addr := "-", netip.MustParseAddr(a)
		asked = append(asked, question{addr: addr})
		if e := f.Lookup(addr); e != nil {
			got = e.Prefix.String()
			w := e.Way()
			asked[len(asked)-1].way = &w
		}
		if got != want {
			t.Errorf("Lookup(%s) = %s, want %s", a, got, want)
		}
	}
	var q Query
	for len(asked) > 0 {
		n := min(len(asked), QuerySize)
		q.Reset()
		for _, x := range asked[:n] {
			add(&q, x.addr)
		}
		f.Find(&q)
		for i, x := range asked[:n] {
			if got := q.Way(i); (got == nil) != (x.way == nil) || got != nil && *got != *x.way {
				t.Errorf("the way to %s is %v, want %v", x.addr, got, x.way)
			}
		}
		asked = asked[n:]
	}
}

// hits gives addresses inside random prefixes of the table, as traffic would.
func hits(changes []Change) []netip.Addr {
	out := make([]netip.Addr, 1<<20)
	for i := range out {
		r := mix(uint64(i) + 1)
		p := changes[r%uint64(len(changes))].Prefix
		b := p.Addr().AsSlice()
		for bit := p.Bits(); bit < len(b)*8; bit++ {
			if mix(r+uint64(bit))&1 == 1 {
				b[bit/8] |= 0x80 >> (bit % 8)
			}
		}
		out[i], _ = netip.AddrFromSlice(b)
	}
	return out
}

func BenchmarkPick(b *testing.B) {
	g := NewGroup([]NextHop{{Interface: 1}, {Interface: 2}, {Interface: 3, Weight: 4}})
	var hash uint32
	for b.Loop() {
		hash += uint32(g.Pick(hash).Interface) + 0x1234567
	}
}
