package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"routerd/internal/control"
)

// BenchmarkQuestionsWhileLoading asks a router, a process of its own, for the route
// to an address and for its explanation every few milliseconds while it takes up a
// file of a million routes and gives them back, again and again, and reports how
// long the slowest of a hundred answers took, and how many steps of the owner took
// more than 2 ms. A process that knows only one answer is asked in the same time:
// what it takes is the machine's and the client's.
func BenchmarkQuestionsWhileLoading(b *testing.B) {
	s := newSite(b)
	path, idle := filepath.Join(s.dir, "routes.txt"), filepath.Join(s.dir, "idle.sock")
	const metrics = "127.0.0.1:19875"
	s.write(fmt.Sprintf("[static]\nfile = %q\n[metrics]\nlisten = %q\n", path, metrics))
	fileOf(b, path, 0)
	s.startProcess([]string{"ROUTERD_TEST_LOG=" + s.dir + "/log"})
	s.yardstick(answersVariable + "=" + idle)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(8, runtime.GOMAXPROCS(0)))) // who asks waits for nobody
	client, other := s.client(), control.Dial(idle)
	defer other.Close()
	wait(b, "the process that knows one answer", func() error {
		_, err := other.Version(b.Context())
		return err
	})
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	took := map[string][]float64{} // in ms; the asker's, until it has ended
	asker := sync.WaitGroup{}
	asker.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			a := netip.AddrFrom4([4]byte{20 + byte(random.IntN(16)), byte(random.Uint32()), byte(random.Uint32()), 1})
			for what, ask := range map[string]func() error{
				"show":    func() error { _, err := client.Routes(ctx, control.RouteQuery{For: a}); return err },
				"explain": func() error { _, err := client.ExplainRoute(ctx, a); return err },
				"idle":    func() error { _, err := other.Version(ctx); return err },
			} {
				began := time.Now()
				if err := ask(); err != nil && ctx.Err() == nil {
					b.Errorf("%s: %v", what, err)
					return
				}
				took[what] = append(took[what], float64(time.Since(began))/1e6)
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	reloader := s.client()
	for b.Loop() {
		for _, n := range []int{1 << 20, 0} {
			fileOf(b, path, n)
			if _, err := reloader.Reload(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	stop()
	asker.Wait()
	b.ReportMetric(0, "ns/op")
	for what, list := range took {
		slices.Sort(list)
		b.ReportMetric(list[len(list)*99/100], what+"-p99-ms")
	}
	b.ReportMetric(float64(len(took["show"])), "asked")
	long, all := longSteps(b, metrics)
	b.ReportMetric(float64(long), "steps-over-2ms")
	b.ReportMetric(float64(all), "steps")
}
