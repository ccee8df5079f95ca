package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// firstManyPort is the source port of the first of many flows to one address.
const firstManyPort = 10_000

// manySource has many flows take turns, one datagram each, as fast as it can:
// either from so many ports to one address, or from one port to as many
// addresses as its file has, four bytes each. It writes the headers itself, so
// that one system call can send of sixteen flows.
type manySource struct {
	address netip.AddrPort
	traffic Traffic
	file    string
	to      []byte
	packets atomic.Uint64
}

func (s *manySource) count() (uint64, uint64) {
	n := s.packets.Load()
	return n * smallPayload, n
}

func (s *manySource) start(ctx context.Context, fail func(error)) (uint16, error) {
	if s.traffic.Wide {
		var err error
		if s.to, err = os.ReadFile(s.file); err != nil {
			return 0, fmt.Errorf("read where the flows go: %w", err)
		}
		if len(s.to) < 4*s.traffic.Many {
			return 0, fmt.Errorf("read where the flows go: %s has %d bytes, wanted four for each of %d", s.file, len(s.to), s.traffic.Many)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	}
	if err == nil && !s.traffic.Wide {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: s.address.Addr().As4()})
	}
	if err != nil {
		return 0, fmt.Errorf("open a raw socket to %s: %w", s.address.Addr(), err)
	}
	go func() {
		defer unix.Close(fd)
		if err := s.send(ctx, fd); err != nil {
			fail(fmt.Errorf("send datagrams: %w", err))
		}
	}()
	return 0, nil
}

func (s *manySource) send(ctx context.Context, fd int) error {
	m := newMessages(s.traffic.Burst, 28+smallPayload, 0)
	for _, b := range m.buffers {
		datagramHeader(b, s.address)
		b[15] = 2 // the host itself
		binary.BigEndian.PutUint16(b[20:], firstManyPort)
	}
	names := make([]unix.RawSockaddrInet4, len(m.headers))
	for turn := 0; ctx.Err() == nil; {
		for i, b := range m.buffers {
			flow := (turn + i) % s.traffic.Many
			if !s.traffic.Wide {
				binary.BigEndian.PutUint16(b[20:], uint16(firstManyPort+flow))
				continue
			}
			to := s.to[4*flow : 4*flow+4]
			copy(b[16:], to)
			names[i].Family = unix.AF_INET
			copy(names[i].Addr[:], to)
			h := &m.headers[i].header
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&names[i])), unix.SizeofSockaddrInet4
		}
		n, err := m.call(unix.SYS_SENDMMSG, uintptr(fd))
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			return err
		}
		turn = (turn + n) % s.traffic.Many
		s.packets.Add(uint64(n))
	}
	return nil
}
