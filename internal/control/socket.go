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

// Socket is a unix socket that this process has made and listens at.
type Socket struct {
	*net.UnixListener
	path string
	// Made tells the socket from whatever has come to its path since: see
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

// Listen makes the unix socket at path, mode 0660 and of the group gid, with its
// directory. A socket that is there already is removed if nobody answers at it;
// anything else that is there is an error, and stays. Closing the listener
// removes the socket.
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

// SetGroup gives the socket to a group, whose members may ask then.
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

// RemoveSocket removes the socket at path if it is the one that made names, a
// Socket's Made. What is gone, or has come in its place, is no error and stays.
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

// fits says what the kernel only calls an invalid argument.
func fits(path string) error {
	const most = len(unix.RawSockaddrUnix{}.Path) - 1 // and a zero behind it
	if len(path) > most {
		return fmt.Errorf("the path of the socket has %d bytes, wanted up to %d: %s", len(path), most, path)
	}
	return nil
}

// errAnswers: somebody listens at a socket.
var errAnswers = errors.New("another process answers there")

// vacate removes the socket at path that a process which is gone has left, and
// refuses anything else that is there.
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
	// Another process may have put its own there meanwhile.
	return RemoveSocket(path, identity(info))
}

// RemoveStale removes the socket at path that a process which is gone has
// left. Anything else that is there stays, and is no error.
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
