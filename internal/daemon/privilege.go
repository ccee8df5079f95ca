package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that take as long as the router runs: for cleaning
// up, for reloading, and for taking devices and namespaces that come or are made
// anew, which is opening a port as at the start. CAP_NET_ADMIN is for devices,
// addresses, routes and the netfilter table of a packet port; CAP_NET_RAW for
// packet sockets; CAP_SYS_ADMIN for entering, making and removing network
// namespaces; CAP_DAC_OVERRIDE for the configuration whoever owns it and the
// directory of the namespaces' names. A namespace named by a path below
// /proc/PID would take CAP_SYS_PTRACE too, which is not kept: such a path means
// nothing after the process has ended, and the privilege would mean all others.
var kept = []uint{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE}

// errThreads says that this build cannot change all its threads at once.
var errThreads = errors.New("a build with cgo cannot")

// reducePrivileges gives up every capability that is not kept, on all threads
// and for good. Of what is kept nothing is added where it was lacking.
func reducePrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	var mask [2]uint32
	for _, c := range kept {
		mask[c/32] |= 1 << (c % 32)
	}
	for i := range data {
		data[i].Effective &= mask[i]
		data[i].Permitted &= mask[i]
		data[i].Inheritable = 0
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return fmt.Errorf("giving up capabilities: %w", errThreads)
	}
	return fmt.Errorf("giving up capabilities: %w", errno)
}

// needsRestart adds what helps to an error of a listener that was not allowed:
// CAP_NET_BIND_SERVICE, for a port below 1024, is the one privilege that a
// reload may want and a running router has given up. Devices, namespaces and
// packet sockets take only what is kept.
func needsRestart(err error) error {
	var listening *net.OpError
	if errors.As(err, &listening) && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) {
		return fmt.Errorf("%w: a running router has given that privilege up; it takes a restart", err)
	}
	return err
}
