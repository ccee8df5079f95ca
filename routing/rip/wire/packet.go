package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"

	"routerd/routing/keys"
)

// Protocol is RIP for IPv4 or RIPng for IPv6.
type Protocol uint8

const (
	RIP   Protocol = iota // versions 1 and 2
	RIPng                 // RFC 2080
)

// String gives the name used in configuration, tables and JSON.
func (p Protocol) String() string {
	if p == RIPng {
		return "ripng"
	}
	return "rip"
}

// Command says what a packet is for.
type Command uint8

const (
	Request  Command = 1
	Response Command = 2
)

// Sizes in octets, and the number of entries of a RIP packet (RFC 2453 §3.6).
const (
	HeaderSize = 4
	EntrySize  = 20
	MaxEntries = 25
)

// Infinity is the metric of an unreachable destination.
const Infinity = 16

// Errors of a packet as a whole.
var (
	ErrShort     = errors.New("shorter than the header of 4 octets")
	ErrLength    = errors.New("not a whole number of entries of 20 octets")
	ErrCommand   = errors.New("neither a request nor a response")
	ErrVersion   = errors.New("version not spoken here")
	ErrReserved  = errors.New("a field that version 1 wants zero is not")
	ErrTooMany   = errors.New("more than 25 entries")
	ErrAuthPlace = errors.New("an authentication entry that is not the first")
	ErrAuthType  = errors.New("unknown type of authentication")
	ErrTrailer   = errors.New("authentication data not where or as long as announced")
)

// Errors of one entry of a packet.
var (
	ErrFamily = errors.New("address family not IPv4")
	ErrMask   = errors.New("subnet mask with a gap")
	ErrBits   = errors.New("prefix length above 128")
	ErrPrefix = errors.New("not a destination that a route can have")
	ErrMetric = errors.New("metric not between 1 and 16")
)

// Packet is one RIP or RIPng packet.
type Packet struct {
	Command Command
	Version uint8 // RIP: 1, 2 or above; RIPng: 1
	// Whole: the packet is a request for the whole table and has no entries.
	Whole   bool
	Auth    Auth
	Entries []Entry
	// Refused are the received entries that are not in Entries.
	Refused []Refusal
}

// Entry is one route of a packet.
type Entry struct {
	Prefix netip.Prefix // masked
	// NoMask: the entry has no mask, as in version 1, and Prefix is the address
	// with 32 bits. The receiver has to infer the network or subnet (RFC 2453
	// §3.7, §4.3).
	NoMask bool
	// NextHop is the router to use instead of the sender, invalid for the
	// sender itself. It was not checked and may be off the link.
	NextHop netip.Addr
	Tag     uint16
	// Metric is 1 to 16 in a response. In a request it has no meaning and is at
	// most 255.
	Metric uint8
}

// Refusal is an entry that is not used, with the reason.
type Refusal struct {
	Index int // in the packet, from 0
	Err   error
	Raw   [EntrySize]byte
}

// Error says which entry was refused, why, and its octets.
func (r Refusal) Error() string {
	return fmt.Sprintf("entry %d: %v: %s", r.Index, r.Err, hex.EncodeToString(r.Raw[:]))
}

// Unwrap returns the reason.
func (r Refusal) Unwrap() error { return r.Err }

// Decode reads b into p and reuses p's slices. Afterwards p does not refer to
// b. After an error p must not be used.
func (f Protocol) Decode(b []byte, p *Packet) error {
	*p = Packet{Entries: p.Entries[:0], Refused: p.Refused[:0]}
	if len(b) < HeaderSize {
		return fmt.Errorf("%w: %d", ErrShort, len(b))
	}
	p.Command, p.Version = Command(b[0]), b[1]
	if p.Command != Request && p.Command != Response {
		return fmt.Errorf("%w: command %d", ErrCommand, b[0])
	}
	if f == RIPng {
		return p.decodeRIPng(b)
	}
	return p.decodeRIP(b)
}

// Append appends the packet to dst, authenticated by s; the zero Seal adds no
// authentication. RIPng has no authentication of its own (RFC 2080 §5). The
// entries must have prefixes of the protocol's family and be at most Capacity
// in number.
func (f Protocol) Append(dst []byte, p *Packet, s Seal) []byte {
	start := len(dst)
	dst = append(dst, byte(p.Command), p.Version, 0, 0)
	if f == RIPng {
		return p.appendRIPng(dst)
	}
	dst = s.begin(dst, len(p.Entries), p.Whole)
	dst = p.appendRIP(dst)
	return s.finish(dst, start)
}

// Capacity returns how many entries of 20 octets fit in a packet: for RIP at
// most 25 including the authentication entry, whatever the MTU (RFC 2453 §3.6);
// for RIPng as many as the MTU, in octets, has room for after the headers of
// IPv6 and UDP (RFC 2080 §2.1). A next hop entry of RIPng counts as one.
func (f Protocol) Capacity(mtu int, s Seal) int {
	if f == RIPng {
		return max(1, (mtu-40-8-HeaderSize)/EntrySize)
	}
	if s.Algorithm == keys.None {
		return MaxEntries
	}
	return MaxEntries - 1
}

func (p *Packet) refuse(i int, err error, raw []byte) {
	p.Refused = append(p.Refused, Refusal{Index: i, Err: err, Raw: [EntrySize]byte(raw)})
}
