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
	for {
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
		if current(f, path) {
			return &lock{f}, nil
		}
		f.Close() // its owner removed it between the two calls: this one locks nobody out
	}
}

// current reports whether f is still the file that path names.
func current(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// release removes the file and lets go, in this order: who opens it in
// between finds that it is no longer the one that its path names.
func (l *lock) release() error {
	err := os.Remove(l.file.Name())
	return errors.Join(err, l.file.Close())
}
