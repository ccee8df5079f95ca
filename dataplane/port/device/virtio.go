package device

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/internal/packet"
)

// HeaderLen is the length of the virtio-net header that the kernel puts
// in front of every frame, and wants there, on a descriptor with IFF_VNET_HDR.
//
//	 0        1         2         4          6            8             10
//	+--------+---------+---------+----------+------------+-------------+
//	| flags  | gso_type| hdr_len | gso_size | csum_start | csum_offset |
//	+--------+---------+---------+----------+------------+-------------+
//
// The fields are in the machine's own byte order (Virtio 1.2 §5.1.6.1, the
// legacy interface), because TUNSETVNETLE is not set.
const HeaderLen = 10

var native = binary.NativeEndian

// DecodeHeader reads the virtio-net header h of frame. It refuses a header
// whose offsets lie outside the frame, and kinds of super-packet that were not
// asked for. The kernel should send neither, but the users of an Offload index
// the frame by it without checking.
func DecodeHeader(h *[HeaderLen]byte, frame []byte) (off port.Offload, ok bool) {
	flags, gso := h[0], h[1]
	if flags|gso == 0 {
		return port.Offload{}, true
	}
	off.ChecksumValid = flags&unix.VIRTIO_NET_HDR_F_DATA_VALID != 0
	if flags&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
		off.NeedsChecksum = true
		off.ChecksumStart = native.Uint16(h[6:])
		off.ChecksumOffset = native.Uint16(h[8:])
		if int(off.ChecksumStart)+int(off.ChecksumOffset)+2 > len(frame) {
			return port.Offload{}, false
		}
	}
	off.GSO = port.GSOType(gso &^ unix.VIRTIO_NET_HDR_GSO_ECN)
	switch off.GSO {
	case port.GSONone:
		return off, true
	case port.GSOTCPv4, port.GSOTCPv6, port.GSOUDPL4:
	default:
		return port.Offload{}, false
	}
	off.ECN = gso&unix.VIRTIO_NET_HDR_GSO_ECN != 0
	off.SegmentSize = native.Uint16(h[4:])
	if off.SegmentSize == 0 {
		return port.Offload{}, false
	}
	off.HeaderLength = native.Uint16(h[2:])
	if off.NeedsChecksum {
		// The kernel's hdr_len is a hint, and on packets that it forwards it
		// may be the length of the whole first buffer.
		off.HeaderLength = headerLength(&off, frame)
	}
	if off.HeaderLength == 0 || int(off.HeaderLength) > len(frame) {
		return port.Offload{}, false
	}
	return off, true
}

// EncodeHeader writes the virtio-net header for frame, the first part of what
// off describes. DATA_VALID is never written: it is for receiving only
// (Virtio 1.2 §5.1.6.2).
func EncodeHeader(h *[HeaderLen]byte, off *port.Offload, frame []byte) {
	*h = [HeaderLen]byte{}
	if off.NeedsChecksum {
		h[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
		native.PutUint16(h[6:], off.ChecksumStart)
		native.PutUint16(h[8:], off.ChecksumOffset)
	}
	if off.GSO == port.GSONone {
		return
	}
	h[1] = byte(off.GSO)
	if off.ECN {
		h[1] |= unix.VIRTIO_NET_HDR_GSO_ECN
	}
	// The headers may have changed since the frame was read, so hdr_len is
	// read off them; the kernel copies that much into the linear part of its
	// buffer and refuses a length beyond the frame.
	n := headerLength(off, frame)
	if n == 0 {
		n = uint16(min(int(off.HeaderLength), len(frame)))
	}
	native.PutUint16(h[2:], n)
	native.PutUint16(h[4:], off.SegmentSize)
}

// headerLength is where the transport payload of a super-packet begins, from
// the transport header at ChecksumStart; 0 where there is none.
func headerLength(off *port.Offload, frame []byte) uint16 {
	start := int(off.ChecksumStart)
	if !off.NeedsChecksum || start > len(frame) {
		return 0
	}
	var n int
	if off.GSO == port.GSOUDPL4 {
		n = packet.UDPHeader
	} else if t := packet.TCP(frame[start:]); t.Valid() {
		n = t.HeaderLen()
	}
	if n == 0 || start+n > len(frame) || start+n > 0xffff {
		return 0
	}
	return uint16(start + n)
}
