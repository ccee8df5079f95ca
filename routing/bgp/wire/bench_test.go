package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"routerd/internal/corpus"
)

// feed is a full table as a neighbour sends it: messages with the prefixes of a real
// table, of sets of attributes that are about as many and as long as real ones.
func feed(tb testing.TB) (stream []byte, prefixes int) {
	tb.Helper()
	const perSet = 5.21 // 901,899 prefixes in 173,000 sets
	list := corpus.Prefixes(tb)
	rng := rand.New(rand.NewPCG(1, 2))
	var p Packer
	p.Begin(nil, &external)
	for len(list) > 0 {
		// Most sets have a prefix or two, some very many.
		n := min(len(list), 1+int(rng.ExpFloat64()*rng.ExpFloat64()*(perSet-1)))
		var a Attributes
		a.ASPath = append(a.ASPath, byte(SegmentSequence), byte(2+rng.IntN(6)))
		for i := range int(a.ASPath[1]) {
			as := uint32(1 + rng.IntN(400000))
			if i == 0 {
				as = 65001
			}
			a.ASPath = binary.BigEndian.AppendUint32(a.ASPath, as)
		}
		a.NextHop = NextHop{Address: netip.AddrFrom4([4]byte{192, 0, 2, 1})}
		for _, code := range []Attribute{AttrOrigin, AttrASPath, AttrNextHop} {
			a.Set(code)
		}
		if communities := rng.IntN(12); communities > 0 {
			a.Set(AttrCommunities)
			c := uint32(65001 << 16)
			for range communities {
				c += uint32(1 + rng.IntN(1000))
				a.Communities = binary.BigEndian.AppendUint32(a.Communities, c)
			}
		}
		p.Announce(IPv4Unicast, &a)
		for _, prefix := range list[:n] {
			p.Add(0, prefix)
		}
		list = list[n:]
		prefixes += n
	}
	return p.Bytes(), prefixes
}

// BenchmarkFeed takes a full table: it decodes, finds equal sets of attributes, and
// builds what a neighbour is sent of it.
func BenchmarkFeed(b *testing.B) {
	stream, prefixes := feed(b)
	var u Update
	var a Attributes
	var p Packer
	var set Set
	var out []byte
	b.ReportAllocs()
	sets := 0
	for b.Loop() {
		interned := make(map[string]int32, 200_000)
		p.Begin(out[:0], &external)
		for rest := stream; len(rest) > 0; {
			var m Message
			m, rest, _ = Split(rest, MaxMessage)
			DecodeUpdate(m.Body(), &external, &u)
			if u.Approach != Accept {
				b.Fatal(u.Faults[0].String())
			}
			r := &u.Reach[0]
			set = u.AppendSet(set[:0], r)
			if _, ok := interned[string(set)]; !ok {
				interned[string(set)] = int32(len(interned))
			}
			set.Read(&a)
			p.Announce(r.Family, &a)
			for path, prefix := range r.All {
				p.Add(path, prefix)
			}
		}
		out, sets = p.Bytes(), len(interned)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(prefixes), "ns/prefix")
	b.ReportMetric(float64(sets), "sets")
	b.ReportMetric(float64(len(stream))/float64(prefixes), "octets/prefix")
}

func BenchmarkDecode(b *testing.B) {
	raw := body(b, "", base+"800404 00000064 c00810 fde80001 fde80002 fde80003 fde80004", prefix+prefix+prefix+prefix+prefix)
	var u Update
	var set Set
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			DecodeUpdate(raw, &external, &u)
		}
	})
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			set = u.AppendSet(set[:0], &u.Reach[0])
		}
	})
	b.Run("read", func(b *testing.B) {
		var a Attributes
		for b.Loop() {
			set.Read(&a)
		}
	})
	b.Run("prefixes", func(b *testing.B) {
		n := 0
		for b.Loop() {
			for _, p := range u.Reach[0].All {
				n += p.Bits()
			}
		}
	})
}
