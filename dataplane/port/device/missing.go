package device

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrMissing says that a port cannot be opened, or changed, because something
// that the host has to bring is not there: a namespace, a device or a bridge.
// It may come later, see Watch.
var ErrMissing = errors.New("missing")

// Missing makes err say ErrMissing to errors.Is, and leaves its text alone.
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

// Lost turns an error of something that was done to the device into
// ErrMissing where the device went away meanwhile: the kernel then answers with
// whatever it came across.
func (l *Link) Lost(err error) error {
	if err == nil || errors.Is(err, ErrMissing) || l.Handle == nil || l.Index == 0 {
		return err
	}
	if _, gone := l.Handle.LinkByIndex(l.Index); notFound(gone) {
		return Missing(err)
	}
	return err
}
