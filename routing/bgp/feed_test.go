package bgp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"routerd/internal/corpus"
	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
)

var session = wire.Session{External: true, FourOctetAS: true, Families: wire.Of(wire.IPv4Unicast)}

// feed is a full table as a neighbour sends it: messages with the prefixes of a real
// table, of sets of attributes that are about as many and as long as real ones.
func feed(tb testing.TB) (stream []byte, prefixes int) {
	tb.Helper()
	list := corpus.Prefixes(tb)
	return feedOf(list, 1), len(list)
}

// feedOf is a list of prefixes as neighbour i sends it, from 1: each has another AS and
// another next hop.
func feedOf(list []netip.Prefix, i int) []byte {
	const perSet = 5.21 // 901,899 prefixes in 173,000 sets
	rng := rand.New(rand.NewPCG(1, 2))
	var p wire.Packer
	p.Begin(nil, &session)
	for len(list) > 0 {
		// Most sets have a prefix or two, some very many.
		n := min(len(list), 1+int(rng.ExpFloat64()*rng.ExpFloat64()*(perSet-1)))
		var a wire.Attributes
		a.ASPath = append(a.ASPath, byte(wire.SegmentSequence), byte(2+rng.IntN(6)))
		for k := range int(a.ASPath[1]) {
			as := uint32(1 + rng.IntN(400000))
			if k == 0 {
				as = 65000 + uint32(i)
			}
			a.ASPath = binary.BigEndian.AppendUint32(a.ASPath, as)
		}
		a.NextHop = wire.NextHop{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}
		for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
			a.Set(code)
		}
		if communities := rng.IntN(12); communities > 0 {
			a.Set(wire.AttrCommunities)
			c := uint32(65001 << 16)
			for range communities {
				c += uint32(1 + rng.IntN(1000))
				a.Communities = binary.BigEndian.AppendUint32(a.Communities, c)
			}
		}
		p.Announce(wire.IPv4Unicast, &a)
		for _, prefix := range list[:n] {
			p.Add(0, prefix)
		}
		list = list[n:]
	}
	return p.Bytes()
}

// BenchmarkFeed takes a full table: it decodes, finds equal sets of attributes, and
// builds what neighbours are sent of it.
func BenchmarkFeed(b *testing.B) {
	stream, prefixes := feed(b)
	var u wire.Update
	var a wire.Attributes
	var p wire.Packer
	var set wire.Set
	var out []byte
	var table *AttributeTable
	b.ReportAllocs()
	for b.Loop() {
		table = new(AttributeTable)
		p.Begin(out[:0], &session)
		for rest := stream; len(rest) > 0; {
			var m wire.Message
			m, rest, _ = wire.Split(rest, wire.MaxMessage)
			wire.DecodeUpdate(m.Body(), &session, &u)
			if u.Approach != wire.Accept {
				b.Fatal(u.Faults[0].String())
			}
			r := &u.Reach[0]
			set = u.AppendSet(set[:0], r)
			table.Take(set).Octets().Read(&a)
			p.Announce(r.Family, &a)
			for path, prefix := range r.All {
				p.Add(path, prefix)
			}
		}
		out = p.Bytes()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(prefixes), "ns/prefix")
	b.ReportMetric(float64(table.Len()), "sets")
	b.ReportMetric(float64(len(stream))/float64(prefixes), "octets/prefix")
}

// BenchmarkLearn is the same with every route stored, and nothing built.
func BenchmarkLearn(b *testing.B) {
	stream, prefixes := feed(b)
	var u wire.Update
	var set wire.Set
	learn := func() (*Table, *AttributeTable) {
		attributes := new(AttributeTable)
		table := NewTable(wire.IPv4Unicast, attributes, siphash.Key{1, 2})
		for rest := stream; len(rest) > 0; {
			var m wire.Message
			m, rest, _ = wire.Split(rest, wire.MaxMessage)
			wire.DecodeUpdate(m.Body(), &session, &u)
			r := &u.Reach[0]
			set = u.AppendSet(set[:0], r)
			a := attributes.Take(set)
			for path, prefix := range r.All {
				attributes.Keep(a)
				table.Put(prefix, 1, path, a, 0)
			}
			attributes.Release(a)
		}
		return table, attributes
	}
	var before, between, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table, attributes := learn()
	runtime.GC()
	runtime.ReadMemStats(&between)
	runtime.KeepAlive(table)
	table = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	all, sets := between.HeapAlloc-before.HeapAlloc, after.HeapAlloc-before.HeapAlloc
	b.ReportAllocs()
	for b.Loop() {
		if table, _ := learn(); table.Len() != prefixes {
			b.Fatalf("%d routes, want %d", table.Len(), prefixes)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(prefixes), "ns/prefix")
	b.ReportMetric(float64(all-sets)/float64(prefixes), "octets/route")
	b.ReportMetric(float64(sets)/float64(attributes.Len()), "octets/set")
}
