package stun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// What a message begins with (RFC 8489 §5): type, length of the attributes,
// the cookie, and 12 bytes that the answer repeats.
const (
	headerLen = 20
	cookie    = 0x2112a442

	bindingRequest = 0x0001
	bindingSuccess = 0x0101
)

// The attributes that are read or written (RFC 8489 §14, RFC 5780 §7).
const (
	attrChangeRequest    = 0x0003
	attrXORMappedAddress = 0x0020
	attrResponseOrigin   = 0x802b
	attrOtherAddress     = 0x802c
)

// The flags of CHANGE-REQUEST (RFC 5780 §7.2): answer from the other address,
// from the other port.
const (
	changeAddress = 4
	changePort    = 2
)

type transaction [12]byte

// message is a Binding request or its answer.
type message struct {
	kind   uint16
	id     transaction
	change uint32         // of a request
	mapped netip.AddrPort // of an answer: whom the request came from
	origin netip.AddrPort // of an answer: where it is sent from
	other  netip.AddrPort // of an answer: the server's other address and port
}

// append adds m's bytes to b.
func (m *message) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, m.kind)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, cookie)
	b = append(b, m.id[:]...)
	if m.change != 0 {
		b = append(b, 0, attrChangeRequest, 0, 4)
		b = binary.BigEndian.AppendUint32(b, m.change)
	}
	b = appendAddress(b, attrXORMappedAddress, xor(m.mapped))
	b = appendAddress(b, attrResponseOrigin, m.origin)
	b = appendAddress(b, attrOtherAddress, m.other)
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerLen))
	return b
}

// appendAddress adds an attribute that holds an address and a port (RFC 8489
// §14.1), unless there is none.
func appendAddress(b []byte, attribute uint16, a netip.AddrPort) []byte {
	if !a.Addr().Is4() {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, attribute)
	b = append(b, 0, 8, 0, 1) // eight bytes; IPv4
	b = binary.BigEndian.AppendUint16(b, a.Port())
	ip := a.Addr().As4()
	return append(b, ip[:]...)
}

// xor hides an address from translators that change what looks like one, and
// brings it back (RFC 8489 §14.2).
func xor(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().Is4() {
		return a
	}
	ip := a.Addr().As4()
	binary.BigEndian.PutUint32(ip[:], binary.BigEndian.Uint32(ip[:])^cookie)
	return netip.AddrPortFrom(netip.AddrFrom4(ip), a.Port()^cookie>>16)
}

var errShort = errors.New("reading a STUN message: it is cut off")

// parse reads a Binding request or its answer. Attributes that are not known
// are passed over.
func parse(b []byte) (message, error) {
	var m message
	if len(b) < headerLen {
		return m, errShort
	}
	m.kind = binary.BigEndian.Uint16(b)
	if m.kind != bindingRequest && m.kind != bindingSuccess {
		return m, fmt.Errorf("reading a STUN message: type %#04x, want a Binding request or success", m.kind)
	}
	if c := binary.BigEndian.Uint32(b[4:]); c != cookie {
		return m, fmt.Errorf("reading a STUN message: cookie %#08x, want %#08x", c, cookie)
	}
	copy(m.id[:], b[8:headerLen])
	if n := int(binary.BigEndian.Uint16(b[2:])); n != len(b)-headerLen {
		return m, fmt.Errorf("reading a STUN message: %d bytes of attributes announced, %d there", n, len(b)-headerLen)
	}
	for b = b[headerLen:]; len(b) > 0; {
		if len(b) < 4 {
			return m, errShort
		}
		attribute, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		padded := 4 + (size+3)&^3
		if len(b) < padded {
			return m, errShort
		}
		if err := m.read(attribute, b[4:4+size]); err != nil {
			return m, err
		}
		b = b[padded:]
	}
	return m, nil
}

func (m *message) read(attribute uint16, value []byte) (err error) {
	switch attribute {
	case attrChangeRequest:
		if len(value) != 4 {
			return fmt.Errorf("reading CHANGE-REQUEST: %d bytes, want 4", len(value))
		}
		m.change = binary.BigEndian.Uint32(value)
	case attrXORMappedAddress:
		m.mapped, err = address(value)
		m.mapped = xor(m.mapped)
	case attrResponseOrigin:
		m.origin, err = address(value)
	case attrOtherAddress:
		m.other, err = address(value)
	}
	return err
}

func address(value []byte) (netip.AddrPort, error) {
	if len(value) != 8 || value[1] != 1 {
		return netip.AddrPort{}, fmt.Errorf("reading a STUN attribute: % x, want an IPv4 address and port", value)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(value[4:])), binary.BigEndian.Uint16(value[2:])), nil
}
