package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"routerd/internal/access"
	livepage "routerd/internal/web"
)

// Options are optional settings of an API.
type Options struct {
	// Log gets internal errors and who changed what; nil for no log.
	Log *slog.Logger
	// MetricsHosts returns the full host names that requests to ServeMetrics may use
	// for the router besides its addresses, and WebHosts those that requests to
	// ServeWeb may; nil for none.
	MetricsHosts, WebHosts func() []string
	// Roles returns the roles of the peers of unix sockets; nil for those that
	// apply without any configuration.
	Roles func() *access.Roles
	// Events is what /v1/events serves; nil for nothing.
	Events *Events
	// Tokens identify those who connect by TCP; nil for nobody.
	Tokens *access.Tokens
	// Logins open sessions for the browsers of those who connect by HTTPS; nil for none.
	Logins *access.Logins
	// Clients returns the identities of the certificates that clients of ServeWeb show; nil
	// for nobody.
	Clients func() *access.Clients
	// Audit gets who changed what; nil remembers it nowhere.
	Audit *access.Audit
	// Ready returns why the router does not forward packets, nil if it does. It
	// must not wait for the router. nil: it always does.
	Ready func() error
	// Long is called when an answer is a long list, which becomes garbage at once. It
	// must not wait. nil for nothing.
	Long func()
}

// filled returns the options with what nil stands for.
func (o Options) filled() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MetricsHosts == nil {
		o.MetricsHosts = func() []string { return nil }
	}
	if o.WebHosts == nil {
		o.WebHosts = func() []string { return nil }
	}
	if o.Roles == nil {
		o.Roles = defaultRoles
	}
	if o.Clients == nil {
		nobody := &access.Clients{}
		o.Clients = func() *access.Clients { return nobody }
	}
	if o.Audit == nil {
		o.Audit = access.NewAudit(nil)
	}
	if o.Long == nil {
		o.Long = func() {}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	return o
}

// Bounds of one request.
const (
	maxHeader     = 16 << 10 // bytes
	maxBody       = 64 << 10
	headerTimeout = 5 * time.Second // of a TLS handshake too
	readTimeout   = 10 * time.Second
	showTimeout   = 25 * time.Second
	changeTimeout = 55 * time.Second // a reload may open many ports
	writeTimeout  = 60 * time.Second // longer than any request takes
	idleTimeout   = 2 * time.Minute
	closeTimeout  = 3 * time.Second // for requests under way when the server stops

	metricsTimeout  = 15 * time.Second // for scraping and sending the answer
	maxMetricsConns = 16
	maxConns        = 128
	maxWebConns     = 512
)

// API serves a router. It is safe for concurrent use: all listeners share it.
type API struct {
	o       Options
	handler *handler
	door    door // of those who connect by HTTPS
}

// New returns the API of a router.
func New(r Router, o Options) *API {
	o = o.filled()
	a := &API{o: o, handler: newHandler(r, o)}
	a.door = door{
		logins: o.Logins, tokens: o.Tokens, cookie: SessionCookie, scheme: "https", note: a.handler.noteEntry,
		closed: func() bool { return o.Clients().Only },
	}
	return a
}

// Serve answers requests on a unix socket until ctx is done, then closes it and
// returns nil. It returns an error if the listener fails before.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	h := checkHost(livepage.Handler(health(identifyPeer(a.handler, a.o.Roles), a.o.Ready)), a.o.MetricsHosts)
	return serve(ctx, a.newServer(h, writeTimeout, maxConns), l)
}

// ServeMetrics is Serve for /metrics only: for a TCP address, where clients are
// not identified.
func (a *API) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.handler.metrics)
	return serve(ctx, a.newServer(checkHost(mux, a.o.MetricsHosts), metricsTimeout, maxMetricsConns), l)
}

// ServeWeb is Serve for a TCP address. With certificates it speaks HTTPS to those
// who show a token, with the configuration that certificates returns for each
// connection. Without, it speaks HTTP and lets anybody read and nobody change
// anything: the address has to be a loopback's.
func (a *API) ServeWeb(ctx context.Context, l net.Listener, certificates func() *tls.Config) error {
	if certificates != nil {
		l = tls.NewListener(l, &tls.Config{
			MinVersion:         tls.VersionTLS13,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return certificates(), nil },
		})
	}
	h := a.webHandler(a.handler, certificates == nil)
	return serve(ctx, a.newServer(h, writeTimeout, maxWebConns), l)
}

func (a *API) newServer(h http.Handler, write time.Duration, most int) *http.Server {
	return newServer(a.handler.asked.watch(h), a.o.Log, write, most)
}

func newServer(h http.Handler, to *slog.Logger, write time.Duration, most int) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      write,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
		ConnState:         (&crowd{most: most}).watch,
		ErrorLog:          log.New(debugWriter{to}, "", 0),
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
