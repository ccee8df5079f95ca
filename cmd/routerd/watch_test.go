package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJoinWatch(t *testing.T) {
	for in, want := range map[string]string{
		"show route -w":                 "show route -w",
		"show route -w 5s":              "show route -w=5s",
		"show route --watch 1.5 -o":     "show route --watch=1.5 -o",
		"show -w route":                 "show -w route",
		"show route -w 10.0.0.0/8":      "show route -w 10.0.0.0/8",
		"show route -w=2s 10.0.0.0":     "show route -w=2s 10.0.0.0",
		"--socket show show fib -w 1s":  "--socket show show fib -w=1s",
		"lab exec x h1 ping -w 5 ::1":   "lab exec x h1 ping -w 5 ::1",
		"--socket show lab exec x -w 5": "--socket show lab exec x -w 5",
		"-w 5":                          "-w 5",
		"show route -w 1s 10.1.0.0/":    "show route -w=1s 10.1.0.0/",
	} {
		if d := cmp.Diff(strings.Fields(want), joinWatch(strings.Fields(in))); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
}

// draws gives a drawing that counts, fails as told, and ends the watch after
// n times.
func draws(n int, fail error) (context.Context, func(context.Context, io.Writer) error) {
	ctx, cancel := context.WithCancel(context.Background())
	drawn := 0
	return ctx, func(_ context.Context, w io.Writer) error {
		drawn++
		if drawn > n {
			cancel()
			return nil
		}
		if fail != nil {
			return fail
		}
		fmt.Fprintf(w, "drawing %d\n", drawn)
		return nil
	}
}

func TestWatchAppends(t *testing.T) {
	var out bytes.Buffer
	s := &session{out: &out}
	ctx, draw := draws(3, nil)
	if err := s.watch(ctx, time.Millisecond, "test", draw); err != nil {
		t.Fatal(err)
	}
	const want = "drawing 1\n\ndrawing 2\n\ndrawing 3\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	broken := errors.New("broken")
	ctx, draw = draws(3, broken)
	if err := s.watch(ctx, time.Millisecond, "test", draw); !errors.Is(err, broken) {
		t.Errorf("an error ends with %v", err)
	}
}

// On a terminal each drawing takes the place of the last, errors too.
func TestWatchRedraws(t *testing.T) {
	var out bytes.Buffer
	s := &session{out: &out, terminal: true}
	ctx, draw := draws(2, errors.New("nobody answers"))
	if err := s.watch(ctx, time.Millisecond, "routerd show version", draw); err != nil {
		t.Fatal(err)
	}
	screens := strings.Split(out.String(), "\x1b[H")
	if len(screens) != 3 {
		t.Fatalf("%d drawings in %q", len(screens)-1, out.String())
	}
	for _, screen := range screens[1:] {
		if !strings.HasPrefix(screen, "routerd show version, every 1ms, at ") || !strings.Contains(screen, "\nrouterd: nobody answers\x1b[K\n\x1b[J") {
			t.Errorf("drawn: %q", screen)
		}
	}
	if !strings.HasSuffix(out.String(), "\x1b[?7h\x1b[J") {
		t.Errorf("the terminal is not put back: %q", out.String())
	}
}

// What is longer than the screen is cut, so that its top stays in sight.
func TestRedrawCuts(t *testing.T) {
	var out bytes.Buffer
	s := &session{out: &out, terminal: true}
	s.redraw("title", strings.Repeat("line\n", 100))
	if n := strings.Count(out.String(), "\n"); n != 23 {
		t.Errorf("%d lines on a screen of 24", n)
	}
	if !strings.Contains(out.String(), "...\x1b[K\n\x1b[J") {
		t.Errorf("the cut does not show: %q", out.String())
	}
}

func TestShowWatches(t *testing.T) {
	f := &fake{}
	socket := serve(t, f)
	go func() { // ends the watch by an error once it has drawn twice
		for deadline := time.Now().Add(10 * time.Second); f.count() < 2 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		f.fail(errors.New("enough"))
	}()
	code, stdout, stderr := routerd("show", "version", "-w", "100ms", "--socket", socket)
	if code != exitFailed || stderr != "routerd: enough\n" || strings.Count(stdout, "router      r1\n") < 2 {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}
