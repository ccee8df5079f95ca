package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
	"routerd/routing/ospf/wire"
)

// mostOf is how much of BIRD's CPU time an event may take, by the number of
// routers; other sizes are judged by the one below. Loading may take all of it.
var mostOf = []struct {
	routers int
	ratio   float64
}{{0, 0.4}, {5000, 0.3}}

// The timers of these labs.
const eventHello, eventDead = 5, 60

// eventLab joins each seat to a host, where its speaker is.
func eventLab(seats []seat, kernel bool) string {
	var b strings.Builder
	for i, s := range seats {
		fmt.Fprintf(&b, "[node.h%s]\nkind = \"host\"\n[node.%s]\n%s", s.node, s.node, s.config(speaking{"point-to-point", eventHello, eventDead, kernel}))
		fmt.Fprintf(&b, `[[link]]
endpoints = ["h%[1]s:eth0", "%[1]s:eth0"]
mtu = %[3]d
addresses = { "h%[1]s:eth0" = ["10.0.%[2]d.2/24"], "%[1]s:eth0" = ["10.0.%[2]d.1/24"] }
`, s.node, i+1, linkMTU)
	}
	return b.String()
}

// subject is a seat under measurement.
type subject struct {
	seat
	stand   *stand
	speaker *speaker
	network *network

	load          time.Duration // of CPU time
	took          time.Duration // until it had all
	lsaBytes      float64       // of resident memory, each
	events, still windows       // with and without an event
}

// windows is what a seat used in each of them: CPU milliseconds, and how often its
// threads gave up a processor, which is what waking up takes of that time.
type windows struct{ cpu, switches []float64 }

func (w *windows) add(before, after site.Usage) {
	w.cpu = append(w.cpu, (after.CPU-before.CPU).Seconds()*1000)
	w.switches = append(w.switches, float64(after.Switches-before.Switches))
}

// event is the CPU time of one event, in milliseconds, as a median and as a mean, and
// the switches of threads that it takes.
func (s *subject) event() (median, mean, switches float64) {
	idle := bench.SpreadOf(s.still.cpu).Median
	for _, ms := range s.events.cpu {
		mean += (ms - idle) / float64(len(s.events.cpu))
	}
	switches = bench.SpreadOf(s.events.switches).Median - bench.SpreadOf(s.still.switches).Median
	return bench.SpreadOf(s.events.cpu).Median - idle, mean, switches
}

// events measures all sizes.
func events(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	all := bench.Met
	for _, side := range o.sides {
		var list []*subject
		err := o.site.Lab(ctx, eventLab(o.seats(), o.kernel), func(l *lab.Lab) (err error) {
			list, err = measureEvents(ctx, o, l, side)
			return err
		})
		if errors.Is(err, site.ErrMissing) {
			fmt.Fprintf(out, "events left out: %v\n", err)
		} else if err != nil {
			return bench.NotRun, fmt.Errorf("%d routers: %w", side*side, err)
		}
		all = all.Worse(printEvents(out, side*side, list))
	}
	return all, nil
}

// measureEvents loads each seat, one after the other, and then has events come to
// all in turn.
func measureEvents(ctx context.Context, o options, l *lab.Lab, side int) (list []*subject, err error) {
	defer func() {
		for _, s := range list {
			s.stand.close()
		}
	}()
	for i, x := range o.seats() {
		s, err := newSubject(l, x, i, side)
		if err != nil {
			return list, err
		}
		list = append(list, s)
	}
	if err := site.Pause(ctx, starting); err != nil {
		return list, err
	}
	for _, s := range list {
		if err := s.fill(ctx, o, l); err != nil {
			return list, err
		}
	}
	for n := range o.events {
		for _, still := range []bool{false, true} {
			if still && n%2 == 1 { // one pause to two events
				continue
			}
			if err := round(ctx, o, l, list, still); err != nil {
				return list, err
			}
		}
	}
	return list, agree(ctx, l, list)
}

func newSubject(l *lab.Lab, x seat, i, side int) (*subject, error) {
	link := wire.ID(0x0a000000 + (i+1)<<8) // 10.0.i.0
	s := &subject{seat: x, network: newNetwork(side, 0x0aff0001+wire.ID(i), link+2)}
	s.speaker = &speaker{
		router: firstRouter, address: link + 2, mask: wire.MaskOf(24),
		hello: eventHello * time.Second, dead: eventDead * time.Second, db: s.network,
	}
	var err error
	if s.stand, err = newStand(l.Topology.Name+"-h"+x.node, "eth0"); err != nil {
		return nil, err
	}
	return s, nil
}

// starting is how long a router may take for what starting it has left to do, which
// is no part of its load: giving back memory, for one.
const starting = 8 * time.Second

// How long a load may take, and what counts as its end: the processor is left
// alone but for a share of it, for a while.
const (
	loading  = 150 * time.Second
	quiet    = 4
	quietFor = time.Second
	share    = 0.02
)

// calm waits until a seat leaves the processor alone, and gives what it has used.
func (s *subject) calm(ctx context.Context, l *lab.Lab) (last site.Usage, err error) {
	if last, err = site.Used(l, s.node); err != nil {
		return last, err
	}
	began := time.Now()
	for n := 0; n < quiet && time.Since(began) < loading; {
		if err := site.Pause(ctx, quietFor); err != nil {
			return last, err
		}
		u, err := site.Used(l, s.node)
		if err != nil {
			return last, err
		}
		if n++; float64(u.CPU-last.CPU) > share*float64(quietFor) {
			n = 0
		}
		last = u
	}
	return last, nil
}

