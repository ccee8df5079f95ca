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

// Processors are spared once, when something needs them, unless the environment
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
		spareFor(r.Protocols(), "", manyRoutes-1)
		return runtime.GOMAXPROCS(0) - before
	}
	spared = sync.Once{}
	t.Setenv("GOMAXPROCS", "7")
	if n := commit("rip", "bfd"); n != 0 {
		t.Errorf("%d more where the environment says how many", n)
	}
	t.Setenv("GOMAXPROCS", "")
	if n := commit(); n != 0 {
		t.Errorf("%d more without a protocol", n)
	}
	for range 2 {
		if n := commit("rip", "bfd"); n != spareProcessors {
			t.Errorf("%d more with protocols, want %d", n, spareProcessors)
		}
	}
	for what, f := range map[string]func(){
		"a file of routes": func() { spareFor(nil, "routes.txt", 0) },
		"many routes":      func() { spareFor(nil, "", manyRoutes) },
	} {
		spared = sync.Once{}
		runtime.GOMAXPROCS(before)
		if f(); runtime.GOMAXPROCS(0) != before+spareProcessors {
			t.Errorf("%d more with %s, want %d", runtime.GOMAXPROCS(0)-before, what, spareProcessors)
		}
	}
}
