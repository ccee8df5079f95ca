package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
	"routerd/internal/show"
)

func (f *fake) Flows(_ context.Context, q control.FlowQuery) (control.FlowPage, error) {
	p, err := answer[control.FlowPage](f, "flow")
	if f.flow = q; q.After != 0 || q.Limit == 0 {
		p.Next = 0
	}
	return p, err
}

func (f *fake) ClearFlows(_ context.Context, q control.FlowQuery) (control.FlowClearResult, error) {
	f.flow = q
	return answer[control.FlowClearResult](f, "clear-flow")
}

func TestFlowGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"flow":       "show flow --limit 0",
		"flow-wide":  "show flows --limit 0 -o wide",
		"flow-json":  "show flow --in core0 --limit 0 -o json",
		"clear-flow": "clear flow --all",
	} {
		code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		compare(t, name+".txt", stdout)
	}
}

// What is asked of the router, by the command line.
func TestFlowQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	subnet := func(text string) (s show.Subnet) {
		if err := s.Set(text); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for line, want := range map[string]control.FlowQuery{
		"show flow --limit 0":                    {},
		"show flow --in core0 --limit 20000":     {In: "core0", Limit: control.MaxPage},
		"clear flow --all":                       {},
		"clear flow --in core0 --protocol udp":   {In: "core0", Protocol: 17},
		"clear flows --source 10.1.0.11":         {Source: subnet("10.1.0.11")},
		"clear flow --destination 2001:db8::/32": {Destination: subnet("2001:db8::/32")},
	} {
		f.flow = control.FlowQuery{In: "not asked"}
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if f.flow.After != 0 { // the second page
			f.flow.After, f.flow.Limit = 0, control.MaxPage
		}
		if d := cmp.Diff(want, f.flow, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
	for line, want := range map[string]string{
		"clear flow":                  "routerd: which flows? A filter chooses some, --all every one",
		"clear flow --all --in core0": "routerd: --all and a filter: wanted one of them",
		"show flow --source x":        `routerd: invalid argument "x" for "--source" flag: wanted an address or a prefix`,
		"show flow lan0":              `routerd: "lan0" is more than the command takes; wanted: routerd show flow`,
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code == exitOK || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q%q, want %q", line, code, stdout, stderr, want)
		}
	}
}
