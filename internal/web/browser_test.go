package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium with one tab, and what went wrong in it.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string // URLs
	security []string // the protocols of TLS that answers came by
	problems []string // of the console, exceptions, what the policy has refused
	expected []string // parts of problems that a test has caused
	sampled  answers  // the latest samples of traffic, as the noun has them
}

// newBrowser starts a Chromium that trusts the holders of the pinned keys, until the
// test ends.
func newBrowser(t testing.TB, pins ...string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		t.Fatal(err)
	}
	allocator, end := chromedp.NewExecAllocator(
		context.Background(), chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 860), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-extensions", true), chromedp.Flag("disable-default-apps", true), chromedp.Flag("mute-audio", true),
		chromedp.Flag("disable-features", "MediaRouter,OptimizationHints,Translate"), chromedp.Flag("password-store", "basic"),
		chromedp.Flag("js-flags", "--expose-gc"), chromedp.Flag("enable-precise-memory-info", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(pins, ",")),
	)
	// The library complains of events that are newer than itself.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !strings.Contains(text, "unhandled") {
			t.Log("chromedp: " + text)
		}
	}))
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = chromedp.Cancel(ctx) // closes it and waits
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
		}
		cancel()
		end() // ends it if it did not
		os.RemoveAll(dir)
	})
	chromedp.ListenTarget(ctx, b.hear)
	if err := chromedp.Run(ctx, network.Enable(), log.Enable(), cdpruntime.Enable()); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return b
}

// hear notes what the browser asks for, and what is written to its console.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 20 // of problems: they tend to repeat
	problem := func(format string, args ...any) {
		if len(b.problems) < most {
			b.problems = append(b.problems, fmt.Sprintf("%.600s", fmt.Sprintf(format, args...)))
		}
	}
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventResponseReceived:
		if d := e.Response.SecurityDetails; d != nil {
			b.security = append(b.security, d.Protocol)
		}
	case *network.EventWebSocketCreated:
		b.requests = append(b.requests, e.URL)
	case *network.EventWebSocketFrameReceived:
		b.sample(e.Response.PayloadData)
	case *log.EventEntryAdded:
		problem("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *cdpruntime.EventConsoleAPICalled:
		words := []string{}
		for _, a := range e.Args {
			words = append(words, string(a.Value)+a.Description)
		}
		problem("console: %s", strings.Join(words, " "))
	case *cdpruntime.EventExceptionThrown:
		problem("exception: %v", e.ExceptionDetails.Error())
	}
}

// sample keeps a frame of the connection that is a sample of traffic.
func (b *browser) sample(text string) {
	var frame struct {
		Type  string
		Items []any
	}
	if json.Unmarshal([]byte(text), &frame) != nil || frame.Type != "sample" {
		return
	}
	b.sampled = append(b.sampled, answer{time.Now(), map[string]any{"interfaces": frame.Items}})
	if len(b.sampled) > 3 {
		b.sampled = b.sampled[1:]
	}
}

// samples are the latest samples of traffic that the page has got.
func (b *browser) samples() answers {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sampled)
}

// run does something in the tab, within a minute.
func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("in the browser: %v\nproblems: %q\nthe page says: %.3000s", err, b.complaints(), b.text())
	}
}

// text is what the page shows.
func (b *browser) text() (text string) {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Evaluate(`document.body.innerText`, &text))
	return text
}

// eval evaluates an expression, or what its promise is of.
func eval[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, &value, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	return value
}

// wait waits until an expression is true.
func (b *browser) wait(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for {
		var ok bool
		err := chromedp.Run(ctx, chromedp.Evaluate("!!("+expression+")", &ok))
		if ok {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("waiting for %s: %v\nproblems: %q\nthe page says: %.3000s", what, err, b.complaints(), b.text())
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// expect has complaints that contain a text be none of the page's: a test has caused
// them.
func (b *browser) expect(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, part)
}

// complaints are what the console and the policy have said, unexpectedly.
func (b *browser) complaints() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		known := false
		for _, e := range b.expected {
			known = known || strings.Contains(p, e)
		}
		if !known {
			list = append(list, p)
		}
	}
	return list
}

// asked are the URLs that were asked for.
func (b *browser) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}

// open shows a view.
func (b *browser) open(view string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(fmt.Sprintf("location.hash = %q", "#"+view), nil))
	name, _, _ := strings.Cut(view, "?")
	b.wait("the view "+name, fmt.Sprintf("document.getElementById('view-%s') && document.getElementById('state')?.textContent.includes('live')", name))
}
