package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// track is one contender of a contest in its lab, or why it has none.
type track struct {
	*contest
	*contender
	lab     *lab.Lab
	missing error
	mended  time.Time // the last time that anything changed in the lab
	gaps    []float64 // seconds
}

// failovers prints how long nothing arrived, and judges routerd. The labs of all
// contests are there at once, and a round cuts each of them, one after the other: so
// every contender has the same neighbours on the machine, and is left alone while the
// others are cut.
func failovers(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	outcome := bench.Met
	var all []contest
	var list []*track
	for _, c := range contests() {
		if o.cuts > 0 && strings.Contains(c.name, o.only) {
			all = append(all, c)
		}
	}
	for i := range all {
		for j := range all[i].contenders {
			list = append(list, &track{contest: &all[i], contender: &all[i].contenders[j]})
		}
	}
	for _, program := range []string{"tcpdump", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			for _, t := range list {
				t.missing = fmt.Errorf("%s %w", program, site.ErrMissing)
			}
		}
	}
	if err := up(ctx, o, list, 0, func() error { return rounds(ctx, o, list) }); err != nil {
		return bench.NotRun, fmt.Errorf("failover: %w", err)
	}
	for i := range all {
		gaps := map[string][]float64{}
		for _, t := range list {
			if t.contest == &all[i] {
				gaps[t.contender.name] = t.gaps
			}
		}
		outcome = outcome.Worse(all[i].print(out, gaps))
		for _, t := range list {
			if t.contest == &all[i] && t.missing != nil {
				fmt.Fprintf(out, "%s left out: %v\n", t.contender.name, t.missing)
			}
		}
	}
	return outcome, nil
}

// up has f run while the labs from the nth on are up.
func up(ctx context.Context, o options, list []*track, n int, f func() error) error {
	if n == len(list) {
		return f()
	}
	t := list[n]
	if t.missing != nil {
		return up(ctx, o, list, n+1, f)
	}
	err := o.site.Lab(ctx, triangle(t.node, t.neighbors), func(l *lab.Lab) error {
		t.lab, t.mended = l, time.Now()
		return up(ctx, o, list, n+1, f)
	})
	if t.lab == nil && errors.Is(err, site.ErrMissing) {
		t.missing = err
		return up(ctx, o, list, n+1, f)
	}
	return err
}

// rounds cuts all as often as is wanted.
func rounds(ctx context.Context, o options, list []*track) error {
	for round := range o.cuts {
		for _, t := range list {
			if t.missing != nil {
				continue
			}
			gap, err := t.lose(ctx, (float64(round)+0.5)/float64(o.cuts), falseAlarms)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", t.contender.name, t.contest.name, err)
			}
			t.gaps = append(t.gaps, gap.Seconds())
			o.progress("%d: failover of %s, %s: %d ms", round+1, t.contender.name, t.contest.name, gap.Milliseconds())
		}
	}
	return nil
}

// strike cuts the direct path, and gives when. Share is when between two Hellos that is.
func (t *track) strike(ctx context.Context, share float64) (began time.Time, err error) {
	if t.hello > 0 {
		if _, err := t.lab.Run(ctx, "n1", hears); err != nil {
			return began, fmt.Errorf("waiting for a Hello of the neighbour's: %w", err)
		}
		if err := site.Pause(ctx, time.Duration(share*float64(t.hello))); err != nil {
			return began, err
		}
	}
	began = time.Now()
	_, err = t.lab.Run(ctx, "n1", t.cut)
	return began, err
}

// lose cuts the direct path, gives the longest time in which nothing arrived, and
// mends it. Where Hellos alone tell of the cut it gives the time from the last one until
// something arrived again. Share is when between two Hellos it cuts. It begins anew, so
// often, where a contender has left that path before.
func (t *track) lose(ctx context.Context, share float64, tries int) (time.Duration, error) {
	err := site.Await(ctx, settled, 100*time.Millisecond, "both sessions, and the direct way", func() (string, error) { return t.ready(ctx, t.lab) })
	if err == nil {
		err = site.Pause(ctx, time.Until(t.mended.Add(t.calm)))
	}
	if err != nil {
		return 0, err
	}
	greeted := site.Packets(ctx, t.lab, "n1", hellos)
	defer func() { _, _ = greeted() }()
	flow, err := site.Watch(ctx, t.lab, "h1", "far", "198.18.9.2", spacing)
	if err != nil {
		return 0, err
	}
	defer flow.Stop()
	if why, err := t.ready(ctx, t.lab); err != nil || why != "" { // a false alarm in the calm
		flow.Stop()
		if err == nil && tries > 0 {
			t.mended = time.Now()
			return t.lose(ctx, share, tries-1)
		}
		return 0, errors.Join(err, fmt.Errorf("packets go another way before anything is cut: %s", why))
	}
	began, err := t.strike(ctx, share)
	if err != nil {
		return 0, err
	}
	err = site.Await(ctx, settled, 10*time.Millisecond, "the other way", func() (string, error) {
		return t.goes(ctx, t.lab, "198.18.12.2", "198.18.11.2")
	})
	if err != nil {
		return 0, err
	}
	gap, err := flow.Gap(ctx, began)
	if err != nil {
		return 0, err
	}
	t.uncut = append(t.uncut, gap.Before.Seconds())
	if t.hello > 0 {
		list, err := greeted()
		if err != nil {
			return 0, fmt.Errorf("the neighbour's Hellos: %w", err)
		}
		gap.Length = gap.Over.Sub(list[len(list)-1])
	}
	_, err = t.lab.Run(ctx, "n1", t.mend)
	t.mended = time.Now()
	return gap.Length, err
}
