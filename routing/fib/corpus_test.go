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

	"github.com/gaissmai/bart"
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

// publicTable is the changes that load a full view of the public Internet.
func publicTable(tb testing.TB) []Change {
	text := lines(tb, "bart-prefixes-1062k.txt.gz")
	changes := make([]Change, len(text))
	entries := make([]Entry, len(text))
	group := NewGroup([]NextHop{{Interface: 1}})
	for i, s := range text {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			tb.Fatal(err)
		}
		entries[i] = Entry{Prefix: p, Group: group}
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
	for _, line := range lines(t, "lpm-expected-bart-dev.tsv.gz") {
		a, want, _ := strings.Cut(line, "\t")
		got := "-"
		if e := f.Lookup(netip.MustParseAddr(a)); e != nil {
			got = e.Prefix.String()
		}
		if got != want {
			t.Errorf("Lookup(%s) = %s, want %s", a, got, want)
		}
	}
}

// hits gives addresses inside random prefixes of the table, as traffic would.
func hits(changes []Change) []netip.Addr {
	out := make([]netip.Addr, 1<<16)
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

func BenchmarkLookup(b *testing.B) {
	changes := publicTable(b)
	f, addrs := Empty().Apply(changes), hits(changes)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if f.Lookup(addrs[i&(len(addrs)-1)]) == nil {
			b.Fatal("no route to an address that a route covers")
		}
		i++
	}
}

func BenchmarkApply(b *testing.B) {
	changes := publicTable(b)
	full := Empty().Apply(changes)
	b.Run("bulk", func(b *testing.B) {
		for b.Loop() {
			Empty().Apply(changes)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(changes)), "ns/prefix")
	})
	for name, n := range map[string]int{"one": 1, "thousand": 1000} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i = (i + 7919) % (len(changes) - n)
				full.Apply(changes[i : i+n])
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	g := NewGroup([]NextHop{{Interface: 1}, {Interface: 2}, {Interface: 3, Weight: 4}})
	var hash uint32
	for b.Loop() {
		hash += uint32(g.Pick(hash).Interface) + 0x1234567
	}
}

// BenchmarkTrie is why Fast serves and not Table; see doc.go.
func BenchmarkTrie(b *testing.B) {
	changes := publicTable(b)
	addrs := hits(changes)
	fast, table := new(bart.Fast[*Entry]), new(bart.Table[*Entry])
	for _, c := range changes {
		fast.Insert(c.Prefix, c.Entry)
		table.Insert(c.Prefix, c.Entry)
	}
	type trie interface {
		Lookup(netip.Addr) (*Entry, bool)
	}
	persist := map[string]func(Change){
		"fast":  func(c Change) { fast.InsertPersist(c.Prefix, c.Entry) },
		"table": func(c Change) { table.InsertPersist(c.Prefix, c.Entry) },
	}
	clone := map[string]func(){"fast": func() { fast.Clone() }, "table": func() { table.Clone() }}
	for name, t := range map[string]trie{"fast": fast, "table": table} {
		b.Run("lookup/"+name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				t.Lookup(addrs[i&(len(addrs)-1)])
				i++
			}
		})
		b.Run("persist/"+name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i = (i + 7919) % len(changes)
				persist[name](changes[i])
			}
		})
		b.Run("clone/"+name, func(b *testing.B) {
			for b.Loop() {
				clone[name]()
			}
		})
	}
}
