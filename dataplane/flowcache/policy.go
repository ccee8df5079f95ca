package flowcache

import (
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
)

// policy says for which flows the kernel is the better way.
//
// A packet that is carried costs less than one that goes by the stages, and the
// sender's processor pays for it. Small packets that come in so fast that the
// worker reads them in long rows are the exception: sender and router use a
// processor each, and the flow goes nearly twice as fast as by the kernel.
type policy struct {
	// A flow of UDP is small while its frames have fewer bytes than this on
	// average, and no super-packet is among them.
	small int
	// One that is small stays with the stages while it has most frames in an
	// interval, or row and more in each run and known frames in all.
	most, known, row uint32
	// What is carried goes back when so many small packets come in an interval:
	// more than most, so that a flow between the two stays where it is.
	returned uint64
}

// What Auto does. The rates are those of one flow: 100,000 and 200,000 packets a
// second.
var auto = policy{small: 512, most: 10000, known: 64, row: 16, returned: 20000}

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

// takes reports whether a flow that is offered is to be carried. One of which little
// is known is: the kernel costs it nothing.
func (p *policy) takes(o *dataplane.Offer) bool {
	if o.Proto == packet.ProtoTCP || o.Segment > 0 {
		return true
	}
	seen := o.Before
	if o.Now.Frames > seen.Frames {
		seen = o.Now
	}
	if int(seen.Bytes) >= p.small*int(seen.Frames) {
		return true
	}
	return seen.Frames < p.most && (seen.Frames < p.known || seen.Frames < p.row*seen.Runs)
}

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

// returns reports whether a flow of UDP that is carried is to go by the stages
// again, after so many packets and bytes came in so much time.
func (p *policy) returns(packets, bytes, supers uint64, in time.Duration) bool {
	if supers > 0 || in <= 0 || bytes >= uint64(p.small)*packets {
		return false
	}
	return packets*uint64(dataplane.OfferInterval) > p.returned*uint64(in)
}
