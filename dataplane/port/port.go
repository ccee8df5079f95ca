// Package port moves frames between the kernel and the dataplane in batches.
//
// A Port is the router's end of one device; a Queue is one descriptor of it,
// read by exactly one worker and written by any. A port knows nothing of
// addresses or routes: those belong to its interface.
//
// Super-packets pass through whole: a frame may be up to 64 KiB long and
// carries an Offload that says how to segment its transport payload.
package port

import (
	"errors"
	"sync/atomic"
	"time"
)

// Sizes of a frame's buffer.
const (
	// Headroom is kept free in front of every received frame, for the
	// virtio-net header and for a link header that a later egress adds.
	Headroom = 64
	// MaxFrame is the longest frame a port hands over or takes.
	MaxFrame = 65535 + 18
	// BufferSize is the length that Frame.Buf has to have for Read.
	BufferSize = Headroom + MaxFrame
)

// GSOType says how a super-packet is cut into segments.
type GSOType uint8

// The values are those of VIRTIO_NET_HDR_GSO_*.
const (
	GSONone  GSOType = 0
	GSOTCPv4 GSOType = 1
	GSOTCPv6 GSOType = 4
	GSOUDPL4 GSOType = 5
)

// Offload is what the virtio-net header says about a frame. Offsets count
// from the start of the frame, in bytes.
type Offload struct {
	// NeedsChecksum: the transport checksum at ChecksumStart+ChecksumOffset
	// holds only the pseudo-header's sum, uncomplemented; it is completed when
	// the frame is put on a wire.
	NeedsChecksum bool
	// ChecksumValid: the sender vouches for the transport checksum
	// (VIRTIO_NET_HDR_F_DATA_VALID). Set on receive only.
	ChecksumValid  bool
	GSO            GSOType
	ECN            bool   // VIRTIO_NET_HDR_GSO_ECN
	HeaderLength   uint16 // link + IP + transport header, a hint
	SegmentSize    uint16 // transport payload per segment; 0 without GSO
	ChecksumStart  uint16
	ChecksumOffset uint16
}

// Frame is one frame in a buffer. The buffer belongs to the batch that owns
// the frame and is valid until the batch is read into again; a Queue never
// keeps it past the call.
type Frame struct {
	Buf        []byte
	Start, End int // the frame is Buf[Start:End]
	Offload    Offload
	// Next chains frames that were coalesced into this one. Write appends
	// Buf[Start:End] of each, where Start has been moved past its headers. Nil
	// on receive.
	Next *Frame
	// Failed is set by Write on a frame that the device did not take.
	Failed bool
	// HasVLAN: the device took an 802.1Q tag out of the frame, and VLAN is its
	// control information (priority, DEI and the VLAN's number, as on the
	// wire); the frame is then not of the port's own network. Set on receive
	// only. A tag that is still in the frame is not reported here: it is the
	// frame's ethertype.
	HasVLAN bool
	VLAN    uint16
}

// Bytes is the frame itself, without whatever is chained to it.
func (f *Frame) Bytes() []byte { return f.Buf[f.Start:f.End] }

// Len is the length of the frame without whatever is chained to it.
func (f *Frame) Len() int { return f.End - f.Start }

// Reset empties the frame for the next read.
func (f *Frame) Reset() {
	f.Start, f.End = Headroom, Headroom
	f.Offload = Offload{}
	f.Next = nil
	f.Failed = false
	f.HasVLAN, f.VLAN = false, 0
}

// Offloads is the set of offloads that a port takes.
type Offloads uint8

const (
	OffloadChecksum Offloads = 1 << iota // frames with NeedsChecksum
	OffloadTCP4                          // GSOTCPv4
	OffloadTCP6                          // GSOTCPv6
	OffloadUDP                           // GSOUDPL4, both families
)

// OffloadAll is every offload there is.
const OffloadAll = OffloadChecksum | OffloadTCP4 | OffloadTCP6 | OffloadUDP

// Has reports whether every offload in want is in o.
func (o Offloads) Has(want Offloads) bool { return o&want == want }

// Takes reports whether a frame described by off can be written as it is.
func (o Offloads) Takes(off Offload) bool {
	if off.NeedsChecksum && !o.Has(OffloadChecksum) {
		return false
	}
	switch off.GSO {
	case GSOTCPv4:
		return o.Has(OffloadTCP4)
	case GSOTCPv6:
		return o.Has(OffloadTCP6)
	case GSOUDPL4:
		return o.Has(OffloadUDP)
	}
	return true
}

// ErrClosed is what Read and Write return once their port is closed.
var ErrClosed = errors.New("port is closed")

// ErrTimeout is what Read returns when its deadline passes with nothing read.
var ErrTimeout = errors.New("no frame before the deadline")

