package bgp

import (
	"context"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/bgp"
)

// The metrics of BGP. None has a label for a prefix.
var (
	metricNeighbors  = &running.Family{Name: "bgp_neighbors", Help: "Neighbors of the configuration, by state of the session.", Labels: []string{"state"}}
	metricPrefixes   = &running.Family{Name: "bgp_prefixes", Help: "Prefixes that have a route, by family.", Labels: []string{"family"}}
	metricRoutes     = &running.Family{Name: "bgp_routes", Help: "Routes of all neighbors and of the router itself, by family.", Labels: []string{"family"}}
	metricSets       = &running.Family{Name: "bgp_attribute_sets", Help: "Sets of attributes that routes have."}
	metricSetOctets  = &running.Family{Name: "bgp_attribute_octets", Help: "Octets that the sets of attributes take."}
	metricStrangers  = &running.Family{Name: "bgp_strangers_total", Help: "Connections of those who are no neighbors, closed.", Counter: true}
	metricUp         = &running.Family{Name: "bgp_neighbor_up", Help: "1 while the session with the neighbor is established.", Labels: []string{"neighbor"}}
	metricShutdown   = &running.Family{Name: "bgp_neighbor_shutdown", Help: "1 while the configuration shuts the neighbor down.", Labels: []string{"neighbor"}}
	metricAccepted   = &running.Family{Name: "bgp_neighbor_accepted_routes", Help: "Routes of the neighbor that the import policies let pass, by family.", Labels: []string{"neighbor", "family"}}
	metricKept       = &running.Family{Name: "bgp_neighbor_kept_routes", Help: "Routes of the neighbor that are kept as they came, before policies, by family.", Labels: []string{"neighbor", "family"}}
	metricSent       = &running.Family{Name: "bgp_neighbor_sent_prefixes", Help: "Prefixes that the neighbor has been sent, by family.", Labels: []string{"neighbor", "family"}}
	metricCounted    = &running.Family{Name: "bgp_neighbor_limited_routes", Help: "Routes of the neighbor that its prefix limit counts, by family. Absent where there is no limit.", Labels: []string{"neighbor", "family"}}
	metricMaximum    = &running.Family{Name: "bgp_neighbor_routes_max", Help: "How many routes of the family the neighbor may have: max-prefixes. Absent where there is no limit.", Labels: []string{"neighbor", "family"}}
	metricUpdates    = &running.Family{Name: "bgp_neighbor_updates_total", Help: "UPDATE messages of the neighbor.", Labels: []string{"neighbor"}, Counter: true}
	metricAnnounced  = &running.Family{Name: "bgp_neighbor_announcements_total", Help: "Announcements of the neighbor, by what became of them.", Labels: []string{"neighbor", "fate"}, Counter: true}
	metricWithdrawn  = &running.Family{Name: "bgp_neighbor_withdrawals_total", Help: "Withdrawals of the neighbor.", Labels: []string{"neighbor"}, Counter: true}
	metricSentTotal  = &running.Family{Name: "bgp_neighbor_sent_announcements_total", Help: "Announcements that the neighbor was sent.", Labels: []string{"neighbor"}, Counter: true}
	metricSentWithdr = &running.Family{Name: "bgp_neighbor_sent_withdrawals_total", Help: "Withdrawals that the neighbor was sent.", Labels: []string{"neighbor"}, Counter: true}
)

// Metrics are what BGP counts.
func Metrics() running.Metrics {
	return running.Metrics{
		Families: []*running.Family{
			metricNeighbors, metricPrefixes, metricRoutes, metricSets, metricSetOctets, metricStrangers,
			metricUp, metricShutdown, metricAccepted, metricKept, metricSent, metricCounted, metricMaximum, metricUpdates, metricAnnounced, metricWithdrawn, metricSentTotal, metricSentWithdr,
		},
		Read: func(ctx context.Context, from running.Protocol, emit running.Emit) error {
			type seen struct {
				status    bgp.Status
				neighbors []bgp.NeighborStatus
			}
			got, err := running.Ask(ctx, from, name, func(c core, _ time.Time) seen { return seen{c.Status(), c.Neighbors()} })
			if err != nil {
				return err
			}
			for f, t := range got.status.Families {
				emit(metricPrefixes, float64(t.Prefixes), families[f])
				emit(metricRoutes, float64(t.Routes), families[f])
			}
			emit(metricSets, float64(got.status.Sets))
			emit(metricSetOctets, float64(got.status.SetOctets))
			emit(metricStrangers, float64(got.status.Strangers))
			emitNeighbors(emit, got.neighbors)
			return nil
		},
	}
}

func emitNeighbors(emit running.Emit, list []bgp.NeighborStatus) {
	states := map[bgp.State]int{}
	for i := range list {
		n := &list[i]
		states[n.State]++
		who := zoned(n.Address, n.Interface).String()
		emit(metricUp, oneIf(n.State == bgp.Established), who)
		emit(metricShutdown, oneIf(n.Shutdown), who)
		for f := range n.Families {
			if x := &n.Families[f]; x.Enabled {
				emit(metricAccepted, float64(x.Accepted), who, families[f])
				emit(metricKept, float64(x.Kept), who, families[f])
				emit(metricSent, float64(x.Sent), who, families[f])
				if x.Maximum > 0 {
					emit(metricCounted, float64(x.Counted), who, families[f])
					emit(metricMaximum, float64(x.Maximum), who, families[f])
				}
			}
		}
		c := &n.Counts
		emit(metricUpdates, float64(c.Updates), who)
		emit(metricAnnounced, float64(c.Announcements-c.Refused-c.NoPolicy-c.Filtered), who, "accepted")
		emit(metricAnnounced, float64(c.Refused), who, "refused")
		emit(metricAnnounced, float64(c.NoPolicy), who, "no-policy")
		emit(metricAnnounced, float64(c.Filtered), who, "filtered")
		emit(metricWithdrawn, float64(c.Withdrawals), who)
		emit(metricSentTotal, float64(c.Sent), who)
		emit(metricSentWithdr, float64(c.Withdrawn), who)
	}
	for s := bgp.Idle; s <= bgp.Established; s++ {
		emit(metricNeighbors, float64(states[s]), s.String())
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
