package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock holds the one file that says a router of this name is alive. The
// kernel drops it with the process, however that ends, so what is found
// unlocked was left behind and may be cleaned up.
type lock struct{ file *os.File }

// ErrRunning is returned where another process runs a router of the same name.
var ErrRunning = errors.New("already running")

func takeLock(dir, name string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the run directory: %w", err)
	}
	path := filepath.Join(dir, name+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("a router named %q is %w (it holds %s); give this one another name", name, ErrRunning, path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return &lock{f}, nil
}

// release lets go. The file stays: removing it would let two processes hold
// locks on two files of the same name.
func (l *lock) release() { l.file.Close() }
