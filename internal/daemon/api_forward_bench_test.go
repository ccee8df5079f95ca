package daemon

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

const dripBatch = 10 // datagrams each millisecond

// BenchmarkForwardingBesideAPI has a router, a process of its own with a million routes,
// forward datagrams at a fixed rate, and then as fast as they can be sent, in turn with
// and without a load of its API: 1,000 clients of events by WebSocket over TLS that get
// 20 a second each, four clients that walk the whole table, and one that looks up
// routes. The clients take part of the same processors. It reports the share of what
// was sent that arrives, how late it is, and the rates at the most with the load as a
// share of those without.
func BenchmarkForwardingBesideAPI(b *testing.B) {
	const metrics, web = "127.0.0.1:19879", "127.0.0.1:19880"
	s := newSite(b)
	path := filepath.Join(s.dir, "routes.txt")
	fileOf(b, path, bigRoutes)
	s.listenAt("", fmt.Sprintf("[static]\nfile = %q\n[metrics]\nlisten = %q\n", path, metrics), "https://"+web)
	pid := s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log"}).Process.Pid
	wait(b, "the table to be forwarded by", func() error {
		if n := forwardedBy(b, metrics); n < bigRoutes {
			return fmt.Errorf("%d of %d prefixes are", n, bigRoutes)
		}
		return nil
	})
	var added control.TokenAdded
	s.post("token/add?name=bench&role=admin", &added)
	load := newAPILoad(b, loadTarget{web, added.Secret, s.socket()})
	flow := newDrip(s)
	flows := newFlood(s, []netip.Prefix{netip.MustParsePrefix("20.0.0.0/16"), netip.MustParsePrefix("21.0.0.0/16")})
	flows.urgent = true
	flows.forAWhile()
	var arrived, late [2][]float64
	var rates [2][]float64
	var taken [2]time.Duration // of the processors, beside the load: by the router, and by the load
	var lasted time.Duration
	for b.Loop() {
		for range 4 {
			for k := range 2 {
				if k == 1 {
					load.begin()
					time.Sleep(200 * time.Millisecond) // until all of it has begun
				}
				share, p99 := flow.forAWhile(time.Second)
				before := [2]time.Duration{processorTime(b, pid), processorTime(b, load.pid)}
				begun := time.Now()
				n := flows.forAWhile()
				rates[k] = append(rates[k], float64(n)/time.Since(begun).Seconds())
				if k == 1 {
					lasted += time.Since(begun)
					for i, p := range []int{pid, load.pid} {
						taken[i] += processorTime(b, p) - before[i]
					}
					load.end()
				}
				arrived[k], late[k] = append(arrived[k], share), append(late[k], p99)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for k, name := range []string{"quiet", "beside"} {
		b.ReportMetric(middle(arrived[k]), name+"-arrived")
		b.ReportMetric(middle(late[k]), name+"-late-p99-ms")
		b.ReportMetric(middle(rates[k]), name+"-packets/s")
	}
	b.ReportMetric(taken[0].Seconds()/lasted.Seconds(), "router-cores")
	b.ReportMetric(taken[1].Seconds()/lasted.Seconds(), "clients-cores")
	b.ReportMetric(middle(arrived[1])/middle(arrived[0]), "arrived-beside/quiet")
	b.ReportMetric(middle(rates[1])/middle(rates[0]), "most-beside/quiet")
}

// middle is the median.
func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// drip is datagrams from one host to the other at a fixed rate.
type drip struct {
	mu   sync.Mutex
	sent int
	late []float64 // of those that have arrived, in ms
}

// newDrip begins to send.
func newDrip(s *site) *drip {
	b := s.t.(*testing.B)
	x, p := &drip{}, &probe{b: b}
	to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 0, 2, 2}}
	from := p.socket(s.hosts[0], unix.AF_INET, unix.SOCK_DGRAM, 0, nil)
	at := p.socket(s.hosts[1], unix.AF_INET, unix.SOCK_DGRAM, 0, &unix.SockaddrInet4{Port: 9})
	began := time.Now()
	p.urgent(func() bool {
		var text [64]byte
		if n, _, err := unix.Recvfrom(at, text[:], 0); err == nil && n == 26 {
			x.mu.Lock()
			x.late = append(x.late, float64(int64(time.Since(began))-int64(binary.BigEndian.Uint64(text[:])))/1e6)
			x.mu.Unlock()
		}
		return true
	})
	next := began
	p.urgent(func() bool {
		next = next.Add(time.Millisecond)
		left := unix.NsecToTimespec(int64(max(time.Until(next), 0)))
		_ = unix.Nanosleep(&left, nil)
		var text [26]byte // unlike those of a flood
		for range dripBatch {
			binary.BigEndian.PutUint64(text[:], uint64(time.Since(began)))
			_ = unix.Sendto(from, text[:], 0, to) // what is refused does not arrive
		}
		x.mu.Lock()
		x.sent += dripBatch
		x.mu.Unlock()
		return true
	})
	return x
}

// forAWhile gives the share of what is sent in a time that arrives, and what the latest
// of a hundred takes.
func (x *drip) forAWhile(d time.Duration) (share, p99 float64) {
	count := func() (sent, got int) {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.sent, len(x.late)
	}
	sent, got := count()
	time.Sleep(d)
	sent2, got2 := count()
	x.mu.Lock()
	late := slices.Sorted(slices.Values(x.late[got:got2]))
	x.mu.Unlock()
	if len(late) == 0 {
		return 0, 0
	}
	return float64(got2-got) / float64(sent2-sent), late[len(late)*99/100]
}
