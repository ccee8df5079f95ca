package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Both ends of a round trip wait in system calls on threads of their own, as
// programs without a poller do: nothing of Go's scheduling is measured.

// echoPatience is how long a call waits before it looks whether to go on.
const echoPatience = 100 * time.Millisecond

// echo sends every datagram back.
type echo struct {
	address netip.AddrPort
	bytes   atomic.Uint64
	packets atomic.Uint64
}

func (e *echo) count() (uint64, uint64) { return e.bytes.Load(), e.packets.Load() }

func (e *echo) start(ctx context.Context, fail func(error)) (uint16, error) {
	fd, err := waitingSocket(e.address)
	if err == nil {
		err = unix.Bind(fd, socketAddress(e.address))
	}
	var at unix.Sockaddr
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		return 0, fmt.Errorf("open a socket at %s for echoes: %w", e.address, err)
	}
	go func() {
		runtime.LockOSThread()
		defer unix.Close(fd)
		buffer := make([]byte, 2048)
		for ctx.Err() == nil {
			n, from, err := unix.Recvfrom(fd, buffer, 0)
			if err == nil {
				e.bytes.Add(uint64(n))
				e.packets.Add(1)
				err = unix.Sendto(fd, buffer[:n], 0, from)
			}
			if err != nil && !passing(err) {
				fail(fmt.Errorf("send datagrams back: %w", err))
				return
			}
		}
	}()
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(at.Port), nil
	case *unix.SockaddrInet6:
		return uint16(at.Port), nil
	}
	return 0, fmt.Errorf("open a socket for echoes: its address is %v, wanted one of IP", at)
}

// asker sends a datagram, waits for it to come back, rests, and so on.
type asker struct {
	address netip.AddrPort
	traffic Traffic
	packets atomic.Uint64
	mu      sync.Mutex
	took    []time.Duration // since the last question
}

func (a *asker) count() (uint64, uint64) {
	n := a.packets.Load()
	return n * uint64(a.traffic.Payload), n
}

// median is that of the round trips since it was asked for before, in ns.
func (a *asker) median() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.took = a.took[:0] }()
	if len(a.took) == 0 {
		return 0
	}
	slices.Sort(a.took)
	return int64(a.took[len(a.took)/2])
}

func (a *asker) start(ctx context.Context, fail func(error)) (uint16, error) {
	fd, err := waitingSocket(a.address)
	if err == nil {
		err = unix.Connect(fd, socketAddress(a.address))
	}
	if err != nil {
		return 0, fmt.Errorf("open a socket to %s: %w", a.address, err)
	}
	go func() {
		runtime.LockOSThread()
		defer unix.Close(fd)
		buffer := make([]byte, max(8, a.traffic.Payload))
		rest := unix.NsecToTimespec(int64(time.Second) / int64(a.traffic.Rate))
		for ctx.Err() == nil {
			number := a.packets.Add(1)
			binary.BigEndian.PutUint64(buffer, number)
			began := time.Now()
			_, err := unix.Write(fd, buffer)
			for back := false; err == nil && !back; back = binary.BigEndian.Uint64(buffer) == number {
				_, err = unix.Read(fd, buffer) // one that was given up may come late
			}
			switch {
			case err == nil:
				a.mu.Lock()
				a.took = append(a.took, time.Since(began))
				a.mu.Unlock()
			case !passing(err):
				fail(fmt.Errorf("send a datagram and wait for it: %w", err))
				return
			}
			_ = unix.Nanosleep(&rest, nil) // waking early is harmless
		}
	}()
	return 0, nil
}

// passing reports whether a call that failed is to be tried again.
func passing(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EHOSTUNREACH)
}

// waitingSocket opens a UDP socket of an address's family whose calls wait.
func waitingSocket(a netip.AddrPort) (int, error) {
	family := unix.AF_INET6
	if a.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(int64(echoPatience))
	return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
}

func socketAddress(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
