package localstack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/internal/bucket"
	"routerd/routing"
)

// Links is access to the router's links, for connections between link-local
// addresses; see router.LinkLocal.
type Links interface {
	Describe(link routing.InterfaceID) (name string, mtu int, addresses []netip.Prefix, ok bool)
	Open(link routing.InterfaceID, take func(packet []byte) bool) (end func(), err error)
	Send(link routing.InterfaceID, packets [][]byte, now time.Time)
}

// bridge represents a link in the stack's namespace: a TUN device with the
// router's link-local addresses on the link. It is made when a protocol first
// uses the link, and lives as long as the namespace.
type bridge struct {
	links  Links
	link   routing.InterfaceID
	index  int // of the device
	device string
	handle *netlink.Handle
	file   *os.File
	raw    syscall.RawConn
	end    func() // ends receiving
	mtu    int

	mu        sync.Mutex
	limit     bucket.Bucket // of received packets (RFC 6192)
	addresses []netip.Prefix
}

// Limits of packets from a link to the stack: packets a second and burst.
const (
	bridgeRate  = 20_000
	bridgeBurst = 5_000
)

// errNoLink means that a protocol named no link, or an unknown one.
var errNoLink = errors.New("a link-local address means nothing without an interface of the router's that is there")

// bridge returns the bridge of a link, with the router's current addresses
// there.
func (s *space) bridge(links Links, link routing.InterfaceID) (*bridge, error) {
	if links == nil {
		return nil, errNoLink
	}
	name, mtu, addresses, ok := links.Describe(link)
	if !ok {
		return nil, errNoLink
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errSpaceClosed
	}
	b := s.bridges[link]
	if b == nil {
		b = &bridge{links: links, link: link, mtu: mtu, limit: bucket.New(bridgeRate, bridgeBurst)}
		err := device.InNamespace(fmt.Sprintf("/proc/self/fd/%d", s.fd), func() error { return b.make(name) })
		if err == nil {
			err = b.open()
		}
		if err != nil {
			b.close()
			return nil, fmt.Errorf("making a device for the link-local addresses of %s: %w", name, err)
		}
		s.bridges[link] = b
	}
	if err := b.address(addresses); err != nil {
		return nil, fmt.Errorf("giving the stack the link-local addresses of %s: %w", name, err)
	}
	return b, nil
}

// links returns the links that have a bridge.
func (s *space) links() (list []routing.InterfaceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for link := range s.bridges {
		list = append(list, link)
	}
	return list
}

// linkOf returns the link whose device has an index.
func (s *space) linkOf(index uint32) routing.InterfaceID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for link, b := range s.bridges {
		if uint32(b.index) == index {
			return link
		}
	}
	return routing.NoInterface
}

// make makes the device in the calling thread's namespace. Its name is that of
// the link or, if that is impossible, has the link's number.
func (b *bridge) make(name string) error {
	var err error
	if b.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	for _, name := range []string{name, fmt.Sprintf("link%d", b.link)} {
		if err = device.CheckName(name); err == nil {
			err = b.create(name)
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	l, err := b.handle.LinkByName(b.device)
	if err != nil {
		return err
	}
	b.index = l.Attrs().Index
	return errors.Join(b.handle.LinkSetMTU(l, b.mtu), b.handle.LinkSetUp(l))
}

// create makes a TUN device without offloads: packets from it have their
// checksums and are no larger than the link's MTU.
func (b *bridge) create(name string) error {
	fd, err := unix.Open(device.ClonePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", device.ClonePath, err)
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("making device %s: %w", name, err)
	}
	b.device, b.file = name, os.NewFile(uintptr(fd), name)
	return nil
}

// open connects the device to the link.
func (b *bridge) open() error {
	var err error
	if b.raw, err = b.file.SyscallConn(); err != nil {
		return err
	}
	if b.end, err = b.links.Open(b.link, b.take); err != nil {
		return err
	}
	go b.send()
	return nil
}

// address gives the device the addresses of the link.
func (b *bridge) address(wanted []netip.Prefix) error {
	if slices.Equal(wanted, b.addresses) {
		return nil
	}
	l, err := b.handle.LinkByIndex(b.index)
	if err != nil {
		return err
	}
	for _, a := range b.addresses {
		if !slices.Contains(wanted, a) {
			_ = b.handle.AddrDel(l, addressOf(a)) // an error means that it is gone already
		}
	}
	for _, a := range wanted {
		if err := b.handle.AddrReplace(l, addressOf(a)); err != nil {
			return fmt.Errorf("adding %v to %s: %w", a, b.device, err)
		}
	}
	b.addresses = slices.Clone(wanted)
	return nil
}

// addressOf converts an address for the kernel, with the subnet of all
// link-local addresses, so that all the link's neighbours are reached through
// the device.
func addressOf(a netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a.Addr(), 64)), Flags: unix.IFA_F_NODAD}
}

// take writes a packet received on the link to the device. It runs on a
// worker's goroutine and never waits.
func (b *bridge) take(packet []byte) bool {
	b.mu.Lock()
	allowed := b.limit.Take(time.Now())
	b.mu.Unlock()
	if !allowed {
		return false
	}
	var failed error
	err := b.raw.Write(func(fd uintptr) bool {
		_, failed = unix.Write(int(fd), packet)
		return true
	})
	return err == nil && failed == nil
}

// sendAtOnce is how many packets of the stack are sent together.
const sendAtOnce = 32

// send sends the stack's packets on the link until the device is closed.
func (b *bridge) send() {
	buffer := make([]byte, sendAtOnce*b.mtu)
	list := make([][]byte, 0, sendAtOnce)
	for {
		list = list[:0]
		var failed error
		err := b.raw.Read(func(fd uintptr) bool {
			for len(list) < sendAtOnce {
				at := buffer[len(list)*b.mtu:][:b.mtu]
				n, err := ignoringEINTR(func() (int, error) { return unix.Read(int(fd), at) })
				if failed = err; err != nil {
					break
				}
				list = append(list, at[:n])
			}
			return len(list) > 0 || !errors.Is(failed, unix.EAGAIN)
		})
		if len(list) > 0 {
			b.links.Send(b.link, list, time.Now())
		}
		if err != nil || failed != nil && !errors.Is(failed, unix.EAGAIN) {
			return // the device is gone, and with it the namespace's use of it
		}
	}
}

func (b *bridge) close() {
	if b.end != nil {
		b.end()
	}
	if b.file != nil {
		b.file.Close()
	}
	if b.handle != nil {
		b.handle.Close()
	}
}
