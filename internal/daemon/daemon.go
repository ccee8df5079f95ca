package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"routerd/config"
	"routerd/dataplane"
	"routerd/dataplane/port/device"
	"routerd/internal/control"
	"routerd/internal/localstack"
	"routerd/internal/machine"
	"routerd/internal/protocols"
	"routerd/internal/router"
	"routerd/routing/rib"
)

// Options is what the command line says.
type Options struct {
	Config string // path of the configuration file
	// RunDir holds the lock, the list of what to undo and, where the
	// configuration names no other, the API's socket. "" chooses: what
	// systemd gives, else /run/routerd for root, else the user's own.
	RunDir  string
	Version control.Version
	// Reduce has the process give up the privileges that only starting needs,
	// in all its threads and for ever.
	Reduce bool
	Stderr *os.File
	// more are protocols beside those of routerd, for tests.
	more []unlisted
	// running, for tests, is called when the router has started.
	running func(*Daemon)
}

// unlisted is a protocol that is not in the list of those that routerd speaks.
// The function config gives what it is configured to, asked at each reload.
type unlisted struct {
	router.Kind
	config func() router.ProtocolConfig
}

// kinds are the protocols that the router can speak.
func (d *Daemon) kinds() []router.Kind {
	list := protocols.Kinds()
	for _, p := range d.opts.more {
		list = append(list, p.Kind)
	}
	return list
}

// ConfigError is returned for a configuration that cannot be run; the
// problems are for the user to read.
type ConfigError struct {
	File     string
	Problems []config.Problem
	// routeFile is the file of routes that it names.
	routeFile string
}

func (e *ConfigError) Error() string {
	n := 0
	for _, p := range e.Problems {
		if !p.Warning {
			n++
		}
	}
	return fmt.Sprintf("%s has %d error(s)", e.File, n)
}

// Daemon runs one router on real ports. All its state belongs to the one
// goroutine in loop; everybody else asks it by do.
type Daemon struct {
	opts Options
	log  *slog.Logger
	// natLimits is what was logged about limits that translation hit.
	natLimits natLimits
	aclLog    aclLog
	aclLimits aclLimits
	level     *slog.LevelVar
	cfg       *config.Config
	router    *router.Router
	ports     map[string]*openPort // by interface name
	absent    map[string]*absent   // interfaces of the configuration whose port is not open
	lock      *lock
	used      map[string][]netip.Prefix // IPv6 addresses in use on Ethernet links, see noteUse
	nextNote  time.Time                 // of them in the lock file
	watch     *device.Watch             // of what ports stand on
	stack     leftStack                 // what is left of the router's own stack while its port is not open
	ends      map[string]*endpoint      // listeners, by configured address
	group     int                       // number of the group of the sockets
	started   atomic.Bool               // and not yet stopping
	web       web                       // who is served what
	counted   []*counted
	carrying  carrying
	// aclCleared is where the counters of the filter's rules, by number, stood
	// when they were cleared.
	aclCleared map[uint32]dataplane.RuleHits
	// stopMachines ends the loops of the router's machines and waits for them.
	stopMachines func()
	notices      notices
	teller       *teller
	events       chan portEvent
	alarm        *machine.Alarm // that the loop waits for
	do           chan func()
	failed       chan error // errors after which the router cannot go on
	quit         chan struct{}
	streams      *localstack.Streams // the TCP of protocols, in the router's own stack
	undo         *undoList
	state        stateDir
	saved        map[string][]byte // by the last run of each protocol
	keeper       *keeper
	owners       []*protocolOwner
	sd           systemd
	tally        reloadTally
	steps        stepTimes       // of the loop
	walked       []rib.Candidate // memory for a piece of a page; of the loop
	began        time.Time
	garbage      *collector
	applied      time.Time // when the running configuration was applied
	file         fileState
	// reading is held while the configuration is read or changed, beside the
	// loop; changing is set while a reload is under way.
	reading    chan struct{}
	changing   bool
	background sync.WaitGroup // reloads
}

type reloadTally struct{ ok, failed uint64 }

// Run starts the router that the configuration describes and returns when ctx
// is done or SIGTERM or SIGINT arrives, with nothing left behind.
func Run(ctx context.Context, o Options) error {
	garbage := &collector{}
	garbage.follow()
	defer garbage.end()
	cfg, warnings, err := load(o.Config)
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	log, err := newLog(cfg.Log, level, o.Stderr)
	if err != nil {
		return err
	}
	t := newTeller(cfg.Name)
	log = slog.New(tellingHandler{Handler: log.Handler(), t: t}).With("router", cfg.Name)
	if o.RunDir == "" {
		o.RunDir = runDir()
	}
	d := &Daemon{
		opts: o, log: log, level: level, cfg: cfg,
		ports:   map[string]*openPort{},
		absent:  map[string]*absent{},
		used:    map[string][]netip.Prefix{},
		ends:    map[string]*endpoint{},
		events:  make(chan portEvent, 16),
		do:      make(chan func()),
		failed:  make(chan error, 16),
		quit:    make(chan struct{}),
		reading: make(chan struct{}, 1),
		notices: newNotices(),
		teller:  t,
		garbage: garbage,
		sd:      newSystemd(log),
		began:   time.Now(),
	}
	t.d = d
	d.warn(warnings)
	d.state = stateDirOf(cfg)
	d.openAccess()
	defer d.web.tokens.Close()
	defer d.web.logins.Close()
	if d.lock, err = takeLock(ctx, o.RunDir, cfg.Name); err != nil {
		return err
	}
	d.remember()
	d.watch = device.NewWatch()
	defer d.watch.Close()
	err = d.run(ctx)
	return errors.Join(err, d.lock.release())
}

