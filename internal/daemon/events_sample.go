package daemon

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/control"
	"routerd/internal/events"
)

// dropsAtOnce is how many dropped packets become events at one look.
const dropsAtOnce = 50

// sampler looks, while somebody listens, at what has no events of its own: the
// latest dropped packets, and the counters of interfaces.
// Its ticker runs only then: a process that is woken for nothing costs more than
// what it looks at.
type sampler struct {
	*teller
	ticker  *time.Ticker
	ticking bool
	drops   time.Time // of the latest dropped packet that was told
	counted map[string]counts
	at      time.Time // when they were counted
}

// counts are an interface's counters.
type counts struct{ received, sent, drops, receivedBytes, sentBytes uint64 }

// newSampler returns a sampler that does not tick.
func newSampler(t *teller) sampler {
	s := sampler{teller: t, ticker: time.NewTicker(sampleEvery)}
	s.ticker.Stop()
	return s
}

// start has it look from now on; at is when somebody began to listen.
func (s *sampler) start(at time.Time) {
	if !s.ticking {
		s.ticking, s.drops = true, at
		s.ticker.Reset(sampleEvery)
	}
}

// look tells what is new, and ends the ticking when nobody listens any more.
func (s *sampler) look(ctx context.Context, now time.Time) {
	drop, traffic := s.ring.Wanted(s.topic.drop, now), s.ring.Wanted(s.topic.traffic, now)
	if !drop && !traffic {
		s.ticking = false
		s.ticker.Stop()
	}
	if drop {
		s.tellDrops(ctx, now)
	} else {
		s.drops = now
	}
	if !traffic {
		s.counted = nil
	} else if s.counted == nil || now.Sub(s.at) >= trafficEvery-sampleEvery/2 {
		s.tellTraffic(ctx, now)
	}
}

// tellDrops publishes the packets that were dropped since the last look, or the
// latest of them.
func (s *sampler) tellDrops(ctx context.Context, now time.Time) {
	type drop struct {
		control.Drop
		to netip.Addr
	}
	var fresh []drop
	err := s.d.ask(ctx, func() {
		shown, raw := s.d.dropsSince(s.drops, dropsAtOnce)
		for i := range shown {
			_, to := endsOf(&raw[i])
			fresh = append(fresh, drop{shown[i], to})
		}
	})
	if err != nil {
		return // the router stops
	}
	slices.Reverse(fresh) // the oldest first
	for _, p := range fresh {
		item, err := control.EventItem(p.Drop)
		if err != nil {
			continue // a drop has a JSON form
		}
		s.ring.Publish(events.Event{
			Topic: s.topic.drop, Time: p.Time, Action: events.Added, Key: p.Verdict, Item: item, Cause: s.causes.routeFor(p.to, now),
		})
		s.drops = p.Time
	}
}

// trafficRow is what an interface carries, measured over some seconds.
type trafficRow struct {
	Interface string  `json:"interface"`
	Received  float64 `json:"rx_bps"` // bits a second
	Sent      float64 `json:"tx_bps"`
	RxPackets float64 `json:"rx_pps"` // packets a second
	TxPackets float64 `json:"tx_pps"`
	Drops     float64 `json:"drops_ps"` // packets a second that came in and were dropped
}

// tellTraffic measures what the interfaces have carried since the last time.
func (s *sampler) tellTraffic(ctx context.Context, now time.Time) {
	counted := map[string]counts{}
	var names []string
	err := s.d.ask(ctx, func() {
		traffic := s.d.traffic()
		for _, i := range s.d.router.View().Interfaces {
			if i != nil {
				t := traffic[i.ID]
				names = append(names, i.Name)
				counted[i.Name] = counts{t.received.Packets, t.sent.Packets, t.drops, t.received.Bytes, t.sent.Bytes}
			}
		}
	})
	if err != nil {
		return // the router stops
	}
	before, seconds := s.counted, now.Sub(s.at).Seconds()
	s.counted, s.at = counted, now
	if before == nil {
		return
	}
	slices.Sort(names)
	var items []json.RawMessage
	for _, name := range names {
		was, is := before[name], counted[name]
		rate := func(is, was uint64) float64 { return float64(is-min(was, is)) / seconds }
		item, err := control.EventItem(trafficRow{
			Interface: name, Received: 8 * rate(is.receivedBytes, was.receivedBytes), Sent: 8 * rate(is.sentBytes, was.sentBytes),
			RxPackets: rate(is.received, was.received), TxPackets: rate(is.sent, was.sent), Drops: rate(is.drops, was.drops),
		})
		if err == nil {
			items = append(items, item)
		}
	}
	s.ring.Sample(s.topic.traffic, seconds, items)
}
