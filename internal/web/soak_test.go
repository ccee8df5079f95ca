package web_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"routerd/internal/control"
)

// TestPageStaysFlat uses the page for as long as ROUTERD_SOAK_PAGE says, and compares
// its memory at the end with that of a tenth of the time; `make soak-page` runs it.
func TestPageStaysFlat(t *testing.T) {
	text := os.Getenv("ROUTERD_SOAK_PAGE")
	if text == "" {
		t.Skip("ROUTERD_SOAK_PAGE says no time to use the page for")
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(t, tables)
	b := newBrowser(t, r.pin())
	b.run(chromedp.Navigate(r.code()))
	b.wait("the page", `document.getElementById('state')?.textContent.includes('live')`)
	views := eval[[]string](b, `[...document.querySelectorAll('#page > nav a')].map(a => a.hash.slice(1))`)
	type size struct{ Heap, Nodes, Subscriptions float64 }
	measure := func() size {
		return eval[size](b, `(gc(), {Heap: performance.memory.usedJSHeapSize / 1e6, Nodes: document.querySelectorAll('*').length, Subscriptions: routerd.live.subscriptions.size})`)
	}
	begin := time.Now()
	var early size
	for round := 0; time.Since(begin) < long; round++ {
		for _, v := range views {
			b.open(v)
			for range 20 {
				var cleared control.ClearResult
				r.ask(http.MethodPost, "clear/arp?address=192.0.2.77", &cleared)
			}
			if v == "traffic" || v == "events" {
				r.in(0, "ip", "link", "set", "eth0", "down")
				r.in(0, "ip", "link", "set", "eth0", "up")
			}
			time.Sleep(300 * time.Millisecond)
		}
		b.open(views[0])
		now := measure()
		if time.Since(begin) >= long/10 && early == (size{}) && round > 0 {
			early = now
		}
		t.Logf("after %v: heap %.1f MB, %.0f elements, %.0f subscriptions", time.Since(begin).Round(time.Second), now.Heap, now.Nodes, now.Subscriptions)
	}
	last := measure()
	if early == (size{}) {
		t.Fatalf("%v is too short to compare two moments", long)
	}
	if last.Heap > early.Heap*1.2+2 || last.Subscriptions > early.Subscriptions || last.Nodes > early.Nodes*1.2+50 {
		t.Errorf("the page has grown from %+v at a tenth of %v to %+v", early, long, last)
	}
	if list := b.complaints(); len(list) > 0 {
		t.Errorf("the console has %q", list)
	}
}
