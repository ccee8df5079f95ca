package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"routerd/config"
)

// stateDir is the directory of what has to survive a restart, a file for each
// protocol; "" keeps nothing.
type stateDir string

// stateDirOf is the router's own directory in the one that the configuration
// names, or that systemd's StateDirectory= gives.
func stateDirOf(cfg *config.Config) stateDir {
	dir := cfg.StateDir
	if dir == "" {
		// systemd gives a list of absolute paths.
		dir, _, _ = strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	}
	if dir == "" {
		return ""
	}
	return stateDir(filepath.Join(dir, cfg.Name))
}

// save replaces a file atomically: after a crash it is the old or the new one.
func (s stateDir) save(name string, data []byte) error {
	if s == "" {
		return nil
	}
	if err := os.MkdirAll(string(s), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(s), name+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(s), name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// load gives what was saved, nil if nothing was.
func (s stateDir) load(name string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(string(s), name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return data, err
}

// remember reads, once, what the protocols saved in their last run.
func (d *Daemon) remember() {
	d.saved = map[string][]byte{}
	for _, k := range d.kinds() {
		data, err := d.state.load(k.Name)
		if err != nil {
			d.log.Error("reading what had to survive the restart", "protocol", k.Name, "err", err)
		}
		d.saved[k.Name] = data
	}
}

// keeper writes what the protocols save to files, on a goroutine of its own, so
// that no protocol waits for a disk. Only the latest data of each is written.
type keeper struct {
	d       *Daemon
	mu      sync.Mutex
	pending map[string][]byte
	signal  chan struct{}
}

func newKeeper(d *Daemon) *keeper {
	return &keeper{d: d, pending: map[string][]byte{}, signal: make(chan struct{}, 1)}
}

func (k *keeper) keep(name string, data []byte) {
	k.mu.Lock()
	k.pending[name] = data
	k.mu.Unlock()
	select {
	case k.signal <- struct{}{}:
	default: // it is about to look anyway
	}
}

// run writes until ctx ends, and then what is left.
func (k *keeper) run(ctx context.Context) {
	limit := newLogLimit()
	for done := false; !done; {
		select {
		case <-k.signal:
		case <-ctx.Done():
			done = true
		}
		k.mu.Lock()
		pending := k.pending
		k.pending = map[string][]byte{}
		k.mu.Unlock()
		for name, data := range pending {
			if err := k.d.state.save(name, data); err != nil && limit.Allow() {
				k.d.log.Error("keeping what has to survive a restart", "protocol", name, "err", err)
			}
		}
	}
}
