package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"routerd/internal/bench"
	"routerd/routing/ospf/wire"
)

// stand is a socket in a namespace for speakers with addresses of their own there.
type stand struct {
	mu       sync.Mutex
	fd       int
	speakers map[wire.ID]*speaker // by address
	out      []byte
	failed   error // the first packet that could not be sent
	stop     chan struct{}
	ended    chan struct{}
}

// patience is how long the socket waits for a packet before the speakers look at
// the clock.
const patience = 20 * time.Millisecond

// newStand opens the socket on a device and serves the speakers that it gets. The
// caller closes it.
func newStand(namespace, device string) (*stand, error) {
	s := &stand{speakers: map[wire.ID]*speaker{}, stop: make(chan struct{}), ended: make(chan struct{})}
	err := bench.InNamespace(namespace, func() (err error) {
		card, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		s.fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, wire.Protocol)
		if err != nil {
			return err
		}
		wait := syscall.NsecToTimeval(patience.Nanoseconds())
		group := syscall.IPMreqn{Multiaddr: [4]byte{224, 0, 0, 5}, Ifindex: int32(card.Index)}
		err = errors.Join(
			syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IP, syscall.IP_HDRINCL, 1),
			syscall.SetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 16<<20),
			syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_LOOP, 0),
			syscall.SetsockoptTimeval(s.fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait),
			syscall.SetsockoptIPMreqn(s.fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, &group),
			syscall.SetsockoptIPMreqn(s.fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &group),
		)
		if err != nil {
			err = errors.Join(err, syscall.Close(s.fd))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a socket for OSPF on %s: %w", device, err)
	}
	go s.run()
	return s, nil
}

// add has one more speaker begin.
func (s *stand) add(x *speaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.send = s.transmit
	s.speakers[x.address] = x
}

// run serves the speakers until the stand is closed.
func (s *stand) run() {
	defer close(s.ended)
	buffer := make([]byte, 1<<16)
	var p wire.Packet
	for next := time.Now(); ; {
		select {
		case <-s.stop:
			return
		default:
		}
		n, _, err := syscall.Recvfrom(s.fd, buffer, 0)
		now := time.Now()
		s.mu.Lock()
		if err == nil {
			s.deliver(now, buffer[:n], &p)
		}
		if !now.Before(next) {
			for _, x := range s.speakers {
				x.tick(now)
			}
			next = now.Add(patience)
		}
		s.mu.Unlock()
	}
}

// deliver hands an IPv4 packet to whom it is addressed.
func (s *stand) deliver(now time.Time, b []byte, p *wire.Packet) {
	if len(b) < 20 || len(b) < 4*int(b[0]&15) || !wire.Decode(b[4*int(b[0]&15):], p).OK() {
		return
	}
	src, dst := wire.ID(binary.BigEndian.Uint32(b[12:])), wire.ID(binary.BigEndian.Uint32(b[16:]))
	if x := s.speakers[dst]; x != nil {
		x.receive(now, src, p)
		return
	}
	for _, x := range s.speakers {
		x.receive(now, src, p)
	}
}

// transmit sends a speaker's packet; the kernel fills in lengths and checksums of
// the IPv4 header.
func (s *stand) transmit(x *speaker, to wire.ID, p *wire.Packet) {
	b := append(s.out[:0], 0x45, 0xc0, 0, 0, 0, 0, 0, 0, 1, wire.Protocol, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(x.address))
	b = binary.BigEndian.AppendUint32(b, uint32(to))
	s.out = p.Append(b, nil, 0, x.address)
	if err := syscall.Sendto(s.fd, s.out, 0, &syscall.SockaddrInet4{Addr: to.Addr().As4()}); err != nil && s.failed == nil {
		s.failed = fmt.Errorf("sending a %v of %d octets to %v: %w", p.Type, len(s.out), to, err)
	}
}

// do has f use the speakers.
func (s *stand) do(f func(now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(time.Now())
}

// count gives how many speakers are adjacent, how often an adjacency ended, and
// what could not be sent.
func (s *stand) count() (full, lost int, failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.speakers {
		if x.full {
			full++
		}
		lost += x.lost
	}
	return full, lost, s.failed
}

// close ends the speakers and the socket.
func (s *stand) close() {
	close(s.stop)
	<-s.ended
	_ = syscall.Close(s.fd) // nothing was written that could be lost
}
