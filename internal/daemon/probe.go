package daemon

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/packet"
	"routerd/internal/router"
	"routerd/internal/show"
	"routerd/internal/verdict"
)

// Probe sends a packet of the router's own, waits for an answer, and returns what was
// predicted and what was observed.
func (a api) Probe(ctx context.Context, q control.ProbeQuery) (control.ProbeResult, error) {
	var f *router.Flight
	var r control.ProbeResult
	var err error
	err2 := a.on(ctx, func() {
		f, err = a.d.router.Prober().Send(dataplane.Probe{
			Src: q.Src, Dst: q.Dst, Proto: protocolNumber(q.Protocol, q.Dst), SrcPort: q.SrcPort, DstPort: q.DstPort,
			Size: q.Size, DontFragment: q.DF, TTL: q.TTL,
		}, time.Now())
		if err == nil {
			r = a.d.probePrediction(f)
		}
	})
	var limit *router.ProbeLimitError
	switch {
	case err2 != nil:
		return r, err2
	case errors.As(err, &limit):
		return r, show.TooMany("%v", err)
	case err != nil:
		return r, show.BadRequest("%v", err)
	}
	timer := time.NewTimer(control.ProbeSeconds * time.Second)
	defer timer.Stop()
	select {
	case <-f.Done:
	case <-timer.C:
	case <-ctx.Done():
	case <-a.d.quit:
	}
	// Whoever asks may be gone: the router forgets the probe in any case.
	if err := a.on(context.WithoutCancel(ctx), func() {
		a.d.probeObserved(f, &r)
		a.d.router.Prober().End(f, time.Now())
	}); err != nil {
		return r, err
	}
	return r, ctx.Err()
}

// protocolNumber is the IP protocol of a word of the API for a packet to dst.
func protocolNumber(word string, dst netip.Addr) uint8 {
	switch {
	case word == "tcp":
		return packet.ProtoTCP
	case word == "udp":
		return packet.ProtoUDP
	case dst.Is6():
		return packet.ProtoICMPv6
	}
	return packet.ProtoICMP
}

// probePrediction is the result of a probe as far as it is known when it is sent.
func (d *Daemon) probePrediction(f *router.Flight) control.ProbeResult {
	x := &f.Predicted
	r := control.ProbeResult{
		Packet: control.Describe(f.Packet, len(f.Packet)),
		Prediction: control.ProbePrediction{
			Steps: []control.Step{}, Verdict: x.Verdict.Label(), Class: x.Verdict.Class().String(), Sentence: x.Verdict.Sentence(),
			Out: interfaceName(f.View, x.Out),
		},
	}
	for _, s := range x.Steps {
		r.Prediction.Steps = append(r.Prediction.Steps, control.Step{Stage: s.Stage, Text: s.Text, Origin: d.place(s.Origin)})
	}
	return r
}

// probeObserved adds to r what has become of the probe.
func (d *Daemon) probeObserved(f *router.Flight, r *control.ProbeResult) {
	fate, answer := f.Result()
	o := &r.Observation
	o.Verdict, o.Class, o.Sentence = fate.Verdict.Label(), fate.Verdict.Class().String(), fate.Verdict.Sentence()
	o.NextHop = fate.NextHop
	if passed := fate.Verdict.Class() == verdict.Passed; passed || fate.Verdict == verdict.Resolving {
		o.Out = interfaceName(f.View, fate.Out)
		if passed {
			o.Left = max(fate.At.Sub(f.Sent).Seconds(), 1e-9)
			if fate.MAC != (arp.MAC{}) {
				o.MAC = fate.MAC.String()
			}
		}
	}
	if answer != nil {
		o.Answer = probeAnswer(f, answer)
	}
	r.Judge()
}

// probeAnswer describes the answer to a probe.
func probeAnswer(f *router.Flight, a *router.ProbeAnswer) *control.ProbeAnswer {
	r := &control.ProbeAnswer{
		In: interfaceName(f.View, a.In), Packet: control.Describe(a.Packet, len(a.Packet)), After: max(a.At.Sub(f.Sent).Seconds(), 0),
	}
	if a.Packet[0]>>4 == 4 {
		r.From = packet.IPv4(a.Packet).Src()
	} else {
		r.From = packet.IPv6(a.Packet).Src()
	}
	r.Kind, r.Text = control.AnswerKind(a.Protocol, a.Packet[a.Transport:])
	return r
}
