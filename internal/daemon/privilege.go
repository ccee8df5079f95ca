package daemon

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that the router needs as long as it runs: for
// cleaning up, for reloading, and for opening ports on devices and namespaces
// that come later. CAP_NET_ADMIN is for devices, addresses, routes and the
// netfilter table of a packet port; CAP_NET_RAW for packet sockets;
// CAP_NET_BIND_SERVICE for listening on a port below 1024; CAP_SYS_ADMIN for
// entering, making and removing network namespaces; CAP_BPF for having the kernel
// carry flows, also where CAP_SYS_ADMIN is not granted; CAP_DAC_OVERRIDE for
// reading the configuration, whoever owns it, and for the directory of the
// namespaces' names; CAP_CHOWN for giving a socket to [api] group. A namespace
// given by a path below /proc/PID would need CAP_SYS_PTRACE too, which is not
// kept: such a path is useless after the process has ended, and the capability
// would amount to all others.
var kept = []uint{
	unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE,
	unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN,
}

// errThreads means that this build cannot change all its threads at once.
var errThreads = errors.New("a build with cgo cannot")

// reducePrivileges gives up every capability that is not kept, on all threads
// and for ever: programs that the process executes do not have them either. It
// adds no capability that the process lacks.
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

// narrowBounds removes what is not kept from the bounding set, which execve(2)
// gives root. That needs CAP_SETPCAP; without it, as under the shipped systemd
// unit which has done the same, no_new_privs suffices.
func narrowBounds() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err != nil {
			return nil // the kernel has no further capabilities
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