// Queue is one descriptor of a port. One goroutine reads at a time; writes
// may come from several at once.
type Queue interface {
	// Read waits for at least one frame and returns as many as are there
	// without waiting again, up to len(frames) and a byte budget that keeps
	// a batch of super-packets inside the cache. It resets every frame that it fills.
	// Whoever calls it again has written what became of the frames before.
	// It allocates nothing. ErrClosed after Close, ErrTimeout after the deadline.
	Read(frames []Frame) (int, error)
	// Write sends the frames in order, each with what is chained to it, and
	// returns how many the device took; the others have Failed set. It may
	// scribble over the Headroom bytes in front of a frame. It does not wait
	// for a slow device: if the device is full the frame fails. It allocates
	// nothing.
	Write(frames []*Frame) (int, error)
	// SetReadDeadline makes a waiting Read, and every later one, return
	// ErrTimeout at t; the zero time means never.
	SetReadDeadline(t time.Time) error
}

// Event is a change of the device below a port.
type Event struct {
	Up   bool
	MTU  int // bytes of a network-layer packet
	Gone bool
}

// Port is the router's end of one device.
type Port interface {
	// Name is the name of the interface that the port serves.
	Name() string
	// Kind is the configuration's word: "tun", "tap", "veth", "packet", "memory".
	Kind() string
	Queues() []Queue
	// LinkHeader is the length of the link header in front of each packet:
	// 0 on a TUN, 14 on Ethernet.
	LinkHeader() int
	// Offloads says what Write takes whole.
	Offloads() Offloads
	// MTU and Up are the state when the port was opened; Events carries what
	// changes afterwards, latest state only, and is closed by Close.
	MTU() int
	Up() bool
	Events() <-chan Event
	// Close releases the device and wakes every reader. It is safe to call
	// more than once.
	Close() error
}

// Ethernet is a Port with a link header of 14: its frames begin with
// destination, source and ethertype. Read returns what the device receives,
// which may include frames for other stations.
type Ethernet interface {
	Port
	// HardwareAddr is the router's own address on the link.
	HardwareAddr() [6]byte
	// Join makes the device receive a multicast group, Leave no longer. A
	// group joined twice has to be left twice.
	Join(group [6]byte) error
	Leave(group [6]byte) error
}

// Carriable is a port on a device of the kernel, by which a flow cache can carry
// packets past the port. Its methods may be called from any goroutine.
type Carriable interface {
	Ethernet
	// Carry has the cache carry packets that come in by the device, from when it
	// returns. The error says in plain words why it cannot be; then the port works
	// as before. Close ends it, without a packet lost.
	Carry(FlowCache) error
	// Uncarry ends it: when it returns, nothing that comes in is carried any more,
	// and nothing is lost. Without a cache it does nothing.
	Uncarry() error
	// Check finds out whether everything is as Carry left it, and looks at the
	// device and its other end anew. Call it each second: where somebody else has
	// detached the cache from the device, or has attached something beside it,
	// packets may be lost until the next Check, which does what Uncarry does and
	// says in plain words why. Nil without a cache.
	Check() error
	// Carried is what entries of the cache have to know of the device, as it was
	// seen last. After each change that the port sees by itself Events reports the
	// state once more. False without a cache.
	Carried() (Carried, bool)
}

// Carried is a device that a flow cache is attached to.
type Carried struct {
	Device int // its index in the namespace
	// Peer: packets may be handed to the other end at once, past the queue of the
	// device: it is a veth whose other end is in another namespace of this
	// machine, is up, and has nothing that would see them pass only by the queue.
	Peer    bool
	PeerMAC [6]byte // with Peer: the link address of the other end
}

// FlowCache is what carries packets of decided flows in the kernel.
type FlowCache interface {
	// Attach attaches it to a device, which has this index in the namespace of the
	// calling thread. Nothing is carried before a socket has the judge.
	Attach(device string, index int) (Attachment, error)
}

// Attachment is a device that a FlowCache is attached to. One goroutine at a time
// calls its methods.
type Attachment interface {
	// Judge has a packet socket of the device get only what is not carried. All
	// sockets that the device's packets are shared among need it, and no other one.
	// Its reader has to follow the HandOver, or nothing is ever carried.
	Judge(socket int) (*HandOver, error)
	// Release has a socket get everything again. When it returns, no packet is on
	// its way that was kept from the socket.
	Release(socket int) error
	// Check finds out, on a thread in the device's namespace, whether the cache is
	// attached still, and alone, and whether a program at the device's egress
	// watches what leaves by its queue.
	Check() (watched bool, err error)
	// Close ends the attachment. All sockets have to be closed or released before:
	// what is kept from one would be lost.
	Close() error
}

// HandOver is how the reader of a socket tells a FlowCache how far it is, so that
// no packet that is carried overtakes one of its flow in the socket or in user
// space. Both numbers are in memory that the kernel has too.
type HandOver struct {
	Passed *atomic.Uint64 // the highest number of a packet that is in the socket, or was
	// Finished is the highest number up to which all packets have been read, and
	// what became of them has been written: the reader stores what it once has
	// loaded of Passed.
	Finished *atomic.Uint64
	Memory   any // what both are in, which is there while this refers to it
}

// Rated is a Port whose device may say how fast its link is.
type Rated interface {
	Port
	// Speed is in bits a second, 0 where the device does not say. It is asked anew
	// each time: with the carrier it may change.
	Speed() uint64
}
