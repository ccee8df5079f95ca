package daemon

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that cleaning up and reloading take: devices,
// addresses and routes; packets; entering, making and removing network
// namespaces; and reading the configuration whoever owns it.
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

// needsRestart adds to an error of permission what helps: the router had the
// privilege when it started and has given it up.
func needsRestart(err error) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: a running router has given that privilege up; it takes a restart", err)
	}
	return err
}
