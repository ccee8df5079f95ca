package sim

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"routerd/routing/rib"
)

// astray gives two neighbours static routes by each other to a third one's
// stub: a loop that no protocol can help.
func astray(s *site) {
	l := s.Links[0]
	a, b := l.ends[0], l.ends[1]
	lost := stubOf(len(s.Nodes) - 1)
	for _, e := range [][2]*End{{a, b}, {b, a}} {
		cfg := e[0].Node.Config
		next := e[1].Node.Router.View().Named(e[1].Interface).Addresses[0].Addr()
		cfg.RIB.Static = []rib.StaticRoute{{Prefix: lost, NextHops: []rib.StaticNextHop{{Address: next}}}}
		if err := e[0].Node.Apply(cfg); err != nil {
			panic(err)
		}
	}
}

// A run that breaks a promise says which, and how it is run again; run so it
// breaks the same one at the same moment.
func TestReport(t *testing.T) {
	err := play(t, 17, 1, astray)
	if err == nil {
		t.Fatal("a loop was not found")
	}
	report := err.Error()
	for _, want := range []string{
		"round 0: ", "a loop through r", "seed 17, at ", "again: go test ./internal/sim -run '^TestSeeds$' -seed 17 -rounds 1\n",
		"graph LR\n  r0\n  r1\n", "  r0 --- r1\n", "lan",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	m := regexp.MustCompile(`-seed (\d+) -rounds (\d+)`).FindStringSubmatch(report)
	if m == nil {
		t.Fatalf("no command in\n%s", report)
	}
	number, _ := strconv.ParseUint(m[1], 10, 64)
	rounds, _ := strconv.Atoi(m[2])
	if again := play(t, number, rounds, astray); again == nil || again.Error() != report {
		t.Errorf("run again it gives\n%v\nfirst it was\n%s", again, report)
	}
}

// Links that are down, and what happened last, are in the report.
func TestReportHistory(t *testing.T) {
	n := New(3)
	n.Add("r1")
	n.Add("r2")
	l, err := n.Join(Faults{}, "r1:a", "r2:a")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.ends {
		if err := e.Node.Apply(config(e.Node.Name, "a 10.0.0.1/24")); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		l.SetUp(!l.Up())
	}
	l.SetSilent(true)
	l.SetUp(false)
	got := n.Report()
	for _, want := range []string{"seed 3, at 0s\n", "r1 -. down .- r2", "(12 earlier events)\n", "link r1:a - r2:a silent: true\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "again:") {
		t.Errorf("nobody said how to run it again:\n%s", got)
	}
}
