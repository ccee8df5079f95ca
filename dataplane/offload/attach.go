package offload

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// Why a device, or the whole router, has no flow cache. The sentence is for
// users.
var (
	ErrNoRight  = errors.New("routerd lacks CAP_BPF or CAP_NET_ADMIN")
	ErrTooOld   = errors.New("the kernel has no tcx: Linux 6.6 is wanted")
	ErrOccupied = errors.New("another program is attached to the device's ingress")
	ErrDetached = errors.New("somebody has detached the flow cache from the device")
	// ErrElsewhere: the kernel redirects packets within a namespace only.
	ErrElsewhere = errors.New("the device is in another network namespace than those that the flow cache is attached to")
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
	cache  *Cache
	device string
	index  int
	link   link.Link
	hands  map[int]int // by descriptor of a socket with a judge
}

// attachments are the devices that a cache is attached to: all of one namespace,
// in which alone their indexes tell them apart.
type attachments struct {
	sync.Mutex
	count int
	space device.Identity
}

// enter counts one more, in the namespace of the calling thread.
func (a *attachments) enter() error {
	space, err := device.IdentityOf("")
	if err != nil {
		return err
	}
	a.Lock()
	defer a.Unlock()
	if a.count > 0 && a.space != space {
		return ErrElsewhere
	}
	a.count, a.space = a.count+1, space
	return nil
}

func (a *attachments) leave() {
	a.Lock()
	defer a.Unlock()
	a.count--
}

// Attach implements port.FlowCache. Any goroutine may call it.
//
// Another program at the device's ingress would get packets that the judge has
// kept from the socket, or would not get those that are carried; so a device
// with one is refused.
func (c *Cache) Attach(name string, index int) (port.Attachment, error) {
	a := &Attachment{cache: c, device: name, index: index, hands: map[int]int{}}
	if err := c.attached.enter(); err != nil {
		return nil, a.explain("attaching the flow cache to", err)
	}
	if err := a.attach(); err != nil {
		c.attached.leave()
		return nil, a.explain("attaching the flow cache to", err)
	}
	return a, nil
}

func (a *Attachment) explain(what string, err error) error {
	return fmt.Errorf("%s device %s: %w", what, a.device, plain(err))
}

func (a *Attachment) attach() error {
	found, err := a.programs(ebpf.AttachTCXIngress)
	switch {
	case errors.Is(err, unix.EINVAL): // kernels before tcx do not know the place
		return fmt.Errorf("%w: %w", ErrTooOld, err)
	case err != nil:
		return err
	case len(found) > 0:
		return ErrOccupied
	}
	a.link, err = link.AttachTCX(link.TCXOptions{Interface: a.index, Program: a.cache.kernel.carrier, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
	return err
}

// programs are those that are attached to a place of the device.
func (a *Attachment) programs(at ebpf.AttachType) ([]link.AttachedProgram, error) {
	r, err := link.QueryPrograms(link.QueryOptions{Target: a.index, Attach: at})
	if err != nil {
		return nil, err
	}
	return r.Programs, nil
}

// Judge implements port.Attachment.
func (a *Attachment) Judge(socket int) (*port.HandOver, error) {
	const what = "giving the judge of the flow cache to a packet socket of"
	k := a.cache.kernel
	number, err := k.hands.take()
	if err != nil {
		return nil, a.explain(what, err)
	}
	judge, err := k.judge(number)
	if err == nil {
		err = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, judge.FD())
		judge.Close() // the socket keeps it
	}
	if err != nil {
		k.hands.giveBack(number)
		return nil, a.explain(what, err)
	}
	a.hands[socket] = number
	return k.hands.of(number), nil
}

// Release implements port.Attachment.
func (a *Attachment) Release(socket int) error {
	number, has := a.hands[socket]
	if !has {
		return nil
	}
	const what = "taking the judge of the flow cache from a packet socket of"
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DETACH_BPF, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return a.explain(what, err)
	}
	if err := a.cache.kernel.wait(); err != nil {
		return a.explain(what, err)
	}
	delete(a.hands, socket)
	a.cache.kernel.hands.giveBack(number)
	return nil
}

// Check implements port.Attachment.
func (a *Attachment) Check() (watched bool, err error) {
	const what = "looking at what is attached to"
	found, err := a.programs(ebpf.AttachTCXIngress)
	if err != nil {
		return false, a.explain(what, err)
	}
	ours := slices.ContainsFunc(found, func(p link.AttachedProgram) bool { return p.ID == a.cache.kernel.carrierID })
	switch {
	case !ours:
		return false, a.explain(what, ErrDetached)
	case len(found) > 1:
		return false, a.explain(what, ErrOccupied)
	}
	found, err = a.programs(ebpf.AttachTCXEgress)
	if err != nil {
		return false, a.explain(what, err)
	}
	return len(found) > 0, nil
}

// Close implements port.Attachment.
func (a *Attachment) Close() error {
	a.cache.attached.leave()
	for _, number := range a.hands {
		a.cache.kernel.hands.giveBack(number)
	}
	a.hands = nil
	if err := a.link.Close(); err != nil {
		return a.explain("detaching the flow cache from", err)
	}
	return nil
}
