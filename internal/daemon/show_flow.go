package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/internal/control"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
)

// carrying returns what says which flows the kernel carries, once there is such.
func (a api) carrying() (*flowcache.Cache, error) {
	if c := a.d.carrying.cache.Load(); c != nil {
		return c, nil
	}
	return nil, show.NotFound("the kernel carries no flows here; show interface -o wide says why, of interfaces where it could")
}

// flowFilter converts q for the cache. It refuses an unknown interface, which is
// more likely a typing error than a wish to see nothing.
func (a api) flowFilter(q control.FlowQuery) (flowcache.Filter, error) {
	if q.In != "" && a.d.router.View().Named(q.In) == nil {
		return flowcache.Filter{}, show.NotFound("flows that come in by %q: there is no such interface", q.In)
	}
	return flowcache.Filter{In: q.In, Proto: uint8(q.Protocol), Src: q.Source.Prefix, Dst: q.Destination.Prefix}, nil
}

// flowParts bounds how many parts of the cache are searched for one page.
const flowParts = 256

// Flows implements control.FlowRouter.
func (a api) Flows(ctx context.Context, q control.FlowQuery) (page control.FlowPage, err error) {
	c, err := a.carrying()
	if err != nil {
		return page, err
	}
	filter, err := a.flowFilter(q)
	if err != nil {
		return page, err
	}
	c.Account(time.Now())
	page.Total, page.Max, page.Next = c.Totals().Flows, a.d.carrying.most(), q.After
	list := make([]flowcache.Flow, running.Limit(q.Limit))
	found := 0
	for range flowParts {
		n, next := c.Flows(filter, page.Next, list[found:])
		found, page.Next = found+n, next
		if next == 0 || found == len(list) || ctx.Err() != nil {
			break
		}
	}
	for i := range list[:found] {
		page.Flows = append(page.Flows, carriedFlow(&list[i]))
	}
	return page, ctx.Err()
}

func carriedFlow(f *flowcache.Flow) control.Flow {
	c := control.Flow{
		In: f.In, Protocol: control.NATProtocol(f.Proto).String(), From: f.Src, To: f.Dst, Out: f.Out, NextHop: f.NextHop,
		By: "queue", Since: f.Since, Packets: f.Packets, Bytes: f.Bytes, Supers: f.Supers,
	}
	if f.NewSrc != f.Src {
		c.AsFrom = f.NewSrc
	}
	if f.NewDst != f.Dst {
		c.AsTo = f.NewDst
	}
	if f.Peer {
		c.By = "peer"
	}
	if f.Packets > 0 {
		c.Last = &f.Last
	}
	return c
}

// ClearFlows implements control.FlowRouter.
func (a api) ClearFlows(_ context.Context, q control.FlowQuery) (out control.FlowClearResult, err error) {
	c, err := a.carrying()
	if err != nil {
		return out, err
	}
	filter, err := a.flowFilter(q)
	if err == nil {
		out.Cleared = c.Clear(filter)
	}
	return out, err
}

// flowMetrics returns nil while the kernel carries nothing.
func (d *Daemon) flowMetrics() *control.FlowSnapshot {
	c := d.carrying.cache.Load()
	if c == nil {
		return nil
	}
	t := c.Totals()
	s := &control.FlowSnapshot{Flows: t.Flows, Max: d.carrying.most(), Made: t.Made, Lost: t.Lost}
	for e := range flowcache.NumEnds {
		s.Ended = append(s.Ended, control.FlowCount{Reason: e.String(), Count: t.Ended[e]})
	}
	for r := flowcache.Refusal(dataplane.Carriable) + 1; r < flowcache.NumRefusals; r++ {
		s.Refused = append(s.Refused, control.FlowCount{Reason: r.String(), Count: t.Refused[r]})
	}
	return s
}

// offloadOf says whether the kernel carries flows that come in by an interface;
// nil where its kind has none that it could.
func (d *Daemon) offloadOf(i *dataplane.Interface) *control.Offload {
	switch i.Kind {
	case dataplane.KindLoopback, dataplane.KindTUN, dataplane.KindTAP, dataplane.KindStack:
		return nil
	}
	o := &control.Offload{}
	o.Carries, o.Why = d.carriedBy(i.Name)
	for _, ic := range d.cfg.Dataplane.Interfaces {
		if ic.Name == i.Name {
			o.Mode = ic.Offload.String()
		}
	}
	if c := d.carrying.cache.Load(); c != nil {
		o.Carried = c.Counters(i.ID).Received()
	}
	return o
}

// wantsOffload is offloadOf where flows are to be carried at all; else nil.
func (d *Daemon) wantsOffload(i *dataplane.Interface) *control.Offload {
	o := d.offloadOf(i)
	if o == nil || o.Mode == dataplane.OffloadOff.String() {
		return nil
	}
	return o
}

// explainCarried adds to the explanation of a forwarded packet, of the flow o that
// comes in by in, whether the kernel carries the flow, where it carries any.
func (d *Daemon) explainCarried(x *control.PacketExplanation, in *dataplane.Interface, o *dataplane.Offer, now time.Time) {
	c := d.carrying.cache.Load()
	if c == nil {
		return
	}
	step := control.Step{Stage: "carry"}
	c.Account(now)
	if f, ok := c.Find(in, o.Proto, o.Src, o.Dst); ok {
		x.Carried = &control.Carried{Since: f.Since, Packets: f.Packets, Bytes: f.Bytes}
		step.Text = fmt.Sprintf("carried by the kernel since %s (%s)", f.Since.Format(time.TimeOnly), show.Plural(int(f.Packets), "packet", "packets"))
	} else if how, no := c.Why(o, now); no == flowcache.Refusal(dataplane.Carriable) {
		step.Text = "the kernel may carry its flow, and does not yet: more packets have to come for that"
	} else {
		step.Text = "the kernel does not carry its flow, which " + no.Sentence(&how)
	}
	at := slices.IndexFunc(x.Steps, func(s control.Step) bool { return s.Answer })
	if at < 0 {
		at = len(x.Steps)
	}
	x.Steps = slices.Insert(x.Steps, at, step)
}

// offloadWords says in words whether the kernel carries flows that come in by an
// interface; "" where its kind has none that it could.
func (d *Daemon) offloadWords(i *dataplane.Interface) string {
	switch o := d.offloadOf(i); {
	case o == nil:
		return ""
	case o.Carries:
		return fmt.Sprintf("the kernel carries its flows (%s)", o.Mode)
	default:
		return "the kernel does not carry its flows: " + o.Why
	}
}
