package ospf

import (
	"testing"
	"time"
)

func TestPointToPointToFull(t *testing.T) {
	for seed := range uint64(20) {
		w := newNetwork(t, seed)
		w.loss = 0.2 * float64(seed%2)
		l := w.segment()
		w.router("1.1.1.1").port(l, PointToPoint, "10.0.0.1/24", nil)
		w.router("2.2.2.2").port(l, PointToPoint, "10.0.0.2/24", nil)
		w.begin()
		w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
		if n := w.nodes[0].m.as; n == nil {
			t.Fatal("no database")
		}
		if got := w.nodes[0].m.areas[0].db.Len(1); got != 2 {
			t.Errorf("%d Router-LSAs, want 2", got)
		}
	}
}

func TestBroadcastToFull(t *testing.T) {
	for seed := range uint64(20) {
		w := newNetwork(t, seed)
		w.loss = 0.2 * float64(seed%2)
		l := w.segment()
		for i, id := range []string{"1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"} {
			w.router(id).port(l, Broadcast, []string{"10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24"}[i], nil)
		}
		w.begin()
		w.want(10*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
		if got := w.nodes[0].m.areas[0].db.Len(2); got != 1 {
			t.Errorf("%d Network-LSAs, want 1\n%s", got, w)
		}
	}
}
