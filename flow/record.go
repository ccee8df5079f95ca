package flow

import (
	"sync/atomic"
	"unsafe"
)

// A record is eight words, one line of the cache, of which all but the last
// three are written under the table's mutex only:
//
//	0 source and destination of the forward key
//	1 source and destination of the reply key
//	2 ports: forward source, forward destination, reply source, reply destination
//	3 generation 32 | flags 16 | protocol 8 | table 8
//	4 rule 32 | owner 32
//	5 state, see condition
//	6 TCP, forward: end 32 | acknowledged 32
//	7 TCP, reply: the same
//
// The generation is even while the record is free or being written, and grows
// by one each time a session is made or ended. A reader loads it before and
// after the others: if it is odd and the same, what was read belongs
// together. No word is a pointer, so the collector never looks at a block.
//
// IPv6 flows need four more words of addresses, on a second line. They have a
// table of their own, since one table for both would make every IPv4 packet read
// two lines; see wide.go.
const (
	recordWords = 8

	wordForward = iota - 1
	wordReply
	wordPorts
	wordHead
	wordUser
	wordCondition
	wordTracks // and the next one
)

type record [recordWords]uint64

// aside is the part of a session that packets do not need. Guarded by the
// mutex.
type aside struct {
	next, prev uint32 // links in a slot of the wheel; next alone in the queue of free numbers
	created    Time
	note       Note
}

const blockRecords = 1 << 17

// block is memory for sessions with consecutive numbers. Blocks are made when
// needed and kept.
type block struct {
	records [blockRecords]record
	counts  [blockRecords]uint64 // see traffic.go
	asides  [blockRecords]aside
}

// words is the memory of b that packets read: the records, and the counts right
// behind them.
func (b *block) words() []uint64 {
	return unsafe.Slice(&b.records[0][0], unsafe.Offsetof(b.asides)/8)
}

const (
	flagInsideReply = 1 << 16 // the inside host is the responder
	// flagCarried is of packets of the forward direction, and the next bit of
	// replies: somebody else carries them, see Carry.
	flagCarried  = 1 << 17
	flagsCarried = flagCarried | flagCarried<<Reply
)

func (t *Table) record(number uint32) *record {
	return &t.blocks[number/blockRecords].Load().records[number%blockRecords]
}

func (t *Table) aside(number uint32) *aside {
	return &t.blocks[number/blockRecords].Load().asides[number%blockRecords]
}

// read fills hit from r, if r is in use and its key in the direction d is k.
func (r *record) read(k *Key, d Direction, hit *Hit) bool {
	head := atomic.LoadUint64(&r[wordHead])
	if head>>32&1 == 0 || uint16(head) != uint16(k.Proto)<<8|uint16(k.Table) {
		return false
	}
	mine := atomic.LoadUint64(&r[wordForward+d])
	if mine != uint64(k.Src)<<32|uint64(k.Dst) {
		return false
	}
	ports := atomic.LoadUint64(&r[wordPorts])
	mineAt := 32 - 32*d
	if uint32(ports>>mineAt) != uint32(k.SrcPort)<<16|uint32(k.DstPort) {
		return false
	}
	other := atomic.LoadUint64(&r[wordReply-d])
	user := atomic.LoadUint64(&r[wordUser])
	if (atomic.LoadUint64(&r[wordHead])^head)&^flagsCarried != 0 {
		return false
	}
	hit.Generation = uint32(head >> 32)
	hit.Rule, hit.Owner = uint32(user>>32), uint32(user)
	hit.Direction = d
	hit.Other.unpack(other, uint32(ports>>(32-mineAt)), head)
	return true
}

// unpacked is unpack as a function of values, which is slower.
func unpacked(addresses uint64, ports uint32, head uint64) (k Key) {
	k.unpack(addresses, ports, head)
	return k
}

// unpack fills k field by field: copying a key that was just written would wait
// for the writes.
func (k *Key) unpack(addresses uint64, ports uint32, head uint64) {
	k.Src, k.Dst = uint32(addresses>>32), uint32(addresses)
	k.SrcPort, k.DstPort = uint16(ports>>16), uint16(ports)
	k.Proto, k.Table = uint8(head>>8), uint8(head)
}

