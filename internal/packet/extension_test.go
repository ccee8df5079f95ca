package packet

import (
	"testing"
)

// withChain puts a chain of extension headers behind an IPv6 header.
func withChain(next byte, chain ...byte) IPv6 {
	p := append(append(IPv6{}, v6[:40]...), chain...)
	p.SetNextHeader(next)
	p.SetPayloadLen(len(chain))
	return p
}

func TestWalkExtensions(t *testing.T) {
	report := func(code uint8, pointer uint32) Problem { return Problem{ActionReportUnicast, code, pointer} }
	both := func(e Extensions, p Problem) Extensions { e.HopByHop, e.AtDestination = p, p; return e }
	tests := []struct {
		name  string
		next  byte
		chain []byte
		want  Extensions
	}{
		{"UDP", 17, []byte{1}, Extensions{Upper: 17, Offset: 40, NextField: 6, Fragment: -1}},
		{"nothing", 59, nil, Extensions{Upper: 59, Offset: 40, NextField: 6, Fragment: -1}},
		{"ESP is an upper layer", 50, []byte{1, 2, 3}, Extensions{Upper: 50, Offset: 40, NextField: 6, Fragment: -1}},
		{"unknown", 200, []byte{1}, Extensions{Upper: 200, Offset: 40, NextField: 6, Fragment: -1}},
		{
			"hop-by-hop with router alert", 0,
			[]byte{58, 0, 5, 2, 0, 0, 0, 0, 143},
			Extensions{Upper: 58, Offset: 48, NextField: 40, Fragment: -1, RouterAlert: true},
		},
		{
			"four headers", 0,
			[]byte{
				60, 0, 1, 4, 0, 0, 0, 0, // hop-by-hop: PadN
				43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // destination options, 16 bytes
				51, 0, 0, 0, 0, 0, 0, 0, // routing, no segments left
				6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, // authentication, 12 bytes
				1, 2, 3,
			},
			Extensions{Upper: 6, Offset: 84, NextField: 72, Fragment: -1},
		},
		{
			"first fragment", 44,
			[]byte{17, 0, 0, 1, 0, 0, 0, 9, 1},
			Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: 40},
		},
		{
			"headers behind the fragment header are not judged", 44,
			[]byte{60, 0, 0, 1, 0, 0, 0, 9, 17, 0, 0xc1, 0, 0, 0, 0, 0, 1},
			Extensions{Upper: 17, Offset: 56, NextField: 48, Fragment: 40},
		},
		{
			"a later fragment is not walked into", 44,
			[]byte{60, 0, 0, 9, 0, 0, 0, 9, 60, 0, 1, 4, 0, 0, 0, 0},
			Extensions{Upper: 60, Offset: 48, NextField: 40, Fragment: 40, NonFirst: true},
		},
		{
			"an option to skip", 0,
			[]byte{17, 0, 0x1e, 4, 0, 0, 0, 0, 1},
			Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1},
		},
		{
			"an option to discard at", 0,
			[]byte{17, 0, 0, 0x5e, 3, 0, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, Problem{ActionDiscard, ProblemOption, 43}),
		},
		{
			"an option to report", 0,
			[]byte{17, 0, 1, 0, 0x9e, 2, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, Problem{ActionReport, ProblemOption, 44}),
		},
		{
			"an option to report to one", 0,
			[]byte{17, 0, 0xde, 4, 0, 0, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, report(ProblemOption, 42)),
		},
		{
			"the first problem counts", 0,
			[]byte{60, 0, 0x9e, 0, 0xde, 2, 0, 0, 17, 0, 0xde, 4, 0, 0, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 56, NextField: 48, Fragment: -1}, Problem{ActionReport, ProblemOption, 42}),
		},
		{
			"destination options concern the destination", 60,
			[]byte{17, 0, 1, 0, 0, 0x9e, 1, 0, 1},
			Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1, AtDestination: Problem{ActionReport, ProblemOption, 45}},
		},
		{
			"router alert in destination options is unknown there, and skipped", 60,
			[]byte{17, 0, 5, 2, 0, 0, 0, 0, 1},
			Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1},
		},
		{
			"an option longer than its header", 0,
			[]byte{17, 0, 1, 5, 0, 0, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, report(ProblemField, 43)),
		},
		{
			"an option without a length", 0,
			[]byte{17, 0, 1, 3, 0, 0, 0, 0x1e, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, report(ProblemField, 47)),
		},
		{
			"a router alert of three bytes", 0,
			[]byte{17, 0, 5, 3, 0, 0, 0, 0, 1},
			both(Extensions{Upper: 17, Offset: 48, NextField: 40, Fragment: -1}, report(ProblemField, 43)),
		},
		{
			"routing type 0 with segments left", 43,
			[]byte{17, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
			Extensions{Upper: 17, Offset: 64, NextField: 40, Fragment: -1, AtDestination: report(ProblemField, 42)},
		},
		{
			"hop-by-hop in second place", 60,
			[]byte{0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0, 1},
			Extensions{Upper: 17, Offset: 56, NextField: 48, Fragment: -1, AtDestination: report(ProblemNextHeader, 40)},
		},
		{
			"a header cut short", 60,
			[]byte{17, 1, 1, 4, 0, 0, 0, 0},
			Extensions{Upper: 60, Offset: 40, NextField: 6, Fragment: -1, Truncated: true, AtDestination: report(ProblemField, 6)},
		},
		{
			"no header at all", 43, nil,
			Extensions{Upper: 43, Offset: 40, NextField: 6, Fragment: -1, Truncated: true, AtDestination: report(ProblemField, 6)},
		},
		{
			"an end without a header", 44,
			[]byte{60, 0, 0, 1, 0, 0, 0, 9},
			Extensions{Upper: 60, Offset: 48, NextField: 40, Fragment: 40, Truncated: true},
		},
	}
	for _, test := range tests {
		p := withChain(test.next, test.chain...)
		if got := WalkExtensions(p); got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, test.want)
		}
		// The same with the payload length cut at every byte: never a panic,
		// and nothing behind it is looked at.
		for n := range test.chain {
			q := withChain(test.next, test.chain[:n]...)
			want := WalkExtensions(q)
			p.SetPayloadLen(n)
			if got := WalkExtensions(p); got != want {
				t.Errorf("%s, cut at %d:\n got %+v\nwant %+v", test.name, n, got, want)
			}
		}
	}
}

