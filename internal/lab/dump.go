package lab

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// dumpTries is how often the kernel is asked for a list that changes meanwhile.
const dumpTries = 50

// dumped asks the kernel for a list, and again while it says that what it lists has
// changed meanwhile.
func dumped[T any](ask func() ([]T, error)) (list []T, err error) {
	for range dumpTries {
		if list, err = ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return nil, err
}
