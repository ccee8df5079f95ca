package daemon

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// fileState caches whether the configuration file differs from the running
// configuration, since scrapes ask often. It is safe for concurrent use.
type fileState struct {
	mu      sync.Mutex
	info    os.FileInfo // of the file that was compared
	applied time.Time   // of the configuration that it was compared with
	differs bool
}

// fileDiffers reports whether the configuration file differs from the running
// configuration, or cannot be applied. It is nil if the file is no regular
// file: that may be readable only once, or never end.
func (d *Daemon) fileDiffers(ctx context.Context, applied time.Time) (*bool, error) {
	f := &d.file
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(d.opts.Config)
	if err != nil {
		yes := true
		return &yes, nil
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	if f.info == nil || !os.SameFile(f.info, info) || f.info.Size() != info.Size() || !f.info.ModTime().Equal(info.ModTime()) || !f.applied.Equal(applied) {
		l, err := d.read(ctx)
		var bad *ConfigError
		switch {
		case err == nil:
			f.differs = len(l.changes) > 0
		case errors.As(err, &bad):
			f.differs = true
		default:
			return nil, err
		}
		f.info, f.applied = info, applied
	}
	differs := f.differs
	return &differs, nil
}
