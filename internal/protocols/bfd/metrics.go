package bfd

import (
	"context"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
)

// The metrics of BFD, of all sessions together.
var (
	metricSessions = &running.Family{Name: "bfd_sessions", Help: "BFD sessions, by state.", Labels: []string{"state"}}
	metricChanges  = &running.Family{Name: "bfd_session_changes_total", Help: "How often BFD sessions came up, or ceased to be.", Labels: []string{"to"}, Counter: true}
	metricSent     = &running.Family{Name: "bfd_sent_packets_total", Help: "BFD control packets sent.", Counter: true}
	metricReceived = &running.Family{Name: "bfd_received_packets_total", Help: "BFD control packets received and used.", Counter: true}
	metricRefused  = &running.Family{Name: "bfd_refused_packets_total", Help: "BFD control packets received and not used, by reason.", Labels: []string{"reason"}, Counter: true}
)

// Metrics are what BFD counts.
func Metrics() running.Metrics {
	return running.Metrics{
		Families: []*running.Family{metricSessions, metricChanges, metricSent, metricReceived, metricRefused},
		Read: func(ctx context.Context, from running.Protocol, emit running.Emit) error {
			x, err := running.Ask(ctx, from, name, func(c core, _ time.Time) bfd.Summary { return c.Summary() })
			if err != nil {
				return err
			}
			for state, n := range x.Sessions {
				emit(metricSessions, float64(n), wire.State(state).String())
			}
			emit(metricChanges, float64(x.Counters.Ups), "up")
			emit(metricChanges, float64(x.Counters.Downs), "down")
			emit(metricSent, float64(x.Counters.Sent))
			emit(metricReceived, float64(x.Counters.Received))
			for reason, n := range x.Counters.Refused {
				emit(metricRefused, float64(n), bfd.Reason(reason).String())
			}
			return nil
		},
	}
}
