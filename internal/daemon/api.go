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
	"routerd/internal/show"
	"routerd/internal/verdict"
	"routerd/routing"
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
	c.Offload = d.offloadOf(i)
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
	d.account()
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
	if e.Verdict == verdict.Forwarded && (proto == packet.ProtoTCP || proto == packet.ProtoUDP) {
		d.explainCarried(&x, in, &dataplane.Offer{
			In: in.ID, Proto: proto, Src: netip.AddrPortFrom(q.Src, q.SrcPort), Dst: netip.AddrPortFrom(q.Dst, q.DstPort), Length: len(raw),
		}, time.Now())
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
				s.Interfaces = append(s.Interfaces, control.InterfaceSnapshot{
					Name: i.Name, Up: i.Up, MTU: i.MTU, Received: t.received, Sent: t.sent, Offload: d.wantsOffload(i),
				})
			}
		}
		s.Workers = d.workerSnapshots()
		s.ACL = d.aclMetrics(view)
		s.Flows = d.flowMetrics()
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
