package rib

import (
	"errors"
	"math"
	"net/netip"
	"time"

	"routerd/routing/fib"
)

// Settled is the result of one settling of the table, or a piece of it.
type Settled struct {
	// Changes are changes of the FIB, in a settling each prefix at most once. All
	// that a settling gives in several slices belong together: a FIB with only
	// some of them must not be used. The changes and their entries are good until
	// the next Settle.
	Changes []fib.Change
	// Touched are prefixes whose routes may be others than before, those that only
	// `show` shows included; see Follow.
	Touched []Touched
	// Generation is the number of the FIB's state with these changes. It grows
	// by one with each settling, also if nothing changes, so that a source can
	// wait for its routes.
	Generation uint64
}

// Touched is a prefix whose routes may have changed.
type Touched struct {
	Prefix netip.Prefix
	New    bool // the FIB had no route for it
}

// Follow sets whether settlings say which prefixes they have touched.
func (r *RIB) Follow(on bool) { r.following = on }

// follow notes a prefix that was touched.
func (s *settling) follow(n number, isNew bool) {
	if s.rib.following {
		s.touched = append(s.touched, Touched{s.rib.prefix(n), isNew})
	}
}

// Settle works for one slice on the decision about all inputs. It reports
// whether the settling is complete with it; the last slices give the result,
// piece by piece. A unit
// is about one prefix to be looked at, a few hundred nanoseconds; work that
// cannot be divided, such as next hops that resolve in a circle, makes a slice
// longer.
//
// Between two slices inputs may come, but wait for the end of the settling, so
// that its result follows from all inputs up to one moment. Meanwhile `show`
// sees each prefix as it was before or will be afterwards, and subscribers get
// nothing.
//
// An error is about an input that waited; the settling goes on.
func (r *RIB) Settle(units int) (s Settled, complete bool, err error) {
	if r.settling == nil {
		if units, err = r.prepare(units); units <= 0 || !r.touched {
			return s, false, err
		}
		r.touched = false
		r.settling = &settling{rib: r}
	}
	complete = r.settling.work(units)
	s.Changes, r.settling.out = r.settling.out, nil
	s.Touched, r.settling.touched = r.settling.touched, nil
	if r.given = s.Changes; cap(r.given) > keptChanges || complete && len(r.waiting.list) == 0 {
		r.given, r.entries = nil, nil
	}
	r.stats.Changes += uint64(len(s.Changes))
	if complete {
		r.settling = nil
		r.configs.settled = r.configs.taken
		r.generation++
		s.Generation = r.generation
		r.stats.Flushes++
	}
	return s, complete, err
}

// keptChanges is how long a list of changes may be to be used again by the next
// slice, and leastKept how long one of entries has to be.
const (
	keptChanges = 1 << 14
	leastKept   = 128
)

// Settling reports whether inputs have to wait: slices of a settling, or of taking
// up static routes, have been made and more have to follow, or earlier inputs still
// wait.
func (r *RIB) Settling() bool {
	return r.settling != nil || r.binding != nil || len(r.waiting.list) > 0
}

// Unsettled reports whether there is anything to settle.
func (r *RIB) Unsettled() bool { return r.touched || r.Settling() || r.preparing() }

// Flush is [RIB.Settle] in one go: it completes the settling that is under way,
// or else decides about all inputs since the last one. Without an input it
// gives no changes and the same generation.
func (r *RIB) Flush() ([]fib.Change, uint64) {
	s, _, _ := r.Settle(math.MaxInt)
	return s.Changes, r.generation
}

// Generation is the number of the last completed settling.
func (r *RIB) Generation() uint64 { return r.generation }

// prepare does what has to be done before the table is settled: walks over many
// routes, and taking inputs that waited. It returns what is left of the slice, 0
// if there is more to do.
func (r *RIB) prepare(units int) (int, error) {
	var errs []error
	for units > 0 {
		switch {
		case r.preparing():
			units = r.walk(units)
		case len(r.waiting.list) > 0:
			now, in := r.waiting.next(units)
			if d, ok := in.(Deltas); ok {
				units -= len(d)
			} else {
				units--
			}
			errs = append(errs, r.take(now, in))
		case r.bindDue:
			r.beginBinding()
		default:
			return units, errors.Join(errs...)
		}
	}
	return 0, errors.Join(errs...)
}

// preparing reports whether walks over many routes have to be completed before
// the table is settled.
func (r *RIB) preparing() bool {
	return len(r.sweeps)+len(r.relistings) > 0 || r.redistances != nil || r.binding != nil
}

// walk goes on with the first of them for one slice, and returns what is left of
// it, 0 if that has more to do.
func (r *RIB) walk(units int) int {
	switch {
	case r.binding != nil:
		if units = r.binding.work(r, units); units > 0 {
			r.binding = nil
		}
	case r.redistances != nil:
		if units = r.redistances.work(r, units); units > 0 {
			r.redistances = nil
		}
	case len(r.relistings) > 0:
		if units = r.relistings[0].work(r, units); units > 0 {
			r.relistings[0] = nil // and with it the list before
			r.relistings = r.relistings[1:]
		}
	case len(r.sweeps) > 0:
		if units = r.sweeps[0].work(r, units); units > 0 {
			r.sweeps = r.sweeps[1:]
		}
	}
	return units
}

// queue is inputs that wait for the end of a settling, oldest first.
type queue struct{ list []waiter }

type waiter struct {
	now time.Time
	in  Input
}

func (q *queue) add(now time.Time, in Input) { q.list = append(q.list, waiter{now, in}) }

// next takes the oldest, of a list of deltas at most n.
func (q *queue) next(n int) (time.Time, Input) {
	w := &q.list[0]
	if d, ok := w.in.(Deltas); ok && len(d) > n {
		w.in = d[n:]
		return w.now, d[:n]
	}
	first := *w
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
	return first.now, first.in
}
