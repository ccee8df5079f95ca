package localstack

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"routerd/routing/protocol"
)

// writeSize bounds how much the writer takes at once, so that it soon reports
// room.
const writeSize = 64 << 10

// write queues octets. The caller must not use them afterwards.
func (c *conn) write(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.why != nil || len(data) == 0 {
		return
	}
	queued := len(c.waiting) + c.taken + len(data)
	if queued > 2*protocol.StreamRoom {
		c.fail(fmt.Errorf("%d octets wait to be sent, more than the %d that a connection may have waiting: the other side does not read", queued, 2*protocol.StreamRoom))
		return
	}
	if c.waiting == nil {
		c.waiting = data[:len(data):len(data)] // others may write it too
	} else {
		c.waiting = append(c.waiting, data...)
	}
	c.pressed = c.pressed || queued > protocol.StreamRoom/2
	if c.writing == nil && c.connected {
		c.startWriter()
	}
}

// startWriter starts the writer. The caller holds c.mu.
func (c *conn) startWriter() {
	if c.client.streams.ctx.Err() == nil {
		c.writing = make(chan struct{})
		c.client.streams.running.Go(c.drain)
	}
}

// drain is the writer's goroutine. It ends when the queue is empty.
func (c *conn) drain() {
	for {
		data, ok := c.take()
		if !ok {
			return
		}
		err := c.send(data)
		tell := c.sent(len(data), err)
		if tell && c.client.hear(c.client.streams.ctx, protocol.Late(c.room), func() {}) != nil {
			err = protocol.ErrNoStack
		}
		if err != nil {
			c.stopWriter()
			return
		}
	}
}

// take returns the next octets for the writer, or ends it if there are none.
func (c *conn) take() (data []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 || c.why != nil {
		if c.closed && c.why == nil {
			c.shut()
		}
		c.endWriter()
		return nil, false
	}
	n := min(len(c.waiting), writeSize)
	data, c.waiting = c.waiting[:n:n], c.waiting[n:]
	c.taken = n
	return data, true
}

// sent notes that the kernel has taken n octets, and reports whether to tell the
// protocol how much room there is.
func (c *conn) sent(n int, err error) (tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken -= n
	if c.closed || c.why != nil || err != nil {
		return false
	}
	queued := len(c.waiting)
	if tell = queued == 0 || c.pressed && queued <= protocol.StreamRoom/2; tell {
		c.pressed = false
	}
	return tell
}

// room says how much room there is when the protocol hears of it. It has written more
// since the kernel took what there was, perhaps.
func (c *conn) room() protocol.Input {
	c.mu.Lock()
	defer c.mu.Unlock()
	return protocol.Written{ID: c.id, Room: protocol.StreamRoom - len(c.waiting) - c.taken}
}

// stopWriter ends the writer of a connection that takes no more octets. The
// reader finds out why, after reading everything that the other side sent
// before. A protocol that has closed the connection gets no report.
func (c *conn) stopWriter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.reset()
	}
	c.endWriter()
}

// endWriter notes that the writer ends. The caller holds c.mu.
func (c *conn) endWriter() {
	close(c.writing)
	c.waiting, c.writing = nil, nil
}

// send writes all of data, waiting for room in the kernel without a thread.
func (c *conn) send(data []byte) error {
	var failed error
	err := c.raw.Write(func(fd uintptr) bool {
		for len(data) > 0 {
			n, err := ignoringEINTR(func() (int, error) {
				return unix.SendmsgN(int(fd), data, nil, nil, unix.MSG_NOSIGNAL)
			})
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if failed = err; err != nil {
				return true
			}
			data = data[n:]
		}
		return true
	})
	return errors.Join(err, failed)
}
