package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2) and recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// messages is a vector of messages, each with one buffer of its own.
type messages struct {
	headers []mmsghdr
	vectors []unix.Iovec
	buffers [][]byte
	control [][]byte
}

func newMessages(count, size, control int) *messages {
	m := &messages{
		headers: make([]mmsghdr, count),
		vectors: make([]unix.Iovec, count),
		buffers: make([][]byte, count),
		control: make([][]byte, count),
	}
	for i := range count {
		m.buffers[i] = make([]byte, size)
		m.vectors[i].Base = &m.buffers[i][0]
		m.vectors[i].SetLen(size)
		h := &m.headers[i].header
		h.Iov = &m.vectors[i]
		h.SetIovlen(1)
		if control > 0 {
			m.control[i] = make([]byte, control)
			h.Control = &m.control[i][0]
			h.SetControllen(control)
		}
	}
	return m
}

// call is sendmmsg or recvmmsg; it never waits.
func (m *messages) call(trap, fd uintptr) (int, error) {
	for {
		n, _, errno := unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&m.headers[0])),
			uintptr(len(m.headers)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// sinkBuffer is the sink's receive buffer in bytes: room for what comes while
// the sink waits for its turn on the CPU, so that the loss is the path's.
const sinkBuffer = 16 << 20

// sinkBatch is the number of messages of one recvmmsg.
const sinkBatch = 64

// udpSink counts datagrams.
type udpSink struct {
	address netip.AddrPort
	traffic Traffic
	bytes   atomic.Uint64
	packets atomic.Uint64
}

func (s *udpSink) count() (uint64, uint64) { return s.bytes.Load(), s.packets.Load() }

func (s *udpSink) start(ctx context.Context, fail func(error)) (uint16, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.address))
	if err != nil {
		return 0, fmt.Errorf("listen as UDP sink: %w", err)
	}
	context.AfterFunc(ctx, func() { c.Close() })
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("listen as UDP sink: %w", err)
	}
	var option error
	err = raw.Control(func(fd uintptr) {
		option = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, sinkBuffer)
		if option == nil && s.traffic.Super {
			option = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1)
		}
	})
	if err = errors.Join(err, option); err != nil {
		return 0, fmt.Errorf("prepare the UDP sink's socket: %w", err)
	}
	go func() {
		err := s.answer(c)
		if err == nil {
			err = s.drain(raw)
		}
		if err != nil && !errors.Is(err, net.ErrClosed) {
			fail(fmt.Errorf("receive datagrams: %w", err))
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
}

// answer sends every datagram back until one of each flow has come, where the
// flows are to be answered.
func (s *udpSink) answer(c *net.UDPConn) error {
	if !s.traffic.Answered {
		return nil
	}
	buffer, seen := make([]byte, 2048), map[netip.AddrPort]bool{}
	for len(seen) < s.traffic.Flows {
		n, from, err := c.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		if _, err := c.WriteToUDPAddrPort(buffer[:n], from); err != nil {
			return fmt.Errorf("answer %s: %w", from, err)
		}
		seen[from] = true
		s.bytes.Add(uint64(n))
		s.packets.Add(1)
	}
	return nil
}

func (s *udpSink) drain(raw syscall.RawConn) error {
	size, control := 2048, 0
	if s.traffic.Super {
		size, control = 65535, unix.CmsgSpace(4)
	}
	m := newMessages(sinkBatch, size, control)
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		for {
			for i := range m.headers {
				m.headers[i].header.SetControllen(control)
			}
			n, err := m.call(unix.SYS_RECVMMSG, fd)
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if err != nil {
				failed = err
				return true
			}
			s.add(m, n)
		}
	})
	return errors.Join(failed, err)
}

// add counts the first n messages.
func (s *udpSink) add(m *messages, n int) {
	var bytes, packets uint64
	for i := range n {
		length := int(m.headers[i].length)
		bytes += uint64(length)
		packets += uint64(datagrams(length, m.control[i][:m.headers[i].header.Controllen]))
	}
	s.bytes.Add(bytes)
	s.packets.Add(packets)
}

