package offload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Key says which packets belong to a flow: those that come in by a device, of
// one protocol, between two ends.
type Key struct {
	Ingress  int            // index of the device
	Proto    uint8          // packet.ProtoTCP or packet.ProtoUDP
	Src, Dst netip.AddrPort // as the packets come in; both of one family
}

// Decision is what becomes of the packets of a flow.
type Decision struct {
	// Src and Dst are the ends as the packets leave. Those of an IPv6 packet
	// are as they came: nothing translates them.
	Src, Dst netip.AddrPort
	Station  [6]byte // the link address that a frame must be for, the router's own
	From, To [6]byte // link addresses of the frame that leaves
	Egress   int     // index of the device
	// Peer hands the packet to the other end of Egress, a veth whose other end
	// is in another namespace of this machine and up, as if it had arrived
	// there: neither the queue nor the counters of Egress see it. To must be
	// the address of that other end.
	Peer bool
	MTU  int // of Egress: the most bytes of a packet, or of each segment of a super-packet
}

// Counters is what a flow's packets came to.
type Counters struct {
	Frames  uint64
	Packets uint64 // those that super-packets carry count each
	Bytes   uint64 // of the frames that left, with their link headers; a super-packet is one frame
	Supers  uint64 // super-packets
	// Last is when the latest packet came, in ns of CLOCK_MONOTONIC, as exact as
	// a tick of the kernel; 0 before the first.
	Last int64
}

// maxCauses is how many causes can end an entry.
const maxCauses = 4

// entry is a flow as the programs see it. They read it by these fields' offsets.
type entry struct {
	epochs [maxCauses]uint32 // each must be that of its cause
	causes [maxCauses]uint32
	live   uint32 // 0: nothing is carried by it
	flags  uint32
	mtu    uint32
	egress uint32
	_      uint16
	own    [6]byte // here and below so that words lie at multiples of 4
	_      uint16
	links  [12]byte // destination and source, as in a frame
	_      uint16
	// The following three are, in this order, as in a packet.
	src, dst uint32
	ports    uint32
	// Sums of ~m + m' over what changes from m to m' (RFC 1624 §3, eqn. 3): of
	// the IPv4 header with its TTL, of the addresses alone, of the ports.
	header, addresses, portsum uint32

	// awaits is the number of the latest packet of the flow that a socket got: the
	// next ones are carried once that is finished (hand.go).
	awaits uint64

	frames, bytes, supers uint64
	more                  uint64 // packets than frames, which super-packets carry
	last                  uint64
}

const entrySize = unsafe.Sizeof(entry{})

// Flags of an entry.
const (
	flagPeer      = 1 << iota
	flagTranslate // addresses or ports change
	flagPorts     // ports change
	flagUDP
)

// The keys of the two tables of flows. What lies together in a packet lies
// together here.
type key4 struct {
	src, dst [4]byte
	ports    [4]byte
	ingress  uint32
	proto    uint32
}

type key6 struct {
	src, dst [16]byte
	ports    [4]byte
	ingress  uint32
	proto    uint32
}

// check reports what is wrong with an entry to be made.
func check(k *Key, d *Decision) error {
	four := k.Src.Addr().Is4()
	switch {
	case k.Proto != unix.IPPROTO_TCP && k.Proto != unix.IPPROTO_UDP:
		return fmt.Errorf("protocol %d: %d (TCP) or %d (UDP) is wanted", k.Proto, unix.IPPROTO_TCP, unix.IPPROTO_UDP)
	case !k.Src.IsValid() || !k.Dst.IsValid() || !d.Src.IsValid() || !d.Dst.IsValid():
		return errors.New("an end without an address: four are wanted")
	case k.Dst.Addr().Is4() != four || d.Src.Addr().Is4() != four || d.Dst.Addr().Is4() != four:
		return errors.New("ends of both families: one is wanted")
	case !four && (d.Src != k.Src || d.Dst != k.Dst):
		return fmt.Errorf("IPv6 from %s to %s, translated: only IPv4 is", k.Src, k.Dst)
	case d.MTU <= 0 || d.MTU > 65535:
		return fmt.Errorf("MTU %d: 1 to 65535 is wanted", d.MTU)
	}
	return nil
}

// marshal gives the key as the tables have it.
func (k *Key) marshal() any {
	if !k.Src.Addr().Is4() {
		return &key6{k.Src.Addr().As16(), k.Dst.Addr().As16(), portsOf(k.Src, k.Dst), uint32(k.Ingress), uint32(k.Proto)}
	}
	return &key4{k.Src.Addr().As4(), k.Dst.Addr().As4(), portsOf(k.Src, k.Dst), uint32(k.Ingress), uint32(k.Proto)}
}

// fill writes all of e but live and the counters.
func (e *entry) fill(k *Key, d *Decision) {
	e.flags, e.mtu, e.egress, e.own = 0, uint32(d.MTU), uint32(d.Egress), d.Station
	copy(e.links[:6], d.To[:])
	copy(e.links[6:], d.From[:])
	if d.Peer {
		e.flags |= flagPeer
	}
	if k.Proto == unix.IPPROTO_UDP {
		e.flags |= flagUDP
	}
	e.header = ttlSum()
	if !k.Src.Addr().Is4() {
		return
	}
	src, dst, ports := d.Src.Addr().As4(), d.Dst.Addr().As4(), portsOf(d.Src, d.Dst)
	e.src, e.dst, e.ports = word(src), word(dst), word(ports)
	if d.Src == k.Src && d.Dst == k.Dst {
		return
	}
	e.flags |= flagTranslate
	e.addresses = add(change(k.Src.Addr().As4(), src), change(k.Dst.Addr().As4(), dst))
	e.header = add(e.header, e.addresses)
	if before := portsOf(k.Src, k.Dst); before != ports {
		e.flags |= flagPorts
		e.portsum = change(before, ports)
	}
}

// portsOf is the beginning of a transport header.
func portsOf(src, dst netip.AddrPort) (b [4]byte) {
	binary.BigEndian.PutUint16(b[:], src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	return b
}

// word is b as the machine loads it. Sums of such words, once folded, are as of
// those in network order (RFC 1071 §2 (B)).
func word(b [4]byte) uint32 { return binary.NativeEndian.Uint32(b[:]) }

// change is ~m + m'.
func change(m, to [4]byte) uint32 { return add(^word(m), word(to)) }

// add is the sum with the carry added at the end.
func add(a, b uint32) uint32 {
	s := uint64(a) + uint64(b)
	return uint32(s>>32 + s&0xffffffff)
}

// ttlSum is ~m + m' of the word of TTL and protocol when the TTL is lowered by
// one: 0xffff - 0x0100, in the order of bytes that word has.
func ttlSum() uint32 { return uint32(binary.NativeEndian.Uint16([]byte{0xfe, 0xff})) }
