package ospf

import (
	"testing"

	"routerd/routing/ospf/wire"
)

// A link that lies beside all shortest paths may come, go and cost what it wants: no
// shortest path is calculated; one that is or becomes part of one is noticed.
func TestLinksBesideShortestPaths(t *testing.T) {
	// 1 - 2 - 4 and 1 - 3 - 4, the first way shorter; 2 - 3 lies beside both.
	build := func() (*site, *areaBed, *changes) {
		s := newSite(0)
		a, b := s.state.Areas[0], s.areas[0]
		c := &changes{}
		b.follow = func(e *Entry) { c.add(a, b.db, e) }
		s.attach(0, 12, 12, 2)
		s.attach(0, 13, 13, 3)
		b.router(1, 0, p2p(2, 12, 10), p2p(3, 13, 10))
		b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10))
		b.router(3, 0, p2p(1, 31, 10), p2p(4, 34, 15), p2p(2, 32, 10))
		b.router(4, 0, p2p(2, 42, 10), p2p(3, 43, 15))
		s.table.Update(&s.state, nil, true)
		c.reset()
		return s, b, c
	}
	for _, tt := range []struct {
		name string
		do   func(b *areaBed)
		want Difference
	}{
		{"a link beside costs more", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 11)) }, OtherPrefixes},
		{"and less", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 1)) }, OtherPrefixes},
		{"so little that it is as short", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 0)) }, OtherPaths},
		{"it goes", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10)) }, OtherPrefixes},
		{"one on a shortest path costs more", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 11), p2p(3, 23, 10)) }, OtherPaths},
		{"one on a shortest path goes", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(3, 23, 10)) }, OtherPaths},
		{"its way back goes", func(b *areaBed) { b.router(4, 0, p2p(3, 43, 15)) }, OtherPaths},
		{"a way back beside costs more", func(b *areaBed) { b.router(4, 0, p2p(2, 42, 10), p2p(3, 43, 16)) }, OtherPrefixes},
		{"a further link that is longer", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(4, 25, 20)) }, OtherPrefixes},
		{"and one that is as short", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(4, 25, 10)) }, OtherPaths},
		{"a link to nobody", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(9, 29, 1)) }, OtherPrefixes},
		{"another bit", func(b *areaBed) {
			b.router(2, wire.RouterB, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10))
		}, OtherPaths},
		{"a link of the root", func(b *areaBed) { b.router(1, 0, p2p(2, 12, 10), p2p(3, 13, 11)) }, OtherPaths},
		{"a link to the root", func(b *areaBed) { b.router(3, 0, p2p(1, 31, 11), p2p(4, 34, 15), p2p(2, 32, 10)) }, OtherPaths},
		{"a new router", func(b *areaBed) { b.router(9, 0, p2p(2, 92, 1)) }, OtherPaths},
		{"a router goes", func(b *areaBed) { b.install(wire.RouterLSA, 4, 4, wire.MaxAge, &wire.Router{}) }, OtherPaths},
	} {
		s, b, c := build()
		tt.do(b)
		if got := s.state.Areas[0].stale; got != tt.want || !c.any() {
			t.Errorf("%s: %d, %d triggers, want %d", tt.name, got, c.count, tt.want)
		}
	}
}
