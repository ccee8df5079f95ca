package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/routing/bgp/wire"
)

// What is measured of a full table: seconds, and MB of resident memory.
const (
	learned    = "learned"
	learnedCPU = "CPU s"
	learnedMB  = "MB, learned"
	forwarding = "forwarding"
	withdrawn  = "withdrawn"
	exported   = "learned and sent"
	exportedMB = "MB, sent"
	refreshed  = "refreshed"
	lost       = "session lost"
	back       = "back and sent"
	tenLearned = "ten peers"
	tenLost    = "best of ten lost"
)

// fullTable measures one rival once; first says that it is the first round.
func fullTable(ctx context.Context, o options, r *rival, f *feed, first bool) (sample, error) {
	m := sample{}
	err := with(ctx, o, r, setting{feeders: 1, sink: true}, func(x *stand) error {
		watch, err := x.watch(ctx)
		if err != nil {
			return err
		}
		parts := []func(context.Context, *feed, sample) error{x.learn, x.export}
		if r.refreshes && (first || !r.refreshOnce) {
			parts = append(parts, x.refresh)
		}
		if !r.slow {
			parts = append(parts, x.lose)
		}
		for _, part := range parts {
			if err := part(ctx, f, m); err != nil {
				return err
			}
		}
		return watch(m)
	})
	return m, err
}

// learn has the rival learn the table, and have it withdrawn.
func (x *stand) learn(ctx context.Context, f *feed, m sample) (err error) {
	if err := x.feed(ctx, 0); err != nil {
		return err
	}
	took := func(what string, messages []byte, want int) error {
		began := time.Now()
		if err := x.feeders[0].say(messages, x.limit); err != nil {
			return m.took(what, 0, err)
		}
		took, err := x.has(ctx, began, want)
		return m.took(what, took, err)
	}
	before, err := x.used()
	if err != nil {
		return err
	}
	if err := took(learned, f.announce, len(f.prefixes)); err != nil {
		return err
	}
	if m[learnedMB], err = x.memory(ctx); err != nil {
		return err
	}
	after, err := x.used()
	if err != nil {
		return err
	}
	m[learnedCPU] = (after.CPU - before.CPU).Seconds()
	return took(withdrawn, f.withdraw, 0)
}

