package daemon

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that take as long as the router runs: for cleaning
// up, for reloading, and for taking devices and namespaces that come or are made
// anew, which is opening a port as at the start. CAP_NET_ADMIN is for devices,
// addresses, routes and the netfilter table of a packet port; CAP_NET_RAW for
// packet sockets; CAP_NET_BIND_SERVICE for listening on a port below 1024;
// CAP_SYS_ADMIN for entering, making and removing network namespaces;
// CAP_DAC_OVERRIDE for the configuration whoever owns it and the directory of the
// namespaces' names; CAP_CHOWN for giving a socket to [api] group. A namespace
// named by a path below /proc/PID would take CAP_SYS_PTRACE too, which is not
// kept: such a path means nothing after the process has ended, and the privilege
// would mean all others.
var kept = []uint{
	unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE,
	unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN,
}

// errThreads says that this build cannot change all its threads at once.
var errThreads = errors.New("a build with cgo cannot")

// reducePrivileges gives up every capability that is not kept, on all threads
// and for good: no program that the process might turn into has them either. Of
// what is kept nothing is added where it was lacking.
func reducePrivileges() error {
	if err := onAllThreads("keeping new programs from more privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return err
	}
	if err := narrowBounds(); err != nil {
		return err
	}
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
	return onAllThreads("giving up capabilities", unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
}

// narrowBounds takes what is not kept from the bounding set, which execve(2)
// gives root. That itself takes CAP_SETPCAP; where it is lacking, under the
// systemd unit which has done the same, no_new_privs alone keeps them out.
func narrowBounds() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err != nil {
			return nil // the kernel has no more of them
		}
		if in == 0 || slices.Contains(kept, uint(c)) {
			continue
		}
		err = onAllThreads("narrowing the bounding set of capabilities", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if errors.Is(err, unix.EPERM) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// onAllThreads makes a system call on every thread. The runtime ends the process
// if they do not all get the same answer.
func onAllThreads(doing string, call, a, b, c uintptr) error {
	switch _, _, errno := syscall.AllThreadsSyscall6(call, a, b, c, 0, 0, 0); errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return fmt.Errorf("%s: %w", doing, errThreads)
	default:
		return fmt.Errorf("%s: %w", doing, errno)
	}
}
