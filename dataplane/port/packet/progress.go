package packet

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// progress tells a flow cache how far the reader of a socket is. A packet has its
// number when it is in the socket, so what was loaded of Passed is finished:
//
//   - once the socket is found empty afterwards, and what was read of it until then
//     has been written, which the reader says by reading on;
//   - or, where the socket is never empty, once as many packets as were in it then at
//     most have been read since, and written.
//
// A full socket holds small packets for longer than the next packet of their flow is
// away: each flow then has one in it, always, and none is handed over, though that is
// what would help. So a socket that is long in spite of all reading is made to hold less
// until it has been empty.
//
// Only follow may be called by others than the reader.
type progress struct {
	of atomic.Pointer[port.HandOver]

	now     *port.HandOver // what is followed; nil without a cache
	passed  uint64         // what was loaded before the system call
	emptied uint64         // to be finished at the next call of begin; 0 for nothing
	target  uint64         // to be finished when rest packets more have been read
	rest    int
	room    room
	long    bool // the socket was, when target was loaded, and is not empty since
	short   bool // it is made to hold less
}

// follow has the reader follow h from its next call on, or nothing.
func (p *progress) follow(h *port.HandOver) { p.of.Store(h) }

// begin is called when everything that was read before has been written. Small says that
// the latest frames were small ones.
func (p *progress) begin(small bool) {
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
		p.target = p.now.Passed.Load()
		used := p.room.used() // behind the load: only this reader takes any away
		p.rest = used/leastPacket + 1
		p.watch(used > shortBuffer && small)
	}
}

// watch makes the socket hold less if it is long for the second time.
func (p *progress) watch(long bool) {
	if long && p.long && !p.short {
		p.short = true
		p.room.limit(shortBuffer)
	}
	p.long = long
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
	if p.long = false; p.short {
		p.short = false
		p.room.limit(socketBuffer)
	}
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

// smallFrame is how many bytes small frames have at most on average.
const smallFrame = 1024

// shortBuffer is how much a socket that is long may hold, in bytes: some hundred small
// packets, which are enough to read batches.
const shortBuffer = 512 << 10

// room is how much a socket holds, and may hold.
type room interface {
	used() int       // bytes of kernel memory
	limit(bytes int) // half of what the kernel then takes for it
}

// socketRoom is the room of a packet socket.
type socketRoom int

func (fd socketRoom) used() int {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 2 * socketBuffer // as much as it holds at most
	}
	return int(info[unix.SK_MEMINFO_RMEM_ALLOC])
}

func (fd socketRoom) limit(bytes int) { limitReceive(int(fd), bytes) }
