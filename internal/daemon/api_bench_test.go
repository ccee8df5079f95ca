package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/internal/control"
)

// bigRoutes is how many routes the router of these benchmarks has, and one more.
const bigRoutes = 1 << 20

// bigRouter starts a router, a process of its own, with a million static routes.
func bigRouter(b *testing.B, metrics string) (s *site, pid int) {
	s = newSite(b)
	path := filepath.Join(s.dir, "routes.txt")
	fileOf(b, path, bigRoutes)
	s.write(fmt.Sprintf("[static]\nfile = %q\n[metrics]\nlisten = %q\n", path, metrics))
	pid = s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log"}).Process.Pid
	wait(b, "the table to be forwarded by", func() error {
		if n := forwardedBy(b, metrics); n < bigRoutes {
			return fmt.Errorf("%d of %d prefixes are", n, bigRoutes)
		}
		return nil
	})
	for before, quiet := processorTime(b, pid), 0; quiet < 3; {
		time.Sleep(500 * time.Millisecond)
		now := processorTime(b, pid)
		if quiet++; now-before > 10*time.Millisecond {
			quiet = 0
		}
		before = now
	}
	return s, pid
}

// someRoute is an address inside one of the routes.
func someRoute(random *rand.Rand) netip.Addr {
	return netip.AddrFrom4([4]byte{20 + byte(random.IntN(16)), byte(random.Uint32()), byte(random.Uint32()), 1})
}

// walker walks the routing table as a client does that has everything, and gives the
// routes away.
type walker struct {
	http  http.Client
	after string
	body  bytes.Buffer
}

func newWalker(socket string) *walker {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	return &walker{http: http.Client{Transport: transport}}
}

var nextPage = []byte(`"next":"`)

// page asks for the next page, and reports whether it was the last.
func (w *walker) page(ctx context.Context) (last bool, err error) {
	query := url.Values{"limit": {strconv.Itoa(control.MaxPage)}}
	if w.after != "" {
		query.Set("after", w.after)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://routerd/v1/route?"+query.Encode(), nil)
	if err != nil {
		return false, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	w.body.Reset()
	if _, err := io.Copy(&w.body, resp.Body); err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s: %.300s", resp.Status, w.body.Bytes())
	}
	at := bytes.LastIndex(w.body.Bytes(), nextPage)
	if w.after = ""; at < 0 {
		return true, nil
	}
	after, _, _ := bytes.Cut(w.body.Bytes()[at+len(nextPage):], []byte{'"'})
	w.after = string(after)
	return false, nil
}

// BenchmarkLookups asks a router that has a million routes for the route to an
// address, and for its explanation, every few milliseconds, alone and while four
// clients walk the whole table again and again. It reports how long the slowest of a
// hundred answers took. A process that knows only one answer is asked in the same
// time: what it takes is the machine's and the client's.
func BenchmarkLookups(b *testing.B) {
	const metrics = "127.0.0.1:19876"
	s, _ := bigRouter(b, metrics)
	idle := filepath.Join(s.dir, "idle.sock")
	s.yardstick(answersVariable + "=" + idle)
	other := control.Dial(idle)
	defer other.Close()
	wait(b, "the process that knows one answer", func() error {
		_, err := other.Version(b.Context())
		return err
	})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(8, runtime.GOMAXPROCS(0)))) // who asks waits for nobody
	client := s.client()
	for _, walkers := range []int{0, 4} {
		b.Run(fmt.Sprintf("walkers=%d", walkers), func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var walking sync.WaitGroup
			var pages atomic.Int64
			for range walkers {
				w := newWalker(s.socket())
				b.Cleanup(w.http.CloseIdleConnections)
				walking.Go(func() {
					for ctx.Err() == nil {
						if _, err := w.page(ctx); err != nil && ctx.Err() == nil {
							b.Errorf("walking: %v", err)
							return
						}
						pages.Add(1)
					}
				})
			}
			took := map[string][]float64{} // in ms
			random := rand.New(rand.NewPCG(1, 2))
			begun := time.Now()
			for b.Loop() {
				for range 500 {
					a := someRoute(random)
					for what, ask := range map[string]func() error{
						"show":    func() error { _, err := client.Routes(ctx, control.RouteQuery{For: a}); return err },
						"explain": func() error { _, err := client.ExplainRoute(ctx, a); return err },
						"idle":    func() error { _, err := other.Version(ctx); return err },
					} {
						asked := time.Now()
						if err := ask(); err != nil {
							b.Fatalf("%s: %v", what, err)
						}
						took[what] = append(took[what], float64(time.Since(asked))/1e6)
					}
					time.Sleep(2 * time.Millisecond)
				}
			}
			seconds := time.Since(begun).Seconds()
			stop()
			walking.Wait()
			b.ReportMetric(0, "ns/op")
			for what, list := range took {
				slices.Sort(list)
				b.ReportMetric(list[len(list)/2], what+"-p50-ms")
				b.ReportMetric(list[len(list)*99/100], what+"-p99-ms")
			}
			if walkers > 0 {
				b.ReportMetric(float64(pages.Load()*control.MaxPage)/seconds, "walked/s")
			}
		})
	}
	long, all := longSteps(b, metrics)
	b.Logf("%d steps of the owner of %d took more than 2 ms", long, all)
}

// lines asks for the whole table as lines, and gives them away.
func (w *walker) lines(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://routerd/v1/route", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", control.LinesType)
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	count, last := 0, ""
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if count++; len(lines.Bytes()) > 0 && lines.Bytes()[2] == 'e' { // {"end":
			last = lines.Text()
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || count < bigRoutes || !strings.Contains(last, `"total"`) || strings.Contains(last, `"error"`) {
		return fmt.Errorf("%s: %d lines, the last %q", resp.Status, count, last)
	}
	return nil
}

// pages walks the table page by page.
func (w *walker) pages(ctx context.Context) error {
	for {
		if last, err := w.page(ctx); last || err != nil {
			return err
		}
	}
}

// BenchmarkWalkMemory walks the table of a router that has a million routes, as lines
// and in the largest pages, and reports by how much the process's resident memory
// grows meanwhile at most, in MiB, and how long it takes.
func BenchmarkWalkMemory(b *testing.B) {
	s, pid := bigRouter(b, "127.0.0.1:19877")
	w := newWalker(s.socket())
	b.Cleanup(w.http.CloseIdleConnections)
	b.Run("lines", func(b *testing.B) { walkMemory(b, pid, w.lines) })
	b.Run("pages", func(b *testing.B) { walkMemory(b, pid, w.pages) })
}

func walkMemory(b *testing.B, pid int, walk func(context.Context) error) {
	var most, seconds float64
	for b.Loop() {
		before := residentOf(b, pid, "VmRSS")
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil { // the peak begins anew
			b.Skipf("the peak of a process's memory cannot be set back: %v", err)
		}
		begun := time.Now()
		if err := walk(b.Context()); err != nil {
			b.Fatal(err)
		}
		seconds = time.Since(begun).Seconds()
		most = max(most, residentOf(b, pid, "VmHWM")-before)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(most*1e6/(1<<20), "walk-MiB")
	b.ReportMetric(seconds, "walk-s")
}
