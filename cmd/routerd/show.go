package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
	"routerd/internal/show"
)

// format is the value of --output.
type format string

const (
	formatTable format = "table"
	formatWide  format = "wide"
	formatJSON  format = "json"
	formatLines format = "ndjson"
)

// formatFlag is the flag of a format, which takes some of them.
type formatFlag struct {
	format *format
	among  []string
}

func (f formatFlag) Set(s string) error {
	if !slices.Contains(f.among, s) {
		last := len(f.among) - 1
		return fmt.Errorf("wanted %s or %s", strings.Join(f.among[:last], ", "), f.among[last])
	}
	*f.format = format(s)
	return nil
}

func (f formatFlag) String() string {
	if f.format == nil {
		return ""
	}
	return string(*f.format)
}

func (f formatFlag) Type() string { return strings.Join(f.among, "|") }

func addFormat(cmd *cobra.Command, f *format) {
	addFormats(cmd, f, "a table, one with exact figures and every column, or JSON", formatTable, formatWide, formatJSON)
}

func addFormats(cmd *cobra.Command, f *format, says string, among ...format) {
	*f = formatTable
	flag := formatFlag{format: f}
	for _, a := range among {
		flag.among = append(flag.among, string(a))
	}
	cmd.PersistentFlags().VarP(flag, "output", "o", "how to print: "+says)
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(flag.among, cobra.ShellCompDirectiveNoFileComp))
}

// shower is a session and the flags of show.
type shower struct {
	*session
	format   format
	interval interval
}

func newShowCommand(s *session) *cobra.Command {
	sh := &shower{session: s}
	commands := sh.tree("", func(n *control.Noun) *cobra.Command { return sh.command(n, nil) })
	cmd := group("show", "Show what the router knows and does",
		append(commands, sh.familyCommand("ip", 4), sh.familyCommand("ipv6", 6))...)
	cmd.Example = `  routerd show interface
  routerd show route for 10.0.2.2
  routerd show drops --last 20
  routerd show interface -w 1s
  routerd show fib -o json | jq '.entries[].prefix'`
	addFormats(cmd, &sh.format, "a table, one with exact figures and every column, JSON, or a line of JSON for each row", formatTable, formatWide, formatJSON, formatLines)
	flags := cmd.PersistentFlags()
	flags.VarP(&sh.interval, "watch", "w", "show it again every `interval` ("+defaultInterval+" if none is given)")
	flags.Lookup("watch").NoOptDefVal = defaultInterval
	flags.Lookup("watch").DefValue = ""
	return cmd
}

func newClearCommand(s *session) *cobra.Command {
	return group("clear", "Make the router forget what it has learned", s.tree("clear/", s.clearCommand)...)
}

// show asks once, or repeatedly with --watch, and prints the answers.
func (s *shower) show(cmd *cobra.Command, n *control.Noun, query any, most int) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	once := func(ctx context.Context, w io.Writer) error { return s.print(ctx, c, w, n, query, most) }
	if s.interval == 0 {
		return once(cmd.Context(), s.out)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return s.watch(ctx, time.Duration(s.interval), cmd.CommandPath(), once)
}

// print prints the router's answer, page by page.
func (s *shower) print(ctx context.Context, c *control.Client, w io.Writer, n *control.Noun, query any, most int) error {
	query = copied(query)
	pages := show.Pages{
		Query: query, Most: most, Largest: control.MaxPage,
		Ask: func() (any, error) { return c.Ask(ctx, n, query) },
	}
	if n.Nothing != nil {
		pages.Nothing = func() error { return n.Nothing(query) }
	}
	if s.format == formatLines {
		return s.printLines(ctx, c, w, &pages)
	}
	if s.format == formatJSON {
		more, err := pages.Print(&show.JSON{To: w})
		if more != "" {
			fmt.Fprintf(s.err, "routerd: %s\n", more)
		}
		return err
	}
	t := &show.Tables{Screen: s.screen(s.format == formatWide)}
	t.Screen.Writer = w
	if n.Draw != nil && (n.Drawn == nil || n.Drawn(query)) {
		t.Draw = func(answer any) { n.Draw(t.Screen, query, answer) }
	}
	_, err := pages.Print(t)
	return err
}

// printLines prints a list as lines of JSON, as the API sends it: a line for each row, and
// a last line with the number of rows.
func (s *shower) printLines(ctx context.Context, c *control.Client, w io.Writer, pages *show.Pages) error {
	more, err := control.PrintLines(w, pages, func() (uint64, error) {
		v, err := c.Version(ctx)
		return v.Generation, err
	})
	if more != "" {
		fmt.Fprintf(s.err, "routerd: %s\n", more)
	}
	return err
}

// screen returns the screen that a command prints to.
func (s *session) screen(wide bool) *show.Screen {
	return &show.Screen{Writer: s.out, Colour: coloured(s.terminal), Wide: wide}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// coloured reports whether to use colour on a terminal (no-color.org).
func coloured(terminal bool) bool {
	return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
