package daemon

import (
	"os"
	"runtime"
	"sync"

	"routerd/internal/router"
)

// spareProcessors is how many more goroutines than the machine has processors may
// run at once in a router whose table can change in a burst: with a routing
// protocol, a file of routes, or manyRoutes of them in the configuration. A reload,
// a burst of routes and a long answer keep a processor each for as long as they
// take, and what is due on a goroutine that shares one with them waits for 10 ms
// and more; on a spare one it is the kernel that decides, and it favours who has
// slept.
//
// With two processors and other work on them, a datagram every millisecond was late
// by 27 ms (p99.9) while a file of a million routes was taken up, and by 11 ms with
// two more (BenchmarkGapsWhileLoading). Where a link lost its carrier during
// reloads of 50,000 routes, the longest of 50 waits for the other link was 8 and
// 55 ms with two, and 2.4 ms with two more (BenchmarkCarrierLoss). They cost TCP
// about 5 % of its throughput, and the collector takes more of the machine, so
// routers that need none do not have them.
const spareProcessors = 2

// manyRoutes is how many static routes a reload may bring without taking long.
const manyRoutes = 1000

var spared sync.Once

// spareFor has the process have processors to spare, once there is something in
// the configuration that they are for; not where the environment says how many.
func spareFor(protocols []*router.Protocol, routeFile string, static int) {
	wanted := routeFile != "" || static >= manyRoutes
	for _, p := range protocols {
		wanted = wanted || p.Configured()
	}
	if wanted && os.Getenv("GOMAXPROCS") == "" {
		spared.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors) })
	}
}
