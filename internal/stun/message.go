package stun

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/pion/stun/v3"
)

// The flags of CHANGE-REQUEST (RFC 5780 §7.2): answer from the other address,
// from the other port.
const (
	changeAddress = 4
	changePort    = 2
)

// transaction is the number that an answer repeats.
type transaction = [stun.TransactionIDSize]byte

// message is a Binding request or its success response.
type message struct {
	kind   stun.MessageType
	id     transaction
	change uint32         // request: the flags of CHANGE-REQUEST
	mapped netip.AddrPort // response: XOR-MAPPED-ADDRESS, where the request came from
	origin netip.AddrPort // response: RESPONSE-ORIGIN, where the response is sent from
	other  netip.AddrPort // response: OTHER-ADDRESS, the server's other address and port
}

// marshal gives m's bytes.
func (m *message) marshal() ([]byte, error) {
	parts := []stun.Setter{stun.NewTransactionIDSetter(m.id), m.kind}
	if m.change != 0 {
		parts = append(parts, stun.RawAttribute{Type: stun.AttrChangeRequest, Value: binary.BigEndian.AppendUint32(nil, m.change)})
	}
	if ip, port := split(m.mapped); ip != nil {
		parts = append(parts, &stun.XORMappedAddress{IP: ip, Port: port})
	}
	if ip, port := split(m.origin); ip != nil {
		parts = append(parts, &stun.ResponseOrigin{IP: ip, Port: port})
	}
	if ip, port := split(m.other); ip != nil {
		parts = append(parts, &stun.OtherAddress{IP: ip, Port: port})
	}
	built, err := stun.Build(parts...)
	if err != nil {
		return nil, fmt.Errorf("writing a STUN message: %w", err)
	}
	return built.Raw, nil
}

// parse reads a Binding request or its success response. Attributes that are
// not in message are ignored.
func parse(b []byte) (message, error) {
	var raw stun.Message
	if err := stun.Decode(b, &raw); err != nil {
		return message{}, fmt.Errorf("reading a STUN message: %w", err)
	}
	m := message{kind: raw.Type, id: raw.TransactionID}
	if m.kind != stun.BindingRequest && m.kind != stun.BindingSuccess {
		return m, fmt.Errorf("reading a STUN message: type %s, want a Binding request or success", m.kind)
	}
	if v, err := raw.Get(stun.AttrChangeRequest); err == nil {
		if len(v) != 4 {
			return m, fmt.Errorf("reading CHANGE-REQUEST: %d bytes, want 4", len(v))
		}
		m.change = binary.BigEndian.Uint32(v)
	}
	var mapped stun.XORMappedAddress
	var origin stun.ResponseOrigin
	var other stun.OtherAddress
	for _, a := range []struct {
		attribute stun.AttrType
		value     stun.Getter
		ip        *net.IP
		port      *int
		into      *netip.AddrPort
	}{
		{stun.AttrXORMappedAddress, &mapped, &mapped.IP, &mapped.Port, &m.mapped},
		{stun.AttrResponseOrigin, &origin, &origin.IP, &origin.Port, &m.origin},
		{stun.AttrOtherAddress, &other, &other.IP, &other.Port, &m.other},
	} {
		if !raw.Contains(a.attribute) {
			continue
		}
		if err := a.value.GetFrom(&raw); err != nil {
			return m, fmt.Errorf("reading the STUN attribute %s: %w", a.attribute, err)
		}
		ip, ok := netip.AddrFromSlice(*a.ip)
		if !ok {
			return m, fmt.Errorf("reading the STUN attribute %s: %v is not an IP address", a.attribute, *a.ip)
		}
		*a.into = netip.AddrPortFrom(ip.Unmap(), uint16(*a.port))
	}
	return m, nil
}

// split gives an endpoint as the library wants it, nil if there is none.
func split(a netip.AddrPort) (net.IP, int) {
	return a.Addr().AsSlice(), int(a.Port())
}
