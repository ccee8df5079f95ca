package daemon

import (
	"os"
	"runtime"
	"sync"

	"routerd/internal/router"
)

// spareProcessors is how many more goroutines than the machine has processors may
// run at once where neighbours are watched. A reload and a long answer keep a
// processor each for as long as they take, and what is due on a goroutine that
// shares one with them waits for 10 ms and more; on a spare one it is the kernel
// that decides, and it favours who has slept.
const spareProcessors = 2

var spared sync.Once

// spareFor has the process have processors to spare for a protocol that watches
// neighbours, once one is configured; not where the environment says how many.
func spareFor(protocols []*router.Protocol) {
	for _, p := range protocols {
		if p.Watches && p.Configured() && os.Getenv("GOMAXPROCS") == "" {
			spared.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors) })
		}
	}
}