// fill loads the database into a seat.
func (s *subject) fill(ctx context.Context, o options, l *lab.Lab) error {
	before, err := s.calm(ctx, l) // what starting takes is no part of it
	if err != nil {
		return err
	}
	began := time.Now()
	s.stand.add(s.speaker)
	err = site.Await(ctx, loading, 20*time.Millisecond, s.name+" adjacent", func() (string, error) {
		full, _, err := s.stand.count()
		if full == 0 {
			return "its LSA does not say so", err
		}
		return "", err
	})
	if err != nil {
		return err
	}
	last, err := s.calm(ctx, l)
	if err != nil {
		return err
	}
	s.took = time.Since(began) - quiet*quietFor
	s.load = last.CPU - before.CPU
	s.lsaBytes = (last.RSS - before.RSS) * (1 << 20) / float64(len(s.network.routers))
	got, err := ask(ctx, l, s.node, s.routes, s.pattern)
	if err != nil {
		return err
	}
	if want := s.network.prefixes(); got < want || got > want+1 { // the network between may be one
		return fmt.Errorf("%s has %d routes of OSPF %v after the start, want %d", s.name, got, time.Since(began), want)
	}
	o.progress("%s: %d routers loaded in %.1f s, CPU %.3f s, %.0f bytes an LSA", s.name, len(s.network.routers), s.took.Seconds(), s.load.Seconds(), s.lsaBytes)
	return nil
}

// round sends each seat an event, or none, a share of the spacing apart, and
// counts what each used until its turn comes again.
func round(ctx context.Context, o options, l *lab.Lab, list []*subject, still bool) error {
	began, before := time.Now(), make([]site.Usage, len(list))
	at := func(i int, turn time.Duration) time.Duration {
		return turn*o.spacing + time.Duration(i)*o.spacing/time.Duration(len(list))
	}
	for turn := range 2 {
		for i, s := range list {
			if err := site.Pause(ctx, time.Until(began.Add(at(i, time.Duration(turn))))); err != nil {
				return err
			}
			u, err := site.Used(l, s.node)
			switch {
			case err != nil:
				return err
			case turn == 0:
				before[i] = u
				if !still {
					s.stand.do(func(now time.Time) { s.speaker.flood(now, s.network.change()) })
				}
				continue
			}
			if still {
				s.still.add(before[i], u)
			} else {
				s.events.add(before[i], u)
			}
		}
	}
	return nil
}

// agree checks that every seat has taken all events: the way to the farthest
// loopback costs what the links say.
func agree(ctx context.Context, l *lab.Lab, list []*subject) error {
	for _, s := range list {
		want := s.network.cost() + 10 // by the link of the seat
		far := (firstLoopback + wire.ID(len(s.network.routers)-1)).String() + "/32"
		err := site.Await(ctx, 20*time.Second, 500*time.Millisecond, s.name, func() (string, error) {
			got, err := ask(ctx, l, s.node, fmt.Sprintf(s.metric, far), s.cost)
			if err == nil && got != want {
				return fmt.Sprintf("%s costs %d, want %d: events got lost", far, got, want), nil
			}
			return "", err
		})
		if err != nil {
			return err
		}
		if s.speaker.lost > 0 {
			return fmt.Errorf("%s lost its adjacency %d times", s.name, s.speaker.lost)
		}
	}
	return nil
}

// printEvents prints what was measured at one size and judges routerd.
func printEvents(out io.Writer, routers int, list []*subject) bench.Outcome {
	fmt.Fprintf(out, "a database of %d routers, a link's cost changes at a time\n", routers)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU ms an event\tmean\tswitches\tevents\tidle ms\tloading, CPU s\tseconds\tbytes an LSA\t")
	event, load := map[string]float64{}, map[string]float64{}
	for _, s := range list {
		median, mean, switches := s.event()
		event[s.name], load[s.name] = median, s.load.Seconds()
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%d\t%.2f\t%.3f\t%.1f\t%.0f\t\n", s.name, median, mean, switches, len(s.events.cpu), bench.SpreadOf(s.still.cpu).Median, s.load.Seconds(), s.took.Seconds(), s.lsaBytes)
	}
	w.Flush()
	most := mostOf[0].ratio
	for _, m := range mostOf {
		if routers >= m.routers {
			most = m.ratio
		}
	}
	outcome := bench.Met
	mark := func(name string, all map[string]float64, most float64) {
		measured := all["BIRD"] > 0 && slices.ContainsFunc(list, func(s *subject) bool { return s.name == "routerd" })
		ratio, text := 0.0, "-"
		if measured {
			ratio = all["routerd"] / all["BIRD"]
			text = fmt.Sprintf("%.2f", ratio)
		}
		word, o := bench.Judge(measured, ratio <= most)
		outcome = outcome.Worse(o)
		fmt.Fprintf(out, "mark: %s of routerd / BIRD %s, wanted <= %.2f: %s\n", name, text, most, word)
	}
	mark("CPU of an event", event, most)
	mark("CPU of loading", load, 1)
	fmt.Fprintln(out)
	return outcome
}
