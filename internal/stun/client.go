package stun

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
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

// patience is how long to wait for an answer, pause the time after which a request is sent
// again: datagrams get lost (RFC 8489 §6.2.1).
const (
	patience = 20 * time.Second
	pause    = time.Second
)

// request makes a Binding request with the flags of CHANGE-REQUEST.
func request(change uint32) message {
	return message{kind: stun.BindingRequest, id: stun.NewTransactionID(), change: change}
}

// ask sends requests until the last of them is answered, and gives all answers to them. Late
// ones to earlier requests are passed over.
func ask(c *net.UDPConn, to netip.AddrPort, requests ...message) (map[transaction]message, error) {
	got, last := map[transaction]message{}, requests[len(requests)-1].id
	for deadline := time.Now().Add(patience); ; {
		for _, r := range requests {
			raw, err := r.marshal()
			if err == nil {
				_, err = c.WriteToUDPAddrPort(raw, to)
			}
			if err != nil {
				return got, fmt.Errorf("asking %s: %w", to, err)
			}
		}
		if err := c.SetReadDeadline(time.Now().Add(pause)); err != nil {
			return got, err
		}
		err := answers(c, got, last)
		if err == nil {
			maps.DeleteFunc(got, func(id transaction, _ message) bool {
				return !slices.ContainsFunc(requests, func(r message) bool { return r.id == id })
			})
			return got, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(deadline) {
			return got, fmt.Errorf("asking %s: %w", to, err)
		}
	}
}

// answers reads answers into got until that to last has come.
func answers(c *net.UDPConn, got map[transaction]message, last transaction) error {
	for buf := make([]byte, 1500); ; {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return fmt.Errorf("waiting for an answer, with %d of others: %w", len(got), err)
		}
		m, err := parse(buf[:n])
		if err != nil || m.kind != stun.BindingSuccess {
			return fmt.Errorf("an answer from %s that is none: %w", from, err)
		}
		if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); from != m.origin {
			return fmt.Errorf("an answer that was sent from %s arrived from %s", m.origin, from)
		}
		if got[m.id] = m; m.id == last {
			return nil
		}
	}
}

// bind sends a Binding request to one socket of the server.
func bind(c *net.UDPConn, to netip.AddrPort) (message, error) {
	r := request(0)
	got, err := ask(c, to, r)
	return got[r.id], err
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
	far, near := request(changeAddress|changePort), request(changePort)
	var fromFar, fromNear bool
	for range 3 { // that none comes may be because it was lost
		got, err := ask(c, server, far, near, request(0))
		if err != nil {
			return 0, err
		}
		_, isFar := got[far.id]
		_, isNear := got[near.id]
		fromFar, fromNear = fromFar || isFar, fromNear || isNear
	}
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
