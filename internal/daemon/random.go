package daemon

import (
	"crypto/rand"
	"encoding/binary"
)

// systemRandom is the source of the router's secrets.
type systemRandom struct{}

func (systemRandom) Uint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint64(b[:])
}