// export has the rival learn the table while it sends it to another neighbour.
func (x *stand) export(ctx context.Context, f *feed, m sample) (err error) {
	if err := x.listen(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := x.feeders[0].say(f.announce, x.limit); err != nil {
		return m.took(exported, 0, err)
	}
	took, err := x.sent(ctx, began, len(f.prefixes))
	if err := m.took(exported, took, err); err != nil {
		return err
	}
	m[exportedMB], err = x.memory(ctx)
	return err
}

// refresh has the neighbour that has been sent the table ask for it once more.
func (x *stand) refresh(ctx context.Context, f *feed, m sample) error {
	began := time.Now()
	if err := x.sink.say(wire.Refresh{Family: wire.IPv4Unicast}.Append(nil), x.limit); err != nil {
		return err
	}
	took, err := x.sent(ctx, began, 2*len(f.prefixes))
	return m.took(refreshed, took, err)
}

// lose has the session end while the table is sent to another neighbour, and come back.
func (x *stand) lose(ctx context.Context, f *feed, m sample) error {
	x.sink.announced.Store(int64(len(f.prefixes)))
	began := time.Now()
	x.feeders[0].close()
	x.feeders[0] = nil
	if _, err := x.sent(ctx, began, 0); err != nil {
		return err
	}
	took, err := x.has(ctx, began, 0)
	if err := m.took(lost, took, err); err != nil {
		return err
	}
	if err := x.feed(ctx, 0); err != nil {
		return err
	}
	began = time.Now()
	if err := x.feeders[0].say(f.announce, x.limit); err != nil {
		return m.took(back, 0, err)
	}
	took, err = x.sent(ctx, began, len(f.prefixes))
	return m.took(back, took, err)
}

// forward measures how soon packets are forwarded by all of the table.
func forward(ctx context.Context, o options, r *rival, f *feed) (sample, error) {
	m := sample{}
	err := with(ctx, o, r, setting{feeders: 1}, func(x *stand) error {
		if err := x.feed(ctx, 0); err != nil {
			return err
		}
		p, err := newProbe(x.lab.Topology.Name+"-c", x.lab.Topology.Name+"-a", f.prefixes)
		if err != nil {
			return err
		}
		defer p.close()
		began := time.Now()
		if err := x.feeders[0].say(f.announce, x.limit); err != nil {
			return m.took(forwarding, 0, err)
		}
		took, err := x.until(ctx, began, probing, "forwarding by all", p.missing)
		return m.took(forwarding, took, err)
	})
	return m, err
}

// between is how long ten neighbours' routes are there until the best are lost.
const between = time.Second

// tenPeers measures ten neighbours with the same prefixes.
func tenPeers(ctx context.Context, o options, r *rival, feeds []*feed) (sample, error) {
	m := sample{}
	err := with(ctx, o, r, setting{feeders: len(feeds)}, func(x *stand) error {
		for i := range feeds {
			if err := x.feed(ctx, i); err != nil {
				return err
			}
		}
		began := time.Now()
		if err := x.announce(feeds); err != nil {
			return m.took(tenLearned, 0, err)
		}
		all := len(feeds) * len(feeds[0].prefixes)
		took, err := x.has(ctx, began, all)
		if err := m.took(tenLearned, took, err); err != nil {
			return err
		}
		if err := site.Pause(ctx, between); err != nil {
			return err
		}
		began = time.Now()
		x.feeders[0].close()
		x.feeders[0] = nil
		took, err = x.has(ctx, began, all-len(feeds[0].prefixes))
		return m.took(tenLost, took, err)
	})
	return m, err
}

// full measures all of it: each round has each rival once. A rival other than routerd that
// fails is measured no more; one that is late has the time that it was given for a figure.
func full(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.runs == 0 {
		return bench.Met, nil
	}
	table := o.table
	if o.prefixes > 0 {
		table = table[:min(len(table), o.prefixes)]
	}
	f := newFeed(table, firstAS, feederAddress(0))
	ten := make([]*feed, 10)
	for i := range ten {
		ten[i] = newFeed(table[:min(len(table), o.shared)], firstAS+uint32(i), feederAddress(i))
	}
	results := map[string][]sample{}
	left := map[string]error{}
	for round := range o.runs {
		for _, r := range o.rivals {
			if left[r.name] != nil || r.slow && round >= o.slow {
				continue
			}
			began := time.Now()
			m, err := measureOnce(ctx, o, r, f, ten, round == 0)
			if err != nil && (r.name == nameRouterd || ctx.Err() != nil) {
				return bench.NotRun, fmt.Errorf("%s: %w", r.name, err)
			}
			if len(m) > 0 {
				results[r.name] = append(results[r.name], m)
				o.progress("round %d, %s, in %.0f s: %v", round+1, r.name, time.Since(began).Seconds(), m)
			}
			if err != nil {
				left[r.name] = err
				o.progress("%s is left out from now on: %v", r.name, err)
			}
		}
	}
	fmt.Fprintf(out, "%d IPv4 prefixes in %d sets of attributes, and ten times %d prefixes\n", len(f.prefixes), f.sets, len(ten[0].prefixes))
	return printFull(out, o, results, left), nil
}

// measureOnce measures a rival once. What is behind a figure that is late is left out.
func measureOnce(ctx context.Context, o options, r *rival, f *feed, ten []*feed, first bool) (sample, error) {
	all := sample{}
	for _, part := range []struct {
		what     string
		wanted   bool
		measured func() (sample, error)
	}{
		{"a full table", r.name != nameKernel, func() (sample, error) { return fullTable(ctx, o, r, f, first) }},
		{"ten peers", !r.slow, func() (sample, error) { return tenPeers(ctx, o, r, ten) }},
		{"forwarding", r.forwards, func() (sample, error) { return forward(ctx, o, r, f) }},
	} {
		if !part.wanted {
			continue
		}
		m, err := part.measured()
		all.add(m)
		switch {
		case errors.Is(err, errLate):
			o.progress("%s, %s: %v", r.name, part.what, err)
		case err != nil:
			return all, fmt.Errorf("%s: %w", part.what, err)
		}
	}
	return all, nil
}
