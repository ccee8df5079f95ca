package daemon

import (
	"errors"
	"io/fs"
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
	warned   map[ripWarning]*warning
}

// ripWarning is what warnings are told apart by: who sends what is amiss can
// make addresses up, but not interfaces.
type ripWarning struct {
	kind rip.EventKind
	on   routing.InterfaceID
}

func newRIPOwner(d *Daemon, p rip.Protocol) *ripOwner {
	return &ripOwner{d: d, protocol: p, limit: newRateLimit(), warned: map[ripWarning]*warning{}}
}

// ripWarns are the events that somebody has to do something about: the first
// of a kind on an interface is a line at once, the rest are counted for the
// next one.
var ripWarns = map[rip.EventKind]bool{
	rip.AuthFailed: true, rip.KeyExpired: true, rip.TableFull: true, rip.NeighborFull: true, rip.NeighborsFull: true,
	rip.StateLost: true,
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
	more := uint64(0)
	if warn := ripWarns[e.Kind]; warn {
		w := o.warned[ripWarning{e.Kind, e.Interface}]
		if w == nil {
			w = &warning{}
			o.warned[ripWarning{e.Kind, e.Interface}] = w
		}
		var now bool
		if more, now = w.allow(time.Now()); !now {
			return
		}
	} else if !o.limit.allow(time.Now()) {
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
	if more > 0 {
		log = log.With("more_since_last_line", more)
	}
	switch {
	case e.Kind == rip.NeighborSeen, e.Kind == rip.NeighborGone:
		log.Info(e.Kind.String())
	case ripWarns[e.Kind]:
		log.Warn(e.Kind.String())
	default:
		log.Debug(e.Kind.String())
	}
}

// warningEvery is how often a warning of one kind is a line.
const warningEvery = time.Minute

// warning is one kind of them. One goroutine uses it.
type warning struct {
	last time.Time
	held uint64
}

// allow reports whether a line is due, and how many were held back since the
// last one.
func (w *warning) allow(now time.Time) (held uint64, due bool) {
	if !w.last.IsZero() && now.Sub(w.last) < warningEvery {
		w.held++
		return 0, false
	}
	held, w.held, w.last = w.held, 0, now
	return held, true
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

// remember reads what the protocols' last run saved, once: from then on it is
// the machines that know better.
func (d *Daemon) remember() {
	d.saved = map[rip.Protocol][]byte{}
	for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
		data, err := d.state.load(p.String())
		if err != nil {
			d.log.Error("reading what had to survive the restart", "protocol", p.String(), "err", err)
		}
		d.saved[p] = data
	}
}

// ripConfig is the configuration of a protocol with what its last run saved.
func (d *Daemon) ripConfig(p rip.Protocol, c *router.RIPConfig) *router.RIPConfig {
	if c == nil {
		return nil
	}
	with := *c
	with.Saved = d.saved[p]
	return &with
}
