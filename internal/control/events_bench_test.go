package control

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/events"
)

// benchFollowers is the environment variable that makes of this test a process
// with clients: "ADDRESS COUNT STALLED"; so many of them stop reading.
const benchFollowers = "CONTROL_BENCH_FOLLOWERS"

// followBench is that process. It connects its clients, says "ready", and for each
// number on standard input waits for so many events in all, and says how many
// came and how many gaps.
func followBench(what string) {
	var address string
	var count, stalled int
	if _, err := fmt.Sscan(what, &address, &count, &stalled); err != nil {
		panic(err)
	}
	var got, gaps atomic.Int64
	for i := range count {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			panic(err)
		}
		io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: routerd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		c.Write(wireFrame{op: opText, payload: `{"op":"subscribe","id":1,"topics":["log"]}`}.octets())
		r := bufio.NewReaderSize(c, 4<<10)
		if _, err := http.ReadResponse(r, nil); err != nil {
			panic(err)
		}
		live := make(chan struct{})
		go func() {
			for {
				_, payload, err := readWire(r)
				switch {
				case err != nil:
					return
				case strings.HasPrefix(payload, `{"type":"event"`):
					got.Add(1)
				case strings.HasPrefix(payload, `{"type":"gap"`):
					gaps.Add(1)
				case strings.HasPrefix(payload, `{"type":"bookmark","id"`):
					close(live)
					if i < stalled {
						return
					}
				case strings.HasPrefix(payload, `{"type":"error"`):
					panic(payload)
				}
			}
		}()
		<-live
	}
	fmt.Println("ready")
	var want int64
	for _, err := fmt.Scan(&want); err == nil; _, err = fmt.Scan(&want) {
		for end := time.Now().Add(time.Minute); got.Load() < want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(got.Load(), gaps.Load())
	}
}

// resident is how much memory the process has, in bytes.
func resident(b *testing.B) float64 {
	runtime.GC()
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var size, pages float64
	fmt.Sscan(string(raw), &size, &pages)
	return pages * float64(os.Getpagesize())
}

// spent is the processor time of the process.
func spent() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// followed serves events over TLS to a process with clients, of which some are stalled
// when they have subscribed, until the benchmark ends. It returns what publishes, how
// much memory there was before the clients, and the process's pipes.
func followed(b *testing.B, clients, stalled int) (e *Events, before float64, in io.WriteCloser, out io.Reader) {
	e = newEvents()
	h := newHandler(&fake{}, Options{Events: e}.filled())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.ServeHTTP(w, req.WithContext(access.With(req.Context(), access.Identity{Name: "bench", Role: access.Admin})))
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	b.Cleanup(server.Close)
	before = resident(b)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", benchFollowers, server.Listener.Addr(), clients, stalled))
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err = child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); child.Wait() })
	var word string
	if fmt.Fscan(out, &word); word != "ready" {
		b.Fatalf("the clients say %q", word)
	}
	return e, before, in, out
}

// BenchmarkEventClients measures what clients cost that follow events by WebSocket
// over TLS 1.3, in memory and processor time of the server alone; the clients are
// another process, on the same processors. It is fast enough if no client has a
// gap.
func BenchmarkEventClients(b *testing.B) {
	for _, load := range []struct{ clients, perSecond int }{{1000, 20}, {5, 20_000}} {
		b.Run(fmt.Sprintf("clients=%d/events=%d", load.clients, load.perSecond), func(b *testing.B) {
			e, before, in, out := followed(b, load.clients, 0)
			item := `{"level":"INFO","message":"a line of usual length for the load of events","attributes":{"interface":"lan0"}}`
			const seconds = 5
			b.ResetTimer()
			published := 0
			begun, cpu := time.Now(), spent()
			for range b.N {
				started := time.Now()
				for n := 0; n < seconds*load.perSecond; {
					due := min(int(time.Since(started).Seconds()*float64(load.perSecond)), seconds*load.perSecond)
					for ; n < due; n++ {
						publish(e, TopicLog, "INFO", item)
						published++
					}
					time.Sleep(time.Millisecond)
				}
				fmt.Fprintln(in, published*load.clients)
				var got, gaps int
				if _, err := fmt.Fscan(out, &got, &gaps); err != nil {
					b.Fatal(err)
				}
				if got != published*load.clients || gaps > 0 {
					b.Errorf("the clients have %d events of %d, and %d gaps", got, published*load.clients, gaps)
				}
			}
			wall := time.Since(begun)
			b.StopTimer()
			b.ReportMetric((spent()-cpu).Seconds()/wall.Seconds(), "cores")
			b.ReportMetric(float64(published)/wall.Seconds(), "events/s")
			ring := float64(len(item)+150) * float64(published) // what the ring has taken
			b.ReportMetric(max(0, resident(b)-before-ring)/1024/float64(load.clients), "KiB/client")
		})
	}
}

// BenchmarkStalledEventClients measures by how much more memory a server takes of which
// 32 clients do not read, than one that nobody stalls, when twice what the ring holds
// has been published. Beside them one reads, who has no gap.
func BenchmarkStalledEventClients(b *testing.B) {
	const stalled = 32
	item := `{"text":"` + strings.Repeat("x", 2_000) + `"}`
	grown := func(stalled int) float64 {
		e, before, in, out := followed(b, stalled+1, stalled)
		count := 0
		for published := 0; published < 2*events.MaxBytes; published += len(item) {
			publish(e, TopicLog, "INFO", item)
			if count++; count%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		fmt.Fprintln(in, count)
		var got, gaps int
		if _, err := fmt.Fscan(out, &got, &gaps); err != nil || got != count || gaps > 0 {
			b.Errorf("who reads has %d events of %d, and %d gaps, %v", got, count, gaps, err)
		}
		return resident(b) - before
	}
	grown(0) // what is made once
	for b.Loop() {
		quiet := grown(0)
		b.ReportMetric((grown(stalled)-quiet)/stalled/(1<<20), "MiB/stalled-client")
	}
	b.ReportMetric(0, "ns/op")
}
