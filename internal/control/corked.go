package control

import (
	"io"
	"net"
	"sync"
	"time"
)

// corkedConn is a connection that gathers what is written between cork and
// uncork, and then writes it at once: many small messages cost one system call,
// and one record of TLS. It is safe for concurrent use.
type corkedConn struct {
	net.Conn
	mu     sync.Mutex
	corked bool
	buf    *[]byte
	closed bool // a close frame was written
}

var corkBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// cork has what is written from now on gathered.
func (c *corkedConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = true
}

// Write implements net.Conn.
func (c *corkedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(b) >= 2 && b[0] == closeFrame && len(b) == 2+int(b[1]) {
		c.closed = true // control frames are short, and so are written at once
	}
	if !c.corked {
		return c.Conn.Write(b)
	}
	if c.buf == nil {
		c.buf = corkBuffers.Get().(*[]byte)
	}
	*c.buf = append(*c.buf, b...)
	return len(b), nil
}

// uncork writes what was gathered. It waits until the other side has read enough,
// but no longer than patience and the time of grace: then it is gone. If that took
// longer than patience alone, the other side is stalled.
func (c *corkedConn) uncork(patience time.Duration) reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	if c.buf == nil {
		return reasonNone
	}
	begun := time.Now()
	err := c.Conn.SetWriteDeadline(begun.Add(patience + graceTime))
	if err == nil {
		_, err = c.Conn.Write(*c.buf)
	}
	if err == nil {
		err = c.Conn.SetWriteDeadline(time.Time{})
	}
	*c.buf = (*c.buf)[:0]
	if cap(*c.buf) <= 256<<10 {
		corkBuffers.Put(c.buf)
	}
	c.buf = nil
	switch {
	case err != nil:
		return reasonGone
	case time.Since(begun) > patience:
		return reasonStalled
	}
	return reasonNone
}

// closeFrame is the first octet of a close frame of the server's.
const closeFrame = 0x88

// refuse ends what is written with a close frame that says that the other side
// has broken the protocol, unless one was written: for some faults the library
// writes none.
func (c *corkedConn) refuse() {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		_ = c.SetWriteDeadline(time.Now().Add(drainTime)) // without it, the end of the connection is the bound
		_, _ = c.Write([]byte{closeFrame, 2, 1002 >> 8, 1002 & 0xff})
	}
}

// The bounds of what drain reads.
const (
	drainBytes = 1 << 20
	drainTime  = time.Second
)

// drain writes what was gathered, ends the writing, and reads what the other side still sends. If a
// connection is closed with something unread, the kernel resets it, and the
// other side may never see what was written last.
func (c *corkedConn) drain() {
	c.uncork(drainTime) // the close frame is behind what another goroutine gathers at the moment
	if w, ok := c.Conn.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(drainTime)) // without it, the bound is that of bytes
	_, _ = io.CopyN(io.Discard, c.Conn, drainBytes)
}
