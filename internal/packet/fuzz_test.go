package packet

import (
	"testing"

	"routerd/internal/corpus"
)

// seeds hands the captured packets of one version to a fuzz target.
func seeds(f *testing.F, version byte, names ...string) {
	for _, name := range names {
		for _, p := range corpus.Hex(f, name) {
			f.Add(p)
		}
	}
	// Of the captures a sample: the rest are much like these.
	for i, p := range corpus.Packets(f) {
		if i%16 == 0 && p[0]>>4 == version && len(p) <= 1500 {
			f.Add(p)
		}
	}
}

func FuzzIPv4(f *testing.F) {
	f.Add([]byte(datagram))
	f.Add([]byte(withOptions(148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 68, 8, 5, 0)))
	seeds(f, 4, "ipv4-options", "ipv4-fragments", "ipv4-malformed")
	f.Fuzz(func(t *testing.T, b []byte) {
		p := IPv4(b)
		if !p.Valid() {
			return
		}
		if len(p.Options())+len(p.Payload())+IPv4MinHeader != p.TotalLen() {
			t.Errorf("the parts do not make the whole: % x", b)
		}
		o := WalkOptions(p)
		for _, at := range []int{o.RecordRoute, o.Timestamp, o.BadPointer} {
			if at >= 0 && (at < IPv4MinHeader || at >= p.HeaderLen()) {
				t.Errorf("%+v points outside the options: % x", o, b)
			}
		}
		if s := TCP(p.Payload()); s.Valid() {
			_ = s[:s.HeaderLen()]
		}
		ok := p.HeaderChecksumOK()
		if p.TTL() > 0 {
			p.DecrementTTL()
			if p.HeaderChecksumOK() != ok {
				t.Errorf("the checksum was right: %v, and is not so after a lower TTL: % x", ok, b)
			}
		}
		if p.FillChecksum(); !p.HeaderChecksumOK() {
			t.Errorf("a checksum filled in is wrong: % x", b)
		}
	})
}

func FuzzIPv6(f *testing.F) {
	f.Add([]byte(v6))
	seeds(f, 6, "ipv6-exthdr", "ipv6-malformed")
	f.Fuzz(func(t *testing.T, b []byte) {
		p := IPv6(b)
		if !p.Valid() {
			return
		}
		n := p.TotalLen()
		e := WalkExtensions(p)
		if e.Offset < IPv6Header || e.Offset > n || e.NextField >= n || p[e.NextField] != e.Upper {
			t.Errorf("%+v does not fit % x", e, b)
		}
		if !e.Truncated && !e.NonFirst && IsExtension(e.Upper) {
			t.Errorf("%+v stops at an extension header: % x", e, b)
		}
		if e.Fragment >= 0 && e.Fragment+IPv6FragmentHeader > e.Offset {
			t.Errorf("%+v: the fragment header is not behind the walk: % x", e, b)
		}
		for _, problem := range []Problem{e.HopByHop, e.AtDestination} {
			if int(problem.Pointer) >= n || problem.Action == ActionSkip && problem != (Problem{}) {
				t.Errorf("%+v does not fit % x", problem, b)
			}
		}
	})
}
