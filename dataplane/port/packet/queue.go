package packet

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// batchBytes is how much one Read takes before it leaves the rest for the
// next, as on a TUN: what stays in the second-level cache.
const batchBytes = 256 << 10

// batchFrames is how many frames one system call reads or writes. In batches
// a small frame costs 3.5 µs to write and read, one by one 6.3; super-packets
// cost the same either way (BenchmarkQueue).
const batchFrames = 64

// errGone is what Read and Write return once somebody has deleted the device or
// moved it elsewhere. errors.Is finds ErrClosed in it, so that a worker stops.
var errGone = fmt.Errorf("the device below a packet port is gone: %w", port.ErrClosed)

// message is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
}

// control is the control message of PACKET_AUXDATA.
type control struct {
	header unix.Cmsghdr
	aux    struct {
		status           uint32
		length, captured uint32
		mac, network     uint16
		vlanTCI          uint16
		vlanTPID         uint16
	}
}

// queue is one packet socket.
type queue struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	gone   atomic.Bool

	// What the current Read works on. It is here, and step is made once,
	// because a closure for each call would be an allocation for each call.
	frames []port.Frame
	filled int
	err    error
	step   func(fd uintptr) bool

	messages [batchFrames]message
	parts    [batchFrames]unix.Iovec
	controls [batchFrames]control
	most     int // messages per system call
	typical  int // bytes of a frame in the last system call

	held     held
	progress progress

	malformed atomic.Uint64
}

func newQueue(fd int) (*queue, error) {
	file := os.NewFile(uintptr(fd), "packet")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	q := &queue{file: file, raw: raw, most: batchFrames, typical: port.MaxFrame, progress: progress{room: socketRoom(fd)}}
	for i := range q.messages {
		h := &q.messages[i].header
		h.Iov = &q.parts[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&q.controls[i]))
	}
	q.step = q.drain
	return q, nil
}

// Read implements port.Queue.
func (q *queue) Read(frames []port.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	for {
		q.frames, q.filled, q.err = frames, 0, nil
		err := q.raw.Read(q.step)
		q.frames = nil
		switch {
		case q.filled > 0:
			return q.filled, nil
		case q.closed.Load():
			return 0, port.ErrClosed
		case q.gone.Load():
			return 0, errGone
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, port.ErrTimeout
		case q.err != nil:
			return 0, q.err
		case err == nil:
			continue // all frames of the batch were malformed
		}
		// The poller returns an error for a socket whose device went down while
		// nothing could be sent. It recovers at the next change.
		time.Sleep(time.Millisecond)
	}
}

// drain reads until the socket is empty, the frames are full or the budget is
// spent. False means that there was nothing and the poller should wait.
func (q *queue) drain(fd uintptr) bool {
	if !q.held.any() {
		q.progress.begin(q.typical <= smallFrame)
	}
	if q.filled = q.held.release(q.frames, 0); q.filled > 0 {
		return true
	}
	for bytes := 0; q.filled < len(q.frames) && bytes < batchBytes; {
		// A call should read no more than what is left of the budget, estimated
		// from the frames before: many small ones, few super-packets.
		want := min(q.most, len(q.frames)-q.filled, (batchBytes-bytes)/q.typical+1)
		q.prepare(want)
		q.progress.look()
		n, errno := batchCall(unix.SYS_RECVMMSG, int(fd), &q.messages[0], want)
		switch errno {
		case 0:
		case unix.EAGAIN:
			q.progress.empty(q.filled == 0)
			return q.filled > 0
		case unix.ENETDOWN:
			// ENETDOWN is reported once, when the device goes down. The kernel
			// binds the socket again when it comes up.
			continue
		case unix.EINVAL:
			// A super-packet that no virtio-net header can describe, of a
			// tunnel for example. The kernel has removed it from the socket.
			q.malformed.Add(1)
			continue
		case unix.ENODEV, unix.ENXIO:
			q.gone.Store(true)
			return true
		default:
			q.err = fmt.Errorf("reading from a packet socket: %w", errno)
			return true
		}
		q.progress.read(n)
		took := q.accept(n)
		if q.held.any() {
			return true
		}
		bytes += took
		q.typical = max(took/n, 1)
		if n < want && q.filled > 0 && !q.progress.awaited() {
			return true // it is empty: another call would only say so
		}
	}
	return true
}

// prepare points the first n messages at the next frames.
func (q *queue) prepare(n int) {
	for i := range n {
		f := &q.frames[q.filled+i]
		f.Reset()
		// The header is read into the headroom in front of the frame, so
		// nothing has to be moved.
		b := f.Buf[port.Headroom-device.HeaderLen:]
		q.parts[i].Base = &b[0]
		q.parts[i].SetLen(len(b))
		q.controls[i].aux.status = 0
		q.messages[i].header.SetControllen(int(unsafe.Sizeof(control{})))
	}
}

// accept takes the n frames that were read, moves the valid ones to the front,
// and returns the bytes of all.
func (q *queue) accept(n int) (bytes int) {
	first := q.filled
	for i := range n {
		f, m := &q.frames[first+i], &q.messages[i]
		bytes += int(m.length)
		f.End = port.Headroom - device.HeaderLen + int(m.length)
		if f.Len() < linkHeader || m.header.Flags&unix.MSG_TRUNC != 0 || !decode(f) {
			q.malformed.Add(1)
			continue
		}
		if c := &q.controls[i]; c.aux.status&unix.TP_STATUS_VLAN_VALID != 0 && c.header.Type == unix.PACKET_AUXDATA {
			f.HasVLAN, f.VLAN = true, c.aux.vlanTCI
		}
		if first+i != q.filled {
			*f, q.frames[q.filled] = q.frames[q.filled], *f
		}
		if q.held.any() || tunnelled(&q.frames[q.filled]) {
			q.held.keep(&q.frames[q.filled])
			continue
		}
		q.filled++
	}
	if q.held.any() {
		q.filled = q.held.release(q.frames, q.filled)
	}
	return bytes
}

func decode(f *port.Frame) (ok bool) {
	h := (*[device.HeaderLen]byte)(f.Buf[port.Headroom-device.HeaderLen:])
	f.Offload, ok = device.DecodeHeader(h, f.Bytes())
	return ok
}

// SetReadDeadline implements port.Queue.
func (q *queue) SetReadDeadline(t time.Time) error {
	err := q.file.SetReadDeadline(t)
	switch {
	case q.closed.Load():
		return port.ErrClosed
	case q.gone.Load():
		q.file.SetReadDeadline(time.Unix(1, 0)) // the reader must not wait again
	}
	return err
}

// lost wakes the reader of a socket whose device is gone: the kernel does not
// wake it.
func (q *queue) lost() {
	q.gone.Store(true)
	q.file.SetReadDeadline(time.Unix(1, 0))
}

// close wakes the reader, waits until no system call uses the descriptor any
// more and closes it.
func (q *queue) close() error {
	q.closed.Store(true)
	return q.file.Close()
}

// batchCall is recvmmsg(2) or sendmmsg(2). The sockets never block, so the Go
// scheduler is not told, as on a TUN.
func batchCall(trap uintptr, fd int, m *message, n int) (int, syscall.Errno) {
	for {
		r, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(m)), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}
