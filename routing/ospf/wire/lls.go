package wire

import (
	"crypto/hmac"
	"encoding/binary"

	"routerd/internal/packet"
)

// LLS is the block of link-local signalling that may follow a Hello or a
// Description (RFC 5613 §2.2).
//
//	+-------------------------------+-------------------------------+
//	|         checksum (2)          |     length in 4 octets (2)    |
//	+-------------------------------+-------------------------------+
//	~                             TLVs                              ~
//	+---------------------------------------------------------------+
type LLS struct {
	Present bool
	// TLVs are the block's without its authentication, each filled up to four
	// octets.
	TLVs []byte
}

const (
	llsHeader = 4
	tlvHeader = 4

	tlvOptions = 1 // RFC 5613 §2.4
	tlvAuth    = 2 // RFC 5613 §2.5
)

// Bits of the extended options (RFC 5613 §3).
const (
	ExtendedResync  = 0x00000001 // RFC 4811
	ExtendedRestart = 0x00000002 // RFC 4812
	ExtendedStrict  = 0x00000010 // RFC 9355: B, BFD has to be up first
)

// ExtendedOptions gives the extended options, if the block has any.
func (l *LLS) ExtendedOptions() (bits uint32, ok bool) {
	for b := l.TLVs; len(b) >= tlvHeader; {
		kind, n := tlv(b)
		if n < 0 {
			break
		}
		if kind == tlvOptions && n == 4 {
			return binary.BigEndian.Uint32(b[tlvHeader:]), true
		}
		b = b[tlvHeader+aligned(n):]
	}
	return 0, false
}

// AppendExtendedOptions appends to TLVs such a one.
func AppendExtendedOptions(dst []byte, bits uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, tlvOptions, 0, 4), bits)
}

func aligned(n int) int { return (n + 3) &^ 3 }

// tlv reads the head of the TLV that b begins with; n is below 0 if it is not
// whole.
func tlv(b []byte) (kind uint16, n int) {
	n = int(binary.BigEndian.Uint16(b[2:]))
	if tlvHeader+aligned(n) > len(b) {
		n = -1
	}
	return binary.BigEndian.Uint16(b), n
}

func (l *LLS) mark(o Options) Options {
	if l.Present {
		return o | OptionL
	}
	return o &^ OptionL
}

// decode reads the block that b begins with. One that is damaged is discarded
// alone, not its packet (RFC 5613 §2.2).
func (l *LLS) decode(b []byte, a Auth) {
	if len(b) < llsHeader {
		return
	}
	size := 4 * int(binary.BigEndian.Uint16(b[2:]))
	if size < llsHeader || size > len(b) || !a.sealed() && packet.Checksum(b[:size]) != 0 {
		return
	}
	tlvs := b[llsHeader:size]
	end := 0
	for left := tlvs; len(left) > 0; left = tlvs[end:] {
		kind, n := tlv(left)
		if n < 0 {
			return
		}
		if kind == tlvAuth {
			break // the last one there may be
		}
		end += tlvHeader + aligned(n)
	}
	l.Present, l.TLVs = true, tlvs[:end:end]
}

// append appends the block, with a checksum or, where packets are sealed, with a
// digest of its own.
func (l *LLS) append(dst []byte, s *Sealer, sequence uint64, source ID) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, l.TLVs...)
	size := len(dst) - at
	if s.kind().digests() {
		size += tlvHeader + 4 + s.algorithm.Size()
	}
	binary.BigEndian.PutUint16(dst[at+2:], uint16(size/4))
	if !s.kind().digests() {
		binary.BigEndian.PutUint16(dst[at:], packet.Checksum(dst[at:]))
		return dst
	}
	dst = append(dst, 0, tlvAuth)
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+s.algorithm.Size()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(sequence))
	return s.digest(dst, dst[at:], source)
}

// verify reports whether the block that b begins with was sealed by s, with the
// sequence number of its packet.
func (l *LLS) verify(b []byte, s *Sealer, a Auth, source ID) bool {
	head := llsHeader + len(l.TLVs)
	size := s.algorithm.Size()
	if len(b) < head+tlvHeader+4+size {
		return false
	}
	auth := b[head:]
	kind, n := tlv(auth)
	// RFC 5613 §2.5: it is the last one of the block.
	if kind != tlvAuth || n != 4+size || 4*int(binary.BigEndian.Uint16(b[2:])) != head+tlvHeader+n ||
		binary.BigEndian.Uint32(auth[tlvHeader:]) != uint32(a.Sequence) {
		return false
	}
	hashed := head + tlvHeader + 4
	return hmac.Equal(s.digest(s.sum[:0], b[:hashed], source), b[hashed:hashed+size])
}
