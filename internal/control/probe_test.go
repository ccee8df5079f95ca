package control

import (
	"strings"
	"testing"
)

// What the tables cannot tell, whether the next hop answers and the device takes the
// packet, is no change of what the router knows.
func TestProbeThatDoesNotLeave(t *testing.T) {
	const silent, refused = "its next hop did not answer", "the device did not take it"
	for _, c := range []struct {
		predicted, observed, sentence, says string
	}{
		{"resolving", "neighbor_failed", silent, "the tables send it by lan1, and it did not leave: " + silent},
		{"resolving", "egress_refused", refused, "the tables send it by lan1, and it did not leave: " + refused},
		{"originated", "egress_refused", refused, "the tables send it by lan1, and it did not leave: " + refused},
		{"originated", "no_route", "no route leads to it", "what the router knows has changed meanwhile"},
	} {
		r := ProbeResult{
			Prediction:  ProbePrediction{Verdict: c.predicted, Out: "lan1"},
			Observation: ProbeObservation{Verdict: c.observed, Class: "dropped", Sentence: c.sentence},
		}
		if r.Judge(); r.Agrees || !strings.Contains(r.Says, c.says) {
			t.Errorf("predicted %s, observed %s: agrees %v, %q; want %q", c.predicted, c.observed, r.Agrees, r.Says, c.says)
		}
	}
}
