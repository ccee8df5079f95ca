package daemon

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/internal/corpus"
)

// BenchmarkForwardingByTable has a router, a process of its own, forward a million
// flows between two TUNs, small datagrams as fast as the source can, to addresses
// inside prefixes of the public table in random order: by that table and by ten
// routes in turn. It reports what a packet costs the router of processor time by ten
// as a share of the same by all, and the rates likewise: medians of the turns.
func BenchmarkForwardingByTable(b *testing.B) {
	s := newSite(b)
	all := corpus.Table(b)
	table, prefixes := tableFile(b, all), len(all)
	const metrics = "127.0.0.1:19874"
	var routes strings.Builder
	for i := range 8 {
		fmt.Fprintf(&routes, "{ prefix = \"%d.0.0.0/3\", next-hop = [\"10.0.2.%d\"] },\n", i<<5, i+2)
	}
	s.write(fmt.Sprintf("[metrics]\nlisten = %q\n[static]\nroute = [\n%s]\n", metrics, &routes))
	router := s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log", tableVariable + "=" + table})
	client := s.client()
	flows := newFlood(s, corpus.Prefixes(b))
	var costs, rates []float64 // of ten by of all
	var took [2]time.Duration
	var sum [2]uint64
	for b.Loop() {
		var cost, rate [2]float64
		for i := range 2 {
			k := (i + len(costs)) % 2 // who comes first changes
			off := k == 1
			switchTable(b, table+tableOff, off)
			if _, err := client.Reload(context.Background()); err != nil {
				b.Fatal(err)
			}
			wait(b, "the table to change", func() error {
				if n := forwardedBy(b, metrics); off != (n < 100) || !off && n < prefixes {
					return fmt.Errorf("%d entries are forwarded by", n)
				}
				return nil
			})
			wait(b, "what the change has left behind to be cleared away", func() error {
				before := processorTime(b, router.Process.Pid)
				time.Sleep(1200 * time.Millisecond) // memory is given back at most every 500 ms
				if spent := processorTime(b, router.Process.Pid) - before; spent > 20*time.Millisecond {
					return fmt.Errorf("the router is busy, for %v of 1.2 s", spent)
				}
				return nil
			})
			flows.forAWhile() // until all is as near as it will be
			before, began := processorTime(b, router.Process.Pid), time.Now()
			n := flows.forAWhile()
			spent := processorTime(b, router.Process.Pid) - before
			took[k] += spent
			sum[k] += n
			cost[k], rate[k] = float64(spent)/float64(n), float64(n)/time.Since(began).Seconds()
		}
		costs = append(costs, cost[1]/cost[0])
		rates = append(rates, rate[0]/rate[1])
	}
	slices.Sort(costs)
	slices.Sort(rates)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(costs[len(costs)/2], "full/ten")
	b.ReportMetric(rates[len(rates)/2], "rate-full/ten")
	b.ReportMetric(float64(took[0])/float64(sum[0]), "full-ns/packet")
	b.ReportMetric(float64(took[1])/float64(sum[1]), "ten-ns/packet")
}

// switchTable has the protocol offer the table or nothing from the next reload on.
func switchTable(b *testing.B, path string, off bool) {
	err := os.Remove(path)
	if off {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
}

// processorTime is what all threads of a process have used.
func processorTime(b *testing.B, pid int) (all time.Duration) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(lists) == 0 {
		b.Fatalf("the threads of %d: %v", pid, err)
	}
	for _, path := range lists {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		all += time.Duration(n)
	}
	return all
}

// flood is datagrams from one host to a million addresses behind the other.
type flood struct {
	urgent bool // the sender goes before others
	s      *site
	fd     int
	to     []uint32
	at     int
	next   [flowsAtOnce]struct {
		header unix.Msghdr
		length uint32
	}
	address [flowsAtOnce]unix.RawSockaddrInet4
	vector  [flowsAtOnce]unix.Iovec
	payload [18]byte
}

const flowsAtOnce = 64

func newFlood(s *site, prefixes []netip.Prefix) *flood {
	f := &flood{s: s}
	random := rand.New(rand.NewPCG(1, 2))
	for len(f.to) < 1<<20 {
		p := prefixes[random.IntN(len(prefixes))]
		a := p.Addr().As4()
		to := binary.BigEndian.Uint32(a[:]) | random.Uint32()&(1<<(32-p.Bits())-1)
		if first := to >> 24; first != 0 && first != 10 && first != 127 && first < 224 {
			f.to = append(f.to, to)
		}
	}
	f.fd = (&probe{b: s.t.(*testing.B)}).socket(s.hosts[0], unix.AF_INET, unix.SOCK_DGRAM, 0, nil)
	for i := range f.next {
		f.address[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: 9 << 8}
		f.vector[i].Base = &f.payload[0]
		f.vector[i].SetLen(len(f.payload))
		h := &f.next[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&f.address[i])), unix.SizeofSockaddrInet4
		h.Iov = &f.vector[i]
		h.SetIovlen(1)
	}
	return f
}

// forAWhile sends for half a second, and gives how many have arrived.
func (f *flood) forAWhile() uint64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if f.urgent {
		if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20); err != nil {
			f.s.t.Fatalf("sending before others work: %v", err)
		}
		defer unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 0)
	}
	before := f.received()
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		for i := range f.address {
			binary.BigEndian.PutUint32(f.address[i].Addr[:], f.to[(f.at+i)%len(f.to)])
		}
		f.at += flowsAtOnce
		_, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&f.next[0])), flowsAtOnce, 0, 0, 0)
		if e != 0 && e != unix.ENOBUFS && e != unix.EAGAIN {
			f.s.t.Fatalf("sending: %v", e)
		}
	}
	return f.received() - before
}

// received is how many packets the other host's kernel has got of the router.
func (f *flood) received() (n uint64) {
	err := device.InNamespace(f.s.hosts[1], func() error {
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if name, counters, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "eth0" {
				n, err = strconv.ParseUint(strings.Fields(counters)[1], 10, 64)
			}
		}
		return err
	})
	if err != nil {
		f.s.t.Fatal(err)
	}
	return n
}
