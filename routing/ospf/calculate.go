package ospf

import (
	"net/netip"
	"time"

	"routerd/routing"
)

// calculation is when and why routes are calculated, and what came of it.
type calculation struct {
	schedule   Schedule
	timer      timer // of the schedule: routes are calculated at the end of that step
	changes    changes
	alternates Alternates
	protect    timer // alternates are calculated
	protecting bool  // they are, and are not done
	offers     offers
	runs       [16]Run // the last ones, in a circle
	count      uint64
	kinds      [RunAlternates + 1]uint64 // how many of each
}

// RunKind is what a calculation went through.
type RunKind uint8

const (
	// RunFull: shortest paths, and with them all routes.
	RunFull RunKind = iota
	// RunIncremental: the shortest paths that a change of links is part of, and the
	// routes that follow from them.
	RunIncremental
	// RunPartial: routes alone (RFC 2328 §16.5, §16.6).
	RunPartial
	// RunAlternates: loop-free alternates.
	RunAlternates
)

var runKinds = [...]string{"full", "incremental", "partial", "alternates"}

// String gives the name used in tables and JSON.
func (k RunKind) String() string {
	if int(k) >= len(runKinds) {
		return "unknown"
	}
	return runKinds[k]
}

// Run is one calculation.
type Run struct {
	At     time.Time
	Kind   RunKind
	Waited time.Duration // since the first change
	Wait   Wait          // the state of the delay before it
	// Why are the first changes, of so many.
	Why     []Trigger
	Changes int
	// Vertices are the routers and networks that were reached, Changed the routes
	// that the RIB was told anew.
	Vertices, Changed int
}

// changed takes in that an LSA was installed, has got MaxAge or was removed. The
// area is nil of what has the scope of the AS or a link.
func (m *Machine) changed(e *Entry, a *area) {
	if m.note(e, a) {
		m.schedule()
	}
}

// learned does so with an LSA that a neighbour was asked for. The others follow, and
// that the neighbour is adjacent is the change that they have a part in.
func (m *Machine) learned(e *Entry, a *area) {
	if !m.note(e, a) {
		return
	}
	c := &m.calc
	if c.changes.since.IsZero() {
		c.changes.since = m.now
	}
	c.schedule.Hold(m.now, &m.cfg.SPF)
	m.due.Set(&c.timer, c.schedule.Deadline())
}

// loaded says that all has come that a neighbour was asked for.
func (m *Machine) loaded() {
	if m.calc.schedule.Held() {
		m.schedule()
	}
}

// note notes what a changed LSA changes for routes, and reports whether anything.
func (m *Machine) note(e *Entry, a *area) bool {
	db, state := m.as, (*AreaState)(nil)
	if a != nil {
		db, state = a.db, &a.AreaState
	}
	matters := m.calc.changes.add(state, db, e)
	m.endGraces(e, a)
	return matters
}

// recalculate has all routes calculated, and the trees that are stale.
func (m *Machine) recalculate(because string) {
	m.calc.changes.all = true
	m.calc.changes.trigger(Trigger{Because: because})
	m.schedule()
}

// schedule takes in that something has changed (RFC 8405).
func (m *Machine) schedule() {
	c := &m.calc
	if c.changes.since.IsZero() {
		c.changes.since = m.now
	}
	c.schedule.Changed(m.now, &m.cfg.SPF)
	m.due.Set(&c.timer, c.schedule.Deadline())
}

