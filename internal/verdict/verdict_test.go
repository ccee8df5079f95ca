package verdict

import (
	"regexp"
	"strings"
	"testing"
)

// Labels are metrics and JSON, sentences are for people: every verdict has
// both, and no two are alike.
func TestEveryVerdictIsDescribed(t *testing.T) {
	label := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	labels, sentences := map[string]Verdict{}, map[string]Verdict{}
	n := 0
	for v := range All {
		n++
		if !label.MatchString(v.Label()) {
			t.Errorf("verdict %d has the label %q, want lower case and underscores", v, v.Label())
		}
		s := v.Sentence()
		if s == "" || strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) == s[:1] && !strings.HasPrefix(s, "IP") && s[0] >= 'A' {
			t.Errorf("%s says %q, want a sentence in lower case without full stop", v, s)
		}
		if other, twice := labels[v.Label()]; twice {
			t.Errorf("%d and %d share the label %s", other, v, v.Label())
		}
		if other, twice := sentences[s]; twice {
			t.Errorf("%s and %s share a sentence", other, v)
		}
		labels[v.Label()], sentences[s] = v, v
	}
	if n != Count-1 {
		t.Errorf("All gives %d verdicts, want %d", n, Count-1)
	}
}

func TestClasses(t *testing.T) {
	for v, want := range map[Verdict]string{
		Forwarded: "passed", Originated: "passed", EchoReplied: "local", ICMPReceived: "local", FragmentHeld: "local", HandedToProtocol: "local",
		NoRoute: "dropped", Blackhole: "dropped", EgressRefused: "dropped",
	} {
		if got := v.Class().String(); got != want {
			t.Errorf("%s is %s, want %s", v, got, want)
		}
	}
}

func TestOutOfRange(t *testing.T) {
	if got := Verdict(255).Label(); got != None.Label() {
		t.Errorf("Verdict(255) is labelled %q, want %q", got, None.Label())
	}
}

func TestAllStops(t *testing.T) {
	n := 0
	for range All {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("went on to %d", n)
	}
}