// write fills r, which is free, and puts it into use last.
func (r *record) write(forward, reply *Key, rule, owner uint32, insideReply bool, c conversation) {
	generation := uint32(atomic.LoadUint64(&r[wordHead])>>32) + 1
	next := uint64(generation)<<32 | uint64(forward.Proto)<<8 | uint64(forward.Table)
	if insideReply {
		next |= flagInsideReply
	}
	atomic.StoreUint64(&r[wordForward], uint64(forward.Src)<<32|uint64(forward.Dst))
	atomic.StoreUint64(&r[wordReply], uint64(reply.Src)<<32|uint64(reply.Dst))
	atomic.StoreUint64(&r[wordPorts], uint64(forward.SrcPort)<<48|uint64(forward.DstPort)<<32|uint64(reply.SrcPort)<<16|uint64(reply.DstPort))
	atomic.StoreUint64(&r[wordUser], uint64(rule)<<32|uint64(owner))
	atomic.StoreUint64(&r[wordTracks], uint64(c.tracks[0]))
	atomic.StoreUint64(&r[wordTracks+1], uint64(c.tracks[1]))
	atomic.StoreUint64(&r[wordCondition], uint64(c.with(generation)))
	atomic.StoreUint64(&r[wordHead], next)
}

// snapshot copies r. The caller holds the mutex, so only packets may change r
// meanwhile.
func (r *record) snapshot() *record {
	var c record
	for i := range c {
		c[i] = atomic.LoadUint64(&r[i])
	}
	return &c
}

// retire ends the use of r, and gives the head that it had.
func (r *record) retire() (head uint64) {
	head = atomic.LoadUint64(&r[wordHead])
	atomic.StoreUint64(&r[wordHead], (head>>32+1)<<32)
	atomic.StoreUint64(&r[wordCondition], 0)
	return head
}

// host is the inside host that the session in r counts for.
func (r *record) host() uint32 {
	if atomic.LoadUint64(&r[wordHead])&flagInsideReply != 0 {
		return uint32(atomic.LoadUint64(&r[wordReply]) >> 32)
	}
	return uint32(atomic.LoadUint64(&r[wordForward]) >> 32)
}

func (r *record) condition() condition { return condition(atomic.LoadUint64(&r[wordCondition])) }
func (r *record) proto() uint8         { return uint8(atomic.LoadUint64(&r[wordHead]) >> 8) }

// fresh reports whether the time of the last packet is recent enough not to be
// written again. One store for each tick is enough.
func (c condition) fresh(now Time) bool { return int32(now-c.seen()) < 1<<tickBits }

// used records a packet of another protocol than TCP.
func (r *record) used(hit *Hit, now Time, both bool) bool {
	head := atomic.LoadUint64(&r[wordHead])
	if uint32(head>>32) != hit.Generation {
		return false
	}
	inside := Direction(head >> 16 & 1)
	for {
		c := r.condition()
		if !c.bears(hit.Generation) {
			return false
		}
		next := c
		if (hit.Direction == inside || both) && !c.fresh(now) {
			next = c.at(now)
		}
		if hit.Direction == Reply {
			next = next.setSent(Reply)
		}
		if next == c || r.swap(c, next) {
			return true
		}
	}
}

// segment records a TCP packet. Two workers with the two directions of one
// connection may run it at once: the state is changed by compare and swap, and
// computed again if that fails. Sequence numbers that are lost in such a race
// are corrected by the direction's next packet. turned says that the connection
// has come to another phase.
func (r *record) segment(hit *Hit, s *Segment, now Time) (alive, turned bool) {
	for {
		c := conversation{condition: r.condition()}
		old := [2]uint64{atomic.LoadUint64(&r[wordTracks]), atomic.LoadUint64(&r[wordTracks+1])}
		head := atomic.LoadUint64(&r[wordHead])
		if uint32(head>>32) != hit.Generation || !c.bears(hit.Generation) {
			return false, false
		}
		c.tracks = [2]track{track(old[0]), track(old[1])}
		was := c.condition
		if head&flagsCarried != 0 {
			c.condition = c.missing(head)
		}
		if alive := c.step(hit.Direction, s); alive && (!was.fresh(now) || c.state() != was.state()) {
			c.condition = c.at(now)
		}
		if c.condition != was && !r.swap(was, c.condition) {
			continue
		}
		for d := range old {
			if uint64(c.tracks[d]) != old[d] {
				atomic.CompareAndSwapUint64(&r[wordTracks+d], old[d], uint64(c.tracks[d]))
			}
		}
		return true, c.state() != was.state() && c.state().phase() != was.state().phase()
	}
}

func (r *record) swap(old, next condition) bool {
	return atomic.CompareAndSwapUint64(&r[wordCondition], uint64(old), uint64(next))
}
