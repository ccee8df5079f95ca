package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuReading is how much CPU time has gone by so far.
type cpuReading struct {
	at     time.Time
	idle   time.Duration // of all CPUs together, waiting for I/O included
	stolen time.Duration // by the hypervisor, of all CPUs together
	cpus   int
}

// userHZ is the unit of /proc/stat, in ticks a second. It is part of the
// kernel's interface to programs and the same on every architecture that Go
// runs on.
const userHZ = 100

func readCPU() (cpuReading, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuReading{}, fmt.Errorf("read CPU time: %w", err)
	}
	r, err := parseStat(string(text))
	r.at = time.Now()
	return r, err
}

// parseStat reads the first lines of /proc/stat: one for all CPUs together,
// then one for each (proc_stat(5)).
func parseStat(text string) (cpuReading, error) {
	var r cpuReading
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 9 || !strings.HasPrefix(f[0], "cpu") {
			break
		}
		if f[0] != "cpu" {
			r.cpus++
			continue
		}
		var ticks [3]uint64 // idle, iowait, steal
		for i, column := range []int{4, 5, 8} {
			n, err := strconv.ParseUint(f[column], 10, 64)
			if err != nil {
				return cpuReading{}, fmt.Errorf("read CPU time: column %d of /proc/stat: %w", column, err)
			}
			ticks[i] = n
		}
		r.idle = time.Duration(ticks[0]+ticks[1]) * (time.Second / userHZ)
		r.stolen = time.Duration(ticks[2]) * (time.Second / userHZ)
	}
	if r.cpus == 0 {
		return cpuReading{}, fmt.Errorf("read CPU time: no CPU in /proc/stat, wanted lines cpu and cpu0")
	}
	return r, nil
}

// busySince is the time that all CPUs together were not idle since before:
// programs, kernel, hard and soft interrupts. The kernel counts idle time in
// microseconds, but busy time in ticks, so busy time is computed from idle
// time.
func (r cpuReading) busySince(before cpuReading) time.Duration {
	whole := r.at.Sub(before.at) * time.Duration(r.cpus)
	return max(0, whole-(r.idle-before.idle)-(r.stolen-before.stolen))
}

// ProcessTime is the CPU time of all threads of a process, to the nanosecond:
// its own and what the kernel did on its behalf, which includes the soft
// interrupts that its system calls ran.
func ProcessTime(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the kernel's number of a process's clock.
	const cpuClockSched = 2
	clock := int32(^pid)<<3 | cpuClockSched
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
