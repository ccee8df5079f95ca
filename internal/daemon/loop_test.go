package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/machine"
	"routerd/internal/router"
)

// newLoop is a daemon without ports whose loop can run.
func newLoop(t *testing.T) *Daemon {
	t.Helper()
	alarm, err := machine.NewAlarm()
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{
		router: router.New(rand.NewPCG(1, 1)), alarm: alarm, garbage: &collector{}, watch: device.NewWatch(), notices: newNotices(),
		events: make(chan portEvent), do: make(chan func()), failed: make(chan error, 1), quit: make(chan struct{}),
	}
	d.teller = newTeller("r1")
	d.teller.d = d
	d.router.OnWaiting(alarm.Ring)
	t.Cleanup(func() {
		d.watch.Close()
		if err := alarm.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// A question to the loop is answered, also while the loop ends: what was taken is done.
func TestLoopAnswersToItsEnd(t *testing.T) {
	for range 50 {
		askToTheEnd(t)
	}
}

func askToTheEnd(t *testing.T) {
	d := newLoop(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := d.loop(ctx, nil)
		close(d.quit)
		ended <- err
	}()
	var asking sync.WaitGroup
	var answered, done atomic.Int64
	for range 8 {
		asking.Go(func() {
			for {
				switch err := d.ask(t.Context(), func() { done.Add(1) }); {
				case errors.Is(err, errStopping):
					return
				case err != nil:
					t.Error(err)
					return
				}
				if answered.Add(1) == 100 {
					cancel()
				}
			}
		})
	}
	if !waitGroup(&asking) {
		t.Fatal("somebody still waits for the loop 20s later")
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if a, n := answered.Load(), done.Load(); a != n {
		t.Fatalf("%d answers and %d steps", a, n)
	}
}

// waitGroup waits for a while, and reports whether that was enough.
func waitGroup(w *sync.WaitGroup) bool {
	all := make(chan struct{})
	go func() { w.Wait(); close(all) }()
	select {
	case <-all:
		return true
	case <-time.After(20 * time.Second):
		return false
	}
}

// A signal and a failure end the loop, the failure with its error.
func TestLoopEnds(t *testing.T) {
	fault := errors.New("the power is off")
	for name, want := range map[string]error{"signal": nil, "failure": fault} {
		d := newLoop(t)
		d.log = slog.New(slog.DiscardHandler)
		signals := make(chan os.Signal, 1)
		if want == nil {
			signals <- syscall.SIGTERM
		} else {
			d.failed <- fault
		}
		ended := make(chan error, 1)
		go func() { ended <- d.loop(t.Context(), signals) }()
		select {
		case err := <-ended:
			if !errors.Is(err, want) {
				t.Errorf("%s: ended with %v, want %v", name, err, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the loop goes on after 20s", name)
		}
	}
}
