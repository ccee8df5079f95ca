package daemon

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"routerd/internal/control"
	"routerd/internal/topology"
)

// pings has host 0 ping an address until the function is called.
func (s *site) pings(ctx context.Context, to string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = s.ping(0, to) // whether it is answered is not what is tested
		}
	}()
	return func() { cancel(); <-ended }
}

// What an interface carries is there by the noun, by the samples, and on the map.
func TestTrafficAndTopology(t *testing.T) {
	s := newSite(t)
	s.start()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	defer s.pings(ctx, "10.0.2.2")()
	for measured := false; !measured; {
		list, err := control.Get[control.TrafficList](ctx, s.client(), "traffic", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list.Interfaces {
			measured = measured || i.Interface == "lan0" && i.RxPackets > 0 && i.Received > 0 && i.TxPackets > 0 && list.Seconds > 0
		}
	}

	w := s.follow("topic=traffic")
	for sampled := false; !sampled; {
		select {
		case f, open := <-w.lines:
			if !open {
				t.Fatal("the samples end")
			}
			for _, raw := range f.Items {
				var i control.InterfaceTraffic
				if err := json.Unmarshal(raw, &i); err != nil {
					t.Fatalf("the sample %s: %v", raw, err)
				}
				sampled = sampled || f.Type == "sample" && f.Topic == "traffic" && f.Seconds > 0 && i.Interface == "lan0" && i.RxPackets > 0
			}
		case <-ctx.Done():
			t.Fatal("no sample of traffic on lan0 comes")
		}
	}
	// onMap waits until lan0 is so on the map.
	onMap := func(what string, is func(*topology.Link) bool) {
		t.Helper()
		for {
			m, err := control.Get[control.Topology](ctx, s.client(), "topology", nil)
			if err != nil {
				t.Fatalf("waiting for lan0 to be %s on the map: %v", what, err)
			}
			for i := range m.Links {
				if m.Links[i].Interface == "lan0" && is(&m.Links[i]) {
					return
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	// Somebody listens, so the map has the rates of the last sample.
	onMap("up, with rates", func(l *topology.Link) bool {
		return l.Health == topology.Up && l.Rates != nil && l.Rates.RxPackets > 0
	})
	s.in(0, "ip", "link", "set", "eth0", "down")
	onMap("down", func(l *topology.Link) bool { return l.Health == topology.Down })
}
