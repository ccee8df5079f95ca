package device

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// ClonePath is the device that TUN and TAP devices are made with.
const ClonePath = "/dev/net/tun"

// MaxQueues is how many descriptors a device may have: MAX_TAP_QUEUES of the
// kernel.
const MaxQueues = 256

// Mode is the kind of device that is made.
type Mode uint16

// The values are those of TUNSETIFF.
const (
	TUN Mode = unix.IFF_TUN // bare packets
	TAP Mode = unix.IFF_TAP // Ethernet frames
)

// String gives the mode's name.
func (m Mode) String() string {
	if m == TAP {
		return "TAP"
	}
	return "TUN"
}

// Wrap makes a queue of a descriptor and takes it over.
func Wrap(fd int) (*Queue, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), ClonePath)
	q, err := NewQueue(file, file.Close)
	if err != nil {
		file.Close()
		return nil, err
	}
	return q, nil
}

// Make makes the device of host in the namespace of the calling thread (see
// InNamespace), opens n descriptors of it and has each one wrapped, which takes
// over the descriptor. On an error it also returns the queues made so far, for
// the caller to close.
func Make(host Host, mode Mode, n int, wrap func(fd int) (*Queue, error)) (queues []*Queue, offloads port.Offloads, err error) {
	for i := range n {
		var q *Queue
		if q, offloads, err = makeQueue(ClonePath, host, mode, n > 1, i == 0, wrap); err != nil {
			break
		}
		queues = append(queues, q)
	}
	if err == nil {
		KeepSecondaries(host.Device)
	}
	return queues, offloads, err
}

// KeepSecondaries has the kernel keep the other addresses of a subnet, and all
// routes by them, when the first address is removed. It has to run in the device's
// namespace. The device is routerd's own, and so is this setting of it. If /proc cannot be written, the addresses
// are added again after they are lost, but not other programs' routes.
func KeepSecondaries(device string) {
	_ = os.WriteFile("/proc/sys/net/ipv4/conf/"+device+"/promote_secondaries", []byte("1"), 0)
}

// makeQueue opens one descriptor of the device; the first one makes the
// device.
func makeQueue(path string, host Host, mode Mode, multi, first bool, wrap func(fd int) (*Queue, error)) (*Queue, port.Offloads, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, openError(path, err)
	}
	offloads, err := attach(fd, host, mode, multi, first)
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	q, err := wrap(fd)
	if err != nil {
		return nil, 0, fmt.Errorf("preparing device %s: %w", host.Device, err)
	}
	return q, offloads, nil
}

// attach ties the descriptor to the device and asks for super-packets.
func attach(fd int, host Host, mode Mode, multi, first bool) (port.Offloads, error) {
	flags := uint16(mode) | unix.IFF_NO_PI | unix.IFF_VNET_HDR
	if multi {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if first {
		flags |= unix.IFF_TUN_EXCL // make the device; never attach to an existing one
	}
	ifr, err := unix.NewIfreq(host.Device)
	if err != nil {
		return 0, fmt.Errorf("device name %q: %w", host.Device, err)
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return 0, makeError(host, err)
	}
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp); err != nil {
		return 0, fmt.Errorf("asking device %s for TCP super-packets: %w", host.Device, err)
	}
	// Both families of UDP or none. A kernel before 6.2 knows neither the
	// flags nor, on a write, VIRTIO_NET_HDR_GSO_UDP_L4.
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp|unix.TUN_F_USO4|unix.TUN_F_USO6) != nil {
		return port.OffloadAll &^ port.OffloadUDP, nil
	}
	return port.OffloadAll, nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s does not exist: load the tun module (modprobe tun), or hand the device into the container: %w", path, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s may not be opened: routerd needs to read and write it: %w", path, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%s has no driver behind it: the kernel lacks the tun module: %w", path, err)
	}
	return fmt.Errorf("opening %s: %w", path, err)
}

func makeError(host Host, err error) error {
	where := DescribeNamespace(host.Netns)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("making device %s in %s: routerd lacks CAP_NET_ADMIN in the user namespace that owns it: %w", host.Device, where, err)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return fmt.Errorf("making device %s in %s: a device of that name is there already: another routerd or program holds it: %w", host.Device, where, err)
	}
	return fmt.Errorf("making device %s in %s: %w", host.Device, where, err)
}
