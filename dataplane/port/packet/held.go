package packet

import "routerd/dataplane/port"

// held is what a queue has read and not returned yet: a tunnel's super-packet
// and all frames that were read after it, since its segments may be more frames
// than one Read returns. The zero held is empty.
type held struct {
	frames  []port.Frame // of which those from first to end are held
	first   int
	end     int
	tunnel  tunnel // being cut up, where cutting is set
	cutting bool
	spare   []byte // the buffer of a super-packet that is cut up
}

// any reports whether something is held.
func (h *held) any() bool { return h.cutting || h.first < h.end }

// keep takes a frame, and leaves an empty one with another buffer in its place.
// Buffers are exchanged, not copied, and reused for ever.
func (h *held) keep(f *port.Frame) {
	if h.end == len(h.frames) {
		h.frames = append(h.frames, port.Frame{Buf: make([]byte, port.BufferSize)})
	}
	*f, h.frames[h.end] = h.frames[h.end], *f
	h.end++
}

// release puts what is held, in order, into frames from filled on, and returns
// how many of them are filled then.
func (h *held) release(frames []port.Frame, filled int) int {
	for filled < len(frames) && h.any() {
		if h.cutting {
			h.tunnel.next(&frames[filled])
			filled++
			h.finish()
			continue
		}
		f := &h.frames[h.first]
		h.first++
		if tunnelled(f) && h.tunnel.begin(f) {
			if h.spare == nil {
				h.spare = make([]byte, port.BufferSize)
			}
			f.Buf, h.spare, h.cutting = h.spare, nil, true // the tunnel keeps its buffer
		} else {
			// One that cannot be cut here either is returned as it is, and the
			// reader judges it.
			*f, frames[filled] = frames[filled], *f
			filled++
		}
		if h.first == h.end {
			h.first, h.end = 0, 0
		}
	}
	return filled
}

// finish takes back the buffer of a super-packet that has been cut up
// completely.
func (h *held) finish() {
	if h.tunnel.done() {
		h.spare, h.cutting = h.tunnel.frame.Buf, false
		h.tunnel.frame.Buf = nil
	}
}
