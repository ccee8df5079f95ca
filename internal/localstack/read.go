package localstack

import (
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"routerd/routing/protocol"
)

// What is read at once is passed on as one block. While a protocol works through one, the
// next is read: a neighbour that announces its table keeps two processors busy, and the
// protocol finds the next block there. A connection begins with small blocks. Where more has
// come than one holds, the next is large, which saves a protocol work that it has with each
// block, however long; it is not larger, since whoever asks a protocol something waits for
// the blocks before, and 128 KiB have 32,000 routes that are withdrawn. A few connections at
// once have large ones, so that the room for a thousand is bounded.
//
// A full table, 19 MB, was learned within so many seconds (two processors, means of four):
//
//	blocks of      64 KiB   256 KiB   1 MiB
//	one by one     0.78
//	one ahead      0.75     0.71      0.71
const (
	smallBlock = 64 << 10
	largeBlock = 128 << 10
	mostLarge  = 32
	// readAhead is how many blocks of a connection may wait for its protocol, that which it
	// works through included.
	readAhead = 2
)

// block is room for what is read at once.
type block struct {
	octets []byte
	blocks *blocks // that it came from
}

// blocks are those of one size that nobody uses, and how many are in use.
type blocks struct {
	size int
	used atomic.Int32
	pool sync.Pool
}

var (
	smallBlocks = blocks{size: smallBlock}
	largeBlocks = blocks{size: largeBlock}
)

func (p *blocks) get() *block {
	p.used.Add(1)
	if b, ok := p.pool.Get().(*block); ok {
		return b
	}
	return &block{octets: make([]byte, p.size), blocks: p}
}

// free gives the block back. Any goroutine may call it.
func (b *block) free() {
	b.blocks.used.Add(-1)
	b.blocks.pool.Put(b)
}

// space gives a block to read into.
func (c *conn) space() *block {
	if c.more && largeBlocks.used.Load() < mostLarge {
		return largeBlocks.get()
	}
	return smallBlocks.get()
}

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
		c.more = n == len(b.octets)
		stepped := func() {
			b.free()
			<-c.ahead
		}
		if c.client.hear(c.client.streams.ctx, protocol.Read{ID: c.id, Data: b.octets[:n]}, stepped) == nil {
			return nil
		}
		err = errUnheard
	}
	if b != nil {
		b.free()
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
		b = c.space()
		n, failed = ignoringEINTR(func() (int, error) { return unix.Read(int(fd), b.octets) })
		if errors.Is(failed, unix.EAGAIN) {
			b.free()
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
