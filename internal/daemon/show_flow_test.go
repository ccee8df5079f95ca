package daemon

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/events"
)

// What the kernel carries is listed as it is carried, and counted where interfaces
// and metrics count.
func TestShowFlows(t *testing.T) {
	s := newCarrySite(t)
	s.configure("always", "2", "[[nat.source]]\nname = \"out\"\noutbound-interface = \"lan1\"\ntranslation = \"masquerade\"\n")
	s.begin()
	c := s.client()
	x, other := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000"), s.newStream(t, "[2001:db8:1::2]:4000", "[2001:db8:2::2]:5000")
	x.carried()
	x.packets(100)
	other.carried()
	ask := func(q control.FlowQuery) control.FlowPage {
		t.Helper()
		p, err := c.Flows(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	translated := control.FlowQuery{In: "lan0", Protocol: 17}
	if err := translated.Destination.Set("10.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	p := ask(translated)
	if len(p.Flows) != 1 || p.Next != 0 || p.Max != dataplane.DefaultOffloadFlows || p.Total < 2 {
		t.Fatalf("flows %+v, want the translated one of at least 2 in all", p)
	}
	f := p.Flows[0]
	if f.From != x.from || f.To != x.to || f.AsFrom.Addr() != mustAddr("10.0.2.1") || f.AsTo.IsValid() || f.By != "peer" || f.Out != "lan1" ||
		f.NextHop != mustAddr("10.0.2.2") || f.Packets < 100 || f.Bytes < 2900 || f.Last == nil || f.Since.IsZero() {
		t.Errorf("the flow is shown as %+v", f)
	}

	var paged []control.Flow
	for q := (control.FlowQuery{Limit: 1}); ; {
		p := ask(q)
		if len(p.Flows) > 1 {
			t.Fatalf("a page of %d flows, want one at most", len(p.Flows))
		}
		if paged = append(paged, p.Flows...); p.Next == 0 {
			break
		}
		q.After = p.Next
	}
	if all := ask(control.FlowQuery{}); len(paged) != len(all.Flows) || len(paged) < 2 {
		t.Errorf("%d flows page by page, %d at once", len(paged), len(all.Flows))
	}
	if _, err := c.Flows(t.Context(), control.FlowQuery{In: "lan9"}); fmt.Sprint(err) != `flows that come in by "lan9": there is no such interface` {
		t.Errorf("of an unknown interface: %v", err)
	}

	m, err := api{s.d}.Metrics(t.Context())
	if err != nil || m.Flows == nil || m.Flows.Made < 2 || m.Flows.Max != dataplane.DefaultOffloadFlows || len(m.Flows.Ended) == 0 || len(m.Flows.Refused) == 0 {
		t.Fatalf("metrics %+v (%v), want those of two flows", m.Flows, err)
	}
	for _, i := range m.Interfaces {
		if o := i.Offload; o == nil || !o.Carries || o.Mode != "always" || i.Name == "lan0" && (o.Carried.Packets < 100 || o.Carried.Packets > i.Received.Packets) {
			t.Errorf("%s: %+v of %+v", i.Name, o, i.Received)
		}
	}
}

// explain packet says whether the kernel carries a flow, and if not, why.
func TestExplainCarried(t *testing.T) {
	s := newCarrySite(t)
	s.configure("always", "2", fmt.Sprintf("[interface.tun0]\nkind = \"tun\"\naddresses = [\"10.0.9.1/24\"]\nhost = { netns = %q, device = \"tun9\", addresses = [\"10.0.9.2/24\"] }\n", s.hosts[1]))
	s.begin()
	c := s.client()
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.carried()
	x.packets(10)
	explain := func(q control.PacketQuery) (carried *control.Carried, text string) {
		t.Helper()
		q.In, q.Src = "lan0", x.from.Addr()
		e, err := c.ExplainPacket(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range e.Steps {
			if step.Stage == "carry" {
				text = step.Text
			}
		}
		return e.Carried, text
	}
	carried, text := explain(control.PacketQuery{Dst: x.to.Addr(), Protocol: "udp", SrcPort: x.from.Port(), DstPort: x.to.Port()})
	if carried == nil || carried.Packets < 10 || !strings.HasPrefix(text, "carried by the kernel since ") {
		t.Errorf("a flow that is carried: %+v, %q", carried, text)
	}
	for want, q := range map[string]control.PacketQuery{
		"the kernel may carry its flow":                                    {Dst: x.to.Addr(), Protocol: "udp", SrcPort: 7, DstPort: 7},
		"the kernel does not carry its flow, which leaves by tun0, a TUN:": {Dst: mustAddr("10.0.9.2"), Protocol: "udp", SrcPort: 7, DstPort: 7},
	} {
		if carried, text := explain(q); carried != nil || !strings.HasPrefix(text, want) {
			t.Errorf("to %s: %+v, %q; want %q", q.Dst, carried, text, want)
		}
	}
	if _, text := explain(control.PacketQuery{Dst: x.to.Addr()}); text != "" {
		t.Errorf("a ping is explained with %q", text)
	}
}

// Flows that are cleared go by the stages, and may be carried again.
func TestClearFlows(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	c := s.client()
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	since := x.carried().Since
	if r, err := c.ClearFlows(t.Context(), control.FlowQuery{In: "lan2"}); err != nil || r.Cleared != 0 {
		t.Errorf("of an interface without flows %d were cleared (%v)", r.Cleared, err)
	}
	if r, err := c.ClearFlows(t.Context(), control.FlowQuery{In: "lan0"}); err != nil || r.Cleared != 1 {
		t.Errorf("%d flows were cleared (%v), want 1", r.Cleared, err)
	}
	if again := x.carried(); !again.Since.After(since) {
		t.Errorf("carried since %v, want a time after %v", again.Since, since)
	}
}

// An interface whose device somebody attaches another program to says so: in its
// state, and as an event.
func TestCarriedNoMoreIsTold(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	w := s.follow("topic=interface")
	w.live()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: passAll(), License: "unspecified"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	inNetns(t, s.core, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Interface: 101, Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	const why = "another program is attached to the device's ingress"
	e := w.wait("lan0 without the cache", func(f events.Frame) bool { return f.Key == "lan0" && strings.Contains(f.Why, "not carry") })
	if !strings.Contains(e.Why, why) || !strings.Contains(string(e.Item), why) {
		t.Errorf("told as %q of %s, want %s", e.Why, e.Item, why)
	}
	list, err := s.client().Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if o := i.Offload; o == nil || o.Carries != (i.Name != "lan0") || o.Carries != (o.Why == "") || i.Name == "lan0" && !strings.Contains(o.Why, why) {
			t.Errorf("%s: %+v", i.Name, o)
		}
	}
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.packets(20) // by the stages
}
