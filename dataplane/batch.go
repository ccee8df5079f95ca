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

// Packet is what the stages know of one packet. The bytes stay where the port
// put them; a stage fills in what it found out and, where it decides the
// packet's fate, the Verdict. Later stages skip a packet that has a Verdict.
type Packet struct {
	Frame   *port.Frame
	Verdict verdict.Verdict
	Family  uint8 // 4 or 6; 0 until validated
	Proto   uint8 // upper-layer protocol, behind any extension headers
	// Made is set on a packet that the router itself made: it skips the checks
	// for packets that come in by a port, and provokes no ICMP error.
	Made     bool
	Fragment bool
	// ownHops is set on a packet whose hop count the router does not lower: one
	// that it made, and one from or to its TCP/IP stack.
	ownHops  bool
	stack    stackSide
	cut      cut
	answer   Answer
	linked   bool   // the link header is still in front: l3 is that of the frame
	group    bool   // the frame was for a group of stations, or all
	quiet    bool   // no ICMP error, whatever the verdict
	inRow    bool   // it follows another packet of its flow, see row
	joined   bool   // it arrived as a fragment, or was reassembled
	code     uint8  // ICMP code, if the verdict alone does not give it
	l3       int    // offset of the IP header in Frame.Buf
	l4       int    // offset of the upper-layer header from the IP header
	detail   uint32 // for the ICMP error: the MTU, or the pointer of a parameter problem
	pieces   int    // frames it became on the way out
	mac      arp.MAC
	In, Out  routing.InterfaceID
	Src, Dst netip.Addr
	Way      *fib.Way // by the route to Dst
	Hop      *fib.NextHop
	source   *fib.Way // what urpf found for the source
	nat      *translation
	track    *tracking // nil where nothing is filtered, of what is never filtered, and of most packets of sessions
	mss      uint16    // TCP's segment size as it arrived, if mss lowered it; else 0
	piece    uint16    // length of the longest fragment that it arrived in; 0 = it arrived whole
	carried  uint16    // packets that it carries as it arrived: more than one if it is a super-packet
}

// cut says what has to be done to a packet before its egress port takes it.
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
// needs, and what is kept from one run to the next. It belongs to one worker,
// which reuses it.
type Batch struct {
	scratch
	n int

	counters *Counters
	limits   Limits // those that errors, police and held were made from
	errors   [numErrorClasses]bucket.Bucket
	police   [numStackClasses]bucket.Bucket
	now      time.Time // of the run, for deliver
	held     *reassembly.Table
	// Stream differs between the batches of a router: their fragments may go to
	// the same host at the same time. Set it before the first run.
	Stream uint32
	ident  uint32 // fragmented packets of our own so far
	secret siphash.Key

	flowNow   flow.Time
	filtering bool // the filter's lists are asked about some packet of the run
	dry       bool // address translation is only asked what it would do

	drops  *DropRing
	logger logger
	punter Punter // nil: nobody takes punts
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

// NewUnread makes a batch for up to size packets that come from no Queue, as those of
// SendOwn, Release and Refuse do. Its frames are as large as what was in them, so that
// the many batches of a router that send little need little memory.
func NewUnread(size int, counters *Counters, drops *DropRing) *Batch {
	return &Batch{
		scratch:  newUnread(size),
		held:     reassembly.New(reassembly.Config{}),
		counters: counters,
		drops:    drops,
	}
}

// Frames is where a Queue reads to before Received is called.
func (b *Batch) Frames() []port.Frame { return b.frames }

// Received has the batch take the first n frames as packets that came in by the
// interface in.
func (b *Batch) Received(n int, in routing.InterfaceID) {
	b.n = n
	for i := range b.packets[:n] {
		p, f := &b.packets[i], &b.frames[i]
		// Field by field: from one literal the compiler makes the packet on the
		// stack and copies it, which takes twice the time.
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

// originate adds a packet that the router made, which leaves towards the
// destination in its header; in is the interface whose packet it answers. It
// returns nil if there is no room left for one.
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
