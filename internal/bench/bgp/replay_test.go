package main

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"routerd/internal/bench/site"
	"routerd/internal/corpus"
	"routerd/routing/bgp/wire"
)

// readChurn reads a file of MRT (RFC 6396): the UPDATEs of each neighbour of IPv4 with AS
// numbers of so many octets, in their order.
func readChurn(t *testing.T, path string, width int) (list [][][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	const bgp4mp = 16
	subtype := map[int]uint16{2: 1, 4: 4}[width] // BGP4MP_MESSAGE, BGP4MP_MESSAGE_AS4
	known := map[string]int{}
	for len(all) >= 12 {
		kind, sub, n := binary.BigEndian.Uint16(all[4:]), binary.BigEndian.Uint16(all[6:]), int(binary.BigEndian.Uint32(all[8:]))
		if n > len(all)-12 {
			t.Fatalf("%s: a record of %d octets, and %d are left", path, n, len(all)-12)
		}
		body := all[12 : 12+n]
		all = all[12+n:]
		if kind != bgp4mp || sub != subtype || n < 2*width+12 || binary.BigEndian.Uint16(body[2*width+2:]) != 1 {
			continue
		}
		m, _, r := wire.Split(body[2*width+12:], wire.MaxMessage)
		if !r.OK() || m.Type != wire.TypeUpdate {
			continue
		}
		neighbor := string(body[:width]) + string(body[2*width+4:2*width+8])
		i, ok := known[neighbor]
		if !ok {
			i = len(list)
			known[neighbor] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], m.Octets)
	}
	slices.SortStableFunc(list, func(a, b [][]byte) int { return len(b) - len(a) })
	return list
}

// adopt makes UPDATEs those of another neighbour, in place: its AS is the first one of their
// paths and its address their next hop. It leaves out those with sets in their paths, which
// routerd takes from nobody (RFC 9774).
func adopt(updates [][]byte, width int, as uint32, hop netip.Addr) (stream []byte) {
	for _, m := range updates {
		b := m[wire.HeaderSize:]
		b = b[2+binary.BigEndian.Uint16(b):]
		attributes := b[2 : 2+binary.BigEndian.Uint16(b)]
		sets := false
		for len(attributes) > 0 {
			head, n := 3, int(attributes[2])
			if attributes[0]&0x10 != 0 {
				head, n = 4, int(binary.BigEndian.Uint16(attributes[2:]))
			}
			v := attributes[head : head+n]
			switch code := wire.Attribute(attributes[1]); {
			case code == wire.AttrNextHop:
				copy(v, hop.AsSlice())
			case code == wire.AttrASPath && len(v) > 2:
				for segment := v; len(segment) > 0; segment = segment[2+width*int(segment[1]):] {
					sets = sets || segment[0] == byte(wire.SegmentSet)
				}
				if width == 4 {
					binary.BigEndian.PutUint32(v[2:], as)
				} else {
					binary.BigEndian.PutUint16(v[2:], uint16(as))
				}
			}
			attributes = attributes[head+n:]
		}
		if !sets {
			stream = append(stream, m...)
		}
	}
	return stream
}

// table is what a neighbour has been sent: the attributes of each prefix.
type table struct {
	mu  sync.Mutex
	has map[netip.Prefix]string
}

func (b *table) hear(u *wire.Update) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range u.Reach {
		for _, p := range u.Withdrawn[i].All {
			delete(b.has, p)
		}
		for _, p := range u.Reach[i].All {
			a := &u.Attributes
			b.has[p] = fmt.Sprintf("path %x, origin %v, communities %x", a.ASPath, a.Origin, a.Communities)
		}
	}
}

// differs says how a table differs from another one.
func (b *table) differs(o *table) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	n, first := 0, ""
	note := func(p netip.Prefix) {
		if b.has[p] != o.has[p] {
			if n++; n == 1 || p.String() < first {
				first = p.String()
			}
		}
	}
	for p := range b.has {
		note(p)
	}
	for p := range o.has {
		if _, both := b.has[p]; !both {
			note(p)
		}
	}
	if n == 0 {
		return ""
	}
	p := netip.MustParsePrefix(first)
	return fmt.Sprintf("%d of %d and %d prefixes differ, as %v: %q and %q", n, len(b.has), len(o.has), p, b.has[p], o.has[p])
}

