package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
	"routerd/internal/events"
)

// watcher follows the events of a site's router, as lines of JSON.
type watcher struct {
	t      testing.TB
	lines  chan events.Frame
	seen   []events.Frame
	cancel context.CancelFunc
}

// follow follows events by the parameters of the URL until the test ends.
func (s *site) follow(query string) *watcher {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://routerd/v1/events?"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	w := &watcher{t: s.t, lines: make(chan events.Frame, 1000), cancel: cancel}
	go func() {
		defer close(w.lines)
		defer client.CloseIdleConnections()
		defer resp.Body.Close()
		scanner := bufio.NewScanner(resp.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			var f events.Frame
			if json.Unmarshal(scanner.Bytes(), &f) != nil {
				return
			}
			select {
			case w.lines <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		for range w.lines {
		}
	})
	return w
}

// wait reads frames until one is as wanted, and returns it.
func (w *watcher) wait(what string, wanted func(events.Frame) bool) events.Frame {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case f, open := <-w.lines:
			if !open {
				w.t.Fatalf("waiting for %s: the events end after %s", what, w.shown())
			}
			w.seen = append(w.seen, f)
			if wanted(f) {
				return f
			}
		case <-deadline:
			w.t.Fatalf("waiting for %s: there came only %s", what, w.shown())
		}
	}
}

