package daemon

import (
	"os"
	"runtime"
	"sync"

	"routerd/internal/router"
)

// spareProcessors is how many more goroutines than the machine has processors may
// run at once where neighbours are watched, or routes stand in a file. A reload and a long answer keep a
// processor each for as long as they take, and what is due on a goroutine that
// shares one with them waits for 10 ms and more; on a spare one it is the kernel
// that decides, and it favours who has slept.
// With two processors, and other work on them, a datagram every millisecond was
// late by 27 ms (p99.9) while a file of a million routes was taken up, and by 11 ms
// with two more (BenchmarkGapsWhileLoading). The collector, of which a share of the
// processors is given, then takes more of them, so routers without either do not
// have them.
const spareProcessors = 2

var spared sync.Once

// spareFor has the process have processors to spare for a protocol that watches
// neighbours and for a file of routes, once there is one in the configuration; not where the environment says how many.
func spareFor(protocols []*router.Protocol, routeFile string) {
	wanted := routeFile != ""
	for _, p := range protocols {
		wanted = wanted || p.Watches && p.Configured()
	}
	if wanted && os.Getenv("GOMAXPROCS") == "" {
		spared.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors) })
	}
}
