package daemon

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"routerd/internal/protocols"
	"routerd/internal/router"
)

// Processors are spared once, when neighbours are watched, unless the environment
// says how many there are.
func TestProcessorsAreSpared(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer func() { runtime.GOMAXPROCS(before); spared = sync.Once{} }()
	r := router.New(rand.NewPCG(1, 1), protocols.Kinds()...)
	commit := func(names ...string) int {
		t.Helper()
		cfg := router.Config{Protocols: map[string]router.ProtocolConfig{}}
		for _, n := range names {
			cfg.Protocols[n] = router.ProtocolConfig{}
		}
		if err := r.Commit(cfg, time.Now()); err != nil {
			t.Fatal(err)
		}
		spareFor(r.Protocols(), "")
		return runtime.GOMAXPROCS(0) - before
	}
	spared = sync.Once{}
	t.Setenv("GOMAXPROCS", "7")
	if n := commit("rip", "bfd"); n != 0 {
		t.Errorf("%d more where the environment says how many", n)
	}
	t.Setenv("GOMAXPROCS", "")
	if n := commit("rip"); n != 0 {
		t.Errorf("%d more without BFD", n)
	}
	for range 2 {
		if n := commit("rip", "bfd"); n != spareProcessors {
			t.Errorf("%d more with BFD, want %d", n, spareProcessors)
		}
	}
	spared = sync.Once{}
	runtime.GOMAXPROCS(before)
	if spareFor(nil, "routes.txt"); runtime.GOMAXPROCS(0) != before+spareProcessors {
		t.Errorf("%d more with a file of routes, want %d", runtime.GOMAXPROCS(0)-before, spareProcessors)
	}
}
