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

// IdentityOf gives the identity of the namespace that netns names now. An error
// that is ErrMissing says that there is none; any other that it cannot be told.
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

// Replaced says why the namespace of identity is the one that netns names no
// longer; nil where it still is, and where that cannot be told. Sockets of a
// namespace keep it alive when its name is gone, so that the kernel never says so.
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
