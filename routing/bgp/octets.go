package bgp

import (
	"bytes"

	"routerd/routing/bgp/wire"
)

// octetBlock keeps the octets of sets of attributes one behind the other in blocks. A block
// lives as long as a set has octets there: when many have come and gone, those that are in
// use are moved to new blocks, some at a time.
type octetBlock struct {
	rest   []byte // of the block that is filled
	lost   int    // octets of blocks that no set has any more
	moving bool
	at     uint32 // number of the set that is moved next
}

const (
	blockSize = 64 << 10
	// mostInBlock is how many octets a set may have there. Larger ones are by themselves.
	mostInBlock = blockSize / 16
	// leastLost is how many octets are lost at least before sets are moved.
	leastLost = 1 << 20
	// movesAtOnce is how many sets are moved when one is taken.
	movesAtOnce = 16
)

// keep copies octets into a block.
func (b *octetBlock) keep(octets wire.Set) wire.Set {
	n := len(octets)
	if n > mostInBlock {
		return bytes.Clone(octets)
	}
	if n > len(b.rest) {
		b.lost += len(b.rest)
		b.rest = make([]byte, blockSize)
	}
	kept := b.rest[:n:n]
	b.rest = b.rest[n:]
	copy(kept, octets)
	return kept
}

// lose notes that a set is gone.
func (b *octetBlock) lose(octets wire.Set) {
	if len(octets) <= mostInBlock {
		b.lost += len(octets)
	}
}

// tidy has sets moved when as many octets are lost as are in use, and goes on with that. It
// is called when a set is taken.
func (t *AttributeTable) tidy() {
	b := &t.block
	if !b.moving {
		if b.lost < max(leastLost, t.size) {
			return
		}
		b.moving, b.at, b.lost, b.rest = true, 0, 0, nil
	}
	for range movesAtOnce {
		if b.at == t.sets {
			b.moving = false
			return
		}
		if a := t.At(b.at); a.octets != nil && len(a.octets) <= mostInBlock {
			a.octets = b.keep(a.octets)
		}
		b.at++
	}
}
