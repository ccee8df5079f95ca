package flowcache

import (
	"time"

	"routerd/dataplane"
)

// Worth sets from where on flows are offered that come in by an interface with such
// a setting: of Auto by their second frame within about a second.
func Worth(o dataplane.Offload, c *dataplane.Carried) {
	c.Frames, c.Bytes, c.Again = 16, 64<<10, true
	if o == dataplane.OffloadAlways {
		c.Frames, c.Bytes, c.Again = 1, 1, false
	}
}

// always reports whether every flow is to be carried that may.
func always(c *dataplane.Carried) bool { return c.Frames <= 1 }

// makings is how many flows are made in a second at most, so that a scan or a table of
// more flows than there is room for does not cost a processor.
const makings = 20000

// budget is how many flows may be made now.
type budget struct {
	left int
	from time.Time // when it was filled up last
}

func (b *budget) allows(now time.Time) bool {
	if more := int(min(now.Sub(b.from), time.Second) * makings / time.Second); more > 0 {
		b.left, b.from = min(b.left+more, makings/10), now
	}
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}
