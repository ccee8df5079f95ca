package device

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// Link is one device of one namespace as netlink shows it. Open it, Find the
// device, Follow it; Stop and Close work at any time. Events is closed by
// Close.
type Link struct {
	Device string // its name when it was found
	Index  int
	// Named makes a device that is renamed count as gone, since it was chosen
	// by its name. Set it before Follow.
	Named bool
	// Noticed, if not nil, runs whenever something about the device may have
	// changed that its state does not show, and reports whether the reader of
	// Events has to be told the state once more. Set it before Follow.
	Noticed func() (tell bool)
	// Handle is a netlink socket of the device's namespace, for configuring the
	// device; it is nil before Open.
	Handle *netlink.Handle

	netns     string
	identity  Identity
	updates   *subscription
	opened    port.Event
	events    chan port.Event
	following bool
	followed  chan struct{} // closed when follow has ended
	stopped   atomic.Bool
	stopOnce  sync.Once
	closeOnce sync.Once
}

// NewLink is a Link to the device of a namespace. Nothing is open yet.
func NewLink(netns, device string) *Link {
	return &Link{
		netns: netns, Device: device,
		events:   make(chan port.Event, 1),
		followed: make(chan struct{}),
	}
}

// Open opens the netlink sockets. It has to run inside the namespace (see
// InNamespace): the sockets belong to it for ever.
func (l *Link) Open() error {
	var err error
	if l.identity, err = IdentityOf(""); err != nil {
		return err
	}
	if l.Handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("opening a netlink socket in %s: %w", DescribeNamespace(l.netns), err)
	}
	if l.updates, err = subscribe(); err != nil {
		return fmt.Errorf("following link changes in %s: %w", DescribeNamespace(l.netns), err)
	}
	return nil
}

// Namespace is the identity of the namespace that Open ran in.
func (l *Link) Namespace() Identity { return l.identity }

// Find looks the device up by its name; from then on the Link uses its index.
func (l *Link) Find() (netlink.Link, error) {
	link, err := l.Handle.LinkByName(l.Device)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, Missing(fmt.Errorf("there is no device %q in %s: %w", l.Device, DescribeNamespace(l.netns), err))
	}
	if err != nil {
		return nil, fmt.Errorf("looking up device %s: %w", l.Device, err)
	}
	l.Index = link.Attrs().Index
	l.updates.about(l.Index)
	return link, nil
}

// Attributes asks for the device as it is now.
func (l *Link) Attributes() (netlink.Link, error) {
	link, err := l.Handle.LinkByIndex(l.Index)
	if err != nil {
		return nil, l.Lost(fmt.Errorf("reading the state of device %s: %w", l.Device, err))
	}
	return link, nil
}

// State gives a device's state. Up wants RUNNING, which follows the carrier:
// `ip link set carrier off` clears it while the device stays up.
func State(link netlink.Link) port.Event {
	a := link.Attrs()
	const on = unix.IFF_UP | unix.IFF_RUNNING
	return port.Event{Up: a.RawFlags&on == on, MTU: a.MTU}
}

// Follow records the state of the device and reports every later change of it
// until Stop, or until the device is gone. risen, if not nil, runs whenever the
// device may be up again after it was down; gone, if not nil, once when the
// device is gone, before that is reported.
func (l *Link) Follow(risen func(netlink.Link), gone func()) error {
	link, err := l.Attributes()
	if err != nil {
		return err
	}
	l.opened = State(link)
	l.following = true
	go l.follow(l.opened, risen, gone)
	return nil
}

// Opened is the state that Follow recorded.
func (l *Link) Opened() port.Event { return l.opened }

// Events carries the latest state of the device after each change.
func (l *Link) Events() <-chan port.Event { return l.events }

// Stop ends following. When it returns, nothing is reported any more, and risen
// and gone no longer run.
func (l *Link) Stop() {
	l.stopOnce.Do(func() {
		l.stopped.Store(true)
		if l.updates != nil {
			l.updates.Close()
		}
		if l.following {
			<-l.followed
		}
	})
}

// Stopped says whether Stop was called.
func (l *Link) Stopped() bool { return l.stopped.Load() }

// Close stops, and closes the sockets and Events.
func (l *Link) Close() {
	l.Stop()
	l.closeOnce.Do(func() {
		if l.Handle != nil {
			l.Handle.Close()
		}
		close(l.events)
	})
}

// follow reports changes until the link is stopped or the device is gone. A
// message is only a hint to ask for the state, so the latest state is reported
// also when messages were lost.
func (l *Link) follow(last port.Event, risen func(netlink.Link), gone func()) {
	defer close(l.followed)
	for {
		msgs, err := l.updates.Receive()
		if l.stopped.Load() {
			return
		}
		ours, fell, removed := true, true, false
		switch {
		case errors.Is(err, unix.ENOBUFS): // messages were lost
		case err != nil:
			return
		default:
			ours, fell, removed = l.concerned(msgs)
		}
		if !ours {
			continue
		}
		link, err := l.Handle.LinkByIndex(l.Index)
		renamed := l.Named && err == nil && link.Attrs().Name != l.Device
		if removed || renamed || notFound(err) {
			if gone != nil {
				gone()
			}
			l.report(port.Event{MTU: last.MTU, Gone: true})
			return
		}
		if err != nil {
			continue
		}
		now := State(link)
		if risen != nil && now.Up && (fell || now != last) {
			risen(link)
		}
		tell := l.Noticed != nil && l.Noticed()
		if now != last || tell {
			l.report(now)
			last = now
		}
	}
}

// concerned says whether any message is about the device, whether one says that
// it was down, and whether it was removed: another device may have its index by
// now.
func (l *Link) concerned(msgs []syscall.NetlinkMessage) (ours, fell, removed bool) {
	for i := range msgs {
		m := &msgs[i]
		if t := m.Header.Type; t != unix.RTM_NEWLINK && t != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		info := nl.DeserializeIfInfomsg(m.Data)
		if int(info.Index) != l.Index {
			continue
		}
		ours = true
		fell = fell || info.Flags&unix.IFF_UP == 0
		// For a device that leaves its bridge the kernel sends RTM_DELLINK of
		// family AF_BRIDGE.
		removed = removed || m.Header.Type == unix.RTM_DELLINK && info.Family == unix.AF_UNSPEC
	}
	return ours, fell, removed
}

func (l *Link) report(e port.Event) { Latest(l.events, e) }

// Latest puts e on a channel with room for one event, in place of an older event
// that nobody has taken. Only one goroutine may put events on it.
func Latest(events chan port.Event, e port.Event) {
	for {
		select {
		case events <- e:
			return
		default:
		}
		select {
		case <-events:
		default:
		}
	}
}

// CheckName refuses names that the kernel would not refuse but interpret, such
// as patterns.
func CheckName(device string) error {
	switch {
	case device == "" || len(device) >= unix.IFNAMSIZ:
		return fmt.Errorf("device name %q: 1 to %d bytes are wanted", device, unix.IFNAMSIZ-1)
	case device == "." || device == ".." || strings.ContainsAny(device, "/:% \t\n\v\f\r"):
		return fmt.Errorf("device name %q: no slash, colon, percent sign or space may be in it", device)
	}
	return nil
}
