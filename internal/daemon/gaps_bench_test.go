package daemon

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkGapsWhileLoading forwards a datagram every millisecond while the router
// takes up a file of a million routes and gives them back, and reports by how much
// the time between two arrivals is more than that between their departures,
// what was lost, the longest stop-the-world pause of the collector, and the longest
// step of the owner by the histogram's bounds. The router is a process of its own.
func BenchmarkGapsWhileLoading(b *testing.B) {
	s := newSite(b)
	routes := filepath.Join(s.dir, "routes.txt")
	const metrics = "127.0.0.1:19871"
	s.write(fmt.Sprintf("[static]\nfile = %q\n[metrics]\nlisten = %q\n", routes, metrics))
	fileOf(b, routes, 0)
	s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log"})
	p := &probe{b: b}
	out := p.socket(s.hosts[0], unix.AF_INET, unix.SOCK_DGRAM, 0, nil)
	in := p.socket(s.hosts[1], unix.AF_INET, unix.SOCK_DGRAM, 0, &unix.SockaddrInet4{Port: 9})
	began := time.Now()
	var late []float64 // in ms; the reader's, until it has ended
	var sent uint64
	reader := make(chan struct{})
	var first, last [2]int64 // of departures and arrivals
	ended := make(chan struct{})
	go func() {
		defer close(reader)
		var data [16]byte
		for {
			n, _, err := unix.Recvfrom(in, data[:], 0)
			now := int64(time.Since(began))
			if err == nil && n == len(data) {
				left := int64(binary.BigEndian.Uint64(data[:]))
				if first[1] == 0 {
					first = [2]int64{left, now}
				} else {
					late = append(late, float64((now-last[1])-(left-last[0]))/1e6)
				}
				last = [2]int64{left, now}
				continue
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	}()
	b.Run("load", func(b *testing.B) {
		q := &probe{b: b}
		q.urgent(func() bool {
			var data [16]byte
			binary.BigEndian.PutUint64(data[:], uint64(time.Since(began)))
			if unix.Sendto(out, data[:], 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 0, 2, 2}}) == nil {
				sent++
			}
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
			return true
		})
		client := s.client()
		for b.Loop() {
			for _, n := range []int{1 << 20, 0} {
				fileOf(b, routes, n)
				if _, err := client.Reload(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	time.Sleep(100 * time.Millisecond) // what is under way arrives
	close(ended)
	<-reader
	if len(late) < 100 {
		b.Fatalf("%d datagrams arrive of %d", len(late), sent)
	}
	slices.Sort(late)
	fmt.Printf("BenchmarkGapsWhileLoading: %d sent, %d lost, late by p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, longest %.2f ms; longest pause %s ms, step %s\n",
		sent, int(sent)-len(late)-1, late[len(late)/2], late[len(late)*99/100], late[len(late)*999/1000], late[len(late)-1],
		metric(b, metrics, `go_gc_duration_seconds\{quantile="1"\} (.*)`), longestStep(b, metrics))
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

func metric(b *testing.B, address, pattern string) string {
	m := regexp.MustCompile("(?m)^" + pattern + "$").FindStringSubmatch(scrape(b, address))
	if m == nil {
		b.Fatalf("there is no metric %s", pattern)
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	return fmt.Sprintf("%.2f", v*1000)
}

// longestStep says in which bounds of the histogram the longest step is, and how
// many were longer than 2 ms.
func longestStep(b *testing.B, address string) string {
	bound, before, short, all := "", "", "", ""
	for line := range strings.Lines(scrape(b, address)) {
		m := regexp.MustCompile(`^routerd_owner_step_seconds_bucket\{le="(.*)"\} (.*)\n`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[2] != before {
			bound, before = m[1], m[2]
		}
		if m[1] == "0.002" {
			short = m[2]
		}
		all = m[2]
	}
	return fmt.Sprintf("up to %s s, %s of %s up to 2 ms", bound, short, all)
}
