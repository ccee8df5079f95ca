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

// socketMode allows access to the owner and the group of the socket.
const socketMode = 0o660

// Socket is a unix socket that this process has created and listens at.
type Socket struct {
	*net.UnixListener
	path string
	// Made distinguishes the socket from any later file at its path: see
	// RemoveSocket.
	Made string
}

// Close ends listening and removes the socket, if it is still the one at its
// path.
func (s *Socket) Close() error {
	err := s.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return errors.Join(err, RemoveSocket(s.path, s.Made))
}

// Listen creates the unix socket at path and its directory, with mode 0660 and
// the group gid. An existing socket at which no process answers is removed; any
// other file there is an error and stays. Closing the listener removes the
// socket.
func Listen(path string, gid int) (*Socket, error) {
	if err := fits(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the socket: %w", err)
	}
	if err := vacate(path); err != nil {
		return nil, err
	}
	// The mode is set before the socket has a name, so that it is never open to
	// others.
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
	s := &Socket{UnixListener: l.(*net.UnixListener), path: path}
	s.SetUnlinkOnClose(false) // the library removes whatever is at the path
	info, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("looking at the socket: %w", err)
	}
	s.Made = identity(info)
	if err := os.Chmod(path, socketMode); err != nil { // the umask may have taken the group's bits
		s.Close()
		return nil, fmt.Errorf("setting the mode of the socket: %w", err)
	}
	if err := s.SetGroup(gid); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// SetGroup changes the group of the socket, whose members then have access.
func (s *Socket) SetGroup(gid int) error {
	info, err := os.Lstat(s.path)
	if err != nil {
		return fmt.Errorf("looking at the socket: %w", err)
	}
	if identity(info) != s.Made || int(info.Sys().(*syscall.Stat_t).Gid) == gid {
		return nil
	}
	if err := os.Lchown(s.path, -1, gid); err != nil {
		return fmt.Errorf("giving the socket to group %d: %w; it takes CAP_CHOWN, or that routerd is a member (SupplementaryGroups= in a systemd unit)", gid, cause(err))
	}
	return nil
}

// identity names a file for as long as it exists, by its device and inode.
func identity(info fs.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// RemoveSocket removes the socket at path if made, a Socket's Made, identifies
// it. A missing socket is no error, and another file in its place stays.
func RemoveSocket(path, made string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket || identity(info) != made:
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the socket: %w", err)
	}
	return nil
}

// fits returns an error for a path that is too long, which the kernel only
// calls an invalid argument.
func fits(path string) error {
	const most = len(unix.RawSockaddrUnix{}.Path) - 1 // and a zero behind it
	if len(path) > most {
		return fmt.Errorf("the path of the socket has %d bytes, wanted up to %d: %s", len(path), most, path)
	}
	return nil
}

// errAnswers means that another process listens at a socket.
var errAnswers = errors.New("another process answers there")

// vacate removes a stale socket at path, and returns an error for any other
// file there.
func vacate(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something that is not a socket, and it stays: another path is wanted")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		c.Close()
		return errAnswers
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether anybody answers at %s: %w", path, err)
	}
	// Another process may have created a socket there meanwhile.
	return RemoveSocket(path, identity(info))
}

// RemoveStale removes a stale socket at path. Any other file there stays, and
// is no error.
func RemoveStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	if err := vacate(path); err != nil && !errors.Is(err, errAnswers) {
		return err
	}
	return nil
}

// SocketVariable is the environment variable that names the socket.
const SocketVariable = "ROUTERD_SOCKET"

// defaultSocket is the socket of a router without a name.
const defaultSocket = "routerd.sock"

// FindSocket returns the path of the router's socket: chosen if it is not
// empty, else the one that the environment names, else the one in dirs:
// routerd.sock or the only other socket there. If there are several it returns
// an *AmbiguousError; if there is none, the default path, so that connecting
// fails.
func FindSocket(chosen string, dirs []string) (string, error) {
	if chosen == "" {
		chosen = os.Getenv(SocketVariable)
	}
	if chosen != "" {
		return strings.TrimPrefix(chosen, "unix://"), nil
	}
	var found []string
	for _, dir := range dirs {
		sockets, _ := filepath.Glob(filepath.Join(dir, "*.sock")) // fails only for a bad pattern
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

// SocketDirs returns the directories of sockets: /run/routerd, and for users
// other than root also their own runtime directory.
func SocketDirs() []string {
	const system = "/run/routerd"
	if own := os.Getenv("XDG_RUNTIME_DIR"); own != "" && os.Getuid() != 0 {
		return []string{filepath.Join(own, "routerd"), system}
	}
	return []string{system}
}

// AmbiguousError means that several routers run here and none was chosen.
type AmbiguousError struct{ Sockets []string }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("choosing a router to ask: several run here; name one with --socket or %s: %s",
		SocketVariable, strings.Join(e.Sockets, ", "))
}
