package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"routerd/internal/control"
	"routerd/internal/topology"
)

// measurement is what the interfaces carried, and when that was measured. It is shared
// and not changed.
type measurement struct {
	control.TrafficList
	at time.Time
}

// measuredFor is how long a measurement is news.
const measuredFor = 2 * time.Second

// latest returns the latest measurement, nil if nobody has measured lately.
func (t *teller) latest() *measurement {
	m := t.measured.Load()
	if m == nil || time.Since(m.at) > measuredFor {
		return nil
	}
	return m
}

// count reads the counters of the interfaces, by name.
func (d *Daemon) count(ctx context.Context) (map[string]counts, error) {
	counted := map[string]counts{}
	err := d.ask(ctx, func() {
		traffic := d.traffic()
		for _, i := range d.router.View().Interfaces {
			if i != nil {
				t := traffic[i.ID]
				counted[i.Name] = counts{t.received.Packets, t.sent.Packets, t.drops, t.received.Bytes, t.sent.Bytes}
			}
		}
	})
	return counted, err
}

// rates are what the interfaces have carried between two counts, sorted by name. One
// that is new, or was made anew, has carried nothing before.
func rates(before, after map[string]counts, seconds float64) []control.InterfaceTraffic {
	list := []control.InterfaceTraffic{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		was, is := before[name], after[name]
		rate := func(is, was uint64) float64 { return float64(is-min(was, is)) / seconds }
		list = append(list, control.InterfaceTraffic{Interface: name, Rates: topology.Rates{
			Received: 8 * rate(is.receivedBytes, was.receivedBytes), Sent: 8 * rate(is.sentBytes, was.sentBytes),
			RxPackets: rate(is.received, was.received), TxPackets: rate(is.sent, was.sent), Drops: rate(is.drops, was.drops),
		}})
	}
	return list
}

// Traffic returns the latest measurement, or measures for a second.
func (a api) Traffic(ctx context.Context) (control.TrafficList, error) {
	if m := a.d.teller.latest(); m != nil {
		return control.TrafficList{Seconds: m.Seconds, Interfaces: slices.Clone(m.Interfaces)}, nil
	}
	began := time.Now()
	before, err := a.d.count(ctx)
	if err != nil {
		return control.TrafficList{}, err
	}
	select {
	case <-time.After(trafficEvery):
	case <-ctx.Done():
		return control.TrafficList{}, ctx.Err()
	}
	seconds := time.Since(began).Seconds()
	after, err := a.d.count(ctx)
	if err != nil {
		return control.TrafficList{}, err
	}
	return control.TrafficList{Seconds: seconds, Interfaces: rates(before, after, seconds)}, nil
}

// Topology returns the map of what the router knows.
func (a api) Topology(ctx context.Context) (control.Topology, error) {
	carried := map[string]topology.Rates{}
	if m := a.d.teller.latest(); m != nil {
		for _, i := range m.Interfaces {
			carried[i.Interface] = i.Rates
		}
	}
	return control.MapOf(ctx, a, a.d.teller.serve.Name, carried, &a.d.web.places)
}