func TestWalkExtensionsBound(t *testing.T) {
	chain := func(n int) IPv6 {
		var c []byte
		for range n - 1 {
			c = append(c, 60, 0, 1, 4, 0, 0, 0, 0)
		}
		return withChain(60, append(c, 17, 0, 1, 4, 0, 0, 0, 0, 1)...)
	}
	if e := WalkExtensions(chain(MaxExtensions)); e.Truncated || e.Upper != 17 {
		t.Errorf("%d headers: %+v, want them walked", MaxExtensions, e)
	}
	if e := WalkExtensions(chain(MaxExtensions + 1)); !e.Truncated || e.AtDestination.Action != ActionReportUnicast {
		t.Errorf("%d headers: %+v, want the walk given up", MaxExtensions+1, e)
	}
}

func TestWalkAllocates(t *testing.T) {
	p, q := withChain(0, 58, 0, 5, 2, 0, 0, 0, 0, 143), withOptions(148, 4, 0, 0)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = WalkExtensions(p), WalkOptions(q)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkWalkExtensions(b *testing.B) {
	for name, p := range map[string]IPv6{"none": v6, "hop-by-hop": withChain(0, 58, 0, 5, 2, 0, 0, 0, 0, 143)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := WalkExtensions(p)
				sink += uint16(e.Offset)
			}
		})
	}
}
