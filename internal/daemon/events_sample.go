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

// tellTraffic measures what the interfaces have carried since the last time.
func (s *sampler) tellTraffic(ctx context.Context, now time.Time) {
	counted, err := s.d.count(ctx)
	if err != nil {
		return // the router stops
	}
	before, seconds := s.counted, now.Sub(s.at).Seconds()
	s.counted, s.at = counted, now
	if before == nil {
		return
	}
	measured := control.TrafficList{Seconds: seconds, Interfaces: rates(before, counted, seconds)}
	s.measured.Store(&measurement{measured, now})
	var items []json.RawMessage
	for _, row := range measured.Interfaces {
		if item, err := control.EventItem(row); err == nil { // a row has a JSON form
			items = append(items, item)
		}
	}
	s.ring.Sample(s.topic.traffic, seconds, items)
}