// datagrams is how many there are in a message of a UDP_GRO socket: the
// kernel gives the segments' size as a control message when there are several.
func datagrams(length int, control []byte) int {
	if len(control) < unix.CmsgSpace(4) {
		return 1
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if header.Level != unix.SOL_UDP || header.Type != unix.UDP_GRO {
		return 1
	}
	size := int(*(*int32)(unsafe.Pointer(&control[unix.CmsgLen(0)])))
	if size <= 0 {
		return 1
	}
	return (length + size - 1) / size
}

// udpSource sends datagrams from several ports in turn.
type udpSource struct {
	address netip.AddrPort
	traffic Traffic
	bytes   atomic.Uint64
	packets atomic.Uint64
}

func (s *udpSource) count() (uint64, uint64) { return s.bytes.Load(), s.packets.Load() }

func (s *udpSource) start(ctx context.Context, fail func(error)) (uint16, error) {
	var fds []int
	for range s.traffic.Flows {
		fd, err := s.open()
		if err != nil {
			return 0, fmt.Errorf("open a UDP flow to %s: %w", s.address, err)
		}
		fds = append(fds, fd)
	}
	go func() {
		err := s.send(ctx, fds)
		for _, fd := range fds {
			unix.Close(fd)
		}
		if err != nil {
			fail(fmt.Errorf("send datagrams: %w", err))
		}
	}()
	return 0, nil
}

// open makes a socket connected to the sink.
func (s *udpSource) open() (int, error) {
	family := unix.AF_INET6
	if s.address.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	if err == nil && s.traffic.Super {
		err = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, s.traffic.Payload)
	}
	if err == nil {
		err = unix.Connect(fd, socketAddress(s.address))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// pause is how long a paced source sleeps between looks at the clock.
const pause = 200 * time.Microsecond

// pacer says when the next burst is due. A paced source sends what is due by
// the clock, and what it could not send in time it leaves out rather than
// catching up in one great burst.
type pacer struct {
	gap  time.Duration // between two bursts; 0 = none
	next time.Time
}

// newPacer is for bursts of so many at rate a second; 0 is as fast as it goes.
func newPacer(burst, rate int) *pacer {
	p := &pacer{next: time.Now()}
	if rate > 0 {
		p.gap = time.Duration(burst) * time.Second / time.Duration(rate)
	}
	return p
}

// due reports whether to send now; if not, it has slept for a moment.
func (p *pacer) due() bool {
	if p.gap == 0 {
		return true
	}
	now := time.Now()
	if now.Before(p.next) {
		nap := unix.NsecToTimespec(int64(pause))
		_ = unix.Nanosleep(&nap, nil) // waking early is harmless
		return false
	}
	if late := now.Add(-20 * pause); p.next.Before(late) {
		p.next = late
	}
	p.next = p.next.Add(p.gap)
	return true
}

// send lets the flows take turns until the context ends.
func (s *udpSource) send(ctx context.Context, fds []int) error {
	m, per := newMessages(s.traffic.Burst, s.traffic.Payload, 0), s.traffic.Burst
	if s.traffic.Super {
		m = newMessages(1, s.traffic.Payload*s.traffic.Burst, 0)
	}
	p := newPacer(per, s.traffic.Rate)
	for turn := 0; ctx.Err() == nil; {
		if !p.due() {
			continue
		}
		n, err := m.call(unix.SYS_SENDMMSG, uintptr(fds[turn]))
		if turn++; turn == len(fds) {
			turn = 0
		}
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ECONNREFUSED):
			continue // not sent, so not counted
		case err != nil:
			return err
		}
		if s.traffic.Super {
			n *= per
		}
		s.packets.Add(uint64(n))
		s.bytes.Add(uint64(n * s.traffic.Payload))
	}
	return nil
}
