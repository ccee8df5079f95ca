package control

import (
	"bufio"
	"bytes"
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
)

// benchFollowers is the environment variable that makes of this test a process
// with clients: "ADDRESS COUNT".
const benchFollowers = "CONTROL_BENCH_FOLLOWERS"

// followBench is that process. It connects its clients, says "ready", and for each
// number on standard input waits for so many events in all, and says how many
// came and how many gaps.
func followBench(what string) {
	var address string
	var count int
	if _, err := fmt.Sscan(what, &address, &count); err != nil {
		panic(err)
	}
	var got, gaps atomic.Int64
	for range count {
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

// BenchmarkEventClients measures what clients cost that follow events by WebSocket
// over TLS 1.3, in memory and processor time of the server alone; the clients are
// another process, on the same processors. It is fast enough if no client has a
// gap.
func BenchmarkEventClients(b *testing.B) {
	for _, load := range []struct{ clients, perSecond int }{{1000, 20}, {5, 20_000}} {
		b.Run(fmt.Sprintf("clients=%d/events=%d", load.clients, load.perSecond), func(b *testing.B) {
			e := newEvents()
			h := newHandler(&fake{}, Options{Events: e}.filled())
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				h.ServeHTTP(w, req.WithContext(access.With(req.Context(), access.Identity{Name: "bench", Role: access.Admin})))
			}))
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
			server.StartTLS()
			defer server.Close()
			before := resident(b)
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", benchFollowers, server.Listener.Addr(), load.clients))
			var said bytes.Buffer
			child.Stderr = &said
			in, err := child.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			out, err := child.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := child.Start(); err != nil {
				b.Fatal(err)
			}
			defer child.Wait()
			defer in.Close()
			var word string
			if fmt.Fscan(out, &word); word != "ready" {
				b.Fatalf("the clients say %q, %s", word, said.String())
			}
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
					b.Fatalf("%v, %s", err, said.String())
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
