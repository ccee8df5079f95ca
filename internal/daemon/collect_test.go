package daemon

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeapGrowth(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 8 << 20: 800, 16 << 20: 800, 32 << 20: 400, 64 << 20: 200, 80 << 20: 160, 200 << 20: 64, 1 << 30: 50} {
		if got := heapGrowth(live); got != want {
			t.Errorf("with %d MiB in use GOGC is %d, want %d", live>>20, got, want)
		}
	}
}

// GOGC follows each collection.
func TestAdjust(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	runtime.GC()
	var c collector
	c.follow()
	if got := heap().growth; got <= 100 {
		t.Errorf("GOGC is %d with next to nothing in use, want more than 100", got)
	}
	large := make([]byte, 3*spare)
	runtime.GC()
	wait(t, "the large heap to be noticed", func() error {
		if got := heap().growth; got != leastSlow {
			return fmt.Errorf("GOGC is %d with %d MiB in use, want %d", got, len(large)>>20, leastSlow)
		}
		return nil
	})
	runtime.KeepAlive(large)
	large = nil
	runtime.GC()
	wait(t, "the small heap to be noticed", func() error {
		if got := heap().growth; got <= 100 {
			return fmt.Errorf("GOGC is %d with little in use again, want more than 100", got)
		}
		return nil
	})
	c.end()
	debug.SetGCPercent(77)
	for range 3 {
		runtime.GC()
	}
	if got := heap().growth; got != 77 {
		t.Errorf("GOGC is %d after the end, want the 77 that it was set to", got)
	}
}

// While clients ask for long lists GOGC is low, and afterwards what it was.
func TestLongListsHaveTheHeapGrowLess(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	live := make([]byte, spare)
	runtime.GC()
	var c collector
	c.follow()
	defer c.end()
	defer runtime.KeepAlive(live)
	usual := func() error {
		if got := heap().growth; got < leastSlow || got > 100 {
			return fmt.Errorf("GOGC is %d with %d MiB in use or more, want %d to 100", got, len(live)>>20, leastSlow)
		}
		return nil
	}
	wait(t, "the heap to be noticed", usual)
	c.longList()
	if got := heap().growth; got != longLeast {
		t.Errorf("while somebody asks for a long list GOGC is %d, want %d", got, longLeast)
	}
	runtime.GC()
	c.longList()
	wait(t, "the end of the list", usual)
}

// What the environment says of the collector stands.
func TestAdjustsNotAgainstTheEnvironment(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := debug.SetGCPercent(50)
	defer debug.SetGCPercent(before)
	var c collector
	c.follow()
	c.look()
	if got := debug.SetGCPercent(50); got != 50 || c.looking.Load() {
		t.Errorf("GOGC is set to %d, and a look is to come: %v, against the environment", got, c.looking.Load())
	}
}

// What a burst has left is given back when it is over, and soon after the start
// whatever is there.
func TestWhatIsLeft(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name               string
		since              time.Duration
		live, before, used uint64
		allocated          uint64
		want               found
	}{
		{"nothing has happened", time.Minute, 10 * mib, 20 * mib, 20 * mib, 0, tidy},
		{"a burst is under way", time.Minute, 10 * mib, 20 * mib, 50 * mib, 0, burst},
		{"it is over", time.Minute, 10 * mib, 50 * mib, 51 * mib, 0, leftovers},
		{"a large heap has grown by a fifth", time.Minute, 100 * mib, 120 * mib, 120 * mib, 0, tidy},
		{"a large heap has grown by a half", time.Minute, 100 * mib, 150 * mib, 150 * mib, 0, leftovers},
		{"much has come and gone", time.Minute, 100 * mib, 101 * mib, 101 * mib, 65 * mib, leftovers},
		{"less than a collection's worth has", time.Minute, 200 * mib, 201 * mib, 201 * mib, 65 * mib, tidy},
		{"soon after the start", startTime - 1, 10 * mib, 12 * mib, 12 * mib, 0, leftovers},
		{"while it still starts", startTime - 1, 10 * mib, 12 * mib, 20 * mib, 0, burst},
		{"later", startTime, 10 * mib, 12 * mib, 12 * mib, 0, tidy},
	} {
		if got := (&collector{used: c.before}).left(c.since, heapBytes{live: c.live, used: c.used, allocated: c.allocated}); got != c.want {
			t.Errorf("%s: found %d, want %d", c.name, got, c.want)
		}
	}
}

// Nobody has to call again after a burst that ended within a second of the last
// look.
func TestBurstIsGivenBack(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	runtime.GC()
	var c collector
	c.look()
	debug.SetGCPercent(-1) // none comes by itself
	garbage := make([]byte, 2*leastWaste)
	garbage[len(garbage)-1] = 1
	c.look()
	wait(t, "the burst to be given back", func() error {
		if h := heap(); h.used > h.live+leastWaste {
			return fmt.Errorf("%d MiB are in use, %d MiB of it by something", h.used>>20, h.live>>20)
		}
		return nil
	})
	wait(t, "the last look to be over", func() error {
		if c.looking.Load() {
			return errors.New("another is to come")
		}
		return nil
	})
}

// What becomes garbage while memory is being given back is given back too, though
// nobody calls again: a reload drops the configuration before it at its very end.
func TestWhatIsDroppedMeanwhileIsGivenBack(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(-1) // none comes by itself
	defer debug.SetGCPercent(before)
	held := make([]byte, 4*leastWaste)
	held[len(held)-1] = 1
	runtime.GC()
	var c collector
	garbage := make([]byte, 2*leastWaste)
	garbage[len(garbage)-1] = 1
	was := heap()
	c.look()
	wait(t, "the garbage to be given back", func() error {
		if h := heap(); h.used > was.used-leastWaste {
			return fmt.Errorf("%d MiB are in use, %d MiB were", h.used>>20, was.used>>20)
		}
		return nil
	})
	runtime.KeepAlive(held)
	held = nil
	wait(t, "what was in use until then to be given back", func() error {
		if h := heap(); h.used > was.used-5*leastWaste {
			return fmt.Errorf("%d MiB are in use, %d MiB were, of which %d MiB are not needed any more", h.used>>20, was.used>>20, 6*leastWaste>>20)
		}
		return nil
	})
}

// What is collected seldom is collected as before afterwards.
func TestRarely(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	restore := collectRarely()
	if now := debug.SetGCPercent(mostSlow); now != mostSlow {
		t.Errorf("GOGC is %d meanwhile, want %d", now, mostSlow)
	}
	restore()
	if now := debug.SetGCPercent(before); now != 123 {
		t.Errorf("GOGC is %d afterwards, want 123", now)
	}
	t.Setenv("GOGC", "50")
	debug.SetGCPercent(50)
	collectRarely()
	if now := debug.SetGCPercent(before); now != 50 {
		t.Errorf("GOGC is %d, want the 50 of the environment", now)
	}
}
