package daemon

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// urgentNice is the priority of a thread that goes before all others, as nice(1) counts.
const urgentNice = -20

// urgency has workers that lag behind what arrives go before whatever else the process
// does: before answers of the API and clients of events, which may take all that they can
// get. A worker that keeps up is like any other goroutine, since one that has a thread to
// itself takes more of the processors.
//
// One processor is always left to everything else, so that no flood of packets keeps
// the protocols from their deadlines: on a machine with one nobody goes before others.
type urgency struct {
	room    atomic.Int32 // how many more workers may go before others
	log     *slog.Logger
	refused sync.Once
	off     atomic.Bool // the process may not give priorities
}

func newUrgency(processors int, log *slog.Logger) *urgency {
	u := &urgency{log: log}
	u.room.Store(int32(processors - 1))
	return u
}

// of returns what a worker has to call on its goroutine, see dataplane.Worker.
func (u *urgency) of() func(strained bool) {
	urgent, before := false, 0
	return func(strained bool) {
		switch {
		case strained && !urgent:
			before, urgent = u.begin()
		case !strained && urgent:
			u.end(before)
			urgent = false
		}
	}
}

// begin has the thread of the calling goroutine go before others, until end is called
// with the priority that it had. False means that it is as it was.
func (u *urgency) begin() (before int, begun bool) {
	if u.off.Load() || u.room.Add(-1) < 0 {
		u.room.Add(1)
		return 0, false
	}
	// The runtime does not make new threads, which would be as urgent, from a locked one.
	runtime.LockOSThread()
	before, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), urgentNice)
	}
	if err != nil {
		runtime.UnlockOSThread()
		u.room.Add(1)
		u.off.Store(true)
		u.refused.Do(func() {
			u.log.Info("packets have no priority over the router's other work: that takes CAP_SYS_NICE", "err", err)
		})
		return 0, false
	}
	return 20 - before, true // the system call gives 20 less the priority
}

func (u *urgency) end(before int) {
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), before); err != nil {
		// It cannot happen: everybody may lower it. The thread ends with its goroutine.
		u.log.Error("giving a thread its priority back", "err", err)
		return
	}
	runtime.UnlockOSThread()
	u.room.Add(1)
}
