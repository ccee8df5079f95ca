package control

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"routerd/internal/verdict"
)

// The metrics of the API itself, and what explains the labels of others.
var (
	descVerdict     = describe("verdict_info", "What a verdict means, in a sentence, and whether the packet was lost by it; always 1.", "verdict", "class", "sentence")
	descCertificate = describe("tls_certificate_not_after_timestamp_seconds", "When the certificate that HTTPS shows expires, in seconds since 1970. Absent where there is none.")

	descEvents       = describe("events_total", "Events, those too that nobody listened to and that were not recorded.")
	descEventClients = describe("event_clients", "Clients that follow events now.")
	descEventsLost   = describe("event_client_lost_total", "Events that clients who asked for them were told to have lost, those that nobody listened to not counted.")
	descEventPutOut  = describe("event_clients_put_out_total", "Clients of events whose connection the router has ended, by reason.", "reason")
)

// requestNames are the names in metrics of what requests ask for that is no noun.
const (
	nameMetrics = "metrics"
	nameEvents  = "events"
	nameHealth  = "health"
	nameOther   = "other"
)

// requests counts the requests of all listeners of an API. It is safe for
// concurrent use.
type requests struct {
	nouns   []Noun
	count   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newRequests(nouns []Noun) *requests {
	return &requests{
		nouns: nouns,
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "routerd_api_requests_total", Help: "Requests to the API, by the noun that they ask for and the status of the answer.",
		}, []string{"noun", "code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "routerd_api_request_seconds", Help: "Time from the head of a request to the end of its answer, streams of events not counted.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1, 5, 25},
		}),
	}
}

// name returns what a request asks for. There are as many names as nouns, and a
// few more, whatever clients ask for.
func (r *requests) name(path string) string {
	switch path {
	case "/metrics":
		return nameMetrics
	case "/v1/events":
		return nameEvents
	case "/healthz", "/readyz":
		return nameHealth
	}
	if noun, ok := strings.CutPrefix(path, "/v1/"); ok {
		if n := nounAt(r.nouns, noun); n != nil && n.Ask != nil {
			return n.Path
		}
	}
	return nameOther
}

// watch counts what the handler answers.
func (r *requests) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name, begun := r.name(req.URL.Path), time.Now()
		answer := &watched{ResponseWriter: w}
		defer func() {
			r.count.WithLabelValues(name, strconv.Itoa(answer.code())).Inc()
			if name != nameEvents {
				r.seconds.Observe(time.Since(begun).Seconds())
			}
		}()
		h.ServeHTTP(answer, req)
	})
}

// watched is a ResponseWriter that remembers the status.
type watched struct {
	http.ResponseWriter
	status int
}

// Unwrap is for http.ResponseController, which flushes and hijacks.
func (a *watched) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *watched) WriteHeader(status int) {
	if a.status == 0 || a.status < 200 { // an answer may follow one or more of 1xx, as RFC 9110 §15.2 has it
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *watched) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// reasonLabels are the reasons for which the router ends the connection of a client
// of events, as metrics have them.
var reasonLabels = map[reason]string{
	reasonStopping: "stopping", reasonRevoked: "revoked", reasonRefused: "refused", reasonStalled: "stalled",
}

// eventCounts counts what becomes of the clients of events.
type eventCounts struct {
	putOut [reasonStalled + 1]atomic.Uint64
}

func (to sink) events(e *Events) {
	if e == nil {
		return
	}
	to.count(descEvents, e.Ring.Cursor().Number)
	to.gauge(descEventClients, float64(e.clients()))
	to.count(descEventsLost, e.Ring.Lost())
	for why, label := range reasonLabels {
		to.count(descEventPutOut, e.counts.putOut[why].Load(), label)
	}
}

// verdicts explains the verdicts, so that a dashboard may show the sentence in the
// place of the label.
func (to sink) verdicts() {
	for v := range verdict.All {
		to.gauge(descVerdict, 1, v.Label(), v.Class().String(), v.Sentence())
	}
}