func (d *Daemon) run(ctx context.Context) error {
	// Signals are caught before anything is made, so that nothing is left
	// behind.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	var err error
	if d.undo, err = openUndo(d.opts.RunDir, d.cfg.Name); err != nil {
		return err
	}
	left, err := d.undo.undo()
	if err != nil {
		d.log.Warn("cleaning up after an earlier run", "err", err)
	}
	for _, s := range left {
		d.log.Info("removed what an earlier run left", "kind", s.Kind, "path", s.Path)
	}
	if d.alarm, err = machine.NewAlarm(); err != nil {
		return err
	}
	defer d.alarm.Close()
	err = d.start()
	if err == nil && d.opts.Reduce {
		if err := reducePrivileges(); err != nil {
			d.log.Warn("privileges are as they were at the start", "err", err)
		}
	}
	if err == nil {
		d.started.Store(true)
		if o := d.opts.running; o != nil {
			o(d)
		}
		d.sd.ready(d.status())
		d.log.Info("running", "interfaces", len(d.cfg.Dataplane.Interfaces), "pid", os.Getpid())
		err = d.loop(ctx, signals)
	}
	d.started.Store(false)
	d.sd.stopping()
	d.noteUse(time.Now())
	if err := d.lock.stopping(); err != nil {
		d.log.Warn("telling the next start to wait", "err", err)
	}
	return errors.Join(err, d.stop())
}

func (d *Daemon) start() error {
	d.router = router.New(systemRandom{}, d.kinds()...)
	d.router.OnWaiting(d.alarm.Ring)
	d.streams = localstack.NewStreams(d.router.LinkLocal())
	d.keeper = newKeeper(d)
	d.startMachines()
	first, err := d.plan(d.cfg)
	if err == nil {
		restore := collectRarely()
		err = d.prepare(first)
		restore()
	}
	if err != nil {
		return err
	}
	d.router.Resume(d.lock.kept())
	defer d.router.Resume(nil)
	err = d.commit(first)
	debug.FreeOSMemory() // frees what starting took: with a thousand interfaces, as much as running takes
	d.garbage.started(time.Now())
	return err
}

// stop undoes everything: listeners first, so that no more requests come, then
// the ports with their workers, then the undo list.
func (d *Daemon) stop() error {
	close(d.quit)
	d.endReloads()
	var errs []error
	for _, e := range d.ends {
		e.cancel() // all at once: each may take as long as its requests
	}
	for _, e := range d.ends {
		errs = append(errs, d.closeEnd(e))
	}
	if d.stopMachines != nil {
		d.sayGoodbye()
	}
	errs = append(errs, closePorts(slices.Collect(maps.Values(d.ports))))
	if d.streams != nil {
		d.streams.Close()
	}
	if d.stopMachines != nil {
		d.stopMachines()
	}
	errs = append(errs, d.carrying.stop())
	_, err := d.undo.undo()
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	d.log.Info("stopped", "ran", time.Since(d.began).Round(time.Millisecond).String())
	return nil
}

func (d *Daemon) status() string {
	up := 0
	for _, i := range d.router.View().Interfaces {
		if i != nil && i.Up {
			up++
		}
	}
	f := d.router.FIB()
	without := ""
	if n := len(d.absent); n > 0 {
		without = fmt.Sprintf(", %d without their device", n)
	}
	return fmt.Sprintf("%d interfaces up%s, %d IPv4 and %d IPv6 routes", up, without, f.Len4(), f.Len6())
}

func (d *Daemon) warn(warnings []config.Problem) {
	for _, w := range warnings {
		d.log.Warn(w.Message, "at", w.Place.String(), "want", w.Want)
	}
}

// load reads the configuration. Errors come back as a ConfigError, warnings as
// a list.
func load(path string) (*config.Config, []config.Problem, error) {
	cfg, problems, err := config.Load(path)
	if err != nil {
		return nil, nil, err
	}
	if config.Failed(problems) {
		return nil, nil, &ConfigError{File: path, Problems: problems, routeFile: cfg.RouteFile}
	}
	return cfg, problems, nil
}

func (d *Daemon) routerConfig(cfg *config.Config) router.Config {
	all := maps.Clone(cfg.Protocols)
	for _, p := range d.opts.more {
		all[p.Name] = p.config()
	}
	for name, p := range all {
		p.Saved = d.saved[name]
		all[name] = p
	}
	out := cfg.Router()
	out.Protocols = all
	return out
}

// runDir chooses where the lock lives.
func runDir() string {
	// systemd gives RuntimeDirectory= as a list of absolute paths.
	if dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if os.Getuid() != 0 {
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			return dir + "/routerd"
		}
	}
	return "/run/routerd"
}
