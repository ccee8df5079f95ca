package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
)

// What is measured of a crowd of neighbours.
const (
	crowdTook  = "seconds"
	crowdCPU   = "CPU s"
	crowdMB    = "MB"
	crowdRest  = "CPU ms a second at rest"
	crowdFlap  = "CPU ms a flap"
	crowdEnded = "sessions lost"
	crowdMore  = "prefixes besides" // that others were sent of what did not flap
)

var crowdMarks = []mark{
	{crowdEnded, nil, "", 0},
	{crowdMore, nil, "", 0},
}

// flaps is how often one neighbour of a crowd goes and comes.
const flaps = 3

// crowdFeeds gives each of so many neighbours prefixes of its own.
func crowdFeeds(table []netip.Prefix, neighbors, each int) ([]*feed, error) {
	if neighbors*each > len(table) {
		return nil, fmt.Errorf("%d neighbours with %d prefixes each: the table has %d", neighbors, each, len(table))
	}
	list := make([]*feed, neighbors)
	for i := range list {
		list[i] = newFeed(table[i*each:(i+1)*each], firstAS+uint32(i), feederAddress(i))
	}
	return list, nil
}

// accepted is how many prefixes of a feed the policies of a crowd let pass.
func (f *feed) accepted() (n int) {
	for _, p := range f.prefixes {
		if p.Bits() <= 24 {
			n++
		}
	}
	return n
}

// crowd measures one rival: each neighbour announces its own prefixes and is sent those of
// all others.
func crowd(ctx context.Context, o options, r *rival, feeds []*feed) (sample, error) {
	m := sample{}
	err := with(ctx, o, r, setting{feeders: len(feeds), crowd: true}, func(x *stand) error {
		for i := range feeds {
			if err := x.feed(ctx, i); err != nil {
				return err
			}
		}
		all := 0
		for _, f := range feeds {
			all += f.accepted()
		}
		before, err := x.used()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := x.announce(feeds); err != nil {
			return m.took(crowdTook, 0, err)
		}
		took, err := x.filled(ctx, began, feeds, all)
		if err := m.took(crowdTook, took, err); err != nil {
			return err
		}
		after, err := x.used()
		if err != nil {
			return err
		}
		m[crowdCPU] = (after.CPU - before.CPU).Seconds()
		if m[crowdMB], err = x.memory(ctx); err != nil {
			return err
		}
		if err := x.rest(ctx, o.rest, m); err != nil {
			return err
		}
		return x.flap(ctx, feeds, all, m)
	})
	return m, err
}

// announce has all say what they have at once.
func (x *stand) announce(feeds []*feed) error {
	said := make(chan error, len(feeds))
	for i, f := range feeds {
		go func() { said <- x.feeders[i].say(f.announce, x.limit) }()
	}
	var failed error
	for range feeds {
		failed = errors.Join(failed, <-said)
	}
	return failed
}

// withheld is how much of its own feed a neighbour is not sent.
func (x *stand) withheld(f *feed) int {
	if x.rival.echoes {
		return 0
	}
	return f.accepted()
}

// filled waits until each has been sent what all others have.
func (x *stand) filled(ctx context.Context, began time.Time, feeds []*feed, all int) (time.Duration, error) {
	return x.until(ctx, began, 2*time.Millisecond, "all prefixes sent to all neighbours", func() (string, error) {
		for i, f := range feeds {
			if got, want := x.feeders[i].has(), all-x.withheld(f); got != want {
				return fmt.Sprintf("neighbour %d has been sent %d, want %d", i, got, want), nil
			}
		}
		return "", nil
	})
}

// gone waits until the others have been withdrawn what the first one had.
func (x *stand) gone(ctx context.Context, feeds []*feed, all int) (time.Duration, error) {
	return x.until(ctx, time.Now(), 2*time.Millisecond, "the prefixes of one neighbour withdrawn", func() (string, error) {
		for i, f := range feeds[1:] {
			if got, want := x.feeders[1+i].has(), all-feeds[0].accepted()-x.withheld(f); got != want {
				return fmt.Sprintf("neighbour %d has %d, want %d", 1+i, got, want), nil
			}
		}
		return "", nil
	})
}

// rest measures a rival that has nothing to do but to keep its sessions.
func (x *stand) rest(ctx context.Context, during time.Duration, m sample) error {
	before, err := x.used()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := site.Pause(ctx, during); err != nil {
		return err
	}
	after, err := x.used()
	m[crowdRest] = 1000 * (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds()
	return err
}

// flap has the first neighbour go and come. Counted are the sessions of others that end, and
// what these are sent besides its prefixes.
func (x *stand) flap(ctx context.Context, feeds []*feed, all int, m sample) error {
	before, err := x.used()
	if err != nil {
		return err
	}
	others := x.feeders[1:]
	announced, withdrawn := make([]int64, len(others)), make([]int64, len(others))
	for i, s := range others {
		announced[i], withdrawn[i] = s.announced.Load(), s.withdrawn.Load()
	}
	for range flaps {
		x.feeders[0].close()
		x.feeders[0] = nil
		if _, err := x.gone(ctx, feeds, all); err != nil {
			return err
		}
		if err := x.feed(ctx, 0); err != nil {
			return err
		}
		if err := x.feeders[0].say(feeds[0].announce, x.limit); err != nil {
			return err
		}
		if _, err := x.filled(ctx, time.Now(), feeds, all); err != nil {
			return err
		}
	}
	after, err := x.used()
	if err != nil {
		return err
	}
	m[crowdFlap] = 1000 * (after.CPU - before.CPU).Seconds() / flaps
	ended, more := 0, int64(0)
	for i, s := range others {
		if s.alive() != nil {
			ended++
		}
		// Fewer are no harm: what goes and comes before it is sent is not sent.
		most := int64(flaps * feeds[0].accepted())
		more += max(0, s.announced.Load()-announced[i]-most) + max(0, s.withdrawn.Load()-withdrawn[i]-most)
	}
	m[crowdEnded], m[crowdMore] = float64(ended), float64(more)
	return nil
}

// crowds measures those who are measured with a crowd, once each.
func crowds(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.crowd == 0 {
		return bench.Met, nil
	}
	feeds, err := crowdFeeds(o.table, o.crowd, o.each)
	if err != nil {
		return bench.NotRun, err
	}
	results := map[string][]sample{}
	left := map[string]error{}
	for _, r := range o.rivals {
		if !r.crowds || r.slow && o.slow == 0 {
			continue
		}
		began := time.Now()
		m, err := crowd(ctx, o, r, feeds)
		if err != nil && (r.name == nameRouterd && !errors.Is(err, errLate) || ctx.Err() != nil) {
			return bench.NotRun, fmt.Errorf("%s, %d neighbours: %w", r.name, len(feeds), err)
		}
		if len(m) > 0 {
			results[r.name] = []sample{m}
			o.progress("%d neighbours, %s, in %.0f s: %v", len(feeds), r.name, time.Since(began).Seconds(), m)
		}
		if err != nil {
			left[r.name] = err
			o.progress("%s: %v", r.name, err)
		}
	}
	return printCrowds(out, o, results, left), nil
}

func printCrowds(out io.Writer, o options, results map[string][]sample, left map[string]error) bench.Outcome {
	fmt.Fprintf(out, "%d neighbours with %d prefixes each and policies, all of which are sent to all; then one goes and comes %d times\n", o.crowd, o.each, flaps)
	printTable(out, o, []string{crowdTook, crowdCPU, crowdMB, crowdRest, crowdFlap, crowdEnded, crowdMore}, results, left)
	return printMarks(out, crowdMarks, results, "")
}
