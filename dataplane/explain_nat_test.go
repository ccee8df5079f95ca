package dataplane

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/flow"
	"routerd/internal/origin"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// Explain says what becomes of each end, by which rule and its line in the
// configuration, and makes no session.
func TestNATExplain(t *testing.T) {
	const out, forward, exempt origin.ID = 71, 72, 73 // lines of lan-out, web and not-these
	cfg := natConfig()
	cfg.Source[0].Origin, cfg.Destination[0].Origin = out, forward
	cfg.MaxSessionsPerHost, cfg.Filtering = 3, nat.AddressDependent
	n := newNetwork(t).translate(t, cfg)
	sent := probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 10)
	wants := func(name string, in routing.InterfaceID, packet []byte, want ...Step) {
		t.Helper()
		var got []Step
		for _, s := range Explain(n.view, in, packet, testNow).Steps {
			if strings.HasPrefix(s.Stage, "nat-") {
				got = append(got, s)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	step := func(stage string, o origin.ID, text string) Step { return Step{stage, false, Finding{text, o}} }

	wants("a new flow", lan0, sent,
		step("nat-out", out, "source 10.0.1.2:4000 becomes 10.0.2.1:4000 (source lan-out); a new session would be made"))
	if got := n.view.NAT.Sessions().Len(); got != 0 {
		t.Fatalf("explaining made %d sessions", got)
	}
	n.pass(t, lan0, lan1, sent)
	wants("an established one", lan0, sent,
		step("nat-out", out, "source 10.0.1.2:4000 becomes 10.0.2.1:4000 (source lan-out), by a session that exists"))
	wants("its answer", lan1, probe(t, "udp 10.0.2.2:53 > 10.0.2.1:4000", 10),
		step("nat-in", out, "destination 10.0.2.1:4000 becomes 10.0.1.2:4000 (source lan-out), by a session that exists, towards the side that began it"))
	wants("another port of whom it speaks to", lan1, probe(t, "udp 10.0.2.2:54 > 10.0.2.1:4000", 10),
		step("nat-in", origin.None, "destination 10.0.2.1:4000 becomes 10.0.1.2:4000, by a mapping that exists"),
		step("nat-out", out, "a new session would be made"))
	wants("somebody else", lan1, probe(t, "udp 10.0.2.3:53 > 10.0.2.1:4000", 10),
		step("nat-in", out, "dropped: "+verdict.NATFiltered.Sentence()+" (source lan-out)"))

	web := probe(t, "tcp 10.0.2.2:5 > 10.0.2.1:80", 0)
	becomes := "destination 10.0.2.1:80 becomes 10.0.1.3:8080 (destination web)"
	wants("a port forward", lan1, web, step("nat-in", forward, becomes), step("nat-out", forward, "a new session would be made"))
	n.pass(t, lan1, lan0, web)
	wants("a port forward that is used", lan1, web, step("nat-in", forward, becomes+", by a session that exists"))
	wants("its answer", lan0, probe(t, "tcp 10.0.1.3:8080 > 10.0.2.2:5", 0),
		step("nat-out", forward, "source 10.0.1.3:8080 becomes 10.0.2.1:80 (destination web), by a session that exists, towards the side that began it"))
	wants("hairpin", lan0, probe(t, "tcp 10.0.1.2:5 > 10.0.2.1:80", 0), step("nat-in", forward, becomes),
		step("nat-out", out, "source 10.0.1.2:5 becomes 10.0.2.1:5 (destination web, source lan-out); a new session would be made"))

	cfg.Source = append([]nat.SourceRule{{
		Name: "not-these", Method: nat.Exempt, Origin: exempt,
		Match: nat.Match{Destinations: []flow.AddressRange{flow.RangeOf(prefix("10.0.2.9/32"))}},
	}}, cfg.Source...)
	n.translate(t, cfg)
	wants("what a rule exempts", lan0, probe(t, "udp 10.0.1.2:4000 > 10.0.2.9:53", 10), step("nat-out", exempt, "source 10.0.1.2:4000 stays (source not-these)"))
	wants("what no rule is for", lan1, probe(t, "udp 10.0.2.2:4000 > 10.0.1.2:53", 10))

	cfg.Destination[0].Match.Inbound, cfg.Destination[0].Hairpin = nil, false
	n.translate(t, cfg)
	wants("an inside host, and a rule without hairpin", lan0, probe(t, "tcp 10.0.1.2:5 > 10.0.2.1:80", 0), step("nat-in", forward, becomes),
		step("nat-out", forward, "a new session would be made; its source stays though it leaves by the link that it came in by: answers may go past the router, see hairpin"))

	n.pass(t, lan0, lan1, sent)
	for _, more := range []string{"udp 10.0.1.2:4001 > 10.0.2.2:53", "udp 10.0.1.2:4002 > 10.0.2.2:53"} {
		n.pass(t, lan0, lan1, probe(t, more, 10))
	}
	wants("a host at its limit", lan0, probe(t, "udp 10.0.1.2:4003 > 10.0.2.2:53", 10),
		step("nat-out", out, "dropped: "+verdict.NATHostLimit.Sentence()+", max-sessions-per-host = 3 (source lan-out)"))
	if got := n.view.NAT.Totals().HostFull; got != 0 {
		t.Errorf("explaining counted %d refusals", got)
	}
}
