package daemon

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkGapsWhileLoading forwards a datagram every millisecond while the router
// takes up a file of so many routes and gives them back, again and again, and
// reports by how much the time between two arrivals is more than that between their
// departures, of all and of the worst of a thousand, and how many were lost; the
// longest pause of the collector, by the runtime's own count, and the longest time
// until all goroutines had stopped for it; and how many steps of the owner took more
// than 2 ms. The router is a process of its own.
//
// The runtime counts a pause until the thread that has let the others go on goes on
// itself. On a machine with fewer processors than the router may use that thread
// waits for them then, while goroutines run.
//
// The machine has other work, of the router's own too, and the kernel runs a thread
// when it is its turn. So the same is measured in the same time of processes that
// have nothing to do but that: one relays datagrams as a router has to, and one has
// an empty heap collected over and over.
func BenchmarkGapsWhileLoading(b *testing.B) {
	for _, n := range []int{10, 10_000, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { gapsWhileLoading(b, n) })
	}
}

func gapsWhileLoading(b *testing.B, routes int) {
	s := newSite(b)
	path := filepath.Join(s.dir, "routes.txt")
	const metrics = "127.0.0.1:19871"
	s.write(fmt.Sprintf("[static]\nfile = %q\n[metrics]\nlisten = %q\n", path, metrics))
	fileOf(b, path, 0)
	pauses, idle := filepath.Join(s.dir, "pauses"), filepath.Join(s.dir, "idle")
	s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log", pausesVariable + "=" + pauses})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(8, runtime.GOMAXPROCS(0)))) // those who measure wait for nobody
	p := &probe{b: b}
	through := p.datagrams(s.hosts, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 0, 2, 2}})
	s.yardstick(relayVariable+"=9", "ip", "netns", "exec", s.hosts[0])
	s.yardstick(pausesVariable + "=" + idle)
	beside := p.datagrams([2]string{s.hosts[0], s.hosts[0]}, &unix.SockaddrInet4{Port: relayPort, Addr: [4]byte{127, 0, 0, 1}})
	wait(b, "the relay", func() error {
		through.send()
		beside.send()
		if through.arrived.Load() == 0 || beside.arrived.Load() == 0 {
			return errors.New("nothing has arrived yet")
		}
		return nil
	})
	client := s.client()
	time.Sleep(200 * time.Millisecond) // what is under way arrives
	through.begin()
	beside.begin()
	stop := p.urgent(func() bool {
		through.send()
		beside.send()
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
		return true
	})
	for b.Loop() {
		for _, n := range []int{routes, 0} {
			fileOf(b, path, n)
			if _, err := client.Reload(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	stop()
	time.Sleep(200 * time.Millisecond) // what is under way arrives
	b.ReportMetric(0, "ns/op")
	through.report(b, "")
	beside.report(b, "relay-")
	for prefix, file := range map[string]string{"": pauses, "idle-": idle} {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		var longest, stopping float64
		if _, err := fmt.Sscan(string(text), &longest, &stopping); err != nil {
			b.Fatalf("%v in %q", err, text)
		}
		b.ReportMetric(longest, prefix+"pause-ms")
		b.ReportMetric(stopping, prefix+"stopping-ms")
	}
	long, all := longSteps(b, metrics)
	b.ReportMetric(float64(long), "steps-over-2ms")
	b.ReportMetric(float64(all), "steps")
}

// datagrams are those of one flow, each of which says when it left.
type datagrams struct {
	b       *testing.B
	out     int
	to      unix.Sockaddr
	began   time.Time
	sent    atomic.Int64
	arrived atomic.Int64
	mu      sync.Mutex
	late    []float64 // in ms
	last    [2]int64  // departure and arrival
}

// datagrams makes a flow from a host to what listens at the address, and arrives at
// the other host's port 9.
func (p *probe) datagrams(hosts [2]string, to *unix.SockaddrInet4) *datagrams {
	d := &datagrams{b: p.b, to: to, began: time.Now()}
	d.out = p.socket(hosts[0], unix.AF_INET, unix.SOCK_DGRAM, 0, nil)
	in := p.socket(hosts[1], unix.AF_INET, unix.SOCK_DGRAM, 0, &unix.SockaddrInet4{Port: 9})
	p.urgent(func() bool {
		var data [16]byte
		n, _, err := unix.Recvfrom(in, data[:], 0)
		if err == nil && n == len(data) {
			d.receive(int64(binary.BigEndian.Uint64(data[:])), int64(time.Since(d.began)))
		}
		return true
	})
	return d
}

func (d *datagrams) send() {
	var data [16]byte
	binary.BigEndian.PutUint64(data[:], uint64(time.Since(d.began)))
	if unix.Sendto(d.out, data[:], 0, d.to) == nil {
		d.sent.Add(1)
	}
}

func (d *datagrams) receive(left, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.arrived.Add(1) > 1 {
		d.late = append(d.late, float64((now-d.last[1])-(left-d.last[0]))/1e6)
	}
	d.last = [2]int64{left, now}
}

// begin forgets what was.
func (d *datagrams) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late = nil
	d.sent.Store(0)
	d.arrived.Store(0)
}

func (d *datagrams) report(b *testing.B, prefix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.late) < 100 {
		b.Fatalf("%d datagrams arrive of %d", d.arrived.Load(), d.sent.Load())
	}
	slices.Sort(d.late)
	for name, at := range map[string]int{"p50": 500, "p99": 990, "p99.9": 999, "longest": 1000} {
		b.ReportMetric(d.late[min(len(d.late)*at/1000, len(d.late)-1)], prefix+name+"-ms")
	}
	b.ReportMetric(float64(d.sent.Load()-d.arrived.Load()), prefix+"lost")
	if prefix == "" {
		b.ReportMetric(float64(d.sent.Load()), "sent")
	}
}

// fileOf writes a file of n routes, and one more.
func fileOf(b *testing.B, path string, n int) {
	f, err := os.Create(path + ".new")
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "192.0.2.0/24 via 10.0.2.2")
	for i := range n {
		fmt.Fprintf(w, "%d.%d.%d.0/24 via 10.0.2.2\n", 20+i>>16, i>>8&255, i&255)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	if err := os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
}

func scrape(b *testing.B, address string) string {
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// longSteps reads from the histogram how many steps took longer than 2 ms, of how
// many.
func longSteps(b *testing.B, address string) (long, all uint64) {
	short := uint64(0)
	for _, m := range regexp.MustCompile(`(?m)^routerd_owner_step_seconds_bucket\{le="(.*)"\} (.*)$`).FindAllStringSubmatch(scrape(b, address), -1) {
		n, err := strconv.ParseUint(m[2], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		if m[1] == "0.002" {
			short = n
		}
		all = max(all, n)
	}
	return all - short, all
}
