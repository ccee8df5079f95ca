package rip

import (
	"context"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/rip"
)

// countsOf returns an interface's counters with their names, which are also
// labels of metrics.
func countsOf(n *rip.Counters) (sent, received Counts, refused Refusals) {
	sent = Counts{
		{Kind: "regular", Count: n.Updates[0]},
		{Kind: "triggered", Count: n.Updates[1]},
		{Kind: "answer", Count: n.Updates[2]},
		{Kind: "goodbye", Count: n.Updates[3]},
		{Kind: "request", Count: n.Asked},
	}
	received = Counts{{Kind: "request", Count: n.Requests}, {Kind: "response", Count: n.Responses}}
	refused = Refusals{
		{Kind: "own", Count: n.Own},
		{Kind: "malformed", Count: n.Malformed},
		{Kind: "version", Count: n.Version},
		{Kind: "source_port", Count: n.SourcePort},
		{Kind: "off_link", Count: n.OffLink},
		{Kind: "hop_limit", Count: n.HopLimit},
		{Kind: "authentication", Count: n.Unauthentic},
		{Kind: "unanswered", Count: n.Unanswered},
		{Kind: "entry", Count: n.BadEntries},
		{Kind: "table_full", Count: n.TableFull},
		{Kind: "not_allowed", Count: n.NotAllowed},
		{Kind: "maximum_prefix", Count: n.MaximumPrefix},
		{Kind: "bfd_down", Count: n.Dead},
	}
	return sent, received, refused
}

// The metrics of RIP and RIPng: by protocol and interface.
var (
	metricRoutes    = &running.Family{Name: "rip_routes", Help: "Routes that the protocol knows, by state.", Labels: []string{"protocol", "state"}}
	metricNeighbors = &running.Family{Name: "rip_neighbors", Help: "Routers that speak the protocol on the interface's link.", Labels: []string{"protocol", "interface"}}
	metricPaths     = &running.Family{Name: "rip_interface_routes", Help: "Routes that neighbours on the interface's link offer and that are used by the protocol.", Labels: []string{"protocol", "interface"}}
	metricSent      = &running.Family{Name: "rip_sent_packets_total", Help: "Packets that the protocol has sent, by kind.", Labels: []string{"protocol", "interface", "kind"}, Counter: true}
	metricReceived  = &running.Family{Name: "rip_received_packets_total", Help: "Packets that the protocol has received and used, by kind.", Labels: []string{"protocol", "interface", "kind"}, Counter: true}
	metricRefused   = &running.Family{Name: "rip_refused_total", Help: "Packets, and for the reasons entry and table_full entries, that the protocol has received and not used.", Labels: []string{"protocol", "interface", "reason"}, Counter: true}
)

// Metrics are what RIP or RIPng counts.
func (p Protocol) Metrics() running.Metrics {
	return running.Metrics{
		Families: []*running.Family{metricRoutes, metricNeighbors, metricPaths, metricSent, metricReceived, metricRefused},
		Read: func(ctx context.Context, from running.Protocol, emit running.Emit) error {
			type seen struct {
				summary    rip.Summary
				interfaces []Interface
			}
			name := p.String()
			got, err := running.Ask(ctx, from, name, func(c core, now time.Time) seen {
				s := seen{summary: c.Summary()}
				for _, i := range c.Interfaces() {
					s.interfaces = append(s.interfaces, interfaceOf(p, &i, now))
				}
				return s
			})
			if err != nil {
				return err
			}
			n := &got.summary
			emit(metricRoutes, float64(n.Learned), name, "learned")
			emit(metricRoutes, float64(max(n.Routes-n.Learned-n.Dying, 0)), name, "own")
			emit(metricRoutes, float64(n.Dying), name, "dying")
			for i := range got.interfaces {
				f := &got.interfaces[i]
				emit(metricNeighbors, float64(f.Neighbors), name, f.Name)
				emit(metricPaths, float64(f.Routes), name, f.Name)
				emitCounts(emit, metricSent, f.Sent, name, f.Name)
				emitCounts(emit, metricReceived, f.Received, name, f.Name)
				emitCounts(emit, metricRefused, Counts(f.Refused), name, f.Name)
			}
			return nil
		},
	}
}

func emitCounts(emit running.Emit, f *running.Family, counts Counts, protocol, on string) {
	for _, c := range counts {
		emit(f, float64(c.Count), protocol, on, c.Kind)
	}
}
