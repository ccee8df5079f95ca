package dataplane

import (
	"testing"

	"routerd/internal/packet"
	"routerd/internal/siphash"
)

// What one worker gives the packets that it fragments is neither in step nor
// what another one gives (RFC 7739 §5.2, RFC 8200 §4.5).
func TestFragmentIdentifications(t *testing.T) {
	n := newNetwork(t)
	n.view.Secrets.Fragments = siphash.Key{1, 2}
	whole := build(t, Probe{Src: addr("2001:db8:1::2"), Dst: addr("2001:db8:ff::1"), Proto: packet.ProtoICMPv6, Size: 3000})
	seen := map[uint32]bool{}
	steps, last := 0, uint32(0)
	for stream := range uint32(2) {
		b := NewBatch(BatchSize, &Counters{}, &DropRing{})
		b.Stream = stream
		for range 20 {
			n.runIn(t, b, lan0, raw(cut6(whole, 0, 1600, true)), raw(cut6(whole, 1600, 3000, false)))
			sent := n.ports[lan0].Take()
			if len(sent) < 2 {
				t.Fatalf("the reply left in %d pieces, want several", len(sent))
			}
			id := packet.FragmentHeader(sent[0].Data[packet.IPv6Header:]).ID()
			if seen[id] {
				t.Errorf("the identification %#x is given twice", id)
			}
			if seen[id] = true; id == last+1 {
				steps++
			}
			last = id
		}
	}
	if steps > 2 {
		t.Errorf("%d of 40 identifications are one more than the one before, want none but by chance", steps)
	}
}
