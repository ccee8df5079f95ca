package localstack

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"routerd/routing/protocol"
)

// What is read at once is passed on as one block. While a protocol works through one, the
// next is read: a neighbour that announces its table keeps two processors busy, and the
// protocol finds the next block there. Larger blocks saved nothing, and a question to the
// protocol waits for the blocks before it: 64 KiB have 16,000 routes that are withdrawn.
//
// A full table, 19 MB, was learned within so many seconds (two processors, means of four):
//
//	blocks of      64 KiB   256 KiB   1 MiB
//	one by one     0.78
//	one ahead      0.75     0.71      0.71
//
// Later, with a protocol that takes less time, 64 and 128 KiB were alike: 0.59 and 0.58
// (medians of five and four). The slowest answer to a question took 36 and 47 ms.
const (
	blockSize = 64 << 10
	// readAhead is how many blocks of a connection may wait for its protocol, that which it
	// works through included.
	readAhead = 2
)

// block is room for what is read at once.
type block [blockSize]byte

// blocks are those that nobody uses. Any goroutine may take one and put it back.
var blocks = sync.Pool{New: func() any { return new(block) }}

// read waits for octets and passes them on, or discards them once the protocol has closed
// the connection. It has a block only while there is something to read.
func (c *conn) read() error {
	select {
	case c.ahead <- struct{}{}:
	case <-c.client.streams.ctx.Done():
		return errUnheard
	}
	b, n, err := c.receive()
	switch {
	case err != nil:
	case n == 0:
		err = protocol.ErrStreamEnd
	case c.closing():
		c.discarded += n
	default:
		stepped := func() {
			blocks.Put(b)
			<-c.ahead
		}
		if c.client.hear(c.client.streams.ctx, protocol.Read{ID: c.id, Data: b[:n]}, stepped) == nil {
			return nil
		}
		err = errUnheard
	}
	if b != nil {
		blocks.Put(b)
	}
	<-c.ahead
	return err
}

// receive waits for octets, and gives how many are in the block, 0 at the end of the stream.
func (c *conn) receive() (b *block, n int, err error) {
	var failed error
	err = c.raw.Read(func(fd uintptr) bool {
		if c.discarded >= discards {
			return false // it ends by its deadline
		}
		b = blocks.Get().(*block)
		n, failed = ignoringEINTR(func() (int, error) { return unix.Read(int(fd), b[:]) })
		if errors.Is(failed, unix.EAGAIN) {
			blocks.Put(b)
			b = nil
			return false
		}
		return true
	})
	if err == nil && failed != nil {
		err = reason(failed)
	}
	return b, n, err
}
