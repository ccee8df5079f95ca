package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

// device is the name of the one device that every host has.
const device = "eth0"

// tunEnd is one end of a forwarding loop: a TUN whose kernel side is a host.
type tunEnd struct {
	Namespace string
	Address   netip.Prefix // of the host
	MTU       int
}

// forwarder is a process that copies packets between two TUNs unchanged.
type forwarder struct {
	role string
	ends [2]tunEnd
}

func (f *forwarder) count() (uint64, uint64) { return 0, 0 }

func (f *forwarder) start(_ context.Context, fail func(error)) (uint16, error) {
	var devices [2]tun.Device
	for i, e := range f.ends {
		d, err := e.open()
		if err != nil {
			return 0, err
		}
		devices[i] = d
	}
	loop := bareLoop
	if f.role == roleWireguard {
		loop = wireguardLoop
	}
	for i := range devices {
		from, to := devices[i], devices[1-i]
		go func() { fail(fmt.Errorf("%s: %w", f.role, loop(from, to))) }()
	}
	return 0, nil
}

// open makes the TUN inside the host's namespace, where wireguard/tun's own
// sockets belong too, and makes it the host's only way out.
func (e tunEnd) open() (tun.Device, error) {
	var d tun.Device
	err := InNamespace(e.Namespace, func() (err error) {
		d, err = tun.CreateTUN(device, e.MTU)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make TUN %s in %q: %w", device, e.Namespace, err)
	}
	go func() {
		for range d.Events() { // events are not needed here
		}
	}()
	return d, withLinks(e.Namespace, func(h *netlink.Handle) error {
		return configureHost(h, e.Address, netip.Addr{})
	})
}

// configureHost gives a host's device its address and the default route, by
// way of gateway where there is one.
func configureHost(h *netlink.Handle, address netip.Prefix, gateway netip.Addr) error {
	link, err := configureLink(h, device, address)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.PrefixFrom(unspecified(address), 0))}
	if gateway.IsValid() {
		route.Gw = gateway.AsSlice()
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("add default route by %s: %w", device, err)
	}
	return nil
}

// configureLink gives a device its address and sets it up. An IPv6 address is
// used at once, without duplicate address detection: nobody else is there.
func configureLink(h *netlink.Handle, name string, address netip.Prefix) (netlink.Link, error) {
	link, err := h.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	a := &netlink.Addr{IPNet: ipNet(address)}
	if address.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := h.AddrAdd(link, a); err != nil {
		return nil, fmt.Errorf("add address %s to %s: %w", address, name, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set %s up: %w", name, err)
	}
	return link, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func unspecified(p netip.Prefix) netip.Addr {
	if p.Addr().Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// virtioHeader is the length of the virtio-net header in front of every
// packet of a TUN that wireguard/tun made, in bytes.
const virtioHeader = 10

// bareLoop is the yardstick: the least that a router in user space has to do.
// It reads a whole super-packet with its virtio-net header and writes the very
// same bytes to the other TUN, until there is nothing left to read. One buffer
// serves all, so that what is written is still in the cache.
//
// The calls never block, so the Go scheduler is not told of them (RawSyscall):
// that saves a sixth of the loop's CPU time for each small packet under load,
// and a third at a low rate, where the scheduler would take long calls for
// blocked ones.
func bareLoop(from, to tun.Device) error {
	in, err := from.File().SyscallConn()
	if err != nil {
		return err
	}
	out, err := to.File().SyscallConn()
	if err != nil {
		return err
	}
	var outFD uintptr
	if err := out.Control(func(fd uintptr) { outFD = fd }); err != nil {
		return err
	}
	buf := make([]byte, virtioHeader+65535)
	var failed error
	err = in.Read(func(fd uintptr) bool {
		failed = copyAll(outFD, fd, buf)
		return failed != nil
	})
	return errors.Join(failed, err)
}

// copyAll copies packets until there are none: the poller is edge-triggered, so
// the descriptor has to be read until it is empty.
func copyAll(to, from uintptr, buf []byte) error {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, from, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		switch errno {
		case 0:
		case unix.EAGAIN:
			return nil
		case unix.EINTR:
			continue
		default:
			return fmt.Errorf("read: %w", errno)
		}
		// A packet that the device refuses is lost, as on any link: it counts
		// as loss, and is no failure of the loop.
		_, _, errno = unix.RawSyscall(unix.SYS_WRITE, to, uintptr(unsafe.Pointer(&buf[0])), n)
		if errno == unix.EBADF || errno == unix.EBADFD {
			return fmt.Errorf("write: %w", errno)
		}
	}
}

// wireguardLoop is what wireguard/tun offers by itself: its Read splits a
// super-packet into packets, its Write puts them together again.
func wireguardLoop(from, to tun.Device) error {
	bufs := make([][]byte, from.BatchSize())
	for i := range bufs {
		bufs[i] = make([]byte, virtioHeader+65535)
	}
	sizes := make([]int, len(bufs))
	packets := make([][]byte, len(bufs))
	for {
		n, err := from.Read(bufs, sizes, virtioHeader)
		if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			return err
		}
		for i := range n {
			packets[i] = bufs[i][:virtioHeader+sizes[i]]
		}
		// A packet that the device refuses is lost, as in bareLoop.
		if _, err := to.Write(packets[:n], virtioHeader); errors.Is(err, os.ErrClosed) {
			return err
		}
	}
}
