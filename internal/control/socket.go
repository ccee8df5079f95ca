package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketMode lets the owner and the group of the socket ask.
const socketMode = 0o660

// Listen makes the unix socket at path, mode 0660, with its directory. A
// socket that is there already is removed if nobody answers at it; anything
// else that is there is an error. Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	if err := fits(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The mode is set before the socket has a name, so that there is no
	// moment at which it is open to others.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), socketMode) }); e != nil {
			return e
		}
		return err
	}}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil { // the umask may have taken the group's bits
		l.Close()
		return nil, fmt.Errorf("setting the mode of the socket: %w", err)
	}
	return l, nil
}

// fits says what the kernel only calls an invalid argument.
func fits(path string) error {
	const most = len(unix.RawSockaddrUnix{}.Path) - 1 // and a zero behind it
	if len(path) > most {
		return fmt.Errorf("the path of the socket has %d bytes, wanted up to %d: %s", len(path), most, path)
	}
	return nil
}

// removeStale removes the socket at path that a process which is gone has left.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("listening on %s: there is something that is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("listening on %s: another process answers there", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("listening on %s: cannot tell whether anybody answers there: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the stale socket: %w", err)
	}
	return nil
}

// SocketVariable is the environment variable that names the socket.
const SocketVariable = "ROUTERD_SOCKET"

// defaultSocket is that of a router without a name of its own.
const defaultSocket = "routerd.sock"

// FindSocket gives the path of the socket to ask: chosen if it is not empty,
// else what the environment names, else what is found in dirs: routerd.sock
// or the only other socket there. Where there are several it is an
// *AmbiguousError; where there is none it gives the one that would be, to
// fail at the attempt to reach it.
func FindSocket(chosen string, dirs []string) (string, error) {
	if chosen == "" {
		chosen = os.Getenv(SocketVariable)
	}
	if chosen != "" {
		return strings.TrimPrefix(chosen, "unix://"), nil
	}
	var found []string
	for _, dir := range dirs {
		sockets, _ := filepath.Glob(filepath.Join(dir, "*.sock")) // fails on a bad pattern only
		for _, s := range sockets {
			if filepath.Base(s) == defaultSocket {
				return s, nil
			}
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &AmbiguousError{found}
	}
	return filepath.Join(dirs[0], defaultSocket), nil
}

// SocketDirs is where routers keep their sockets: for root /run/routerd, for
// others also their own runtime directory.
func SocketDirs() []string {
	const system = "/run/routerd"
	if own := os.Getenv("XDG_RUNTIME_DIR"); own != "" && os.Getuid() != 0 {
		return []string{filepath.Join(own, "routerd"), system}
	}
	return []string{system}
}

// AmbiguousError says that several routers run here and none was chosen.
type AmbiguousError struct{ Sockets []string }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("choosing a router to ask: several run here; name one with --socket or %s: %s",
		SocketVariable, strings.Join(e.Sockets, ", "))
}
