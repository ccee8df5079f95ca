package dataplane

import (
	"sync"

	"routerd/acl"
	"routerd/dataplane/port"
	"routerd/nat"
	"routerd/routing/fib"
)

// scratch is the memory of one run: the buffers that are read into, the packets
// in them, an arena for what the router makes itself, the lists of what goes
// out. Nothing in it outlives the run.
type scratch struct {
	frames  []port.Frame // read into; packets[i] lies in frames[i]
	packets []Packet

	work []*Packet // what the stages are looking at

	query *fib.Query // addresses that are looked up at once
	asked []*Packet  // whose they are
	table *fib.FIB   // in which

	made []Packet // the router's own packets of this run
	arena

	egress []egress

	translations []translation // of this run; nil until something is translated
	hashes       []uint64      // by which their sessions are looked for
	places       []uint32      // where new flows' mappings are looked for
	trackings    []tracking    // of this run; nil until something is filtered
	admissions   []admission   // of this run; nil until a rule has limits
	hits         []acl.Hit     // the rules that one packet matched
	question     acl.Packet    // what a list is asked of one packet
	asking       nat.Packet    // the same for translation, and what it answers
	leaves       nat.Translation

	punts  []Punt
	punted []*Packet // whose they are
}

// leastMade is the least room for packets that the router makes in a run: even
// a run without packets answers fragments that have timed out.
const leastMade = 16

// newScratch makes room for size frames at a time, and to read into them.
func newScratch(size int) scratch {
	m := newUnread(size)
	for i := range m.frames {
		m.frames[i].Buf = make([]byte, port.BufferSize)
	}
	return m
}

// newUnread makes room for size frames that put fills.
func newUnread(size int) scratch {
	return scratch{
		frames:  make([]port.Frame, size),
		packets: make([]Packet, size),
		work:    make([]*Packet, 0, 2*size),
		query:   new(fib.Query),
		asked:   make([]*Packet, 0, fib.QuerySize),
		made:    make([]Packet, 0, max(size, leastMade)),
		punts:   make([]Punt, 0, fewPunts),
		punted:  make([]*Packet, 0, fewPunts),
	}
}

// leastBuffer holds what most protocols send.
const leastBuffer = 2048

// put makes a frame that packet, unless it is empty or longer than any can be, which
// it reports. A buffer that is too small is exchanged for one that is not.
func put(f *port.Frame, packet []byte) bool {
	if len(packet) == 0 || len(packet) > port.MaxFrame {
		return false
	}
	if size := port.Headroom + len(packet); size > len(f.Buf) {
		f.Buf = make([]byte, (size+leastBuffer-1)/leastBuffer*leastBuffer)
	}
	f.Reset()
	f.End = f.Start + copy(f.Buf[f.Start:], packet)
	return true
}

// spare holds memory for whole batches, and arenas holds arenas, that no worker
// is using. The garbage collector frees what is not taken for a while.
var (
	spare  = sync.Pool{New: func() any { m := newScratch(BatchSize); return &m }}
	arenas = sync.Pool{New: func() any { return newArena() }}
)

// grow exchanges the memory of an idle worker's batch for that of size frames.
// It returns the old memory, for shrink. Call it between two runs.
func (b *Batch) grow(size int) *scratch {
	var large *scratch
	if size == BatchSize {
		large = spare.Get().(*scratch)
	} else {
		m := newScratch(size)
		large = &m
	}
	b.leave()
	b.scratch, *large = *large, b.scratch
	b.n = 0
	return large
}

// shrink undoes grow.
func (b *Batch) shrink(large *scratch) {
	b.leave()
	b.scratch, *large = *large, b.scratch
	b.n = 0
	if len(large.frames) == BatchSize {
		spare.Put(large)
	}
}

// arena is the memory for what one batch makes: ICMP errors, large replies,
// fragments, segments. It is given out from the front and taken back whole.
type arena struct {
	pieces *pieces // nil until something is made
	used   int
	taken  int
}

// pieces is what an arena gives out.
type pieces struct {
	buf    []byte
	frames []port.Frame
}

func newArena() *pieces {
	return &pieces{buf: make([]byte, arenaBytes), frames: make([]port.Frame, arenaFrames)}
}

// A batch holds at most a read budget of about 256 KiB plus one super-packet,
// which fits even if it is segmented into the smallest usual pieces. What does
// not fit gets the verdict NoBuffer.
const (
	arenaBytes  = 1 << 20
	arenaFrames = 4096
)

// take gives an empty frame with headroom and room for size bytes, or nil.
func (a *arena) take(size int) *port.Frame {
	if a.pieces == nil { // many batches never make anything
		a.pieces = arenas.Get().(*pieces)
	}
	need := port.Headroom + size
	if a.taken == len(a.pieces.frames) || a.used+need > len(a.pieces.buf) {
		return nil
	}
	f := &a.pieces.frames[a.taken]
	a.taken++
	f.Buf = a.pieces.buf[a.used : a.used+need : a.used+need]
	a.used += need
	f.Reset()
	return f
}

// leave gives the arena's memory back. Call it between two runs.
func (a *arena) leave() {
	if a.pieces != nil {
		arenas.Put(a.pieces)
		a.pieces = nil
	}
}

// mark and release give back what was taken in between, when cutting fails
// halfway.
func (a *arena) mark() (used, taken int) { return a.used, a.taken }
func (a *arena) release(used, taken int) { a.used, a.taken = used, taken }
