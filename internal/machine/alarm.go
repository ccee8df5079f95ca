package machine

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Alarm is what one goroutine waits for: a time, or that somebody rings. It is a timer
// and an event of the kernel's, for which the runtime's poller waits as it does for
// packets. The runtime's own timers and channels would do, but each timer of theirs
// that runs out wakes the runtime's monitor too, which then looks around some times,
// and each goroutine that a channel makes ready wakes another thread to look for
// work. Where packets come one at a time, that is most of what they cost. The calls
// here never block, so the runtime is not told of them (RawSyscall), which would wake
// its monitor as well.
//
// One goroutine waits: it says Expect, looks whether there is anything to do, and
// then says Wait, or Forget if there was. Who gives it something to do says Ring
// behind that. So nothing is overlooked, and nobody rings while it is busy.
type Alarm struct {
	set  *os.File // of the timer and the bell
	wait syscall.RawConn
	bell *os.File
	ring syscall.RawConn
	// timer is used and closed by the one who waits.
	timer     int
	at        time.Time // when the timer runs out; zero: it does not run
	expecting atomic.Bool
}

// What the set reports: which of them it was.
const (
	timerRanOut = 1
	bellRang    = 2
)

// NewAlarm makes an alarm. The one who waits closes it.
func NewAlarm() (a *Alarm, err error) {
	a = &Alarm{timer: -1}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("making an alarm: %w", err), a.Close())
		}
	}()
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return a, err
	}
	if err := unix.SetNonblock(set, true); err != nil { // else the runtime does not poll it
		return a, errors.Join(err, unix.Close(set))
	}
	a.set = os.NewFile(uintptr(set), "alarm")
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC) // blocking, so that the runtime does not poll it
	if err != nil {
		return a, err
	}
	a.bell = os.NewFile(uintptr(bell), "bell")
	if a.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return a, err
	}
	// Edges, so that neither has to be read.
	for fd, what := range map[int]int32{a.timer: timerRanOut, bell: bellRang} {
		if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: what}); err != nil {
			return a, err
		}
	}
	if a.wait, err = a.set.SyscallConn(); err != nil {
		return a, err
	}
	a.ring, err = a.bell.SyscallConn()
	return a, err
}

// Close gives back what the alarm holds. Ring may still be called, and does nothing.
func (a *Alarm) Close() (err error) {
	for _, f := range []*os.File{a.set, a.bell} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if a.timer >= 0 {
		err = errors.Join(err, unix.Close(a.timer))
	}
	return err
}

// Ring ends the wait of the one who has said Expect. Any goroutine may call it.
func (a *Alarm) Ring() {
	if !a.expecting.Load() || !a.expecting.CompareAndSwap(true, false) {
		return
	}
	// It fails when the alarm is closed: nobody waits any more.
	_ = a.ring.Control(func(fd uintptr) {
		one := uint64(1)
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	})
}

// Expect has a Ring from now on end the Wait that follows.
func (a *Alarm) Expect() { a.expecting.Store(true) }

// Forget has it not do so: there is something to do already.
func (a *Alarm) Forget() { a.expecting.Store(false) }

// Wait waits until the time, or for ever if that is zero, or for somebody to ring. It
// may end early. Now is what the time is.
func (a *Alarm) Wait(until, now time.Time) error {
	defer a.Forget()
	if !until.Equal(a.at) {
		if !until.IsZero() && !until.After(now) {
			return nil
		}
		if err := a.arm(until, now); err != nil {
			return fmt.Errorf("setting an alarm to %v: %w", until.Sub(now), err)
		}
	}
	var failed error
	err := a.wait.Read(func(fd uintptr) bool {
		var events [2]unix.EpollEvent
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		if errno == unix.EINTR {
			return true // it ends early
		}
		if errno != 0 {
			failed = errno
			return true
		}
		for _, e := range events[:n] {
			if e.Fd == timerRanOut {
				a.at = time.Time{}
			}
		}
		return n > 0
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("waiting for an alarm: %w", err)
	}
	return nil
}

// arm sets the timer, or stops it where there is no time.
func (a *Alarm) arm(until, now time.Time) error {
	a.at = until
	spec := unix.ItimerSpec{}
	if !until.IsZero() {
		spec.Value = unix.NsecToTimespec(until.Sub(now).Nanoseconds())
	}
	return unix.TimerfdSettime(a.timer, 0, &spec, nil)
}
