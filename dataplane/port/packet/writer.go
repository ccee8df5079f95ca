package packet

import (
	"sync"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// maxChain is how many parts a chained frame may have: what one message of
// sendmmsg(2) takes.
const maxChain = 1024

// Write implements port.Queue.
func (q *queue) Write(frames []*port.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	w := writers.Get().(*writer)
	w.frames, w.taken, w.gone = frames, 0, false
	// Control, not RawConn.Write: it keeps the descriptor from being closed
	// and reused under us, but neither serialises writers nor ever waits.
	err := q.raw.Control(w.step)
	taken := w.taken
	switch {
	case err != nil:
		failAll(frames)
		err = port.ErrClosed
	case w.gone:
		err = errGone
	}
	w.frames = nil
	writers.Put(w)
	return taken, err
}

// writer is what one call of Write works on. It is kept between calls, like
// step of queue, so that a call allocates nothing.
type writer struct {
	frames []*port.Frame
	taken  int
	gone   bool
	step   func(fd uintptr)

	messages [batchFrames]message
	of       [batchFrames]*port.Frame // the frame of each message
	parts    [maxChain]unix.Iovec
}

// writers holds those that no Write is using: an idle queue keeps none.
var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.step = w.send
	return w
}}

func (w *writer) send(fd uintptr) {
	for rest := w.frames; len(rest) > 0; {
		n, used := w.gather(rest)
		rest = rest[used:]
		if !w.sendBatch(int(fd), n) {
			failAll(rest)
			w.gone = true
			return
		}
	}
}

// gather makes messages of as many frames as there is room for: n messages of
// used frames. Frames that cannot be sent fail.
func (w *writer) gather(frames []*port.Frame) (n, used int) {
	parts := 0
	for _, f := range frames {
		if n == batchFrames {
			break
		}
		from := f.Start - device.HeaderLen
		if from < 0 || f.Len() < linkHeader {
			f.Failed = true
			used++
			continue
		}
		m, count := &w.messages[n], w.lay(f, from, parts)
		if count < 0 && parts > 0 {
			break // it goes in the next batch
		}
		used++
		if count < 0 {
			f.Failed = true
			continue
		}
		m.header.Iov = &w.parts[parts]
		m.header.SetIovlen(count)
		w.of[n] = f
		parts += count
		n++
	}
	return n, used
}

// lay lists the parts of f, from its virtio-net header on, beginning with
// part first; it returns how many there are, or -1 if there is no room.
func (w *writer) lay(f *port.Frame, from, first int) int {
	h := (*[device.HeaderLen]byte)(f.Buf[from:])
	device.EncodeHeader(h, &f.Offload, f.Bytes())
	n := first
	for b := f.Buf[from:f.End]; ; b = f.Bytes() {
		if len(b) > 0 {
			if n == maxChain {
				return -1
			}
			w.parts[n].Base = &b[0]
			w.parts[n].SetLen(len(b))
			n++
		}
		if f = f.Next; f == nil {
			return n - first
		}
	}
}

// sendBatch sends the first n messages. False means that the device is gone.
func (w *writer) sendBatch(fd, n int) bool {
	for done := 0; done < n; {
		sent, errno := batchCall(unix.SYS_SENDMMSG, fd, &w.messages[done], n-done)
		switch errno {
		case 0:
			for _, f := range w.of[done : done+sent] {
				f.Failed = false
			}
			w.taken += sent
			done += sent
		case unix.ENXIO, unix.ENODEV:
			failAll(w.of[done:n])
			return false
		default:
			// The error concerns this frame alone: a full device (EAGAIN,
			// ENOBUFS), one that is down (ENETDOWN), a header that the kernel
			// does not take (EINVAL), more than the MTU (EMSGSIZE).
			w.of[done].Failed = true
			done++
		}
	}
	return true
}

func failAll(frames []*port.Frame) {
	for _, f := range frames {
		f.Failed = true
	}
}
