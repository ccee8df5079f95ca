package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"

	"routerd/routing/bgp/wire"
)

// spoken is what sessions of these benchmarks have agreed on, for those who build and
// read their messages.
var spoken = wire.Session{External: true, FourOctetAS: true, Families: wire.Of(wire.IPv4Unicast)}

// readTable gives the IPv4 prefixes of a file with one on each line, compressed by gzip or
// not, in its order.
func readTable(path string) ([]netip.Prefix, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the table: %w", err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", path, err)
		}
	}
	var list []netip.Prefix
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		p, err := netip.ParsePrefix(strings.TrimSpace(lines.Text()))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		if p.Addr().Is4() && wire.Destination(p) {
			list = append(list, p.Masked())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return list, nil
}

// madeUp gives different prefixes, about as long as those of the internet, in order.
func madeUp(n int) []netip.Prefix {
	rng := rand.New(rand.NewPCG(4, 5))
	seen := map[netip.Prefix]bool{}
	for len(seen) < n {
		bits := 24
		if rng.IntN(5) < 2 {
			bits = 14 + rng.IntN(10)
		}
		a := [4]byte{byte(1 + rng.IntN(222)), byte(rng.IntN(256)), byte(rng.IntN(256))}
		if p := netip.PrefixFrom(netip.AddrFrom4(a), bits).Masked(); wire.Destination(p) {
			seen[p] = true
		}
	}
	list := make([]netip.Prefix, 0, n)
	for p := range seen {
		list = append(list, p)
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return list
}

// perSet is how many prefixes of the internet's table have the same attributes: 901,899
// are in some 173,000 sets.
const perSet = 5.21

// feed is what a neighbour announces, as the octets of its messages.
type feed struct {
	prefixes           []netip.Prefix
	sets               int // of attributes
	announce, withdraw []byte
}

// newFeed makes a feed of an AS whose next hop is given. Feeds of the same prefixes differ
// in nothing else: the paths are as long, so that the router ID decides between them.
func newFeed(list []netip.Prefix, as uint32, hop netip.Addr) *feed {
	f := &feed{prefixes: list}
	rng := rand.New(rand.NewPCG(1, 2))
	var p wire.Packer
	p.Begin(nil, &spoken)
	for rest := list; len(rest) > 0; f.sets++ {
		// Most sets have a prefix or two, some very many.
		n := min(len(rest), 1+int(rng.ExpFloat64()*rng.ExpFloat64()*(perSet-1)))
		p.Announce(wire.IPv4Unicast, drawAttributes(rng, as, hop))
		for _, prefix := range rest[:n] {
			p.Add(0, prefix)
		}
		rest = rest[n:]
	}
	f.announce = p.Bytes()
	p.Begin(nil, &spoken)
	p.Withdraw(wire.IPv4Unicast)
	for _, prefix := range list {
		p.Add(0, prefix)
	}
	f.withdraw = p.Bytes()
	return f
}

// drawAttributes makes attributes with a path of two to seven ASes and up to eleven
// communities, which is about what those of the internet have.
func drawAttributes(rng *rand.Rand, as uint32, hop netip.Addr) *wire.Attributes {
	var a wire.Attributes
	hops := 1 + rng.IntN(6)
	a.ASPath = append(a.ASPath, byte(wire.SegmentSequence), byte(1+hops))
	a.ASPath = binary.BigEndian.AppendUint32(a.ASPath, as)
	for range hops {
		a.ASPath = binary.BigEndian.AppendUint32(a.ASPath, uint32(100000+rng.IntN(300000)))
	}
	a.NextHop = wire.NextHop{Address: hop}
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	if communities := rng.IntN(12); communities > 0 {
		a.Set(wire.AttrCommunities)
		c := uint32(64500 << 16)
		for range communities {
			c += uint32(1 + rng.IntN(1000))
			a.Communities = binary.BigEndian.AppendUint32(a.Communities, c)
		}
	}
	return &a
}
