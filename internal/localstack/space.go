package localstack

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/routing"
)

// space makes sockets in a network namespace. A socket belongs for ever to the
// namespace of the thread that makes it, so one thread stays in the namespace.
type space struct {
	name     string
	identity device.Identity
	fd       int

	start    sync.Once
	requests chan socketRequest
	quit     chan struct{}

	mu      sync.Mutex
	bridges map[routing.InterfaceID]*bridge
	closed  bool
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
	return &space{name: name, identity: identity, fd: fd, requests: make(chan socketRequest), quit: make(chan struct{}), bridges: map[routing.InterfaceID]*bridge{}}, nil
}

// close ends the thread and the links. Sockets that it made stay open.
func (s *space) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, b := range s.bridges {
		b.close()
	}
	close(s.quit)
	s.start.Do(func() {}) // no thread starts from now on
	unix.Close(s.fd)
}

var errSpaceClosed = errors.New("the namespace of the router's own stack is gone")

// socket makes a non-blocking TCP socket in the namespace. The thread starts
// with the first one, so that a router without TCP protocols has none.
func (s *space) socket(family int) (int, error) {
	s.start.Do(func() {
		began := make(chan struct{})
		go func() {
			err := device.InNamespace(fmt.Sprintf("/proc/self/fd/%d", s.fd), func() error {
				close(began)
				s.serve(nil)
				return nil
			})
			if err != nil {
				close(began)
				s.serve(err)
			}
		}()
		<-began // the descriptor is not needed any more
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

// serve makes sockets until close, or fails all requests with err.
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

// newSocket makes a TCP socket of only one family in the calling thread's
// namespace.
func newSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err == nil && family == unix.AF_INET6 {
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			unix.Close(fd)
		}
	}
	return fd, err
}