// The UPDATEs that neighbours of an exchange point have sent one day leave routerd and BIRD
// with the same routes, by what both send on.
func TestChurnLeavesWhatItLeavesBIRD(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	if testing.Short() {
		t.Skip("thousands of UPDATEs are replayed")
	}
	dir := filepath.Join(corpus.Dir(t), "mrt")
	for _, test := range []struct {
		file             string
		width, neighbors int
		least            int // prefixes in the end
	}{
		{"bgpdump-updates.20020722.2238.gz", 2, 3, 100},
		{"bgpdump-updates.20160811.1600.gz", 4, 18, 1500},
	} {
		t.Run(test.file, func(t *testing.T) {
			list := readChurn(t, filepath.Join(dir, test.file), test.width)
			if len(list) < test.neighbors {
				t.Fatalf("%d neighbours, want %d", len(list), test.neighbors)
			}
			replay(t, list[:test.neighbors], test.width, test.least)
		})
	}
}

// replay has routerd and BIRD take the same UPDATEs, and compares what both send on.
func replay(t *testing.T, list [][][]byte, width, least int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	o := options{limit: 10 * time.Minute}
	var err error
	o.site, err = site.New(ctx, "")
	t.Cleanup(func() { os.RemoveAll(o.site.Dir) })
	if err != nil {
		t.Fatal(err)
	}
	var streams [][]byte
	for i, updates := range list {
		stream := adopt(updates, width, firstAS+uint32(i), feederAddress(i))
		streams = append(streams, append(stream, last(i, width)...))
	}
	s := setting{feeders: len(list), sink: true, sameMEDs: true}
	var tables [2]table
	left := 0 // prefixes in the end, which comes before that of the sessions
	take := func(x *stand, b *table) error {
		b.has = map[netip.Prefix]string{}
		x.narrow, x.hear = width == 2, b.hear
		if err := x.listen(ctx); err != nil {
			return err
		}
		for i := range list {
			if err := x.feed(ctx, i); err != nil {
				return err
			}
		}
		for i, stream := range streams {
			if err := x.feeders[i].say(stream, x.limit); err != nil {
				return err
			}
		}
		return nil
	}
	err = with(ctx, o, rivals[1], s, func(bird *stand) error {
		return with(ctx, o, rivals[0], s, func(routerd *stand) error {
			if err := errors.Join(take(bird, &tables[0]), take(routerd, &tables[1])); err != nil {
				return err
			}
			return site.Await(ctx, time.Minute, 100*time.Millisecond, "the same routes in BIRD and in routerd", func() (string, error) {
				for i := range list {
					for k := range tables {
						if !tables[k].knows(lastPrefix(i)) {
							return fmt.Sprintf("%s has not sent all that neighbour %d said", rivals[1-k].name, i), nil
						}
					}
				}
				left = tables[0].size()
				return tables[0].differs(&tables[1]), errors.Join(bird.sink.alive(), routerd.sink.alive())
			})
		})
	})
	if errors.Is(err, site.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if left < least {
		t.Errorf("%d prefixes are left, want %d or more", left, least)
	}
	t.Logf("%d neighbours leave %d prefixes", len(list), left)
}

func (b *table) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.has)
}

func (b *table) knows(p netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.has[p] != ""
}

// last is the last UPDATE of a neighbour, with a prefix of its own.
func last(i, width int) []byte {
	session := spoken
	session.FourOctetAS = width == 4
	var p wire.Packer
	p.Begin(nil, &session)
	a := wire.Attributes{NextHop: wire.NextHop{Address: feederAddress(i)}}
	a.ASPath = binary.BigEndian.AppendUint32([]byte{byte(wire.SegmentSequence), 1}, firstAS+uint32(i))
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	p.Announce(wire.IPv4Unicast, &a)
	p.Add(0, lastPrefix(i))
	return p.Bytes()
}

func lastPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, byte(i), 0}), 24)
}
