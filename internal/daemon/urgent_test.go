package daemon

import (
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// niceOf is the priority of the calling goroutine's thread, as nice(1) counts.
func niceOf(t *testing.T) int {
	t.Helper()
	n, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - n
}

// A worker under strain goes before others and is like others afterwards, and one
// processor is left to everything else.
func TestUrgentWorkers(t *testing.T) {
	var said strings.Builder
	u := newUrgency(3, slog.New(slog.NewTextHandler(&said, nil)))
	before := make(chan int)
	tell := make(chan bool)
	nice := make(chan int)
	const workers = 3
	for range workers {
		go func() {
			strained := u.of()
			before <- niceOf(t)
			for s := range tell {
				strained(s)
				nice <- niceOf(t)
			}
		}()
	}
	usual := 0
	for range workers {
		usual = <-before
	}
	defer close(tell)
	if usual == urgentNice {
		t.Skip("everything goes before others here")
	}
	all := func(strained bool) (urgent int) {
		for range workers { // a worker that waits for its answer to be read hears nothing
			tell <- strained
		}
		for range workers {
			switch n := <-nice; n {
			case urgentNice:
				urgent++
			case usual:
			default:
				t.Errorf("a thread has the priority %d, want %d or %d", n, usual, urgentNice)
			}
		}
		return urgent
	}
	if n := all(true); u.off.Load() {
		if n != 0 || strings.Count(said.String(), "CAP_SYS_NICE") != 1 {
			t.Errorf("without the right to give priorities %d workers go before others, and the log says %q", n, &said)
		}
		return
	} else if n != 2 {
		t.Errorf("%d workers of %d go before others on three processors, want 2", n, workers)
	}
	if n := all(false); n != 0 || u.room.Load() != 2 {
		t.Errorf("afterwards %d workers go before others, and there is room for %d; want 0 and 2", n, u.room.Load())
	}
	if n := all(true); n != 2 {
		t.Errorf("the second time %d workers go before others, want 2", n)
	}
	all(false)
	if said.Len() > 0 {
		t.Errorf("the log says %q, want nothing", &said)
	}
}
