package stun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/pion/stun/v3"
)

// Server answers Binding requests at two addresses with two ports each (RFC
// 5780 §6). Its methods may be called by any goroutine.
type Server struct {
	sockets [2][2]*net.UDPConn // by address, by port
	at      [2][2]netip.AddrPort
	done    sync.WaitGroup
}

// Serve answers at primary, at alternate, and at the address of each with the
// port of the other, until Close. Addresses and ports have to differ.
func Serve(primary, alternate netip.AddrPort) (*Server, error) {
	if primary.Addr() == alternate.Addr() || primary.Port() == alternate.Port() {
		return nil, fmt.Errorf("serving STUN at %s and %s: want two addresses and two ports", primary, alternate)
	}
	s := &Server{}
	for i, a := range []netip.Addr{primary.Addr(), alternate.Addr()} {
		for j, port := range []uint16{primary.Port(), alternate.Port()} {
			s.at[i][j] = netip.AddrPortFrom(a, port)
			c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(s.at[i][j]))
			if err != nil {
				s.Close()
				return nil, fmt.Errorf("serving STUN: %w", err)
			}
			s.sockets[i][j] = c
		}
	}
	for i := range s.sockets {
		for j := range s.sockets[i] {
			s.done.Go(func() { s.serve(i, j) })
		}
	}
	return s, nil
}

// Close ends the server and waits for it.
func (s *Server) Close() {
	for _, pair := range s.sockets {
		for _, c := range pair {
			if c != nil {
				c.Close()
			}
		}
	}
	s.done.Wait()
}

// serve answers what comes in by one socket, one request after the other.
func (s *Server) serve(i, j int) {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.sockets[i][j].ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		request, bad := parse(buf[:n])
		if err != nil || bad != nil || request.kind != stun.BindingRequest {
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		x, y := i, j
		if request.change&changeAddress != 0 {
			x = 1 - i
		}
		if request.change&changePort != 0 {
			y = 1 - j
		}
		answer := message{kind: stun.BindingSuccess, id: request.id, mapped: from, origin: s.at[x][y], other: s.at[1-i][1-j]}
		// The client notices when an answer does not come, whether it could not
		// be sent or was lost.
		if raw, err := answer.marshal(); err == nil {
			_, _ = s.sockets[x][y].WriteToUDPAddrPort(raw, from)
		}
	}
}
