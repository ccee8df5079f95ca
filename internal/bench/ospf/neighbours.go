package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
	"routerd/routing/ospf/wire"
)

// The timers of these labs, in seconds, and the first of the speakers' addresses on
// the subnets 10.0.i.0/24.
const (
	crowdHello, crowdDead = 1, 4
	firstOfCrowd          = 20
	mostOfCrowd           = 230
)

// crowdLab joins each seat to a LAN with a host, where so many speakers are.
func crowdLab(neighbours int) string {
	var b strings.Builder
	for i, s := range seats {
		fmt.Fprintf(&b, "[node.h%[1]s]\nkind = \"host\"\n[node.sw%[1]s]\nkind = \"switch\"\n[node.%[1]s]\n%[2]s", s.node, s.config(speaking{"broadcast", crowdHello, crowdDead, false}))
		var addresses []string
		for n := range neighbours {
			addresses = append(addresses, fmt.Sprintf("\"10.0.%d.%d/24\"", i+1, firstOfCrowd+n))
		}
		fmt.Fprintf(&b, `[[link]]
endpoints = ["h%[1]s:eth0", "sw%[1]s:h"]
addresses = { "h%[1]s:eth0" = [%[3]s] }
[[link]]
endpoints = ["%[1]s:eth0", "sw%[1]s:r"]
addresses = { "%[1]s:eth0" = ["10.0.%[2]d.1/24"] }
`, s.node, i+1, strings.Join(addresses, ", "))
	}
	return b.String()
}

// member is what one of the crowd announces: its own LSA, with the network.
type member wire.LSA

func newMember(router, address, dr wire.ID) member {
	h := wire.Header{
		Identity: wire.Identity{Type: wire.RouterLSA, ID: router, Router: router},
		Age:      1, Options: wire.OptionE, Sequence: wire.InitialSequence,
	}
	return member(wire.AppendLSA(nil, &h, &wire.Router{Links: []wire.Link{
		{ID: dr, Data: address, Type: wire.LinkTransit, Cost: 10},
		{ID: firstLoopback + address, Data: wire.MaskOf(32), Type: wire.LinkStub, Cost: 1},
	}}))
}

// headers and find: see database.
func (m member) headers() []wire.Header { return []wire.Header{wire.LSA(m).Header()} }

func (m member) find(id wire.Identity) wire.LSA {
	if wire.LSA(m).Identity() == id {
		return wire.LSA(m)
	}
	return nil
}

// crowded is a seat with its neighbours.
type crowded struct {
	seat
	stand *stand
	cpu   time.Duration // that it used
	rss   float64       // MiB
	over  time.Duration
	full  int
	lost  int
}

// crowds measures all seats at once.
func crowds(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.neighbours == 0 {
		return bench.Met, nil
	}
	var list []*crowded
	err := o.site.Lab(ctx, crowdLab(o.neighbours), func(l *lab.Lab) (err error) {
		list, err = measureCrowds(ctx, o, l)
		return err
	})
	if errors.Is(err, site.ErrMissing) {
		fmt.Fprintf(out, "neighbours left out: %v\n", err)
	} else if err != nil {
		return bench.NotRun, fmt.Errorf("%d neighbours: %w", o.neighbours, err)
	}
	return printCrowds(out, o.neighbours, list), nil
}

func measureCrowds(ctx context.Context, o options, l *lab.Lab) (list []*crowded, err error) {
	defer func() {
		for _, s := range list {
			s.stand.close()
		}
	}()
	for i, x := range seats {
		s := &crowded{seat: x}
		if s.stand, err = newStand(l.Topology.Name+"-h"+x.node, "eth0"); err != nil {
			return list, err
		}
		list = append(list, s)
		subnet := wire.ID(0x0a000000 + (i+1)<<8)
		for n := range o.neighbours {
			router, address := firstRouter+wire.ID(n), subnet+firstOfCrowd+wire.ID(n)
			s.stand.add(&speaker{
				router: router, address: address, mask: wire.MaskOf(24),
				hello: crowdHello * time.Second, dead: crowdDead * time.Second, db: newMember(router, address, subnet+1),
			})
		}
	}
	for _, s := range list {
		err := site.Await(ctx, loading, 200*time.Millisecond, s.name+" adjacent to all", func() (string, error) {
			full, lost, err := s.stand.count()
			if full < o.neighbours {
				return fmt.Sprintf("%d of %d are, and %d were lost", full, o.neighbours, lost), err
			}
			return "", err
		})
		if err != nil {
			return list, err
		}
	}
	// What the last adjacency had flooded is acknowledged by then.
	if err := site.Pause(ctx, 2*againAfter); err != nil {
		return list, err
	}
	return list, hold(ctx, o, l, list)
}

// hold counts what the adjacencies cost for a while, and those that are lost.
func hold(ctx context.Context, o options, l *lab.Lab, list []*crowded) error {
	began := make([]time.Time, len(list))
	for i, s := range list {
		u, err := site.Used(l, s.node)
		if err != nil {
			return err
		}
		began[i], s.cpu = time.Now(), u.CPU
		_, s.lost, _ = s.stand.count()
	}
	if err := site.Pause(ctx, o.hold); err != nil {
		return err
	}
	for i, s := range list {
		u, err := site.Used(l, s.node)
		if err != nil {
			return err
		}
		full, lost, err := s.stand.count()
		if err != nil {
			return err
		}
		s.over, s.cpu, s.rss, s.full, s.lost = time.Since(began[i]), u.CPU-s.cpu, u.RSS, full, lost-s.lost
	}
	return nil
}

// printCrowds prints what was measured, and judges whether routerd has lost none.
func printCrowds(out io.Writer, neighbours int, list []*crowded) bench.Outcome {
	fmt.Fprintf(out, "%d neighbours on a LAN, a Hello a second\n", neighbours)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU ms a second\tresident MiB\tfull\tlost\tseconds\t")
	measured, kept := false, false
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%d\t%d\t%.0f\t\n", s.name, 1000*s.cpu.Seconds()/max(s.over.Seconds(), 1e-9), s.rss, s.full, s.lost, s.over.Seconds())
		if s.name == "routerd" {
			measured, kept = true, s.full == neighbours && s.lost == 0
		}
	}
	w.Flush()
	word, outcome := bench.Judge(measured, kept)
	fmt.Fprintf(out, "mark: neighbours that routerd keeps, wanted all: %s\n\n", word)
	return outcome
}
