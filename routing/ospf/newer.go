package ospf

import (
	"cmp"
	"time"

	"routerd/routing/ospf/wire"
)

// Architectural constants (RFC 2328 §B).
const (
	lsRefreshTime = 1800 // seconds of age
	checkAge      = 300  // seconds of age
	maxAgeDiff    = 900  // seconds of age
	minLSInterval = 5 * time.Second
	minLSArrival  = time.Second
)

// Compare says which of two instances of one LSA is the newer one (RFC 2328
// §13.1): above 0 is a, below 0 is b, and 0 is that they are the same. Their ages
// are those of now.
func Compare(a, b *wire.Header) int {
	if a.Sequence != b.Sequence {
		return cmp.Compare(a.Sequence, b.Sequence)
	}
	if a.Checksum != b.Checksum {
		return cmp.Compare(a.Checksum, b.Checksum)
	}
	x, y := min(a.Age, wire.MaxAge), min(b.Age, wire.MaxAge)
	switch {
	case x == y:
		return 0
	case x == wire.MaxAge:
		return 1
	case y == wire.MaxAge:
		return -1
	case max(x, y)-min(x, y) > maxAgeDiff:
		return cmp.Compare(y, x) // the younger one
	}
	return 0
}
