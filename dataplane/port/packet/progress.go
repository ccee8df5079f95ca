package packet

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// progress tells a flow cache how far the reader of a socket is. A packet has its
// number when it is in the socket, so what was loaded of Passed is finished:
//
//   - once the socket is found empty afterwards, and what was read of it until then
//     has been written, which the reader says by reading on;
//   - or, where the socket is never empty, once as many packets as fit into it have
//     been read since, and written.
//
// Only follow may be called by others than the reader.
type progress struct {
	of atomic.Pointer[port.HandOver]

	now     *port.HandOver // what is followed; nil without a cache
	passed  uint64         // what was loaded before the system call
	emptied uint64         // to be finished at the next call of begin; 0 for nothing
	target  uint64         // to be finished when rest packets more have been read
	rest    int
	fits    int // how many packets fit into the socket at most
}

// follow has the reader follow h from its next call on, or nothing.
func (p *progress) follow(h *port.HandOver) { p.of.Store(h) }

// begin is called when everything that was read before has been written.
func (p *progress) begin() {
	if now := p.of.Load(); now != p.now {
		p.now, p.emptied, p.target = now, 0, 0
	}
	if p.now == nil {
		return
	}
	if p.emptied != 0 {
		p.finish(p.emptied)
	} else if p.target != 0 && p.rest <= 0 {
		p.finish(p.target)
	}
	if p.target == 0 && p.awaited() {
		p.target, p.rest = p.now.Passed.Load(), p.fits
	}
}

func (p *progress) finish(n uint64) {
	p.now.Finished.Store(n)
	p.emptied, p.target = 0, 0
}

// awaited reports whether there is a packet that is not finished and has to be.
func (p *progress) awaited() bool {
	return p.now != nil && p.now.Passed.Load() != p.now.Finished.Load()
}

// look is called before each system call that reads.
func (p *progress) look() {
	if p.now != nil {
		p.passed = p.now.Passed.Load()
	}
}

// read is called with the number of packets that a system call has read.
func (p *progress) read(n int) { p.rest -= n }

// empty is called when a system call has found the socket empty. All says that
// everything that was read before has been written.
func (p *progress) empty(all bool) {
	switch {
	case p.now == nil:
	case !all:
		p.emptied = p.passed
	case p.passed != p.now.Finished.Load():
		p.finish(p.passed)
	}
}

// leastPacket is less than what the kernel counts for any packet in a socket: its
// struct sk_buff and struct skb_shared_info alone are more.
const leastPacket = 512

// mostPackets is how many packets fit into a socket at most.
func mostPackets(fd int) (int, error) {
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	return size/leastPacket + 1, err
}
