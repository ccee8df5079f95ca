package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The hosts, by the last byte of their address in the source's subnet, of flows
// of one datagram each: first those that have ports in a pool, then those that
// share a handful of ports, all taken by the first flows.
const (
	flowHosts    = 64
	firstServed  = 128
	firstRefused = 192
	refusedPorts = 100
)

// flowPorts is how many source ports each host uses, from 1024 on.
const flowPorts = 60000

// flowSource sends datagrams each of which is a flow of its own, from hosts
// that do not exist otherwise, until Traffic.Fresh of them are sent. It begins
// when it is asked for the first time, so that its start is not measured.
type flowSource struct {
	address netip.AddrPort
	traffic Traffic
	begin   sync.Once
	asked   chan struct{}
	told    bool // its counters, once, when it was ready
	packets atomic.Uint64
}

func (s *flowSource) count() (uint64, uint64) {
	if s.told {
		s.begin.Do(func() { close(s.asked) })
	}
	s.told = true
	n := s.packets.Load()
	return n * smallPayload, n
}

func (s *flowSource) start(ctx context.Context, fail func(error)) (uint16, error) {
	s.asked = make(chan struct{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: s.address.Addr().As4()})
	}
	if err != nil {
		return 0, fmt.Errorf("open a raw socket to %s: %w", s.address.Addr(), err)
	}
	go func() {
		defer unix.Close(fd)
		select {
		case <-s.asked:
		case <-ctx.Done():
			return
		}
		if err := s.send(ctx, fd); err != nil {
			fail(fmt.Errorf("send flows: %w", err))
		}
	}()
	return 0, nil
}

func (s *flowSource) send(ctx context.Context, fd int) error {
	m := newMessages(udpBurst, 28+smallPayload, 0)
	for _, b := range m.buffers {
		datagramHeader(b, s.address)
	}
	p := newPacer(udpBurst, s.traffic.Rate)
	for flow := 0; flow < s.traffic.Fresh && ctx.Err() == nil; {
		if !p.due() {
			continue
		}
		for i, b := range m.buffers {
			b[15] = s.traffic.host(flow + i)
			binary.BigEndian.PutUint16(b[20:], uint16(1024+(flow+i)/flowHosts%flowPorts))
		}
		n, err := m.call(unix.SYS_SENDMMSG, uintptr(fd))
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			return err
		}
		flow += n
		s.packets.Store(uint64(flow))
	}
	return nil
}

// host is the last byte of the address that a flow comes from.
func (t Traffic) host(flow int) byte {
	first := firstServed
	if t.Refused {
		first = firstRefused
	}
	return byte(first + flow%flowHosts)
}

// datagramHeader fills in what all datagrams of a raw socket share, the last byte of
// the sender's address and its port being left. The kernel fills in the length and
// the checksum of the IPv4 header; UDP has no checksum (RFC 768).
func datagramHeader(b []byte, address netip.AddrPort) {
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	own, to := [4]byte{10, 77, 1, 0}, address.Addr().As4()
	copy(b[12:], own[:])
	copy(b[16:], to[:])
	binary.BigEndian.PutUint16(b[22:], address.Port())
	binary.BigEndian.PutUint16(b[24:], 8+smallPayload)
}

// flowTime is the longest time of sending flows: a NAT may be slow to refuse
// them.
const flowTime = 3 * time.Second

// lateArrival is how long after the last datagram another one may arrive.
const lateArrival = 100 * time.Millisecond

// measureFlows sends flows of one datagram each over a site whose NAT has no
// sessions. Delivered datagrams count as sessions made; of refused flows,
// Packets are those that were not delivered.
func (s *Site) measureFlows(ctx context.Context, t Traffic) (sample Sample, err error) {
	if err := s.forget(ctx); err != nil {
		return Sample{}, err
	}
	sink, ready, err := startPart(s.Hosts[1], order{Role: roleUDPSink, Address: netip.AddrPortFrom(s.host(1).Addr(), 0), Traffic: t})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, sink.end(), s.forget(ctx)) }()
	source, _, err := startPart(s.Hosts[0], order{Role: roleFlowSource, Address: netip.AddrPortFrom(s.host(1).Addr(), ready.Port), Traffic: t})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, source.end()) }()
	memory, err := s.memory()
	if err != nil {
		return Sample{}, err
	}
	before, err := s.look(source, sink)
	if err != nil {
		return Sample{}, err
	}
	// The sample ends when the last datagram had arrived: nothing came after it for
	// as long as a busy machine may keep a process waiting. A sink that has received
	// nothing yet has not received the last one either.
	after, arrived := before, time.Now()
	for deadline := time.Now().Add(flowTime); time.Now().Before(deadline); {
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return Sample{}, err
		}
		now, err := s.look(source, sink)
		if err != nil {
			return Sample{}, err
		}
		sent, received := now.source.Packets > after.source.Packets, now.sink.Packets > after.sink.Packets
		if sent || received {
			after, arrived = now, time.Now()
		}
		done := now.source.Packets >= uint64(t.Fresh) && now.sink.Packets > before.sink.Packets
		if done && time.Since(arrived) > lateArrival {
			break
		}
	}
	sample = after.since(before)
	if now, err := s.memory(); err == nil && now > memory && !t.Refused {
		sample.Memory = now - memory
	}
	if t.Refused {
		sample.Packets, sample.Sent = sample.Sent-min(sample.Sent, sample.Packets), 0
	}
	if sample.Packets == 0 {
		return Sample{}, errors.New("no flow came through, or none was refused")
	}
	return sample, nil
}
