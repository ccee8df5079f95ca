package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
)

// chunk is the length of one write or read of a TCP stream, in bytes.
const chunk = 256 << 10

// tcpSink takes every connection and throws away what comes.
type tcpSink struct {
	address  netip.AddrPort
	received atomic.Uint64
}

func (s *tcpSink) count() (uint64, uint64) { return s.received.Load(), 0 }

func (s *tcpSink) start(ctx context.Context, fail func(error)) (uint16, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(s.address))
	if err != nil {
		return 0, fmt.Errorf("listen as TCP sink: %w", err)
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				fail(fmt.Errorf("accept a TCP stream: %w", err))
				return
			}
			go s.drain(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// drain reads until the source is done; how it ends does not matter, what was
// counted is counted.
func (s *tcpSink) drain(c *net.TCPConn) {
	defer c.Close()
	buf := make([]byte, chunk)
	for {
		n, err := c.Read(buf)
		s.received.Add(uint64(n))
		if err != nil {
			return
		}
	}
}

// tcpSource writes to its streams as fast as they take it.
type tcpSource struct {
	address netip.AddrPort
	streams int
	sent    atomic.Uint64
}

func (s *tcpSource) count() (uint64, uint64) { return s.sent.Load(), 0 }

func (s *tcpSource) start(ctx context.Context, fail func(error)) (uint16, error) {
	for range s.streams {
		d := net.Dialer{Timeout: patience}
		c, err := d.DialContext(ctx, "tcp", s.address.String())
		if err != nil {
			return 0, fmt.Errorf("open a TCP stream: %w", err)
		}
		context.AfterFunc(ctx, func() { c.Close() })
		go func() {
			buf := make([]byte, chunk)
			for {
				n, err := c.Write(buf)
				s.sent.Add(uint64(n))
				if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
					return
				}
				if err != nil {
					fail(fmt.Errorf("write to a TCP stream: %w", err))
					return
				}
			}
		}()
	}
	return 0, nil
}
