package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// Options are optional settings of Serve.
type Options struct {
	// Log gets internal errors and requested changes; nil for no log.
	Log *slog.Logger
	// HostNames returns the full host names that requests may use for the
	// router besides its addresses; nil for none.
	HostNames func() []string
	// Roles returns the roles of the peers of unix sockets; nil for those that
	// apply without any configuration.
	Roles func() *access.Roles
	// Events is what /v1/events serves; nil for nothing.
	Events *Events
}

// filled returns the options with what nil stands for.
func (o Options) filled() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HostNames == nil {
		o.HostNames = func() []string { return nil }
	}
	if o.Roles == nil {
		o.Roles = defaultRoles
	}
	return o
}

// Bounds of one request.
const (
	maxHeader     = 16 << 10 // bytes
	maxBody       = 64 << 10
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	showTimeout   = 25 * time.Second
	changeTimeout = 55 * time.Second // a reload may open many ports
	writeTimeout  = 60 * time.Second // longer than any request takes
	idleTimeout   = 2 * time.Minute
	closeTimeout  = 3 * time.Second // for requests under way when the server stops

	metricsTimeout  = 15 * time.Second // for scraping and sending the answer
	maxMetricsConns = 16
	maxConns        = 128
)

// Serve answers requests on the listener until ctx is done, then closes it and
// returns nil. It returns an error if the listener fails before.
func Serve(ctx context.Context, l net.Listener, r Router, o Options) error {
	o = o.filled()
	return serve(ctx, newServer(identifyPeer(Handler(r, o), o.Roles), o, writeTimeout, maxConns), l)
}

// ServeMetrics is Serve for /metrics only: for a TCP address, where clients are
// not identified.
func ServeMetrics(ctx context.Context, l net.Listener, r Router, o Options) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(r))
	return serve(ctx, newServer(mux, o.filled(), metricsTimeout, maxMetricsConns), l)
}

func newServer(h http.Handler, o Options, write time.Duration, most int) *http.Server {
	return &http.Server{
		Handler:           checkHost(h, o.HostNames),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      write,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
		ConnState:         (&crowd{most: most}).watch,
		ErrorLog:          log.New(debugWriter{o.Log}, "", 0),
	}
}

func serve(ctx context.Context, s *http.Server, l net.Listener) error {
	last := &lasting{until: ctx}
	s.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, last)
	}
	defer last.answers.Wait() // a connection that became a WebSocket is no longer the server's
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if s.Shutdown(within) != nil {
			s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serving the API: %w", err)
}

// debugWriter logs complaints of net/http, mostly about clients that
// disconnected, at debug level.
type debugWriter struct{ log *slog.Logger }

func (w debugWriter) Write(b []byte) (int, error) {
	w.log.Debug("serving the API", "err", strings.TrimSpace(string(b)))
	return len(b), nil
}

// Handler serves the API to the identities in the contexts of requests, each as
// its role allows.
func Handler(r Router, o Options) http.Handler {
	o = o.filled()
	return &handler{router: r, nouns: Nouns(), log: o.Log, metrics: metricsHandler(r), events: o.Events}
}

type handler struct {
	router  Router
	nouns   []Noun
	log     *slog.Logger
	metrics http.Handler
	events  *Events
}

func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := allowed(req, access.Read); err != nil {
		h.fail(w, req, err)
		return
	}
	if req.URL.Path == "/metrics" {
		h.metrics.ServeHTTP(w, req)
		return
	}
	if req.URL.Path == "/v1/events" && h.events != nil {
		if err := h.serveEvents(w, req); err != nil {
			h.fail(w, req, err)
		}
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, maxBody)
	answer, err := h.answer(w, req)
	if err != nil {
		h.fail(w, req, err)
		return
	}
	write(w, http.StatusOK, answer)
}

func (h *handler) answer(w http.ResponseWriter, req *http.Request) (any, error) {
	if req.URL.Path == "/v1" || req.URL.Path == "/v1/" {
		return index(req, h.nouns)
	}
	path, ok := strings.CutPrefix(req.URL.Path, "/v1/")
	n := nounAt(h.nouns, path)
	if !ok || n == nil {
		return nil, h.unknown(req)
	}
	method, timeout := http.MethodGet, showTimeout
	if n.Changes {
		method, timeout = http.MethodPost, changeTimeout
	}
	if req.Method != method && (n.Changes || req.Method != http.MethodHead) {
		w.Header().Set("Allow", method)
		return nil, &show.Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s %s: wanted %s", req.Method, req.URL.Path, method)}
	}
	if err := allowed(req, n.Role()); err != nil {
		return nil, err
	}
	if n.Changes {
		id := access.From(req.Context())
		h.log.Info("a change was asked for", "what", path, "who", id.Name, "from", id.Source)
	}
	query, err := n.Read(req.URL.Query())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	return n.Ask(ctx, h.router, query)
}

// allowed returns an error if the role of who sends a request does not do.
func allowed(req *http.Request, needed access.Role) error {
	id := access.From(req.Context())
	if id.Role.May(needed) {
		return nil
	}
	who := id.Name
	if who == "" {
		who = "nobody known"
	}
	return &show.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s %s as %s, who has the role %v: wanted the role %v", req.Method, req.URL.Path, who, id.Role, needed)}
}

// unknown returns the error for a path that is not a noun's.
func (h *handler) unknown(req *http.Request) error {
	e := &Error{Status: http.StatusNotFound, Message: "no such noun: " + req.URL.Path}
	for _, n := range h.nouns {
		if n.Ask != nil {
			e.Nouns = append(e.Nouns, "/v1/"+n.Path)
		}
	}
	slices.Sort(e.Nouns)
	return e
}

func (h *handler) fail(w http.ResponseWriter, req *http.Request, err error) {
	var e *Error
	var s *show.Error
	switch {
	case errors.As(err, &e):
		e = &Error{e.Status, err.Error(), e.Problems, e.Nouns} // with what was wrapped around it
	case errors.As(err, &s):
		e = &Error{Status: s.Status, Message: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		e = &Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("the router did not answer in time: %v", err)}
	case errors.Is(err, context.Canceled):
		return // the client is gone
	default:
		h.log.Error("answering the API", "path", req.URL.Path, "err", err)
		e = &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	write(w, e.Status, e)
}

func write(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(tidy(answer))
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer has no JSON form"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // an error means that the client is gone
}
