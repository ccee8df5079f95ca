package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lock is the file lock that says that a router of this name is alive. The
// kernel drops it with the process, however that ends, so what is found
// unlocked was left behind and may be cleaned up. The holder writes a witness
// into the file for the next one.
type lock struct {
	file *os.File
	// found is what the last holder left in the file, zero if nothing.
	found witness
	said  witness
}

// witness is what a router writes about itself into its lock file.
type witness struct {
	// PID and Start, in clock ticks since the boot, identify the process that
	// holds the lock; 0 when it has released everything.
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"`
	// Stopping: it is about to release the lock.
	Stopping bool `json:"stopping,omitempty"`
	// Boot and Seen are when it was last alive: the boot's ID and the seconds
	// since the boot, suspended time included.
	Boot string  `json:"boot,omitempty"`
	Seen float64 `json:"seen,omitempty"`
	// Addresses are the IPv6 addresses that it used on Ethernet links, by
	// interface.
	Addresses map[string][]netip.Prefix `json:"addresses,omitempty"`
}

// How long a start waits for the lock.
const (
	// lockWait is for a holder that may have been told to stop just now,
	// stoppingWait for one that says it is stopping, deathWait for one that was
	// killed: the kernel takes some ten milliseconds to remove a device, and
	// there may be a thousand.
	lockWait     = time.Second
	stoppingWait = time.Minute
	lockPoll     = 10 * time.Millisecond
	deathWait    = time.Minute
	// witnessEvery is how often a holder records that it is alive, and recent
	// how old the record may be for its addresses to be used again without
	// asking.
	witnessEvery = 10 * time.Second
	recent       = time.Minute
)

// ErrRunning is returned where another process runs a router of the same name.
var ErrRunning = errors.New("already running")

// takeLock takes the lock of a name. It waits for a holder that may be about to
// stop, longer for one that says so.
func takeLock(ctx context.Context, dir, name string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the run directory: %w", err)
	}
	path := filepath.Join(dir, name+".lock")
	began := time.Now()
	for {
		l, holder, err := tryLock(path)
		if l != nil {
			l.awaitDeath(ctx)
		}
		if l != nil || err != nil {
			return l, err
		}
		waited := time.Since(began)
		going := holder.Stopping || holder.dying()
		switch {
		case going && waited > stoppingWait:
			return nil, fmt.Errorf("a router named %q is %w: it has been stopping for %v (it holds %s)", name, ErrRunning, stoppingWait, path)
		case !going && waited > lockWait:
			return nil, fmt.Errorf("a router named %q is %w (it holds %s); give this one another name", name, ErrRunning, path)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// tryLock takes the lock, or gives the witness of its holder.
func tryLock(path string) (*lock, witness, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, witness{}, fmt.Errorf("opening the lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	said := readWitness(f)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		f.Close()
		return nil, said, nil
	case err != nil:
		f.Close()
		return nil, said, fmt.Errorf("locking %s: %w", path, err)
	case !current(f, path):
		f.Close() // its owner removed it between the two calls, so this lock is worthless
		return nil, said, nil
	}
	l := &lock{file: f, found: said, said: witness{PID: os.Getpid()}}
	l.said.Start, _ = started(os.Getpid())
	if err := l.write(); err != nil {
		return nil, said, errors.Join(err, l.release())
	}
	return l, said, nil
}

// awaitDeath waits until a killed holder is gone: the kernel closes its files
// one by one, and its devices may still exist when the lock is free.
func (l *lock) awaitDeath(ctx context.Context) {
	dead := l.found
	if dead.PID <= 0 || dead.Start == 0 || dead.PID == os.Getpid() {
		return
	}
	for end := time.Now().Add(deathWait); time.Now().Before(end); {
		if ticks, _ := started(dead.PID); ticks != dead.Start {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lockPoll):
		}
	}
}

// started gives the start time of a process in clock ticks since the boot, and
// whether it is exiting; 0 for a process that is gone, or has closed its files
// and waits for its parent.
func started(pid int) (ticks uint64, exiting bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// After the name, which may contain any characters, come the fields of
	// proc(5) from the state on: flags are the 7th, the number of threads the
	// 18th and the start the 20th.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, false
	}
	// The first thread may be dead while others still close files.
	dead := fields[0] == "Z" || fields[0] == "X"
	if threads, _ := strconv.Atoi(fields[17]); dead && threads <= 1 {
		return 0, false
	}
	flags, _ := strconv.ParseUint(fields[6], 10, 64)
	ticks, _ = strconv.ParseUint(fields[19], 10, 64)
	return ticks, dead || flags&flagExiting != 0
}

// flagExiting is PF_EXITING of linux/sched.h.
const flagExiting = 0x4

// dying reports whether the holder was killed and is still exiting.
func (w witness) dying() bool {
	ticks, exiting := started(w.PID)
	return w.Start != 0 && ticks == w.Start && exiting
}

// readWitness reads the witness in a lock file. One that was half written, or
// is of another version, counts as none.
func readWitness(f *os.File) (w witness) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil || json.Unmarshal(text, &w) != nil {
		return witness{}
	}
	return w
}

func (l *lock) write() error {
	l.said.Boot, l.said.Seen = now()
	text, err := json.Marshal(l.said)
	if err != nil {
		return err
	}
	if _, err = l.file.WriteAt(append(text, '\n'), 0); err == nil {
		err = l.file.Truncate(int64(len(text)) + 1)
	}
	if err != nil {
		return fmt.Errorf("writing to the lock %s: %w", l.file.Name(), err)
	}
	return nil
}

// now is the time in the form of a witness; boot is "" if it cannot be read.
func now() (boot string, seen float64) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var ts unix.Timespec
	if err == nil {
		err = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	}
	if err != nil {
		return "", 0
	}
	return strings.TrimSpace(string(id)), time.Duration(ts.Nano()).Seconds()
}

// kept are the addresses that the router used a moment ago.
func (l *lock) kept() map[string][]netip.Prefix {
	boot, seen := now()
	if boot == "" || l.found.Boot != boot || seen-l.found.Seen > recent.Seconds() {
		return nil
	}
	return l.found.Addresses
}

// stopping records that the lock will be free soon, for a start that waits for
// it.
func (l *lock) stopping() error {
	l.said.Stopping = true
	return l.write()
}

// uses records the addresses that the router uses.
func (l *lock) uses(addresses map[string][]netip.Prefix) error {
	l.said.Addresses = addresses
	return l.write()
}

// current reports whether f is still the file that path names.
func current(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// release releases the lock. A file without addresses is removed first: whoever
// opens it in between finds that it is no longer the one that its path names.
func (l *lock) release() error {
	if len(l.said.Addresses) > 0 {
		l.said.PID, l.said.Start = 0, 0
		err := l.write()
		return errors.Join(err, l.file.Close())
	}
	err := os.Remove(l.file.Name())
	return errors.Join(err, l.file.Close())
}
