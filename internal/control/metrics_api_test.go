package control

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Requests are counted by noun and status, whatever is asked for, and clients of events
// while they follow.
func TestMetricsOfTheAPI(t *testing.T) {
	e := newEvents()
	socket, _ := serveEvents(t, &fake{}, e)
	client := overSocket(t, socket)
	get := func(path string) string {
		t.Helper()
		resp, err := client.Get("http://routerd" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	lacks := func(wanted ...string) (missing []string) {
		t.Helper()
		text := get("/metrics")
		for _, line := range wanted {
			if !strings.Contains(text, "\n"+line+"\n") {
				missing = append(missing, line)
			}
		}
		return missing
	}
	c := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	until(t, c, "bookmark")
	publish(e, TopicLog, "info", `{}`)
	get("/v1/route")
	get("/v1/route")
	get("/v1/nothing/of/the/kind")
	get("/healthz")
	resp, err := client.Post("http://routerd/v1/route", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if missing := lacks(
		`routerd_event_clients 1`, `routerd_events_total 1`,
		`routerd_api_requests_total{code="200",noun="route"} 2`, `routerd_api_requests_total{code="405",noun="route"} 1`,
		`routerd_api_requests_total{code="404",noun="other"} 1`, `routerd_api_requests_total{code="200",noun="health"} 1`,
	); missing != nil {
		t.Errorf("the metrics lack %q", missing)
	}
	c.CloseNow()
	var missing []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if missing = lacks(`routerd_event_clients 0`, `routerd_api_requests_total{code="101",noun="events"} 1`); missing == nil {
			return
		}
	}
	t.Errorf("when the client is gone the metrics lack %q", missing)
}
