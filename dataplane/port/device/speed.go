package device

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolGet is ETHTOOL_GSET of linux/ethtool.h, which every driver answers that
// answers ETHTOOL_GLINKSETTINGS, up to 4,294 Tbit/s.
const ethtoolGet = 1

// ethtoolRequest is struct ifreq with a pointer in it.
type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// Speed is what the device says of its link's speed, in bits a second; 0 where it
// does not say, as without a carrier.
func (l *Link) Speed() uint64 {
	if l.updates == nil {
		return 0
	}
	// Any socket of the namespace will do, and this one is there.
	raw, err := l.updates.socket.file.SyscallConn()
	if err != nil {
		return 0
	}
	var settings [44]byte // struct ethtool_cmd
	binary.NativeEndian.PutUint32(settings[:], ethtoolGet)
	req := ethtoolRequest{data: unsafe.Pointer(&settings)}
	copy(req.name[:unix.IFNAMSIZ-1], l.Device)
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	})
	if err != nil || errno != 0 {
		return 0
	}
	return speedOf(binary.NativeEndian.Uint16(settings[12:]), binary.NativeEndian.Uint16(settings[28:]))
}

// speedOf gives bits a second of what ethtool tells in Mbit/s, in two halves of
// which all ones together, and in old drivers the lower one alone, say that it is
// not known.
func speedOf(low, high uint16) uint64 {
	if low == 0xffff && (high == 0xffff || high == 0) {
		return 0
	}
	return (uint64(high)<<16 | uint64(low)) * 1e6
}
