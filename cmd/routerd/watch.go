package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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

// joinWatch allows a space between -w and the interval: it turns "show route -w
// 5s" into "show route -w=5s". The flag library would take 5s for an argument,
// since -w alone is valid. It changes no other command: what lab exec runs has
// flags of its own.
func joinWatch(args []string) []string {
	joined := []string{} // not nil, or the library would read os.Args
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
		case slices.Contains([]string{"--socket", "--url", "--pin", "--token-file", "--cert", "--cert-key"}, a):
			i++
		case !strings.HasPrefix(a, "-"):
			return a
		}
	}
	return ""
}

// watch draws repeatedly until ctx is done. On a terminal it draws in place,
// and shows an error until the next drawing; elsewhere it prints the drawings
// one after the other, and an error ends it.
func (s *session) watch(ctx context.Context, every time.Duration, title string, draw func(context.Context, io.Writer) error) error {
	if s.terminal {
		fmt.Fprint(s.out, "\x1b[?7l\x1b[2J")      // turn line wrapping off and clear the screen
		defer fmt.Fprint(s.out, "\x1b[?7h\x1b[J") // turn line wrapping on again
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		var err error
		if s.terminal {
			page := screenful{lines: height(s.out)}
			if err = draw(ctx, &page); errors.Is(err, errFull) {
				err = nil
			}
			if err != nil {
				fmt.Fprintf(&page.Buffer, "routerd: %v\n", err)
			}
			if ctx.Err() == nil {
				s.redraw(fmt.Sprintf("%s, every %v, at %s", title, every, time.Now().Format(time.TimeOnly)), page.String())
			}
		} else {
			err = draw(ctx, &apart{to: s.out, parted: first})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !s.terminal:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// apart writes an empty line before the first write.
type apart struct {
	to     io.Writer
	parted bool
}

func (a *apart) Write(b []byte) (int, error) {
	if !a.parted {
		a.parted = true
		if _, err := io.WriteString(a.to, "\n"); err != nil {
			return 0, err
		}
	}
	return a.to.Write(b)
}

// screenful keeps as many lines of a drawing as the screen has. Further writes
// fail, so that no more of a long table is requested than can be seen.
type screenful struct {
	bytes.Buffer
	lines int
}

var errFull = errors.New("the screen is full")

func (f *screenful) Write(b []byte) (int, error) {
	f.Buffer.Write(b)
	if bytes.Count(f.Bytes(), []byte("\n")) > f.lines {
		return len(b), errFull
	}
	return len(b), nil
}

// redraw puts as much of the page on the screen as fits, and leaves the cursor
// below it.
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

// height returns the number of lines of the terminal.
func height(w io.Writer) int {
	const least = 10
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			return max(int(size.Row), least)
		}
	}
	return 24
}
