package dataplane

import (
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/internal/bucket"
	"routerd/internal/packet"
	"routerd/internal/siphash"
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
	carried  uint16 // packets that it stands for as it arrived: more than one in a super-packet
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

// Batch is the packets of one run through the stages, the memory that the run
// needs, and what has to be remembered from one run to the next. It belongs to
// one worker and is reused for ever.
type Batch struct {
	scratch
	n int

	counters *Counters
	limits   Limits // what errors and held were made for
	errors   [numErrorClasses]bucket.Bucket
	police   [numStackClasses]bucket.Bucket
	now      time.Time // of the run, for deliver
	held     *reassembly.Table
	// Stream tells this batch from the router's others, whose fragments may go
	// to the same host at the same time. It is to be set before the first run.
	Stream uint32
	ident  uint32 // fragmented packets of our own so far
	secret *siphash.Key

	flowNow flow.Time
	dry     bool // translation is only asked what it would do

	drops  *DropRing
	punter Punter // nil where nobody takes punts
	trace  func(*stage, *View, *Packet)
}

// NewBatch makes a batch for size frames at a time. Drops may be nil. The
// counters are written by this batch alone.
func NewBatch(size int, counters *Counters, drops *DropRing) *Batch {
	return &Batch{
		scratch:  newScratch(size),
		held:     reassembly.New(reassembly.Config{}),
		counters: counters,
		drops:    drops,
	}
}

// Frames is where a Queue reads to before Received is called.
func (b *Batch) Frames() []port.Frame { return b.frames }

// Received says that the first n frames hold packets that came in by the
// interface in.
func (b *Batch) Received(n int, in routing.InterfaceID) {
	b.n = n
	for i := range b.packets[:n] {
		p, f := &b.packets[i], &b.frames[i]
		// Field by field: with all in the literal, the packet is made elsewhere and
		// copied, which takes twice the time.
		*p = Packet{}
		p.Frame, p.In, p.Out, p.l3, p.carried = f, in, routing.NoInterface, f.Start, 1
		if f.Offload.GSO != port.GSONone {
			p.carried = carried(f)
		}
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
		Frame: f, Family: family, Made: true, ownHops: true, In: in, Out: routing.NoInterface, l3: f.Start, carried: 1,
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
