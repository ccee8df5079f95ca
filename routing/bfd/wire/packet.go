package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Why a packet is refused.
var (
	ErrShort         = errors.New("shorter than a control packet")
	ErrVersion       = errors.New("version not spoken")
	ErrLength        = errors.New("wrong length")
	ErrDetectMult    = errors.New("detection multiplier 0")
	ErrMultipoint    = errors.New("multipoint bit set")
	ErrDiscriminator = errors.New("its discriminator is 0")
	ErrAuthLength    = errors.New("authentication section of a wrong length")
)

// Size is the length of a packet without authentication in octets, MaxSize of
// the longest.
const (
	Size    = 24
	MaxSize = Size + sha1Section
)

// The mandatory section (RFC 5880 §4.1).
//
//	+-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//	|Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//	+-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//	|                     my discriminator (4)                      |
//	|                    your discriminator (4)                     |
//	|                   desired min TX interval (4)                 |
//	|                  required min RX interval (4)                 |
//	|               required min echo RX interval (4)               |
//	+---------------------------------------------------------------+
const (
	version = 1

	bitPoll        = 0x20
	bitFinal       = 0x10
	bitIndependent = 0x08
	bitAuth        = 0x04
	bitDemand      = 0x02
	bitMultipoint  = 0x01
)

// Packet is a control packet. Intervals are in microseconds.
type Packet struct {
	Diagnostic              Diagnostic
	State                   State
	Poll, Final             bool
	ControlPlaneIndependent bool
	Demand                  bool
	DetectMult              uint8  // at least 1
	My, Your                uint32 // discriminators; My is not 0
	DesiredMinTx            uint32
	RequiredMinRx           uint32
	RequiredMinEchoRx       uint32
	Auth                    Auth
}

// Decode reads the packet that b begins with.
func Decode(b []byte, p *Packet) error {
	if len(b) < Size {
		return fmt.Errorf("%w: %d octets", ErrShort, len(b))
	}
	length, least := int(b[3]), Size
	if b[1]&bitAuth != 0 {
		least += 2
	}
	switch {
	case b[0]>>5 != version:
		return fmt.Errorf("%w: %d", ErrVersion, b[0]>>5)
	case length < least || length > len(b):
		return fmt.Errorf("%w: %d, want %d to %d", ErrLength, length, least, len(b))
	case b[2] == 0:
		return ErrDetectMult
	case b[1]&bitMultipoint != 0:
		return ErrMultipoint
	}
	*p = Packet{
		Diagnostic: Diagnostic(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0,
		ControlPlaneIndependent: b[1]&bitIndependent != 0, Demand: b[1]&bitDemand != 0,
		DetectMult: b[2], My: binary.BigEndian.Uint32(b[4:]), Your: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: binary.BigEndian.Uint32(b[12:]), RequiredMinRx: binary.BigEndian.Uint32(b[16:]),
		RequiredMinEchoRx: binary.BigEndian.Uint32(b[20:]),
	}
	if p.My == 0 {
		return ErrDiscriminator
	}
	if b[1]&bitAuth != 0 {
		return p.Auth.decode(b[Size:length])
	}
	return nil
}

// Append appends the packet, sealed. What p.Auth says does not count.
func (p *Packet) Append(dst []byte, s Seal) []byte {
	at := len(dst)
	flags := byte(p.State) << 6
	for _, f := range [...]struct {
		set bool
		bit byte
	}{
		{p.Poll, bitPoll},
		{p.Final, bitFinal},
		{p.ControlPlaneIndependent, bitIndependent},
		{s.Type != AuthNone, bitAuth},
		{p.Demand, bitDemand},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	dst = append(dst, version<<5|byte(p.Diagnostic)&0x1f, flags, p.DetectMult, byte(Size+s.size()))
	for _, word := range [...]uint32{p.My, p.Your, p.DesiredMinTx, p.RequiredMinRx, p.RequiredMinEchoRx} {
		dst = binary.BigEndian.AppendUint32(dst, word)
	}
	return s.finish(dst, at)
}
