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
	learnedMB  = "MB"
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

// fullTable measures one rival once.
func fullTable(ctx context.Context, o options, r *rival, f *feed) (sample, error) {
	m := sample{}
	err := with(ctx, o, r, setting{feeders: 1, sink: true}, func(x *stand) error {
		watch, err := x.watch(ctx)
		if err != nil {
			return err
		}
		for _, part := range []func(context.Context, *feed, sample) error{x.learn, x.export, x.lose} {
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
		if err := x.feeders[0].say(messages); err != nil {
			return err
		}
		took, err := x.has(ctx, began, want)
		m[what] = took.Seconds()
		return err
	}
	before, err := site.Used(x.lab, "r")
	if err != nil {
		return err
	}
	if err := took(learned, f.announce, len(f.prefixes)); err != nil {
		return err
	}
	if m[learnedMB], err = x.memory(ctx); err != nil {
		return err
	}
	after, err := site.Used(x.lab, "r")
	if err != nil {
		return err
	}
	m[learnedCPU] = (after.CPU - before.CPU).Seconds()
	return took(withdrawn, f.withdraw, 0)
}

// export has the rival learn the table while it sends it to another neighbour, which then
// asks for it once more.
func (x *stand) export(ctx context.Context, f *feed, m sample) (err error) {
	if err := x.listen(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := x.feeders[0].say(f.announce); err != nil {
		return err
	}
	took, err := x.sent(ctx, began, len(f.prefixes))
	if err != nil {
		return err
	}
	m[exported] = took.Seconds()
	if m[exportedMB], err = x.memory(ctx); err != nil {
		return err
	}
	began = time.Now()
	if err := x.sink.say(wire.Refresh{Family: wire.IPv4Unicast}.Append(nil)); err != nil {
		return err
	}
	took, err = x.sent(ctx, began, 2*len(f.prefixes))
	m[refreshed] = took.Seconds()
	return err
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
	if err != nil {
		return err
	}
	m[lost] = took.Seconds()
	if err := x.feed(ctx, 0); err != nil {
		return err
	}
	began = time.Now()
	if err := x.feeders[0].say(f.announce); err != nil {
		return err
	}
	took, err = x.sent(ctx, began, len(f.prefixes))
	m[back] = took.Seconds()
	return err
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
		if err := x.feeders[0].say(f.announce); err != nil {
			return err
		}
		took, err := x.until(ctx, began, probing, "forwarding by all", p.missing)
		if err != nil {
			return err
		}
		m[forwarding] = took.Seconds()
		return nil
	})
	return m, err
}

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
			return err
		}
		all := len(feeds) * len(feeds[0].prefixes)
		took, err := x.has(ctx, began, all)
		if err != nil {
			return err
		}
		m[tenLearned] = took.Seconds()
		if err := site.Pause(ctx, settles); err != nil {
			return err
		}
		began = time.Now()
		x.feeders[0].close()
		x.feeders[0] = nil
		took, err = x.has(ctx, began, all-len(feeds[0].prefixes))
		m[tenLost] = took.Seconds()
		return err
	})
	return m, err
}

// full measures all of it: each round has each rival once.
func full(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.runs == 0 {
		return bench.Met, nil
	}
	f := newFeed(o.table, firstAS, feederAddress(0))
	ten := make([]*feed, 10)
	for i := range ten {
		ten[i] = newFeed(o.table[:min(len(o.table), o.shared)], firstAS+uint32(i), feederAddress(i))
	}
	results := map[string][]sample{}
	left := map[string]error{}
	for round := range o.runs {
		for _, r := range o.rivals {
			if left[r.name] != nil || round >= o.slow && r.name != nameRouterd && r.name != nameBIRD {
				continue
			}
			m, err := measureOnce(ctx, o, r, f, ten)
			if errors.Is(err, site.ErrMissing) {
				left[r.name] = err
				continue
			} else if err != nil {
				return bench.NotRun, fmt.Errorf("%s: %w", r.name, err)
			}
			results[r.name] = append(results[r.name], m)
			o.progress("round %d, %s: %v", round+1, r.name, m)
		}
	}
	fmt.Fprintf(out, "a full table: %d IPv4 prefixes in %d sets of attributes, and ten times %d prefixes; medians of %d rounds\n", len(f.prefixes), f.sets, len(ten[0].prefixes), o.runs)
	return printFull(out, results, left), nil
}

// measureOnce measures a rival once.
func measureOnce(ctx context.Context, o options, r *rival, f *feed, ten []*feed) (sample, error) {
	all := sample{}
	if r.name != nameKernel {
		m, err := fullTable(ctx, o, r, f)
		if err != nil {
			return nil, fmt.Errorf("a full table: %w", err)
		}
		all.add(m)
		if m, err = tenPeers(ctx, o, r, ten); err != nil {
			return nil, fmt.Errorf("ten peers: %w", err)
		}
		all.add(m)
	}
	if r.forwards {
		m, err := forward(ctx, o, r, f)
		if err != nil {
			return nil, fmt.Errorf("forwarding: %w", err)
		}
		all.add(m)
	}
	return all, nil
}
