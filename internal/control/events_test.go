package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"routerd/internal/access"
	"routerd/internal/events"
)

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// newEvents makes events of a router, of which there are none yet.
func newEvents() *Events {
	return &Events{Ring: events.NewRing(0x7f3a9c21, EventTopics()), Name: "r1"}
}

// publish adds an event about an object of a topic.
func publish(e *Events, topic, key string, item string) uint64 {
	id, _ := e.Ring.Topic(topic)
	return e.Ring.Publish(events.Event{Topic: id, Time: began, Action: events.Changed, Key: key, Item: json.RawMessage(item)})
}

// serveEvents serves a router with events at a unix socket, whose path it returns.
func serveEvents(t testing.TB, f Router, e *Events) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "api.sock")
	l, err := Listen(socket, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(f, Options{Events: e}).Serve(ctx, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with: %v", err)
		}
	}
	t.Cleanup(stop)
	return socket, stop
}

// overSocket is an HTTP client that asks at a unix socket.
func overSocket(t testing.TB, socket string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// follow opens a WebSocket at a unix socket and sends the frames.
func follow(t testing.TB, socket string, frames ...string) *websocket.Conn {
	t.Helper()
	return followBy(t, overSocket(t, socket).Transport, "http://routerd", nil, frames...)
}

// followBy opens a WebSocket at a URL and sends the frames.
func followBy(t testing.TB, by http.RoundTripper, url string, header http.Header, frames ...string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url+"/v1/events", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: by}, HTTPHeader: header, Subprotocols: []string{Subprotocol},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(1 << 20)
	for _, f := range frames {
		if err := c.Write(ctx, websocket.MessageText, []byte(f)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// next reads the next frame.
func next(t testing.TB, c *websocket.Conn) (f events.Frame, raw string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, b, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("reading a frame: %v", err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return f, string(b)
}

// until reads frames until one of the kind comes, which it returns.
func until(t testing.TB, c *websocket.Conn, kind string) events.Frame {
	t.Helper()
	for {
		if f, _ := next(t, c); f.Type == kind {
			return f
		}
	}
}

// What a WebSocket and a plain answer say is the same, frame by frame.
func TestEventsByWebSocketAndByLines(t *testing.T) {
	e := newEvents()
	socket, _ := serveEvents(t, &fake{}, e)
	publish(e, TopicInterface, "lan0", `{"name":"lan0"}`)
	c := follow(t, socket, `{"op":"subscribe","id":1,"topics":["interface","bfd","log"],"snapshot":true}`)
	resp, err := overSocket(t, socket).Get("http://routerd/v1/events?topic=interface&topic=bfd&topic=log&snapshot=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "application/x-ndjson" {
		t.Fatalf("status %d, content type %q", resp.StatusCode, kind)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for i := 0; ; i++ {
		f, raw := next(t, c)
		if !lines.Scan() {
			t.Fatalf("the lines end: %v", lines.Err())
		}
		if d := cmp.Diff(raw, lines.Text()); d != "" {
			t.Fatalf("frame %d (-WebSocket +line):\n%s", i, d)
		}
		if f.Type == "bookmark" {
			publish(e, TopicLog, "warn", `{"message":"hello"}`)
		}
		if f.Type == "event" {
			if f.Topic != TopicLog || i != 4 {
				t.Errorf("frame %d is %s; wanted two snapshots and a bookmark after hello, and then the log", i, raw)
			}
			break
		}
	}
}

// Objects in a snapshot are those of the nouns, of every topic that has any.
func TestSnapshotsAreTheNouns(t *testing.T) {
	e := newEvents()
	socket, _ := serveEvents(t, &fake{}, e)
	c := follow(t, socket, `{"op":"subscribe","id":1,"snapshot":true}`)
	items := map[string][]json.RawMessage{}
	keys := map[string][]string{}
	for {
		f, _ := next(t, c)
		if f.Type == "bookmark" {
			break
		}
		items[f.Topic] = append(items[f.Topic], f.Items...)
		keys[f.Topic] = append(keys[f.Topic], f.Keys...)
	}
	client := overSocket(t, socket)
	for _, topic := range EventTopics() {
		if !topic.Objects {
			continue
		}
		path, field := map[string]string{
			TopicInterface: "interface", TopicNeighbor: "neighbor", TopicRoute: "route",
			"bfd": "bfd", "bgp": "bgp/neighbor", "ospf": "ospf/neighbor", "rip": "rip/neighbor", "ripng": "ripng/neighbor",
		}[topic.Name], map[string]string{TopicInterface: "interfaces", TopicRoute: "routes", "bfd": "sessions"}[topic.Name]
		if field == "" {
			field = "neighbors"
		}
		resp, err := client.Get("http://routerd/v1/" + path)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]json.RawMessage
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var want []any
		if err := json.Unmarshal(answer[field], &want); err != nil {
			t.Fatal(err)
		}
		var got []any
		for _, item := range items[topic.Name] {
			var object map[string]any
			if err := json.Unmarshal(item, &object); err != nil {
				t.Fatal(err)
			}
			if topic.Name == TopicRoute {
				got = append(got, object["routes"].([]any)...)
				continue
			}
			got = append(got, object)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-/v1/%s +snapshot):\n%s", topic.Name, path, d)
		}
		seen := map[string]bool{}
		for _, key := range keys[topic.Name] {
			if seen[key] || key == "" || strings.HasPrefix(key, "invalid") {
				t.Errorf("%s: the key %q is there twice, or of nobody", topic.Name, key)
			}
			seen[key] = true
		}
	}
}

// A subscription that cannot be read is refused before anything is sent.
func TestEventQueriesRefused(t *testing.T) {
	socket, _ := serveEvents(t, &fake{}, newEvents())
	client := overSocket(t, socket)
	for query, want := range map[string]string{
		"topic=lnik":                 `there is no topic \"lnik\"`,
		"snapshot=1":                 `wanted true or false`,
		"tpoic=log":                  `there is no parameter \"tpoic\"`,
		strings.Repeat("key=x&", 65): `wanted up to 64`,
	} {
		resp, err := client.Get("http://routerd/v1/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		var body [4096]byte
		n, _ := resp.Body.Read(body[:])
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body[:n]), want) {
			t.Errorf("?%.40s: status %d, %s; want 400 and %q", query, resp.StatusCode, body[:n], want)
		}
	}
	resp, err := client.Post("http://routerd/v1/events", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != http.MethodGet {
		t.Errorf("POST: status %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

// A server that stops says so to all who follow events, and waits for them.
func TestEventsEndWithTheServer(t *testing.T) {
	socket, stop := serveEvents(t, &fake{}, newEvents())
	c := follow(t, socket, `{"op":"subscribe","id":1}`)
	until(t, c, "bookmark")
	resp, err := overSocket(t, socket).Get("http://routerd/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		closed <- err
	}()
	stop()
	select {
	case err := <-closed:
		if websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the WebSocket ended with %v, want status 1001", err)
		}
	case <-time.After(patience):
		t.Error("the WebSocket does not end")
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the lines ended with %v, want their end", err)
	}
}

// A client whose token is revoked is put out, and told why.
func TestEventsEndWithTheToken(t *testing.T) {
	e := newEvents()
	revoked := make(chan struct{})
	h := newHandler(&fake{}, Options{Events: e})
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		id := access.Identity{Name: "token k", Role: access.Read, Ended: revoked}
		h.ServeHTTP(w, req.WithContext(access.With(req.Context(), id)))
	})}
	go server.Serve(l)
	defer server.Close()
	c := follow(t, l.Addr().String(), `{"op":"subscribe","id":1}`)
	until(t, c, "bookmark")
	close(revoked)
	_, _, err = c.Read(context.Background())
	if websocket.CloseStatus(err) != StatusRevoked {
		t.Errorf("the WebSocket ended with %v, want status %d", err, StatusRevoked)
	}
}

// A client that does not read what it is sent is put out; if it reads on soon
// enough it is told why. The others have all events meanwhile, and who publishes
// never waits.
func TestStalledClient(t *testing.T) {
	e := newEvents()
	e.Stalled = time.Second
	socket, _ := serveEvents(t, &fake{}, e)
	slow := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	quick := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	until(t, slow, "bookmark")
	until(t, quick, "bookmark")
	item := `{"text":"` + strings.Repeat("x", 10_000) + `"}`
	const count = 1000 // more than any socket's buffers hold
	go func() {
		for range count {
			publish(e, TopicLog, "info", item)
		}
	}()
	for n := uint64(1); n <= count; n++ {
		if f := until(t, quick, "event"); f.Cursor != fmt.Sprintf("7f3a9c21:%d", n) {
			t.Fatalf("the quick client got %s, want event %d", f.Cursor, n)
		}
	}
	// It reads so slowly that whatever the server writes at once takes longer than
	// a client may stall.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, _, err := slow.Read(ctx)
		if err == nil {
			time.Sleep(e.Stalled / 4)
			continue
		}
		// Behind half of a frame there is no place for a close frame.
		if websocket.CloseStatus(err) != StatusStalled && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the slow client ended with %v, want status %d", err, StatusStalled)
		}
		return
	}
}

