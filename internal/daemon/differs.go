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
	path    string      // of its file of routes; "" for none
	routes  os.FileInfo // of that file; nil if it is not there
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
	var routes os.FileInfo
	if f.path != "" {
		routes, _ = os.Stat(f.path)
	}
	if !sameFile(f.info, info) || !sameFile(f.routes, routes) || !f.applied.Equal(applied) {
		l, err := d.read(ctx)
		var bad *ConfigError
		switch {
		case err == nil:
			f.differs, f.path = len(l.changes) > 0, l.cfg.RouteFile
		case errors.As(err, &bad):
			f.differs, f.path = true, bad.routeFile
		default:
			return nil, err
		}
		if f.info, f.applied, f.routes = info, applied, nil; f.path != "" {
			f.routes, _ = os.Stat(f.path)
		}
	}
	differs := f.differs
	return &differs, nil
}

// sameFile reports whether two looks at a file, nil where it was not there, found
// the same one as long and as old.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
