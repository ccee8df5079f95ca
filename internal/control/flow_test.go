package control

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/show"
)

func (f *fake) Flows(ctx context.Context, q FlowQuery) (FlowPage, error) {
	f.flow = q
	last := began.Add(63 * time.Second)
	return FlowPage{
		Total: 3, Max: 65536, Next: 9,
		Flows: []Flow{
			{
				In: "core0", Protocol: "tcp", From: netip.MustParseAddrPort("10.0.1.2:40000"), To: netip.MustParseAddrPort("198.51.100.7:443"),
				AsFrom: netip.MustParseAddrPort("203.0.113.1:40000"), Out: "wan0", NextHop: addr("203.0.113.254"), By: "queue",
				Since: began, Packets: 1_234, Bytes: 1_700_000, Supers: 40, Last: &last,
			},
			{
				In: "core0", Protocol: "tcp", From: netip.MustParseAddrPort("[2001:db8:1::2]:40000"), To: netip.MustParseAddrPort("[2001:db8:2::2]:22"),
				Out: "core1", NextHop: addr("2001:db8:2::2"), By: "peer", Since: began,
			},
		},
	}, f.answer(ctx)
}

func (f *fake) ClearFlows(ctx context.Context, q FlowQuery) (FlowClearResult, error) {
	f.flow = q
	return FlowClearResult{Cleared: 2}, f.answer(ctx)
}

// What the client asks for arrives, and a clear without a filter is of all flows.
func TestFlowClient(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	defer c.Close()
	some := FlowQuery{In: "core0", Protocol: 6, Source: show.Subnet{Prefix: pfx("10.0.0.0/8")}, Destination: show.Subnet{Prefix: pfx("2001:db8::/32")}}
	paged := some
	paged.After, paged.Limit = 9, 5
	page, err := c.Flows(t.Context(), paged)
	if f.flow != paged {
		t.Errorf("the router was asked for %+v, want %+v", f.flow, paged)
	}
	want, _ := f.Flows(t.Context(), paged)
	equal := cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	}
	if d := cmp.Diff(want, page, equal); err != nil || d != "" {
		t.Errorf("flows: %v (-want +got):\n%s", err, d)
	}
	for _, q := range []FlowQuery{some, {}} {
		f.flow = FlowQuery{In: "not asked"}
		if r, err := c.ClearFlows(t.Context(), q); err != nil || r.Cleared != 2 || f.flow != q {
			t.Errorf("clearing %+v: %v, %v; the router was asked for %+v", q, r, err, f.flow)
		}
	}
}

// An interface says whether the kernel carries its flows, and why not where it
// should.
func TestOffloadIsShown(t *testing.T) {
	occupied := Offload{Mode: "always", Why: "another program is attached to the device's ingress"}
	for _, c := range []struct {
		offload    *Offload
		state, why string
		wide, note string // the column of wide tables, and the note of others
	}{
		{nil, StateUp, "", "", ""},
		{&Offload{Mode: "auto", Carries: true}, StateUp, "", "auto", ""},
		{&Offload{Mode: "off", Why: `offload = "off"`}, StateUp, "", `no: offload = "off"`, ""},
		{&occupied, StateUp, "", "no: another program is attached to the device's ingress", "the kernel carries no flows: another program is attached to the device's ingress"},
		{&occupied, StateGone, "device lan1 was deleted", "no: another program is attached to the device's ingress", "device lan1 was deleted"},
	} {
		i := Interface{Name: "core0", State: c.state, Why: c.why, Offload: c.offload}
		wide, short := i.Drawn(&show.Screen{Wide: true}).(*interfaceRow), i.Drawn(&show.Screen{}).(*interfaceRow)
		if wide.Offload != c.wide || short.Note != c.note {
			t.Errorf("%+v, %s: %q in a wide table, the note %q in another; want %q and %q", c.offload, c.state, wide.Offload, short.Note, c.wide, c.note)
		}
	}
}

// Nobody gives every flow back by leaving something out.
func TestClearFlowsWants(t *testing.T) {
	f := &fake{flow: FlowQuery{In: "not asked"}}
	c := serveFake(t, f)
	defer c.Close()
	for q, want := range map[string]string{
		"":                   "flows to clear: wanted a filter, or all=true",
		"all=true&in=core0":  "flows to clear: all=true, and a filter besides; wanted one of them",
		"in=core0&limit=1":   `unknown parameter "limit", wanted one of in, protocol, source, destination, all`,
		"source=10.0.0.1/33": `parameter source is "10.0.0.1/33", wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8`,
	} {
		v, err := url.ParseQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.do(t.Context(), http.MethodPost, "clear/flow", v, &FlowClearResult{}); fmt.Sprint(err) != want {
			t.Errorf("%q: %v, want %s", q, err, want)
		}
	}
	if f.flow.In != "not asked" {
		t.Errorf("the router was asked to clear %+v", f.flow)
	}
}
