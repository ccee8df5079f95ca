package stun

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// Behavior is how a NAT maps, or filters: independent of the remote endpoint,
// by its address, or by its address and port (RFC 4787 §4.1, §5).
type Behavior uint8

const (
	EndpointIndependent Behavior = iota
	AddressDependent
	AddressAndPortDependent
)

// String gives RFC 4787's word.
func (b Behavior) String() string {
	return [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}[b]
}

// patience is how long to wait for an answer.
const patience = 10 * time.Second

// ask sends one request with the flags of CHANGE-REQUEST, and gives its
// transaction.
func ask(c *net.UDPConn, to netip.AddrPort, change uint32) (transaction, error) {
	request := message{kind: stun.BindingRequest, id: stun.NewTransactionID(), change: change}
	raw, err := request.marshal()
	if err != nil {
		return request.id, err
	}
	if _, err := c.WriteToUDPAddrPort(raw, to); err != nil {
		return request.id, fmt.Errorf("asking %s: %w", to, err)
	}
	return request.id, nil
}

// answers reads until the answer to last has come, and gives all answers.
func answers(c *net.UDPConn, last transaction) (map[transaction]message, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	got, buf := map[transaction]message{}, make([]byte, 1500)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return got, fmt.Errorf("waiting for an answer, with %d of others: %w", len(got), err)
		}
		m, err := parse(buf[:n])
		if err != nil || m.kind != stun.BindingSuccess {
			return got, fmt.Errorf("an answer from %s that is none: %w", from, err)
		}
		if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); from != m.origin {
			return got, fmt.Errorf("an answer that was sent from %s arrived from %s", m.origin, from)
		}
		got[m.id] = m
		if m.id == last {
			return got, nil
		}
	}
}

// bind sends a Binding request to one socket of the server.
func bind(c *net.UDPConn, to netip.AddrPort) (message, error) {
	id, err := ask(c, to, 0)
	if err != nil {
		return message{}, err
	}
	got, err := answers(c, id)
	if err != nil {
		return message{}, fmt.Errorf("asking %s: %w", to, err)
	}
	return got[id], nil
}

// Mapped is the endpoint that the server sees c as.
func Mapped(c *net.UDPConn, server netip.AddrPort) (netip.AddrPort, error) {
	m, err := bind(c, server)
	return m.mapped, err
}

// Mapping finds out how the NATs between c and the server map (RFC 5780 §4.3).
// c should be new: earlier use may change the result.
func Mapping(c *net.UDPConn, server netip.AddrPort) (Behavior, error) {
	first, err := bind(c, server)
	if err != nil {
		return 0, err
	}
	second, err := bind(c, netip.AddrPortFrom(first.other.Addr(), server.Port()))
	if err != nil {
		return 0, err
	}
	third, err := bind(c, first.other)
	switch {
	case err != nil:
		return 0, err
	case first.mapped == second.mapped && second.mapped != third.mapped:
		return 0, fmt.Errorf("mapped to %s for both of the server's addresses, and for its other port to %s", first.mapped, third.mapped)
	case first.mapped == second.mapped:
		return EndpointIndependent, nil
	case second.mapped == third.mapped:
		return AddressDependent, nil
	}
	return AddressAndPortDependent, nil
}

// Filtering finds out how the NATs between c and the server filter (RFC 5780
// §4.4). c has to be new: it must have sent nothing to the server's other
// endpoints.
func Filtering(c *net.UDPConn, server netip.AddrPort) (Behavior, error) {
	if _, err := bind(c, server); err != nil {
		return 0, err
	}
	far, err := ask(c, server, changeAddress|changePort)
	if err != nil {
		return 0, err
	}
	near, err := ask(c, server, changePort)
	if err != nil {
		return 0, err
	}
	last, err := ask(c, server, 0)
	if err != nil {
		return 0, err
	}
	got, err := answers(c, last)
	if err != nil {
		return 0, err
	}
	_, fromFar := got[far]
	_, fromNear := got[near]
	switch {
	case fromFar && !fromNear:
		return 0, fmt.Errorf("an answer passes from the server's other address and port, and none from its other port alone")
	case fromFar:
		return EndpointIndependent, nil
	case fromNear:
		return AddressDependent, nil
	}
	return AddressAndPortDependent, nil
}