// calculate has routes follow what has changed, if it is time, which it reports.
func (m *Machine) calculate() bool {
	c := &m.calc
	wait := c.schedule.Wait()
	if !c.schedule.Due(m.now) {
		return false
	}
	m.due.Stop(&c.timer)
	now := c.changes
	c.changes = changes{}
	u := m.table.Update(&m.state, now.prefixes, now.all)
	run := Run{At: m.now, Kind: u.Kind, Waited: m.now.Sub(now.since), Wait: wait, Why: now.why, Changes: now.count}
	if u.Whole {
		m.measure()
	}
	f := &offering{table: &m.table, cfg: &m.cfg}
	if u.Whole {
		run.Changed = c.offers.all(f)
	} else {
		run.Changed = c.offers.some(f, u.Prefixes)
	}
	m.originateSummaries(u.Prefixes, u.Whole)
	m.translate()
	m.reconsider()
	run.Vertices = m.reached()
	m.log(run)
	if m.cfg.FastReroute || len(c.alternates.found) > 0 {
		c.protecting = false
		m.due.Set(&c.protect, m.now) // in a step of its own, when these routes are under way
	}
	return true
}

// forgetRoutes withdraws all routes, of a router that has another ID now.
func (m *Machine) forgetRoutes() {
	c := &m.calc
	m.due.Stop(&c.timer)
	m.due.Stop(&c.protect)
	c.schedule.Reset()
	c.changes.reset()
	c.protecting = false
	c.alternates.Forget()
	c.offers.reset()
	m.table = Table{}
	m.outward.as, m.outward.translated, m.outward.shared = externals{}, nil, nil
	m.reviewExternals()
	m.ours = ours{dirty: true, anywhere: m.prefixes.use(anywhere)}
}

// review has a changed configuration apply to the routes that there are.
func (m *Machine) review(was *Config) {
	c, now := &m.calc, &m.cfg
	m.considerStartup()
	m.reviewGraces()
	samePolicy := was.Import == nil && now.Import == nil || was.Import != nil && now.Import != nil && now.Import.Same(was.Import)
	if was.Distance != now.Distance || was.MaximumPaths != now.MaximumPaths || !samePolicy {
		c.offers.again()
	}
	if was.Type1 != now.Type1 || was.Default != now.Default || !sameOrigination(was.DefaultInformation, now.DefaultInformation) {
		m.reviewExternals()
	}
	if was.FastReroute != now.FastReroute && m.router != 0 {
		m.due.Set(&c.protect, m.now)
	}
}

func sameOrigination(a, b *Origination) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// anywhere is the default route's prefix.
var anywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// reached is how many routers and networks the trees have.
func (m *Machine) reached() (n int) {
	for _, a := range m.areas {
		n += len(a.tree.order)
	}
	return n
}

// protectAtOnce is how many routers and routes one step looks at, so that alternates
// in a large network hold up nothing else.
const protectAtOnce = 20_000

// protects finds the alternates of the routes that were calculated.
func (m *Machine) protects() {
	c := &m.calc
	if c.changes.any() || m.table.state == nil {
		c.protecting = false
		return // what the graphs say is no longer what routes follow; a calculation is on its way
	}
	f := &offering{table: &m.table, cfg: &m.cfg, alternates: &c.alternates}
	if m.cfg.FastReroute {
		if !c.protecting {
			c.protecting = true
			c.alternates.Begin(&m.table, m.leftOut)
		}
		if !c.alternates.Continue(protectAtOnce) {
			m.after(&c.protect, time.Microsecond) // not in this step
			return
		}
	} else {
		c.alternates.Forget()
	}
	c.protecting = false
	m.log(Run{At: m.now, Kind: RunAlternates, Wait: c.schedule.Wait(), Changed: c.offers.all(f), Vertices: m.reached()})
}

// leftOut reports an interface that is no alternate.
func (m *Machine) leftOut(id routing.InterfaceID) bool {
	l := m.links[id]
	return l == nil || l.cfg.NoFastReroute
}

// log keeps a run among the last ones.
func (m *Machine) log(r Run) {
	m.calc.runs[m.calc.count%uint64(len(m.calc.runs))] = r
	m.calc.count++
	m.calc.kinds[r.Kind]++
}

// lastRuns gives the last runs, the latest first.
func (m *Machine) lastRuns() (list []Run) {
	n := min(m.calc.count, uint64(len(m.calc.runs)))
	for i := range n {
		list = append(list, m.calc.runs[(m.calc.count-1-i)%uint64(len(m.calc.runs))])
	}
	return list
}
