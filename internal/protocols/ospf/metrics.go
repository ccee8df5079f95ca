package ospf

import (
	"context"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// countsOf gives an interface's counters with their names, which are also labels of
// metrics.
func countsOf(n *ospf.Counters) (sent, received, lsas Counts, refused Refusals) {
	for t := wire.TypeHello; t <= wire.TypeAcknowledgement; t++ {
		sent = append(sent, Count{t.String(), n.Sent[t]})
		received = append(received, Count{t.String(), n.Received[t]})
	}
	for s, count := range n.Standings {
		lsas = append(lsas, Count{ospf.Standing(s).String(), count})
	}
	for r := wire.Accepted + 1; int(r) < wire.NumReasons; r++ {
		refused = append(refused, Count{r.String(), n.Refused[r]})
	}
	return sent, received, lsas, refused
}

// The metrics of OSPF. None has a label for a prefix, a router or an LSA.
var (
	metricNeighbors  = &running.Family{Name: "ospf_neighbors", Help: "Routers on the links, by state.", Labels: []string{"state"}}
	metricInterface  = &running.Family{Name: "ospf_interface_neighbors", Help: "Routers on the interface's link.", Labels: []string{"interface"}}
	metricFull       = &running.Family{Name: "ospf_interface_full_neighbors", Help: "Routers on the interface's link that the router is fully adjacent to.", Labels: []string{"interface"}}
	metricRoutes     = &running.Family{Name: "ospf_routes", Help: "Routes that the protocol has, by type of path.", Labels: []string{"type"}}
	metricLSAs       = &running.Family{Name: "ospf_lsas", Help: "LSAs in the databases, by type.", Labels: []string{"type"}}
	metricReceivedLS = &running.Family{Name: "ospf_received_lsas", Help: "LSAs of other routers in the databases, which max-lsa bounds."}
	metricRuns       = &running.Family{Name: "ospf_calculations_total", Help: "How often routes were calculated, by what that went through.", Labels: []string{"kind"}, Counter: true}
	metricSent       = &running.Family{Name: "ospf_sent_packets_total", Help: "Packets that the protocol has sent, by type.", Labels: []string{"interface", "type"}, Counter: true}
	metricReceived   = &running.Family{Name: "ospf_received_packets_total", Help: "Packets that the protocol has received and used, by type.", Labels: []string{"interface", "type"}, Counter: true}
	metricStandings  = &running.Family{Name: "ospf_received_lsas_total", Help: "LSAs that the protocol has received, by what they were to the database.", Labels: []string{"interface", "standing"}, Counter: true}
	metricResent     = &running.Family{Name: "ospf_retransmitted_lsas_total", Help: "LSAs that were not acknowledged in time, and sent again.", Labels: []string{"interface"}, Counter: true}
	metricRefused    = &running.Family{Name: "ospf_refused_total", Help: "Packets and LSAs that the protocol has received and not used, by reason.", Labels: []string{"interface", "reason"}, Counter: true}
)

// Metrics are what OSPF counts.
func Metrics() running.Metrics {
	return running.Metrics{
		Families: []*running.Family{
			metricNeighbors, metricInterface, metricFull, metricRoutes, metricLSAs, metricReceivedLS, metricRuns,
			metricSent, metricReceived, metricStandings, metricResent, metricRefused,
		},
		Read: func(ctx context.Context, from running.Protocol, emit running.Emit) error {
			type seen struct {
				summary    ospf.Summary
				interfaces []Interface
			}
			got, err := running.Ask(ctx, from, name, func(c core, now time.Time) seen {
				s := seen{summary: c.Summary(now)}
				for _, i := range c.Interfaces() {
					s.interfaces = append(s.interfaces, interfaceOf(&i, now))
				}
				return s
			})
			if err != nil {
				return err
			}
			emitCounts(emit, metricNeighbors, neighborCounts(&got.summary))
			emitCounts(emit, metricRoutes, routeCounts(&got.summary))
			emitCounts(emit, metricLSAs, lsaCounts(&got.summary.LSAs, lsaTypes))
			emit(metricReceivedLS, float64(got.summary.Received))
			emitCounts(emit, metricRuns, runCounts(&got.summary.SPF))
			for i := range got.interfaces {
				f := &got.interfaces[i]
				emit(metricInterface, float64(f.Neighbors), f.Name)
				emit(metricFull, float64(f.Full), f.Name)
				emit(metricResent, float64(f.Retransmitted), f.Name)
				emitCounts(emit, metricSent, f.Sent, f.Name)
				emitCounts(emit, metricReceived, f.Received, f.Name)
				emitCounts(emit, metricStandings, f.LSAsReceived, f.Name)
				emitCounts(emit, metricRefused, Counts(f.Refused), f.Name)
			}
			return nil
		},
	}
}

// emitCounts emits counts, whose kind is the last label.
func emitCounts(emit running.Emit, f *running.Family, counts Counts, labels ...string) {
	for _, c := range counts {
		emit(f, float64(c.Count), append(labels[:len(labels):len(labels)], c.Kind)...)
	}
}
