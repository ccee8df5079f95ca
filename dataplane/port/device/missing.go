package device

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrMissing means that a port cannot be opened or changed because a namespace,
// device or bridge of the host does not exist. It may come later, see Watch.
var ErrMissing = errors.New("missing")

// Missing makes errors.Is find ErrMissing in err, and keeps its text.
func Missing(err error) error { return missing{err} }

type missing struct{ error }

func (m missing) Is(target error) bool { return target == ErrMissing }
func (m missing) Unwrap() error        { return m.error }

// notFound reports whether netlink or the kernel says that a device is not
// there.
func notFound(err error) bool {
	var none netlink.LinkNotFoundError
	return errors.As(err, &none) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)
}

// Lost makes err ErrMissing if the device no longer exists: a call about a
// device that goes meanwhile may fail with any error.
func (l *Link) Lost(err error) error {
	if err == nil || errors.Is(err, ErrMissing) || l.Handle == nil || l.Index == 0 {
		return err
	}
	if _, gone := l.Handle.LinkByIndex(l.Index); notFound(gone) {
		return Missing(err)
	}
	return err
}
