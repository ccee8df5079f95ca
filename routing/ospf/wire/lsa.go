package wire

import "encoding/binary"

// The header of an LSA (RFC 2328 §A.4.1).
//
//	+-------------------------------+---------------+---------------+
//	|          LS age (2)           |  options (1)  |  LS type (1)  |
//	+-------------------------------+---------------+---------------+
//	|                       link state ID (4)                       |
//	|                    advertising router (4)                     |
//	|                    LS sequence number (4)                     |
//	+-------------------------------+-------------------------------+
//	|        LS checksum (2)        |          length (2)           |
//	+-------------------------------+-------------------------------+
const (
	LSAHeaderSize = 20

	sequenceAt    = 12
	lsaChecksumAt = 16
	lengthAt      = 18
)

// The ages of LSAs in seconds, and the numbers of their sequence (RFC 2328 §B,
// §12.1.6).
const (
	MaxAge          = 3600
	InitialSequence = -0x7fffffff
	MaxSequence     = 0x7fffffff

	reservedSequence = -0x80000000
)

// Identity is which LSA it is; its instances are one after the other (RFC 2328
// §12.1).
type Identity struct {
	Type   LSType
	ID     ID // link state ID
	Router ID // advertising router
}

// Header is the header of an LSA.
type Header struct {
	Identity
	Age      uint16 // seconds, as it came: above MaxAge is the same as MaxAge
	Options  Options
	Sequence int32
	Checksum uint16
	Length   uint16 // octets, the header's too
}

// Append appends the header.
func (h *Header) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, h.Age)
	dst = append(dst, byte(h.Options), byte(h.Type))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.ID))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Router))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Sequence))
	dst = binary.BigEndian.AppendUint16(dst, h.Checksum)
	return binary.BigEndian.AppendUint16(dst, h.Length)
}

// Update is an LSA on its way, and the age that it has or gets there.
type Update struct {
	LSA LSA
	Age uint16 // seconds
}

// Refused is an LSA of an Update that cannot be used.
type Refused struct {
	Refusal Refusal
	Header  Header // may be as wrong as the rest
}

// LSA is an LSA as it is on the wire. All methods but Check want one that Check
// has found nothing wrong with, or that was built here.
type LSA []byte

// Header reads the header.
func (l LSA) Header() Header {
	return Header{
		Identity: l.Identity(), Age: l.Age(), Options: l.Options(), Sequence: l.Sequence(),
		Checksum: l.Checksum(), Length: binary.BigEndian.Uint16(l[lengthAt:]),
	}
}

// Identity is which LSA it is.
func (l LSA) Identity() Identity { return Identity{l.Type(), l.ID(), l.Router()} }

// Age is the LS age in seconds, as it came.
func (l LSA) Age() uint16 { return binary.BigEndian.Uint16(l) }

// Options are the options in the header.
func (l LSA) Options() Options { return Options(l[2]) }

// Type is the LS type.
func (l LSA) Type() LSType { return LSType(l[3]) }

// ID is the link state ID.
func (l LSA) ID() ID { return id(l[4:]) }

// Router is the advertising router.
func (l LSA) Router() ID { return id(l[8:]) }

// Sequence is the LS sequence number.
func (l LSA) Sequence() int32 { return int32(binary.BigEndian.Uint32(l[sequenceAt:])) }

// Checksum is the LS checksum.
func (l LSA) Checksum() uint16 { return binary.BigEndian.Uint16(l[lsaChecksumAt:]) }

// Body is what follows the header.
func (l LSA) Body() []byte { return l[LSAHeaderSize:] }

// Check says what is wrong with an LSA, which is at least as long as its header
// and as long as that says: its checksum, its type, its sequence number, or a
// length that does not fit its type and body. Values that mean nothing, as a mask
// with a gap, are left to who calculates routes: a router that did not install
// such an LSA could never be adjacent to one that has it.
func (l LSA) Check() Refusal {
	switch {
	// RFC 2328 §12.1.7: a checksum of zero is invalid.
	case l.Checksum() == 0 || !fletcherHolds(l[2:]):
		return refuse(LSAChecksum, int(l.Checksum()), int(fletcher(l)))
	case !l.Type().Known():
		return refuse(LSAType, int(l.Type()), 0)
	case l.Sequence() == reservedSequence:
		return Refusal{Reason: LSASequence}
	case !l.bodyFits():
		return refuse(LSABody, len(l), 0)
	}
	return Refusal{}
}

func (l LSA) bodyFits() bool {
	n := len(l) - LSAHeaderSize
	switch l.Type() {
	case RouterLSA:
		return RouterBody(l.Body()).fits()
	case NetworkLSA:
		return n >= 8 && n%4 == 0 // a mask and at least one router
	case SummaryLSA, ASBRSummary:
		return n >= summarySize && (n-summarySize)%4 == 0
	case ExternalLSA, NSSALSA:
		return n >= externalSize && (n-externalSize)%12 == 0
	}
	return true // opaque
}

// fletcherBlock is after how many octets the sums of the checksum are reduced at
// the latest, so that 32 bits hold them.
const fletcherBlock = 4096

// fletcherSums are the two sums of RFC 1008 §7 over b, modulo 255.
func fletcherSums(b []byte) (c0, c1 uint32) {
	for len(b) > 0 {
		n := min(len(b), fletcherBlock)
		for _, o := range b[:n] {
			c0 += uint32(o)
			c1 += c0
		}
		c0, c1, b = c0%255, c1%255, b[n:]
	}
	return c0, c1
}

// fletcherHolds reports whether b, an LSA without its age, has the checksum that
// it says.
func fletcherHolds(b []byte) bool {
	c0, c1 := fletcherSums(b)
	return c0 == 0 && c1 == 0
}

// fletcher is the checksum that an LSA should have (RFC 2328 §12.1.7: without
// the age).
func fletcher(l LSA) uint16 {
	const at = lsaChecksumAt - 2
	// The checksum itself counts as zero: what it adds to the sums is taken off
	// them.
	b := l[2:]
	c0, c1 := fletcherSums(b)
	x, y, behind := uint32(b[at]), uint32(b[at+1]), uint32(len(b)-at)
	c0 = (c0 + 510 - x - y) % 255
	c1 = (c1 + 510 - x*behind%255 - y*(behind-1)%255) % 255
	// RFC 1008 §7, with zero written as 255, since a checksum of zero is none.
	first := (behind-1)*c0%255 + 255 - c1
	second := 2*255 + c1 - behind*c0%255
	return uint16((first+254)%255+1)<<8 | uint16((second+254)%255+1)
}
