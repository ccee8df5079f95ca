package device

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Identity tells one network namespace from another of the same name, made
// later: the device and inode of its file. The zero Identity is no namespace.
type Identity struct{ Device, Inode uint64 }

// IdentityOf gives the identity of the namespace that netns names now. The
// error is ErrMissing if there is none; any other means that the identity
// cannot be read.
func IdentityOf(netns string) (Identity, error) {
	path := NamespacePath(netns)
	if path == "" {
		path = "/proc/thread-self/ns/net"
	}
	var s unix.Stat_t
	err := unix.Stat(path, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, Missing(fmt.Errorf("%s does not exist (no %s)", DescribeNamespace(netns), path))
	}
	if err != nil {
		return Identity{}, fmt.Errorf("looking for %s at %s: %w", DescribeNamespace(netns), path, err)
	}
	return Identity{s.Dev, s.Ino}, nil
}

// Replaced returns an error if netns no longer names the namespace with the
// given identity; nil if it does, or if that cannot be told. Open sockets keep
// a namespace alive after its name is removed, so the kernel does not report
// it.
func Replaced(netns string, identity Identity) error {
	if netns == "" || identity == (Identity{}) {
		return nil
	}
	now, err := IdentityOf(netns)
	switch {
	case errors.Is(err, ErrMissing):
		return Missing(fmt.Errorf("%s was deleted", DescribeNamespace(netns)))
	case err != nil || now == identity:
		return nil
	}
	return Missing(fmt.Errorf("%s was deleted and made anew", DescribeNamespace(netns)))
}
