package daemon

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// errand is what the router's owner is to do next: a step, or to end.
type errand struct {
	step func()
	end  bool
	err  error // why it ends; nil: it was told to
}

// loop is the one goroutine that owns the router. It waits by an alarm for what the
// protocols offer and what is due; all else is rarer, and gathered for it by another
// goroutine, since a goroutine waits for an alarm or for channels, not for both.
func (d *Daemon) loop(ctx context.Context, signals <-chan os.Signal) error {
	errands := make(chan errand, 1)
	running, stop := context.WithCancel(ctx)
	var gatherer sync.WaitGroup
	gatherer.Go(func() {
		defer close(errands)
		d.gather(running, signals, errands)
	})
	err := d.own(errands)
	stop()
	for e := range errands { // where the alarm failed; somebody may wait for it
		if e.step != nil {
			e.step()
		}
		err = errors.Join(err, e.err)
	}
	gatherer.Wait()
	return err
}

// own does what there is to do until an errand ends it.
func (d *Daemon) own(errands <-chan errand) error {
	d.garbage.look()
	d.teller.look(time.Now())
	for {
		now, due := time.Now(), d.deadline()
		late := !due.IsZero() && !due.After(now)
		e, ok := d.next(errands, late)
		if !ok {
			d.alarm.Expect()
			if e, ok = d.next(errands, late); !ok {
				if err := d.alarm.Wait(due, now); err != nil {
					return err
				}
				continue
			}
			d.alarm.Forget()
		}
		if e.end {
			return e.err
		}
		d.garbage.worked(d.steps.run(func() {
			e.step()
			d.teller.look(time.Now())
		}))
	}
}

// always is ready to be received from.
var always = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// next gives what is to be done now; of several things any, so that none is kept
// waiting by the others. Late is that something is due.
func (d *Daemon) next(errands <-chan errand, late bool) (e errand, ok bool) {
	var due <-chan struct{}
	if late {
		due = always
	}
	select {
	case e = <-errands:
		return e, true
	case <-d.router.Waiting():
		return errand{step: d.poll}, true
	case <-due:
		return errand{step: d.doDue}, true
	default:
		return e, false
	}
}

// deadline is when doDue is to be called, the zero Time if nothing is due.
func (d *Daemon) deadline() time.Time {
	t := d.router.Deadline()
	for _, at := range []time.Time{d.due(), d.nextNote, d.teller.routes.due, d.aclLog.due} {
		if t.IsZero() || !at.IsZero() && at.Before(t) {
			t = at
		}
	}
	return t
}

// doDue does what is due.
func (d *Daemon) doDue() {
	d.poll()
	d.tryAbsent(time.Now())
	if now := time.Now(); !d.nextNote.IsZero() && !now.Before(d.nextNote) {
		d.noteUse(now)
	}
}

// gather hands the owner its errands, until one of them is to end.
func (d *Daemon) gather(ctx context.Context, signals <-chan os.Signal, errands chan<- errand) {
	var watchdog <-chan time.Time
	if d.sd.watchdog > 0 {
		t := time.NewTicker(d.sd.watchdog)
		defer t.Stop()
		watchdog = t.C
	}
	for {
		var e errand
		select {
		case <-ctx.Done():
			e.end = true
		case s := <-signals:
			if e.end = s != syscall.SIGHUP; e.end {
				d.log.Info("stopping", "signal", s.String())
				break
			}
			e.step = func() { d.background.Go(d.reloadBySignal) }
		case x := <-d.events:
			e.step = func() { d.portChanged(x) }
		case <-d.watch.Changed():
			e.step = d.placesChanged
		case <-d.notices.waiting():
			e.step = d.addressesChanged
		case e.step = <-d.do:
		case e.err = <-d.failed:
			e.end = true
		case <-watchdog:
			e.step = d.sd.alive
		}
		errands <- e
		d.alarm.Ring()
		if e.end {
			return
		}
	}
}

var errStopping = errors.New("the router is stopping")

// ask runs f on the loop and waits for it.
func (d *Daemon) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case d.do <- func() { f(); close(done) }:
		<-done
		return nil
	case <-d.quit:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}