// A client that comes back after a stall with its cursor is told exactly how many
// events it has lost, and goes on with the rest.
func TestGapAfterAStall(t *testing.T) {
	e := newEvents()
	socket, _ := serveEvents(t, &fake{}, e)
	const count = events.MaxEvents + 12_345
	for range count {
		publish(e, TopicLog, "info", `{}`)
	}
	c := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"],"after":"7f3a9c21:45"}`)
	gap := until(t, c, "gap")
	if gap.From != "7f3a9c21:46" || gap.To != "7f3a9c21:12345" || *gap.Lost != 12_300 || gap.Then != "events" {
		t.Errorf("gap %+v, %d lost", gap, *gap.Lost)
	}
	got := 0
	for f, _ := next(t, c); f.Type == "event"; f, _ = next(t, c) {
		if got++; f.Cursor != fmt.Sprintf("7f3a9c21:%d", 12_345+got) {
			t.Fatalf("event %d has cursor %s", got, f.Cursor)
		}
	}
	if got != events.MaxEvents {
		t.Errorf("%d events, want %d", got, events.MaxEvents)
	}
}

// A topic's filter and cursor go into a URL as they are.
func TestEventURL(t *testing.T) {
	e := newEvents()
	socket, _ := serveEvents(t, &fake{}, e)
	publish(e, TopicInterface, "lan 0&x", `{"name":"lan 0&x"}`)
	publish(e, TopicInterface, "lan1", `{"name":"lan1"}`)
	q := url.Values{"topic": {"interface"}, "key": {"lan 0*"}, "after": {"7f3a9c21:0"}}
	resp, err := overSocket(t, socket).Get("http://routerd/v1/events?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	var types []string
	for len(types) < 3 && lines.Scan() {
		var f events.Frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		types = append(types, f.Type+" "+f.Key)
	}
	if d := cmp.Diff([]string{"hello ", "event lan 0&x", "bookmark "}, types); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
}

// A server that stops waits only a moment for a client that does not read.
func TestStopBesideAStalledClient(t *testing.T) {
	e := newEvents()
	socket, stop := serveEvents(t, &fake{}, e)
	slow := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	until(t, slow, "bookmark")
	item := `{"text":"` + strings.Repeat("x", 100_000) + `"}`
	for range 100 {
		publish(e, TopicLog, "info", item)
	}
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
	case <-time.After(stalled - 5*time.Second):
		t.Error("the server waits for a client that does not read")
		slow.CloseNow()
		<-stopped
	}
}
