package dataplane

import (
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// BatchSize is the number of frames a worker reads at once, at most.
const BatchSize = 128

// Packet is what the stages know of one packet. The bytes stay where the
// port put them; a stage fills in what it found out and, where it decides the
// packet's fate, the Verdict. A packet with a Verdict is passed over by the
// stages that follow.
type Packet struct {
	Frame   *port.Frame
	Verdict verdict.Verdict
	Family  uint8 // 4 or 6; 0 until validated
	Proto   uint8 // upper-layer protocol, behind any extension headers
	// Made is set on a packet of the router's own: it skips the checks that
	// only what comes in by a port has to pass, and provokes no ICMP error.
	Made     bool
	Fragment bool
	// ownHops is set on a packet whose hop count is not the router's to
	// lower: its own, and what its TCP/IP stack sent or is to get.
	ownHops  bool
	stack    stackSide
	cut      cut
	answer   Answer
	linked   bool   // the link header is still in front: l3 is that of the frame
	group    bool   // the frame was for a group of stations, or all
	quiet    bool   // no ICMP error, whatever the verdict
	joined   bool   // it arrived in fragments, or as one
	code     uint8  // ICMP code, where the verdict alone does not tell
	l3       int    // offset of the IP header in Frame.Buf
	l4       int    // offset of the upper-layer header from the IP header
	detail   uint32 // MTU of a packet too big, pointer of a parameter problem
	pieces   int    // frames it became on the way out
	mac      arp.MAC
	In, Out  routing.InterfaceID
	Src, Dst netip.Addr
	Entry    *fib.Entry
	Hop      *fib.NextHop
	source   *fib.Entry // what urpf found for the source
	nat      *translation
	mss      uint16 // as it arrived, where it was lowered; else 0
	piece    uint16 // length of the longest fragment that it arrived in; 0 = it arrived whole
}

// cut says what has to be done to a packet before its way out takes it.
type cut uint8

const (
	cutSegment  cut = 1 << iota // a super-packet for a port that takes none
	cutFragment                 // larger than the MTU and allowed to be cut
	cutChecksum                 // a partial checksum for a port that completes none
)

// ip is the packet from its IP header on.
func (p *Packet) ip() []byte { return p.Frame.Buf[p.l3:p.Frame.End] }

func (p *Packet) ip4() packet.IPv4 { return packet.IPv4(p.ip()) }
func (p *Packet) ip6() packet.IPv6 { return packet.IPv6(p.ip()) }

func (p *Packet) drop(v verdict.Verdict) { p.Verdict = v }

// Batch is the packets of one run through the stages and all memory that the
// run needs: the buffers that are read into, an arena for what the router
// makes itself, the lists of what goes out. It belongs to one worker and is
// reused for ever.
type Batch struct {
	frames  []port.Frame // read into; packets[i] lies in frames[i]
	packets []Packet
	n       int

	work []*Packet // what the stages are looking at
	made []Packet  // the router's own packets of this run
	arena

	egress   []egress
	counters *Counters
	limits   Limits // what errors and held were made for
	errors   [numErrorClasses]icmp.Limiter
	police   [numStackClasses]icmp.Limiter
	now      time.Time // of the run, for deliver
	held     *reassembly.Table
	ident    uint32 // last identification given to a fragmented packet of our own

	translations []translation // of this run; nil until something is translated
	hashes       []uint64      // by which their sessions are looked for
	places       []uint32      // where new flows' mappings are looked for
	flowNow      flow.Time
	dry          bool // translation is only asked what it would do

	drops  *DropRing
	punter Punter // nil where nobody takes punts
	punts  []Punt
	punted []*Packet // whose they are
	trace  func(*stage, *View, *Packet)
}

// NewBatch makes a batch for size frames at a time. Drops may be nil. The
// counters are written by this batch alone.
func NewBatch(size int, counters *Counters, drops *DropRing) *Batch {
	b := &Batch{
		frames:   make([]port.Frame, size),
		packets:  make([]Packet, size),
		work:     make([]*Packet, 0, 2*size),
		made:     make([]Packet, 0, size),
		held:     reassembly.New(reassembly.Config{}),
		counters: counters,
		punts:    make([]Punt, 0, fewPunts),
		punted:   make([]*Packet, 0, fewPunts),
		drops:    drops,
	}
	for i := range b.frames {
		b.frames[i].Buf = make([]byte, port.BufferSize)
	}
	return b
}

// Frames is where a Queue reads to before Received is called.
func (b *Batch) Frames() []port.Frame { return b.frames }

// Received says that the first n frames hold packets that came in by the
// interface in.
func (b *Batch) Received(n int, in routing.InterfaceID) {
	b.n = n
	for i := range b.packets[:n] {
		b.packets[i] = Packet{Frame: &b.frames[i], In: in, Out: routing.NoInterface, l3: b.frames[i].Start}
	}
}

// Packets is what was received, with the verdicts once Process is through.
func (b *Batch) Packets() []Packet { return b.packets[:b.n] }

// Made is what the router itself made during Process.
func (b *Batch) Made() []Packet { return b.made }

// originate adds a packet of the router's own that is to leave towards the
// destination in its header; in is the interface whose packet it answers. It
// returns nil when there is no room left for one.
func (b *Batch) originate(f *port.Frame, family uint8, in routing.InterfaceID) *Packet {
	if f == nil || len(b.made) == cap(b.made) {
		return nil
	}
	b.made = append(b.made, Packet{
		Frame: f, Family: family, Made: true, ownHops: true, In: in, Out: routing.NoInterface, l3: f.Start,
	})
	p := &b.made[len(b.made)-1]
	if family == 4 {
		ip := p.ip4()
		p.Src, p.Dst, p.Proto, p.l4 = ip.Src(), ip.Dst(), ip.Protocol(), ip.HeaderLen()
	} else {
		ip := p.ip6()
		p.Src, p.Dst, p.Proto, p.l4 = ip.Src(), ip.Dst(), ip.NextHeader(), packet.IPv6Header
	}
	return p
}

// arena is the memory for what one batch makes: ICMP errors, large replies,
// fragments, segments. It is given out from the front and taken back whole.
type arena struct {
	buf    []byte
	used   int
	frames []port.Frame
	taken  int
}

// A batch holds at most a read budget of about 256 KiB plus one super-packet;
// cut to the smallest usual pieces that still fits. What does not is a
// NoBuffer verdict.
const (
	arenaBytes  = 1 << 20
	arenaFrames = 4096
)

// take gives an empty frame with headroom and room for size bytes, or nil.
func (a *arena) take(size int) *port.Frame {
	if a.buf == nil { // many a batch never makes anything
		a.buf = make([]byte, arenaBytes)
		a.frames = make([]port.Frame, arenaFrames)
	}
	need := port.Headroom + size
	if a.taken == len(a.frames) || a.used+need > len(a.buf) {
		return nil
	}
	f := &a.frames[a.taken]
	a.taken++
	f.Buf = a.buf[a.used : a.used+need : a.used+need]
	a.used += need
	f.Reset()
	return f
}

// mark and release give back what was taken since, when a cut fails halfway.
func (a *arena) mark() (used, taken int) { return a.used, a.taken }
func (a *arena) release(used, taken int) { a.used, a.taken = used, taken }
