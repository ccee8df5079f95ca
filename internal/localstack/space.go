package localstack

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// space is a network namespace in which sockets are made: those of a thread
// belong for good to the namespace that it is in, so one thread stays there.
type space struct {
	name     string
	identity device.Identity
	fd       int

	start    sync.Once
	requests chan socketRequest
	quit     chan struct{}
	ended    sync.Once
}

type socketRequest struct {
	family int
	answer chan<- madeSocket
}

type madeSocket struct {
	fd  int
	err error
}

func openSpace(name string) (*space, error) {
	path := device.NamespacePath(name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %q: %w", name, err)
	}
	identity, err := device.IdentityOf(name)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &space{name: name, identity: identity, fd: fd, requests: make(chan socketRequest), quit: make(chan struct{})}, nil
}

// close ends the thread. Sockets that were made live on.
func (s *space) close() {
	s.ended.Do(func() {
		close(s.quit)
		s.start.Do(func() { unix.Close(s.fd) }) // no thread has begun, and none will
	})
}

var errSpaceClosed = errors.New("the namespace of the router's own stack is gone")

// socket makes a TCP socket in the namespace, not blocking. The thread begins
// with the first one, so that a router whose protocols need no TCP has none.
func (s *space) socket(family int) (int, error) {
	s.start.Do(func() {
		go func() {
			defer unix.Close(s.fd)
			err := device.InNamespace(fmt.Sprintf("/proc/self/fd/%d", s.fd), func() error {
				s.serve(nil)
				return nil
			})
			if err != nil {
				s.serve(err)
			}
		}()
	})
	answer := make(chan madeSocket, 1)
	select {
	case s.requests <- socketRequest{family, answer}:
		r := <-answer
		return r.fd, r.err
	case <-s.quit:
		return -1, errSpaceClosed
	}
}

// serve makes sockets until close, or answers all requests with err.
func (s *space) serve(err error) {
	for {
		select {
		case r := <-s.requests:
			if err != nil {
				r.answer <- madeSocket{-1, err}
				continue
			}
			fd, err := newSocket(r.family)
			if err != nil {
				err = fmt.Errorf("making a TCP socket in network namespace %q: %w", s.name, err)
			}
			r.answer <- madeSocket{fd, err}
		case <-s.quit:
			return
		}
	}
}

// newSocket makes a TCP socket of one family alone in the namespace of the
// calling thread.
func newSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err == nil && family == unix.AF_INET6 {
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			unix.Close(fd)
		}
	}
	return fd, err
}