// reload has the router apply its configuration.
func (s *site) reload() {
	s.t.Helper()
	if _, err := s.client().Reload(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

func (w *watcher) shown() string {
	var list []string
	for _, f := range w.seen {
		list = append(list, fmt.Sprintf("%s %s %s %s %s %s", f.Type, f.Topic, f.Action, f.Key, f.Why, f.Item))
	}
	return strings.Join(list, "\n")
}

// event waits for an event.
func (w *watcher) event(topic string, action events.Action, key string) events.Frame {
	w.t.Helper()
	return w.wait(fmt.Sprintf("%s %s %s", topic, action, key), func(f events.Frame) bool {
		return f.Type == "event" && f.Topic == topic && f.Action == action && f.Key == key
	})
}

// live waits until all that was there was sent.
func (w *watcher) live() {
	w.t.Helper()
	w.wait("a bookmark", func(f events.Frame) bool { return f.Type == "bookmark" })
}

// A carrier that is lost, and what follows from it, is one tree: the interface,
// and the routes by it, which name it as their cause.
func TestEventsOfACarrierAreATree(t *testing.T) {
	s := newSite(t)
	s.start()
	w := s.follow("topic=interface&topic=route&snapshot=true")
	w.live()
	s.in(0, "ip", "link", "set", "eth0", "down")
	down := w.event("interface", events.Changed, "lan0")
	var item struct {
		Name  string `json:"name"`
		Up    bool   `json:"up"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(down.Item, &item); err != nil || item.Name != "lan0" || item.Up || item.State != "down" {
		t.Errorf("the interface is told as %s", down.Item)
	}
	if !strings.HasPrefix(down.Origin, "routerd.toml:") && !strings.Contains(down.Origin, "/routerd.toml:") {
		t.Errorf("its origin is %q", down.Origin)
	}
	gone := w.event("route", events.Removed, "10.0.1.0/24")
	if gone.Cause != down.Cursor {
		t.Errorf("the route went because of %q, want %q:\n%s", gone.Cause, down.Cursor, w.shown())
	}
	s.in(0, "ip", "link", "set", "eth0", "up")
	up := w.event("interface", events.Changed, "lan0")
	if err := json.Unmarshal(up.Item, &item); err != nil || !item.Up {
		t.Errorf("the interface is told as %s", up.Item)
	}
	if came := w.event("route", events.Added, "10.0.1.0/24"); came.Cause != up.Cursor || came.Origin == "" {
		t.Errorf("the route came because of %q, of %q; want %q", came.Cause, came.Origin, up.Cursor)
	}
}

// A reload is an event, from which the others follow; so is one that is refused.
func TestEventsOfAReload(t *testing.T) {
	s := newSite(t)
	s.start()
	w := s.follow("topic=config&topic=interface&topic=route&topic=log")
	w.live()
	s.write("[[static.route]]\nprefix = \"192.0.2.0/24\"\naction = \"blackhole\"\n[interface.more]\nkind = \"loopback\"\naddresses = [\"10.9.9.9/32\"]\n")
	s.reload()
	applied := w.event("config", events.Added, "applied")
	if !strings.Contains(string(applied.Item), "192.0.2.0/24") {
		t.Errorf("what is applied is %s", applied.Item)
	}
	came := w.event("interface", events.Added, "more")
	if came.Cause != applied.Cursor {
		t.Errorf("the interface came because of %q, want %q", came.Cause, applied.Cursor)
	}
	route := w.event("route", events.Added, "192.0.2.0/24")
	if route.Cause == "" || route.Origin == "" {
		t.Errorf("the route came because of %q, from %q", route.Cause, route.Origin)
	}
	if err := os.WriteFile(s.config, []byte("nmae = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client().Reload(context.Background()); err == nil {
		t.Fatal("a wrong configuration was applied")
	}
	w.wait("the log of that", func(f events.Frame) bool {
		return f.Topic == "log" && f.Key == "ERROR" && strings.Contains(string(f.Item), "reload refused")
	})
	if refused := w.event("config", events.Added, "refused"); !strings.Contains(refused.Why, "nmae") || !strings.Contains(string(refused.Item), "nmae") {
		t.Errorf("the refusal is told as %q, %s", refused.Why, refused.Item)
	}
}

// Dropped packets are told with the sentence that says why, and with the change of
// a route that it follows from.
func TestEventsOfDrops(t *testing.T) {
	s := newSite(t)
	s.start()
	w := s.follow("topic=drop&topic=route&topic=interface")
	w.live()
	s.in(1, "ip", "link", "set", "eth0", "down")
	gone := w.event("route", events.Removed, "10.0.2.0/24")
	var drop events.Frame
	deadline := time.Now().Add(30 * time.Second)
	for drop.Type == "" { // a ping may be answered from a queue, or not be looked at
		if time.Now().After(deadline) {
			t.Fatalf("no dropped packet is told; there came %s", w.shown())
		}
		_ = s.ping(0, "10.0.2.2") // it cannot succeed
		for more := true; more; {
			select {
			case f := <-w.lines:
				w.seen = append(w.seen, f)
				if f.Topic == "drop" && f.Key == "no_route" {
					drop = f
				}
			default:
				more = false
			}
		}
	}
	if drop.Cause != gone.Cursor || !strings.Contains(string(drop.Item), "10.0.2.2") || !strings.Contains(string(drop.Item), `"sentence":"`) {
		t.Errorf("the drop is %s because of %q, want %q", drop.Item, drop.Cause, gone.Cursor)
	}
}

// While nobody listens, nothing looks for drops or measures traffic, as an idle
// router is not to be woken for nothing.
func TestNobodyListensAndNothingTicks(t *testing.T) {
	teller := newTeller("r1")
	s := newSampler(teller)
	defer s.ticker.Stop()
	now := time.Now()
	if s.ticking {
		t.Error("it looks before anybody listens")
	}
	teller.begin(teller.topic.drop)
	teller.begin(teller.topic.traffic)
	s.start(<-teller.heard)
	if !s.ticking || s.drops.Before(now) {
		t.Errorf("somebody listens: it looks %t, for drops since %v, want since now", s.ticking, s.drops)
	}
	s.look(t.Context(), now.Add(time.Hour))
	if s.ticking {
		t.Error("it looks though nobody listens any more")
	}
}

// A snapshot and the events after it give what show shows.
func TestSnapshotAndEventsAreWhatIsShown(t *testing.T) {
	s := newSite(t)
	s.start()
	w := s.follow("topic=route&snapshot=true")
	w.live()
	s.write("[[static.route]]\nprefix = \"192.0.2.0/24\"\nnext-hop = \"10.0.1.2\"\n[[static.route]]\nprefix = \"198.51.100.0/24\"\nnext-hop = \"10.0.2.2\"\n")
	s.reload()
	w.event("route", events.Added, "198.51.100.0/24")
	s.in(0, "ip", "link", "set", "eth0", "down")
	w.event("route", events.Removed, "10.0.1.0/24")
	s.in(0, "ip", "link", "set", "eth0", "up")
	w.event("route", events.Added, "10.0.1.0/24")
	same := func() string {
		have := map[string]any{}
		for _, f := range w.seen {
			switch {
			case f.Type == "snapshot":
				for i, key := range f.Keys {
					have[key] = routesOf(t, f.Items[i])
				}
			case f.Type == "event" && f.Action == events.Removed:
				delete(have, f.Key)
			case f.Type == "event":
				have[f.Key] = routesOf(t, f.Item)
			}
		}
		page, err := s.client().Routes(context.Background(), control.RouteQuery{})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(page.Routes)
		if err != nil {
			t.Fatal(err)
		}
		var shown []map[string]any
		if err := json.Unmarshal(raw, &shown); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{}
		for _, r := range shown {
			p := r["prefix"].(string)
			list, _ := want[p].([]any)
			want[p] = append(list, any(r))
		}
		return cmp.Diff(want, have)
	}
	deadline := time.Now().Add(30 * time.Second)
	for d := same(); d != ""; d = same() {
		select {
		case f := <-w.lines:
			w.seen = append(w.seen, f)
		case <-time.After(time.Until(deadline)):
			t.Fatalf("shown and told differ (-shown +told):\n%s", d)
		}
	}
}

func routesOf(t *testing.T, raw json.RawMessage) any {
	var item struct {
		Routes []any `json:"routes"`
	}
	if err := json.Unmarshal(raw, &item); err != nil {
		t.Fatal(err)
	}
	return item.Routes
}

// A router that is started again has a new epoch: who comes back with a cursor of
// the old one is told so, and has the objects anew.
func TestEventsAfterARestart(t *testing.T) {
	s := newSite(t)
	stop := s.start()
	w := s.follow("topic=interface&snapshot=true")
	w.live()
	cursor := w.seen[len(w.seen)-1].Cursor
	stop()
	s.start()
	w = s.follow("topic=interface&snapshot=true&after=" + cursor)
	w.live()
	if len(w.seen) < 4 || w.seen[1].Type != "gap" || w.seen[1].From != cursor || w.seen[1].Then != "snapshot" || w.seen[2].Type != "snapshot" {
		t.Errorf("after the restart there came\n%s", w.shown())
	}
}

// A neighbour is told when it is resolved, with its MAC, and when it is forgotten.
func TestEventsOfANeighbor(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24"}, `addresses = ["10.0.2.1/24"]`)
	s.start()
	w := s.follow("topic=neighbor&snapshot=true")
	w.live()
	wait(t, "the host to reach the router", func() error { return s.ping(1, "10.0.2.1") })
	const key = "10.0.2.2 on core0"
	found := w.wait("the neighbour's MAC", func(f events.Frame) bool {
		return f.Topic == "neighbor" && f.Key == key && f.Action == events.Changed && strings.Contains(string(f.Item), `"mac":"`)
	})
	if !strings.Contains(string(found.Item), `"interface":"core0"`) {
		t.Errorf("the neighbour is told as %s", found.Item)
	}
	if _, err := s.client().ClearNeighbors(context.Background(), control.NeighborQuery{}); err != nil {
		t.Fatal(err)
	}
	w.event("neighbor", events.Removed, key)
}
