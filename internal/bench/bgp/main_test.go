package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/bench"
	"routerd/internal/lab"
	"routerd/routing/bgp/wire"
)

// Wrong usage is exit code 2 and says what is wanted.
func TestUsage(t *testing.T) {
	table := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(table, []byte("2001:db8::/32\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want string
		code int
	}{
		{"-h", "-runs", 0},
		{"-runs -1", "0 or more rounds", 2},
		{"-shared 0", "1 or more prefixes", 2},
		{"-neighbours 241", "2 to 240", 2},
		{"-neighbours 1", "2 to 240", 2},
		{"-rest 1ms", "1s or more", 2},
		{"-rivals nobody", `"nobody"`, 2},
		{"-rivals BIRD,bird", `"bird"`, 2},
		{"-limit 1ms", "1s or more", 2},
		{"-prefixes -1", "0 or more", 2},
		{"-table " + table, "no prefix of IPv4", 2},
		{"quickly", "nothing but flags", 2},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(tt.args), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("bgp %s: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}

// Every lab of the bench is a sound topology. Nothing is made.
func TestLabs(t *testing.T) {
	for _, r := range rivals {
		for _, s := range []setting{{feeders: 1, sink: true}, {feeders: 1}, {feeders: 10}, {feeders: mostFeeders, crowd: true}} {
			path := filepath.Join(t.TempDir(), "lab.toml")
			if err := os.WriteFile(path, []byte("name = \"x\"\n"+topology(r, s)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := lab.Load(path, lab.Options{Dir: t.TempDir()}); err != nil {
				t.Errorf("%s, %+v: %v", r.name, s, err)
			}
		}
	}
}

// A feed announces each prefix once and withdraws each once, in messages without a fault,
// and two feeds of the same prefixes have paths of the same lengths.
func TestFeed(t *testing.T) {
	list := madeUp(5000)
	count := func(messages []byte) (announced, withdrawn map[netip.Prefix]int, lengths []int) {
		announced, withdrawn = map[netip.Prefix]int{}, map[netip.Prefix]int{}
		for rest := messages; len(rest) > 0; {
			m, behind, r := wire.Split(rest, wire.MaxMessage)
			var u wire.Update
			if rest = behind; !r.OK() || m.Octets == nil || m.Type != wire.TypeUpdate {
				t.Fatalf("no UPDATE in %d octets: %v", len(rest), r.String())
			}
			if wire.DecodeUpdate(m.Body(), &spoken, &u); len(u.Faults) > 0 {
				t.Fatalf("an UPDATE with a fault: %v", u.Faults[0].String())
			}
			for i := range u.Reach {
				for _, p := range u.Reach[i].All {
					announced[p]++
					lengths = append(lengths, u.Attributes.ASPath.Length())
				}
				for _, p := range u.Withdrawn[i].All {
					withdrawn[p]++
				}
			}
		}
		return announced, withdrawn, lengths
	}
	var before []int
	for i := range 2 {
		f := newFeed(list, firstAS+uint32(i), feederAddress(i))
		announced, none, lengths := count(f.announce)
		nothing, withdrawn, _ := count(f.withdraw)
		if len(none) != 0 || len(nothing) != 0 || len(announced) != len(list) || len(withdrawn) != len(list) {
			t.Fatalf("%d prefixes are announced and %d withdrawn, want %d each", len(announced), len(withdrawn), len(list))
		}
		for _, p := range list {
			if announced[p] != 1 || withdrawn[p] != 1 {
				t.Fatalf("%v is announced %d times and withdrawn %d times", p, announced[p], withdrawn[p])
			}
		}
		if f.sets < len(list)/10 || f.sets > len(list)/2 {
			t.Errorf("%d prefixes are in %d sets of attributes", len(list), f.sets)
		}
		if i > 0 && !equal(before, lengths) {
			t.Error("the paths of two feeds have other lengths")
		}
		before = lengths
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A mark is missed by too large a ratio to the best of those it is over, and not judged
// without them.
func TestMarks(t *testing.T) {
	m := []mark{{refreshed, []string{nameBIRD, nameFRR}, "", 0.1}}
	rounds := func(list ...float64) (all []sample) {
		for _, v := range list {
			all = append(all, sample{refreshed: v})
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		results map[string][]sample
		outcome bench.Outcome
	}{
		{"as much as it may", map[string][]sample{nameRouterd: rounds(0.5, 9, 0.1), nameBIRD: rounds(9), nameFRR: rounds(5)}, bench.Met},
		{"too much beside the best", map[string][]sample{nameRouterd: rounds(0.51), nameBIRD: rounds(9), nameFRR: rounds(5)}, bench.Missed},
		{"one of them is missing", map[string][]sample{nameRouterd: rounds(0.51), nameBIRD: rounds(9)}, bench.Met},
		{"both are missing", map[string][]sample{nameRouterd: rounds(0.51)}, bench.NotRun},
		{"no routerd", map[string][]sample{nameBIRD: rounds(9)}, bench.NotRun},
	} {
		var out strings.Builder
		o := printMarks(&out, m, tt.results, "")
		if o != tt.outcome || strings.Contains(out.String(), "MISS") != (tt.outcome == bench.Missed) {
			t.Errorf("%s: outcome %d, want %d, and printed %s", tt.name, o, tt.outcome, out.String())
		}
	}
	// Of its own figures, and as it is.
	for figure, want := range map[float64]bench.Outcome{130: bench.Met, 131: bench.Missed} {
		results := map[string][]sample{nameRouterd: {{forwarding: figure, learned: 100, learnedMB: figure}}}
		for _, m := range []mark{{forwarding, []string{nameRouterd}, learned, 1.3}, {learnedMB, nil, "", 130}} {
			if text, _, o := m.judge(results); o != want {
				t.Errorf("%s: outcome %d, want %d", text, o, want)
			}
		}
	}
	// What is late is a mark missed of routerd's, and nothing to compare with of another's.
	for _, tt := range []struct {
		routerd, bird float64
		want          bench.Outcome
	}{{late, 1, bench.Missed}, {1, late, bench.NotRun}} {
		m := mark{learned, []string{nameBIRD}, "", 0.5}
		if text, word, o := m.judge(map[string][]sample{nameRouterd: {{learned: tt.routerd}}, nameBIRD: {{learned: tt.bird}}}); o != tt.want {
			t.Errorf("%s: %s, want outcome %d", text, word, tt.want)
		}
	}
	if got := printed([]sample{{learned: late}}, learned, 45*time.Second); got != ">45" {
		t.Errorf("late is printed as %s, want >45", got)
	}
	if got := printed([]sample{{refreshed: 12}, {}}, refreshed, time.Second); got != "12.00 (of 1)" {
		t.Errorf("a figure of one round of two is printed as %s", got)
	}
	// Of a part of the table no mark is judged.
	var part strings.Builder
	met := map[string][]sample{nameRouterd: {{learned: 1}}, nameBIRD: {{learned: 9}}}
	if o := printFull(&part, options{prefixes: 9}, met, nil); o != bench.NotRun || strings.Contains(part.String(), bench.Pass) {
		t.Errorf("a part of the table: outcome %d, and printed %s", o, part.String())
	}
	// All figures are printed, whatever is missing.
	var out strings.Builder
	if o := printFull(&out, options{}, map[string][]sample{nameRouterd: {{}}}, nil); o != bench.NotRun || strings.Contains(out.String(), "NaN") {
		t.Errorf("nothing measured: outcome %d, and printed %s", o, out.String())
	}
}
