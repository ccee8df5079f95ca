package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/origin"
	"routerd/internal/packet"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
	"routerd/routing/rib"
)

// api is the daemon as the control API sees it. What the loop owns is copied
// on the loop; what is published (the View, counters) is read where it is.
type api struct{ d *Daemon }

var _ control.Router = api{}

// on runs f on the loop.
func (a api) on(ctx context.Context, f func()) error {
	if err := a.d.ask(ctx, f); err != nil {
		return show.Unavailable("%v", err)
	}
	return nil
}

func (a api) Version(ctx context.Context) (v control.Version, err error) {
	err = a.on(ctx, func() { v = a.d.version() })
	return v, err
}

func (d *Daemon) version() control.Version {
	v := d.opts.Version
	v.Name, v.PID, v.Started = d.cfg.Name, os.Getpid(), d.began.UTC()
	v.Uptime = time.Since(d.began).Seconds()
	v.Generation = d.router.View().Generation
	if d.cfg.LocalStack != nil {
		v.LocalStack = d.cfg.LocalStack.Netns
	}
	v.HTTPS = d.webAddresses()
	return v
}

// place turns a number of the running configuration into "file:line".
func (d *Daemon) place(id origin.ID) string {
	if id == origin.None {
		return ""
	}
	return d.cfg.Origins.Place(id).String()
}

