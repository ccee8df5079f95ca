package device

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// batchBytes is how much one Read takes before it leaves the rest for the next.
// A batch that outgrows the second-level cache has to be fetched again when it
// is written: with 1 MiB of cache a core, super-packets cost about the same up
// to 512 KiB a batch and a tenth more from 1 MiB on (BenchmarkReadBudget). Half
// of that leaves room for smaller caches and for the kernel's own data.
const batchBytes = 256 << 10

// MaxChain is how many parts a chained frame may have: what writev(2) takes.
const MaxChain = 1024

// ErrGone is what Read and Write return once somebody else has deleted the
// device. errors.Is finds ErrClosed in it, so that a worker stops.
var ErrGone = fmt.Errorf("the device was deleted: %w", port.ErrClosed)

// Queue is one descriptor of a TUN or TAP device with virtio-net headers. It
// implements port.Queue.
type Queue struct {
	file    *os.File
	closing func() error
	raw     syscall.RawConn
	closed  atomic.Bool
	gone    atomic.Bool // a Read has found the device deleted

	// What the current Read works on. It is here, and step is made once,
	// because a closure for each call would be an allocation for each call.
	frames []port.Frame
	filled int
	err    error
	step   func(fd uintptr) bool

	malformed atomic.Uint64
}

// NewQueue makes a queue of a non-blocking descriptor; closing closes it.
func NewQueue(file *os.File, closing func() error) (*Queue, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	q := &Queue{file: file, closing: closing, raw: raw}
	q.step = q.drain
	return q, nil
}

// Read implements port.Queue.
func (q *Queue) Read(frames []port.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	q.frames, q.filled, q.err = frames, 0, nil
	err := q.raw.Read(q.step)
	q.frames = nil
	switch {
	case q.filled > 0:
		return q.filled, nil
	case q.closed.Load():
		return 0, port.ErrClosed
	case q.gone.Load():
		return 0, ErrGone // from now on, also after a deadline
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, port.ErrTimeout
	case err != nil, q.err == unix.EBADFD, q.err == unix.EFAULT:
		// The poller returns an error for a TUN whose device is gone. Without a
		// device a read gives EBADFD; while the device is being removed,
		// EFAULT.
		q.gone.Store(true)
		return 0, ErrGone
	default:
		return 0, fmt.Errorf("reading from a device: %w", q.err)
	}
}

// drain reads until the device is empty, the frames are full or the budget is
// spent. False means that there was nothing and the poller should wait.
func (q *Queue) drain(fd uintptr) bool {
	for bytes := 0; q.filled < len(q.frames) && bytes < batchBytes; {
		f := &q.frames[q.filled]
		f.Reset()
		// The header is read into the headroom in front of the packet, so
		// nothing has to be moved.
		b := f.Buf[port.Headroom-HeaderLen:]
		n, errno := sysCall(unix.SYS_READ, int(fd), unsafe.Pointer(&b[0]), len(b))
		switch errno {
		case 0:
		case unix.EAGAIN:
			return q.filled > 0
		default:
			q.err = errno
			return true
		}
		f.End = port.Headroom - HeaderLen + n
		if f.End < port.Headroom || !q.decode(f) {
			q.malformed.Add(1)
			continue
		}
		q.filled++
		bytes += n
	}
	return true
}

func (q *Queue) decode(f *port.Frame) (ok bool) {
	h := (*[HeaderLen]byte)(f.Buf[port.Headroom-HeaderLen:])
	f.Offload, ok = DecodeHeader(h, f.Bytes())
	return ok
}

// SetReadDeadline implements port.Queue.
func (q *Queue) SetReadDeadline(t time.Time) error {
	err := q.file.SetReadDeadline(t)
	if err != nil && q.closed.Load() {
		return port.ErrClosed
	}
	return err
}

// Write implements port.Queue.
func (q *Queue) Write(frames []*port.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	w := writers.Get().(*writer)
	w.frames, w.taken, w.err = frames, 0, nil
	// Control, not RawConn.Write: it keeps the descriptor from being closed
	// and reused under us, but neither serialises writers nor ever waits.
	err := q.raw.Control(w.step)
	taken := w.taken
	if err == nil {
		err = w.err
	} else {
		failAll(frames)
		err = port.ErrClosed
	}
	w.frames = nil
	writers.Put(w)
	return taken, err
}

// Malformed is how many frames were dropped because of an invalid virtio-net
// header.
func (q *Queue) Malformed() uint64 { return q.malformed.Load() }

// Close wakes the reader, waits until no system call uses the descriptor any
// more and closes it.
func (q *Queue) Close() error {
	q.closed.Store(true)
	return q.closing()
}

// writer is what one call of Write works on. It is kept between calls, like
// step of Queue, so that a call allocates nothing.
type writer struct {
	frames []*port.Frame
	taken  int
	err    error
	step   func(fd uintptr)
	parts  [MaxChain]unix.Iovec
}

// writers holds those that no Write is using: an idle queue keeps none.
var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.step = w.send
	return w
}}

func (w *writer) send(fd uintptr) {
	for i, f := range w.frames {
		err := w.sendOne(int(fd), f)
		f.Failed = err != 0
		if err == 0 {
			w.taken++
			continue
		}
		if err == unix.EBADFD {
			failAll(w.frames[i:])
			w.err = ErrGone
			return
		}
		// Any other error concerns this frame alone: a full device (EAGAIN,
		// ENOBUFS), one that is down (EIO), a header the kernel does not take
		// (EINVAL).
	}
}

// sendOne writes one frame with what is chained to it in one system call.
func (w *writer) sendOne(fd int, f *port.Frame) syscall.Errno {
	from := f.Start - HeaderLen
	if from < 0 || f.End <= f.Start {
		return unix.EINVAL
	}
	h := (*[HeaderLen]byte)(f.Buf[from:])
	EncodeHeader(h, &f.Offload, f.Bytes())
	b := f.Buf[from:f.End]
	if f.Next == nil {
		_, errno := sysCall(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b))
		return errno
	}
	n := 0
	for {
		if len(b) > 0 {
			if n == MaxChain {
				return unix.EMSGSIZE
			}
			w.parts[n].Base = &b[0]
			w.parts[n].SetLen(len(b))
			n++
		}
		if f = f.Next; f == nil {
			break
		}
		b = f.Bytes()
	}
	_, errno := sysCall(unix.SYS_WRITEV, fd, unsafe.Pointer(&w.parts[0]), n)
	return errno
}

// sysCall is read(2), write(2) or writev(2) of n bytes or parts at p. The
// descriptors never block, so the Go scheduler is not told of the call
// (RawSyscall): it would take a long write, in which the kernel delivers a
// super-packet, for a blocked one and start another thread.
func sysCall(trap uintptr, fd int, p unsafe.Pointer, n int) (int, syscall.Errno) {
	for {
		r, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(p), uintptr(n))
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

func failAll(frames []*port.Frame) {
	for _, f := range frames {
		f.Failed = true
	}
}
