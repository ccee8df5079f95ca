package router

import (
	"net/netip"
	"testing"
	"time"

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

// Routes that come in many pieces are gathered while the table has just been
// copied for some of them; the first piece and what comes late never wait.
func TestBurstIsGathered(t *testing.T) {
	r := newBench(t).router
	begin, now := now, now
	offer := func(from, n int) {
		deltas := make([]routing.Delta, n)
		for i := range deltas {
			a := netip.AddrFrom4([4]byte{10, 100 + byte((from+i)>>8), byte(from + i), 0})
			deltas[i] = routing.Delta{Route: routing.Route{
				Prefix: netip.PrefixFrom(a, 24), Source: routing.SourceRIP, Distance: 120, Metric: 2, Action: routing.Blackhole,
			}}
		}
		r.offers.Add(deltas)
	}
	poll := func(want int) {
		t.Helper()
		if _, err := r.Poll(now); err != nil {
			t.Fatal(err)
		}
		if got := r.FIB().Len4(); got != want {
			t.Errorf("after %v %d routes forward, want %d", now.Sub(begin), got, want)
		}
	}
	own := r.FIB().Len4()
	offer(0, 10_000)
	poll(own + 10_000)
	offer(10_000, 100)
	poll(own + 10_000)
	if due, want := r.Deadline(), now.Add(calm(own+10_000)); !due.Equal(want) {
		t.Errorf("due at %v, want %v", due, want)
	}
	now = r.Deadline().Add(-1)
	poll(own + 10_000)
	now = now.Add(1)
	poll(own + 10_100)
	now = now.Add(time.Second)
	offer(10_100, 1)
	poll(own + 10_101)
	offer(10_101, 1) // one change copies a path alone
	poll(own + 10_102)
}