func (a api) Interfaces(ctx context.Context) (list []control.Interface, err error) {
	err = a.on(ctx, func() {
		d := a.d
		traffic := d.traffic()
		view := d.router.View()
		for _, i := range view.Interfaces {
			if i == nil {
				continue
			}
			c := d.interfaceOf(view, i)
			t := traffic[i.ID]
			c.Received, c.Sent, c.Drops = t.received, t.sent, t.drops
			list = append(list, c)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y control.Interface) int { return strings.Compare(x.Name, y.Name) })
	return list, errors.Join(a.addOwnAddresses(ctx, list), a.addGroups(ctx, list))
}

// interfaceOf describes an interface, without its counters and what machines of
// their own know of it.
func (d *Daemon) interfaceOf(view *dataplane.View, i *dataplane.Interface) control.Interface {
	c := control.Interface{
		Name: i.Name, Kind: string(i.Kind), Up: i.Up, MTU: i.MTU, Table: view.Tables[i.Table].Name,
		Addresses: append([]netip.Prefix{}, i.Addresses...), URPF: i.URPF.String(), MSS: i.MSS.String(), Origin: d.place(i.Origin),
	}
	c.State, c.Why = d.stateOfInterface(i.Name, i.Up)
	c.Port = d.portOf(i.Name)
	return c
}

// portOf describes the port of an interface, open or not; nil where there is none.
func (d *Daemon) portOf(name string) *control.Port {
	var s portSpec
	late := false
	var lacks []string
	if a := d.absent[name]; a != nil {
		s = a.spec
	} else if p := d.ports[name]; p != nil {
		s, late, lacks = p.spec, p.lateCarrier(), p.lacks
	} else {
		return nil
	}
	return &control.Port{
		Kind: s.kind, Queues: s.queues, LateCarrier: late,
		Host: &control.Host{Netns: s.host.Netns, Device: s.host.Device, Lacks: lacks},
	}
}

type traffic struct {
	received, sent dataplane.Traffic
	drops          uint64
}

// traffic adds up what all workers, those of ports that are gone included,
// have counted for each interface.
func (d *Daemon) traffic() []traffic {
	t := make([]traffic, len(d.router.View().Interfaces))
	for _, w := range d.counted {
		c := w.counters
		if int(w.in) < len(t) { // the neighbour machine's packets come in by no interface
			in := &t[w.in]
			in.received.Add(c.Received())
			for v := range verdict.All {
				if v.Class() == verdict.Dropped {
					in.drops += c.Verdict(v)
				}
			}
		}
		for id := range t {
			t[id].sent.Add(c.Sent(routing.InterfaceID(id)))
		}
	}
	return t
}

func interfaceName(v *dataplane.View, id routing.InterfaceID) string {
	if i := v.Interface(id); i != nil {
		return i.Name
	}
	return ""
}

func (a api) Routes(ctx context.Context, q control.RouteQuery) (page control.RoutePage, err error) {
	err = a.on(ctx, func() {
		r, view := a.d.router.RIB(), a.d.router.View()
		var list []rib.Candidate
		switch {
		case q.Prefix.IsValid():
			list = r.Get(q.Prefix)
		case q.For.IsValid():
			list = r.Lookup(q.For)
		default:
			limit := running.Limit(q.Limit)
			list = r.Walk(q.After, limit)
			if prefixes(list) == limit {
				page.Next = list[len(list)-1].Prefix
			}
		}
		for i := range list {
			c := &list[i]
			if q.Source != "" && c.Source.String() != string(q.Source) || !q.Family.Has(c.Prefix.Addr()) {
				continue
			}
			page.Routes = append(page.Routes, a.d.route(view, c))
		}
	})
	return page, err
}

// prefixes counts the different prefixes in a page, which is in their order.
func prefixes(list []rib.Candidate) int {
	n := 0
	for i := range list {
		if i == 0 || list[i].Prefix != list[i-1].Prefix {
			n++
		}
	}
	return n
}

func (d *Daemon) route(view *dataplane.View, c *rib.Candidate) control.Route {
	r := control.Route{
		Prefix: c.Prefix, Source: c.Source.String(), Action: c.Action.String(), Distance: int(c.Distance),
		Metric: c.Metric, Tag: c.Tag, Interface: interfaceName(view, c.Interface), NextHops: []control.NextHop{},
		Selected: c.Selected, Stale: c.Stale, Installed: c.Installed, WhyNot: c.WhyNot, Origin: d.place(c.Origin), Since: c.Since.UTC(),
	}
	for _, h := range c.NextHops {
		r.NextHops = append(r.NextHops, control.NextHop{
			Address: h.Address, Interface: interfaceName(view, h.Interface), Weight: max(int(h.Weight), 1),
			Backup: h.Backup, Usable: h.Usable, WhyNot: h.WhyNot, Via: h.Via, Resolved: hopsOf(view, h.Resolved),
		})
	}
	return r
}

func hopsOf(view *dataplane.View, hops []fib.NextHop) []control.Hop {
	list := []control.Hop{}
	for _, h := range hops {
		list = append(list, control.Hop{Address: h.Address, Interface: interfaceName(view, h.Interface), Weight: max(int(h.Weight), 1), Backup: h.Backup})
	}
	return list
}

func (a api) FIB(ctx context.Context, q control.FIBQuery) (page control.FIBPage, err error) {
	err = a.on(ctx, func() {
		f, view := a.d.router.FIB(), a.d.router.View()
		page.Generation, page.IPv4, page.IPv6 = view.Generation, f.Len4(), f.Len6()
		var list []*fib.Entry
		switch {
		case q.Prefix.IsValid():
			list = append(list, f.Get(q.Prefix))
		case q.For.IsValid():
			list = append(list, f.Lookup(q.For))
		default:
			limit := running.Limit(q.Limit)
			list = f.Walk(q.After, limit)
			if len(list) == limit {
				page.Next = list[len(list)-1].Prefix
			}
		}
		for _, e := range list {
			if e != nil && q.Family.Has(e.Prefix.Addr()) {
				page.Entries = append(page.Entries, a.d.entry(view, e))
			}
		}
	})
	return page, err
}

func (d *Daemon) entry(view *dataplane.View, e *fib.Entry) control.FIBEntry {
	c := control.FIBEntry{
		Prefix: e.Prefix, Action: e.Action.String(), Source: e.Source.String(), Distance: int(e.Distance),
		Metric: e.Metric, Interface: interfaceName(view, e.Interface), NextHops: []control.Hop{}, Origin: d.place(e.Origin),
	}
	if e.Group != nil {
		c.NextHops = append(hopsOf(view, e.Group.Hops()), hopsOf(view, e.Group.Backups())...)
		for i := range c.NextHops {
			for _, cause := range e.Group.Dead(i) {
				c.NextHops[i].Dead = append(c.NextHops[i].Dead, cause.String())
			}
		}
	}
	return c
}

func (a api) ExplainPacket(ctx context.Context, q control.PacketQuery) (x control.PacketExplanation, err error) {
	err2 := a.on(ctx, func() { x, err = a.d.explain(q) })
	return x, errors.Join(err, err2)
}

// explain runs a made-up packet through the stages under the current View.
func (d *Daemon) explain(q control.PacketQuery) (control.PacketExplanation, error) {
	view := d.router.View()
	in := view.Named(q.In)
	if in == nil {
		return control.PacketExplanation{}, show.NotFound("explaining a packet that comes in by %q: there is no such interface", q.In)
	}
	proto := map[string]uint8{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP}[q.Protocol]
	if proto == 0 {
		if proto = packet.ProtoICMP; q.Dst.Is6() {
			proto = packet.ProtoICMPv6
		}
	}
	raw, err := dataplane.Probe{
		Src: q.Src, Dst: q.Dst, Proto: proto, SrcPort: q.SrcPort, DstPort: q.DstPort,
		Size: q.Size, DontFragment: q.DF, TTL: q.TTL,
	}.Build()
	if err != nil {
		return control.PacketExplanation{}, show.BadRequest("%v", err)
	}
	e := dataplane.Explain(view, in.ID, raw, time.Now())
	x := control.PacketExplanation{
		In: q.In, Packet: control.Describe(raw, len(raw)), Steps: []control.Step{},
		Verdict: e.Verdict.Label(), Class: e.Verdict.Class().String(), Sentence: e.Verdict.Sentence(),
		Out: interfaceName(view, e.Out),
	}
	if text := d.whyNoInput(q.In, in.Up); text != "" {
		x.Steps = append(x.Steps, control.Step{Stage: "port", Text: text, Origin: d.place(in.Origin)})
	}
	for _, s := range e.Steps {
		x.Steps = append(x.Steps, control.Step{Stage: s.Stage, Text: s.Text, Answer: s.Made, Origin: d.place(s.Origin)})
	}
	if e.Answer != nil {
		x.Answer = &control.Answer{
			Packet: control.Describe(e.Answer, len(e.Answer)), Verdict: e.AnswerVerdict.Label(),
			Sentence: e.AnswerVerdict.Sentence(), Out: interfaceName(view, e.AnswerOut),
		}
	}
	return x, nil
}

func (a api) Metrics(ctx context.Context) (s control.Snapshot, err error) {
	err = a.on(ctx, func() {
		d := a.d
		view, traffic := d.router.View(), d.traffic()
		s.Version, s.Generation = d.version(), view.Generation
		s.FIB4, s.FIB6 = d.router.FIB().Len4(), d.router.FIB().Len6()
		s.RIB4, s.RIB6 = d.router.RIB().Len()
		s.RIB = d.router.RIB().Stats()
		s.ReloadsOK, s.ReloadsFailed, s.Applied = d.tally.ok, d.tally.failed, d.applied
		s.Hops, s.UnusableHops = d.router.RIB().Hops()
		s.Steps = d.steps.snapshot()
		if pair := d.web.tls.Load(); pair != nil {
			s.CertificateEnds = pair.Certificate().Leaf.NotAfter
		}
		for _, i := range view.Interfaces {
			if i != nil {
				t := traffic[i.ID]
				s.Interfaces = append(s.Interfaces, control.InterfaceSnapshot{Name: i.Name, Up: i.Up, MTU: i.MTU, Received: t.received, Sent: t.sent})
			}
		}
		s.Workers = d.workerSnapshots()
	})
	if err == nil {
		s.Differs, err = a.d.fileDiffers(ctx, s.Applied)
	}
	if err == nil {
		err = a.neighborMetrics(ctx, &s)
	}
	if err == nil {
		s.NAT, err = a.natMetrics(ctx)
	}
	return s, err
}

// workerSnapshots adds up by interface and queue.
func (d *Daemon) workerSnapshots() []control.WorkerSnapshot {
	var list []control.WorkerSnapshot
	for _, w := range d.counted {
		at := slices.IndexFunc(list, func(s control.WorkerSnapshot) bool { return s.Interface == w.name && s.Queue == w.queue })
		if at < 0 {
			at = len(list)
			list = append(list, control.WorkerSnapshot{Interface: w.name, Queue: w.queue})
		}
		s := &list[at]
		s.Batches += w.counters.Batches()
		for v := range verdict.All {
			s.Verdicts[v] += w.counters.Verdict(v)
		}
		for a := range s.Answers {
			s.Answers[a] += w.counters.Answer(dataplane.Answer(a))
		}
	}
	return list
}

func (a api) Reload(ctx context.Context, match string) (out control.ReloadResult, err error) {
	l, err := a.d.reload(ctx, match)
	if err != nil {
		return out, refusal(err)
	}
	out = control.ReloadResult{Changes: changesOf(l.changes), Warnings: problemsOf(l.warnings)}
	return out, a.on(ctx, func() { out.Generation = a.d.router.View().Generation })
}

func (a api) Diff(ctx context.Context) (out control.DiffResult, err error) {
	l, err := a.d.diff(ctx)
	if err != nil {
		return out, refusal(err)
	}
	effects, err := a.effects(ctx, l.cfg)
	if err != nil {
		return out, refusal(err)
	}
	return control.DiffResult{Changes: changesOf(l.changes), Effects: effects, Warnings: problemsOf(l.warnings)}, nil
}

// refusal turns the error of a configuration that cannot be applied into what
// the API says of it.
func refusal(err error) error {
	if errors.Is(err, errStopping) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return show.Unavailable("%v", err)
	}
	var other *show.Error
	if errors.As(err, &other) {
		return err // it has a status already
	}
	var bad *ConfigError
	if errors.As(err, &bad) {
		return control.Refused(problemsOf(bad.Problems), "%v", err)
	}
	return control.Refused(nil, "%v", err)
}
