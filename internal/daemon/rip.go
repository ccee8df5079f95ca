package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"routerd/config"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/rip"
)

// ripOwner takes what a RIP machine wants kept and logged, on the machine's
// goroutine.
type ripOwner struct {
	d        *Daemon
	protocol rip.Protocol
	limit    *rateLimit
}

func (o *ripOwner) hear(effect rip.Effect) {
	switch e := effect.(type) {
	case rip.Save:
		if err := o.d.state.save(o.protocol.String(), e.Data); err != nil && o.limit.allow(time.Now()) {
			o.d.log.Error("keeping what has to survive a restart", "protocol", o.protocol.String(), "err", err)
		}
	case rip.Event:
		o.log(e)
	}
}

// log says what happened: what its neighbours come and go is news, what they
// send amiss is for whoever looks for it.
func (o *ripOwner) log(e rip.Event) {
	if !o.limit.allow(time.Now()) {
		return
	}
	log := o.d.log.With("protocol", o.protocol.String())
	if e.Interface != routing.NoInterface {
		log = log.With("interface", interfaceName(o.d.router.View(), e.Interface))
	}
	if e.Neighbor.IsValid() {
		log = log.With("neighbor", e.Neighbor)
	}
	if e.Err != nil {
		log = log.With("err", e.Err)
	}
	switch e.Kind {
	case rip.NeighborSeen, rip.NeighborGone:
		log.Info(e.Kind.String())
	case rip.KeyExpired, rip.TableFull, rip.NeighborsFull:
		log.Warn(e.Kind.String())
	default:
		log.Debug(e.Kind.String())
	}
}

// rateLimit bounds log lines about what others do: burst at once, one a second
// over time. One goroutine uses it.
type rateLimit struct {
	last time.Time
	left float64
}

const logBurst = 20

func newRateLimit() *rateLimit { return &rateLimit{left: logBurst} }

func (r *rateLimit) allow(now time.Time) bool {
	if !r.last.IsZero() {
		r.left = min(logBurst, r.left+now.Sub(r.last).Seconds())
	}
	r.last = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// stateDir is where what has to survive a restart is kept, a file for each
// machine; "" keeps nothing.
type stateDir string

// stateDirOf is a directory of the router's own: in the one that the
// configuration names, or that systemd's StateDirectory= gives.
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

// save replaces a file as a whole: after a crash it is the old or the new one.
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

// load gives what was saved, nil where there is nothing.
func (s stateDir) load(name string) []byte {
	if s == "" {
		return nil
	}
	data, _ := os.ReadFile(filepath.Join(string(s), name))
	return data
}

// ripConfig is the configuration of a protocol with what its last run saved.
func (s stateDir) ripConfig(p rip.Protocol, c *router.RIPConfig) *router.RIPConfig {
	if c == nil {
		return nil
	}
	with := *c
	with.Saved = s.load(p.String())
	return &with
}
