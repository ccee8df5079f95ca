package router

import (
	"net/netip"
	"testing"

	"routerd/routing"
)

func TestOffersKeepTheLatest(t *testing.T) {
	delta := func(source routing.Source, prefix string, metric uint32, withdraw bool) routing.Delta {
		return routing.Delta{Withdraw: withdraw, Route: routing.Route{Prefix: netip.MustParsePrefix(prefix), Source: source, Metric: metric}}
	}
	o := newOffers()
	o.Add(nil)
	select {
	case <-o.signal:
		t.Error("nothing to offer, and the owner was told")
	default:
	}
	o.Add([]routing.Delta{delta(routing.SourceRIP, "10.0.1.0/24", 2, false), delta(routing.SourceOSPF, "10.0.1.0/24", 3, false)})
	o.Add([]routing.Delta{delta(routing.SourceRIP, "10.0.1.0/24", 4, true), delta(routing.SourceRIP, "10.0.2.0/24", 5, false)})
	select {
	case <-o.signal:
	default:
		t.Error("the owner was not told")
	}
	var metrics []uint32
	for _, d := range o.take() {
		metrics = append(metrics, d.Route.Metric)
	}
	if len(metrics) != 3 || metrics[0] != 4 || metrics[1] != 3 || metrics[2] != 5 {
		t.Errorf("took metrics %v, want 4 3 5: the latest of each source and prefix", metrics)
	}
	if left := o.take(); left != nil {
		t.Errorf("took %v again", left)
	}
}
