package offload

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Why a device, or the whole router, has no flow cache. The sentence is for
// users.
var (
	ErrNoRight  = errors.New("routerd lacks CAP_BPF or CAP_NET_ADMIN")
	ErrTooOld   = errors.New("the kernel has no tcx: Linux 6.6 is wanted")
	ErrOccupied = errors.New("another program is attached to the device's ingress")
)

// plain says in plain words what the kernel lacks.
func plain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return ErrNoRight // the rest of err would be a guess at limits of memory
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: %w", ErrTooOld, err)
	}
	return err
}

// Attachment is a device whose packets the cache may carry. It ends with the
// process, or with the device, if it is not closed.
type Attachment struct {
	link  link.Link
	judge *ebpf.Program
}

// Attach has the cache carry packets that come in by the device called name,
// with this index in the namespace of the calling thread. Nothing is carried
// before a socket has the judge.
//
// Another program at the device's ingress would get packets that the judge has
// kept from the socket, or would not get those that are carried; so a device
// with one is refused.
func (c *Cache) Attach(name string, index int) (*Attachment, error) {
	what := fmt.Sprintf("attaching the flow cache to device %s", name)
	found, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
	switch {
	case errors.Is(err, unix.EINVAL): // kernels before tcx do not know the place
		return nil, fmt.Errorf("%s: %w: %w", what, ErrTooOld, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, plain(err))
	case len(found.Programs) > 0:
		return nil, fmt.Errorf("%s: %w", what, ErrOccupied)
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: c.kernel.carrier, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, plain(err))
	}
	return &Attachment{l, c.kernel.judge}, nil
}

// Judge has a packet socket of the device get only what the cache does not
// carry. All sockets that the device's packets are shared among need it, and no
// other one.
func (a *Attachment) Judge(socket int) error {
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, a.judge.FD()); err != nil {
		return fmt.Errorf("giving a packet socket the judge of the flow cache: %w", plain(err))
	}
	return nil
}

// Close ends the attachment. Sockets that have the judge must be closed, or rid
// of it, before: what it keeps from them would be lost.
func (a *Attachment) Close() error {
	if err := a.link.Close(); err != nil {
		return fmt.Errorf("detaching the flow cache from a device: %w", err)
	}
	return nil
}
