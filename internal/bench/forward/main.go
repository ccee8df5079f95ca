// Command forward measures ways of forwarding packets against each other on
// this machine and prints a table; see package bench for what is counted.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when some marks could not be judged because a path was left
// out, and the others are met. Its traffic stays inside network namespaces that it makes
// and removes; it needs root.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"routerd/internal/bench"
)

func main() {
	if code, isPart := bench.RunPart(os.Args[1:]); isPart {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	o, file, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "forward: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := bench.Run(ctx, o)
	if err == nil {
		err = write(r, file, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "forward: %v\n", err)
		return 1
	}
	return r.Outcome().Code()
}

// parse reads the flags; file is where JSON shall go, "" for nowhere.
func parse(args []string, stderr io.Writer) (o bench.Options, file string, err error) {
	o = bench.DefaultOptions()
	var marks []string
	for _, m := range bench.Marks {
		marks = append(marks, m.Name)
	}
	f := flag.NewFlagSet("forward", flag.ContinueOnError)
	f.SetOutput(stderr)
	list := func(into *[]string) func(string) error {
		return func(s string) error { *into = strings.Split(s, ","); return nil }
	}
	var groups []string
	for _, g := range bench.Groups {
		groups = append(groups, g.Name)
	}
	f.Func("group", "the `group` of paths and its traffic, one of "+strings.Join(groups, ",")+"; -paths and -metrics after it change it", o.Choose)
	f.Func("paths", "`list` of paths to measure, of "+strings.Join(bench.PathNames(), ",")+" (default those of the group), with all the traffic", func(s string) error {
		o.Compared = false
		return list(&o.Paths)(s)
	})
	f.Func("metrics", "`list` of traffic to measure, default "+strings.Join(o.Metrics, ",")+"; there are "+strings.Join([]string{bench.UDPTwo, bench.UDPOne, bench.UDPMany, bench.UDPWide, bench.UDPEcho, bench.UDPSuper, bench.IPerf1, bench.IPerf4}, ",")+" too", list(&o.Metrics))
	f.IntVar(&o.Rounds, "pairs", o.Rounds, "`rounds`; each gives every mark one pair")
	seconds := f.Float64("seconds", o.Window.Seconds(), "length of one measurement")
	f.IntVar(&o.Rate, "rate", o.Rate, "packets/s of the paced UDP traffic")
	f.IntVar(&o.MTU, "mtu", o.MTU, "MTU of every link in `bytes`")
	f.BoolVar(&o.IPv6, "6", false, "IPv6 instead of IPv4")
	f.StringVar(&o.Routerd, "routerd", "", "`binary` of the daemon (default: built from this source tree)")
	f.StringVar(&o.Earlier, "earlier", "", "`binary` of an earlier daemon, to be compared with in the group offload")
	f.StringVar(&o.Table, "table", o.Table, "`file` of the prefixes of a full table, one a line, for the group offload")
	f.StringVar(&file, "json", "", "write the report with every sample to `file`, - for standard output instead of the table")
	only := f.String("only", "", "measure only what one `mark` compares, without the yardstick unless it is that; one of "+strings.Join(marks, ", "))
	quiet := f.Bool("quiet", false, "no line per round on standard error")
	if err := f.Parse(args); err != nil {
		return o, "", err
	}
	if f.NArg() > 0 {
		return o, "", fmt.Errorf("unknown argument %q, wanted flags only", f.Arg(0))
	}
	o.Window = time.Duration(*seconds * float64(time.Second))
	if *only != "" {
		if err := o.Restrict(*only); err != nil {
			return o, "", err
		}
	}
	if !*quiet {
		o.Progress = func(line string) { fmt.Fprintln(stderr, line) }
	}
	return o, file, o.Check()
}

func write(r *bench.Report, file string, stdout io.Writer) error {
	if file == "" {
		return r.WriteText(stdout)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	text = append(text, '\n')
	if file == "-" {
		_, err = stdout.Write(text)
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return r.WriteText(stdout)
}
