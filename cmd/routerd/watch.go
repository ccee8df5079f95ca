package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// interval is the value of --watch: a duration, or a bare number of seconds.
type interval time.Duration

const (
	defaultInterval = "2s"
	minInterval     = 100 * time.Millisecond
)

func (i *interval) Set(s string) error {
	d, err := parseInterval(s)
	if err != nil {
		return err
	}
	if d < minInterval {
		return fmt.Errorf("wanted at least %v", minInterval)
	}
	*i = interval(d)
	return nil
}

func (i *interval) String() string { return time.Duration(*i).String() }

func (*interval) Type() string { return "interval" }

func parseInterval(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n < 1e6 {
		return time.Duration(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("wanted a duration such as 500ms or 2s")
	}
	return d, nil
}

// joinWatch lets the interval stand apart from its flag: "show route -w 5s"
// means "show route -w=5s". The flag library would take a lone -w for the
// whole and 5s for an argument. Other verbs keep their -w: what lab exec runs
// has flags of its own.
func joinWatch(args []string) []string {
	joined := []string{} // not nil, for which the library would look up the arguments itself
	if verb(args) != "show" {
		return append(joined, args...)
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if (a == "-w" || a == "--watch") && i+1 < len(args) {
			if _, err := parseInterval(args[i+1]); err == nil {
				a += "=" + args[i+1]
				i++
			}
		}
		joined = append(joined, a)
	}
	return joined
}

// verb is the first argument that is neither a flag nor a flag's value.
func verb(args []string) string {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--socket":
			i++
		case !strings.HasPrefix(a, "-"):
			return a
		}
	}
	return ""
}

// watch draws again and again until ctx is done: in place on a terminal,
// where an error is shown and passes; elsewhere one drawing after the other,
// and an error ends it.
func (s *session) watch(ctx context.Context, every time.Duration, title string, draw func(context.Context, io.Writer) error) error {
	if s.terminal {
		fmt.Fprint(s.out, "\x1b[?7l\x1b[2J")      // no line wraps; clear
		defer fmt.Fprint(s.out, "\x1b[?7h\x1b[J") // wraps again
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		var page bytes.Buffer
		err := draw(ctx, &page)
		switch {
		case ctx.Err() != nil:
			return nil
		case s.terminal:
			if err != nil {
				fmt.Fprintf(&page, "routerd: %v\n", err)
			}
			s.redraw(fmt.Sprintf("%s, every %v, at %s", title, every, time.Now().Format(time.TimeOnly)), page.String())
		case err != nil:
			return err
		default:
			if !first {
				fmt.Fprintln(s.out)
			}
			s.out.Write(page.Bytes())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// redraw puts the page on the screen, as much of it as there is room for, and
// leaves the cursor below.
func (s *session) redraw(title, page string) {
	lines := append([]string{title, ""}, strings.Split(strings.TrimRight(page, "\n"), "\n")...)
	if h := height(s.out); len(lines) >= h {
		lines = append(lines[:h-2], "...")
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for _, l := range lines {
		b.WriteString(l + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	io.WriteString(s.out, b.String())
}

// height is the number of lines of the terminal.
func height(w io.Writer) int {
	const least = 10
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			return max(int(size.Row), least)
		}
	}
	return 24
}
