package dataplane

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every line that explain prints about the network of the fixture, in golden
// files, so that a change of words is seen.
func TestExplain(t *testing.T) {
	n := newNetwork(t)
	n.view.Interfaces[lan0].URPF = URPFStrict
	states := []*fib.State{{}, {}}
	states[1].Set(routing.CauseNeighbor, false)
	n.set("10.21.0.0/16", &fib.Entry{Action: routing.Forward, Source: routing.SourceStatic, Group: fib.NewSharedGroup([]fib.NextHop{
		{Address: addr("10.0.2.2"), Interface: lan1, Weight: 1}, {Address: addr("10.0.4.2"), Interface: bare0, Weight: 255},
	}, states)})
	dead := func(causes ...routing.Cause) *fib.State {
		s := new(fib.State)
		for _, c := range causes {
			s.Set(c, false)
		}
		return s
	}
	two := []fib.NextHop{
		{Address: addr("10.0.2.2"), Interface: lan1, Weight: 1},
		{Address: addr("10.0.4.2"), Interface: bare0, Weight: 1},
		{Address: addr("10.0.2.3"), Interface: lan1, Weight: 1, Backup: true},
		{Address: addr("10.0.4.3"), Interface: bare0, Weight: 1, Backup: true},
	}
	carrier, bfd := routing.CauseCarrier, routing.CauseBFD
	for prefix, g := range map[string]*fib.Group{
		"10.22.0.0/16": fib.NewSharedGroup(two, []*fib.State{dead(carrier), dead(carrier), dead(), dead(routing.CauseNeighbor)}),
		"10.23.0.0/16": fib.NewSharedGroup(two, []*fib.State{dead(carrier), dead(carrier, bfd), dead(), dead(bfd)}),
		"10.24.0.0/16": fib.NewSharedGroup(two[1:3], []*fib.State{dead(bfd), dead()}),
		"10.25.0.0/16": fib.NewSharedGroup(two[1:3], []*fib.State{dead(), dead(bfd)}),
	} {
		n.set(prefix, &fib.Entry{Action: routing.Forward, Source: routing.SourceStatic, Group: g})
	}
	for _, tt := range []struct {
		name  string
		probe Probe
	}{
		{"forwarded", udp4("10.0.2.2")},
		{"forwarded6", udp6("2001:db8:2::2")},
		{"echo", ping4("10.255.0.1")},
		{"ecmp", udp4("10.20.0.1")},
		{"ecmp-dead", udp4("10.21.0.1")},
		{"backup-of-two", udp4("10.22.0.1")},
		{"backup-causes", udp4("10.23.0.1")},
		{"backup-of-one", udp4("10.24.0.1")},
		{"backup-dead", udp4("10.25.0.1")},
		{"no-route", udp4("203.0.113.1")},
		{"blackhole", udp4("10.9.0.1")},
		{"too-big", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: 6, DstPort: 80, Size: 1450, DontFragment: true}},
		{"fragmented", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: 17, DstPort: 80, Size: 1450}},
		{"hop-limit", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: 17, TTL: 1}},
		{"urpf", Probe{Src: addr("10.0.4.2"), Dst: addr("10.0.2.2"), Proto: 17}},
		{"port-unreachable", udp4("10.0.1.1")},
		{"down", udp4("10.0.3.2")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := build(t, tt.probe)
			x := Explain(n.view, lan0, in, testNow)
			var s strings.Builder
			for _, step := range x.Steps {
				made := ""
				if step.Made {
					made = "answer: "
				}
				fmt.Fprintf(&s, "%-10s %s%s\n", step.Stage, made, step.Text)
			}
			fmt.Fprintf(&s, "verdict: %s: %s\n", x.Verdict, x.Verdict.Sentence())
			golden(t, filepath.Join("testdata", "explain", tt.name+".txt"), s.String())

			// Explain is the live path: the same packet ends the same way.
			if got := n.run(t, lan0, raw(in)).Packets()[0].Verdict; got != x.Verdict {
				t.Errorf("explain says %s, the live path %s", x.Verdict, got)
			}
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Explain agrees with the live path about every packet of the verdict table.
func TestExplainAgreesWithTheLivePath(t *testing.T) {
	for _, tt := range fates(t) {
		x := Explain(newNetwork(t).view, lan0, tt.packet, testNow)
		if x.Verdict != tt.want {
			t.Errorf("%s: explain says %s, want %s", tt.name, x.Verdict, tt.want)
		}
		if len(x.Steps) == 0 {
			t.Errorf("%s: no stage has anything to say", tt.name)
		}
		if answered := tt.icmp != none || tt.want == verdict.EchoReplied; answered != (x.Answer != nil) {
			t.Errorf("%s: an answer is shown: %v, want %v", tt.name, x.Answer != nil, answered)
		}
	}
}

func TestProbeRefuses(t *testing.T) {
	for _, p := range []Probe{
		{Src: addr("10.0.0.1"), Dst: addr("2001:db8::1")},
		{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Proto: 17, Size: 27},
		{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Proto: 17, Size: 65536},
	} {
		if _, err := p.Build(); err == nil {
			t.Errorf("%+v was made up, want an error", p)
		}
	}
}
