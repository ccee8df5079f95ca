package wire

import (
	"bytes"
	"encoding/binary"
)

// Set is all attributes of a route in a form in which equal ones are equal octets:
// as on the wire between speakers with AS numbers of four octets, in the order of
// their codes, with the flags that their codes have, each in its shortest form,
// communities in order and each once, and the next hop of any family in NEXT_HOP.
// Non-transitive attributes that are not known are not in it.
type Set []byte

// AppendSet appends the set of the attributes, which have to fit.
func (a *Attributes) AppendSet(dst []byte) Set { return a.append(dst, form{set: true}) }

// Read reads the set into a, whose slices it uses again and which points into the
// set. It is one that AppendSet has made.
func (s Set) Read(a *Attributes) {
	a.reset()
	for b := []byte(s); len(b) > 0; {
		flags, code, n, head := b[0], Attribute(b[1]), int(b[2]), 3
		if flags&flagExtended != 0 {
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		}
		v := b[head : head+n : head+n]
		b = b[head+n:]
		if code.known() {
			a.take(code, flags, v)
		} else {
			a.takeUnknown(code, v)
		}
	}
}

// NextHop is the next hop in the set, invalid if there is none.
func (s Set) NextHop() NextHop {
	for b := []byte(s); len(b) > 0; {
		n, head := int(b[2]), 3
		if b[0]&flagExtended != 0 {
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		}
		if Attribute(b[1]) >= AttrNextHop {
			if Attribute(b[1]) == AttrNextHop {
				return readNextHop(b[head : head+n])
			}
			break
		}
		b = b[head+n:]
	}
	return NextHop{}
}

// appendList appends an attribute of items of size octets, whose order means
// nothing; in order and each once if sorted is asked for.
func appendList(dst []byte, code Attribute, flags byte, v []byte, size int, sorted bool) []byte {
	if !sorted || ascending(v, size) {
		return appendRaw(dst, code, flags, v)
	}
	at := len(dst)
	dst = appendRaw(dst, code, flags, v)
	items := dst[len(dst)-len(v):]
	sortItems(items, size)
	// Each once.
	end := size
	for i := size; i < len(items); i += size {
		if !bytes.Equal(items[i:i+size], items[end-size:end]) {
			copy(items[end:], items[i:i+size])
			end += size
		}
	}
	if end == len(items) {
		return dst
	}
	head := len(dst) - len(v) - at
	if head == 4 && end <= 0xff { // the shorter form is enough now
		copy(dst[at+3:], items[:end])
		dst[at], dst[at+2] = flags, byte(end)
		return dst[:at+3+end]
	}
	if head == 4 {
		binary.BigEndian.PutUint16(dst[at+2:], uint16(end))
	} else {
		dst[at+2] = byte(end)
	}
	return dst[:at+head+end]
}

func ascending(v []byte, size int) bool {
	if size == 4 { // of most routes
		for i := 4; i < len(v); i += 4 {
			if binary.BigEndian.Uint32(v[i-4:]) >= binary.BigEndian.Uint32(v[i:]) {
				return false
			}
		}
		return true
	}
	for i := size; i < len(v); i += size {
		if bytes.Compare(v[i-size:i], v[i:i+size]) >= 0 {
			return false
		}
	}
	return true
}

// sortItems sorts items of size octets, by a heap: whoever sends sixteen thousand
// of them in the worst order costs no more than others.
func sortItems(b []byte, size int) {
	n := len(b) / size
	item := func(i int) []byte { return b[i*size : (i+1)*size] }
	var spare [20]byte
	swap := func(i, j int) {
		t := spare[:copy(spare[:], item(i))]
		copy(item(i), item(j))
		copy(item(j), t)
	}
	down := func(i, n int) {
		for {
			c := 2*i + 1
			if c >= n {
				return
			}
			if c+1 < n && bytes.Compare(item(c), item(c+1)) < 0 {
				c++
			}
			if bytes.Compare(item(i), item(c)) >= 0 {
				return
			}
			swap(i, c)
			i = c
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		down(i, n)
	}
	for i := n - 1; i > 0; i-- {
		swap(0, i)
		down(0, i)
	}
}
