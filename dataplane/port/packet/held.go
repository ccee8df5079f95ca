package packet

import "routerd/dataplane/port"

// held is what a queue has read and not handed over yet: from a tunnel's
// super-packet on, all that was read with it, since its segments may be more
// frames than one Read is asked for. The zero held is empty.
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

// keep takes a frame, and leaves an empty one in its place. Buffers change
// hands with the frames: what was allocated for one is used for ever.
func (h *held) keep(f *port.Frame) {
	if h.end == len(h.frames) {
		h.frames = append(h.frames, port.Frame{Buf: make([]byte, port.BufferSize)})
	}
	*f, h.frames[h.end] = h.frames[h.end], *f
	h.end++
}

// release hands over what is held, in order, to frames from filled on, and
// returns how many of them are filled then.
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
			f.Buf, h.spare, h.cutting = h.spare, nil, true // its buffer is the tunnel's now
		} else {
			// One that cannot be cut here either is judged by who reads it.
			*f, frames[filled] = frames[filled], *f
			filled++
		}
		if h.first == h.end {
			h.first, h.end = 0, 0
		}
	}
	return filled
}

// finish takes the buffer of a super-packet back once all of it is cut off.
func (h *held) finish() {
	if h.tunnel.done() {
		h.spare, h.cutting = h.tunnel.frame.Buf, false
		h.tunnel.frame.Buf = nil
	}
}
