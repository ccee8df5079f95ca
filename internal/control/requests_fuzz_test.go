package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/internal/access"
)

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial opens a connection.
func (p *pipes) dial(t testing.TB) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	select {
	case p.conns <- there:
	case <-time.After(patience):
		t.Fatal("the server takes no connection any more")
	}
	here.SetDeadline(time.Now().Add(patience))
	return here
}

// watchedLog remembers a line that says that a handler panicked.
type watchedLog struct {
	mu    sync.Mutex
	panic string
}

func (l *watchedLog) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "http: panic serving") {
		l.mu.Lock()
		l.panic = string(b)
		l.mu.Unlock()
	}
	return len(b), nil
}

func (l *watchedLog) panicked() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.panic
}

// serveRaw serves an API in memory to clients of a role, over HTTP.
func serveRaw(t testing.TB, log *watchedLog) *pipes {
	t.Helper()
	e := newEvents()
	e.Stalled = 100 * time.Millisecond
	a := New(&fake{}, Options{Events: e, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	known := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		a.handler.ServeHTTP(w, req.WithContext(access.With(req.Context(), access.Identity{Name: "fuzz", Role: access.Operate})))
	})
	l := newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	server := a.newServer(checkHost(health(known, a.o.Ready), a.o.MetricsHosts), writeTimeout, maxConns)
	// What ends in the middle is soon given up.
	server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	go func() { ended <- serve(ctx, server, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with: %v", err)
		}
	})
	return l
}

// someoneElse asks for the version, as anybody else does meanwhile.
func someoneElse(t testing.TB, l *pipes) {
	t.Helper()
	c := l.dial(t)
	defer c.Close()
	req := httptest.NewRequest(http.MethodGet, "http://localhost/v1/version", nil)
	req.Close = true
	if err := req.Write(c); err != nil {
		t.Fatalf("somebody else asks: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		t.Fatalf("somebody else is answered: %v", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("somebody else is answered with %s, %v", resp.Status, err)
	}
}

// answers reports whether a server says something or ends the connection. It reads until
// nothing more comes for a while: events have no end.
func answers(c net.Conn) bool {
	var b [4096]byte
	for said := false; ; said = true {
		if said {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}
		if _, err := c.Read(b[:]); err != nil {
			return said || !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// Whatever bytes a client sends, it is answered or cut off, no handler panics, and
// others are answered.
func FuzzRequests(f *testing.F) {
	const get, end = "GET /v1/", " HTTP/1.1\r\nHost: localhost\r\n"
	for _, seed := range []string{
		get + "version" + end + "\r\n",
		get + "route?limit=10000&after=10.0.0.0/8" + end + "Accept: application/x-ndjson\r\n\r\n",
		get + "route?for=10.1.2.3&prefix=%zz" + end + "\r\n",
		get + "explain/route?address=::1%25eth0" + end + "\r\n",
		get + "config" + end + "If-None-Match: \"x\", W/*\r\n\r\n",
		get + "openapi.json" + end + "Accept-Encoding: gzip\r\n\r\n" + get + "audit" + end + "\r\n",
		get + "events?topic=log&snapshot=true&after=7f3a9c21:1" + end + "\r\n",
		get + "events" + end + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\xff",
		"POST /v1/clear/neighbor" + end + "Idempotency-Key: k\r\nIf-Match: \"x\"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
		"POST /v1/reload" + end + "Content-Length: 99999999999999999999\r\n\r\n",
		"POST /v1/reload" + end + "Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n",
		"HEAD /healthz HTTP/1.0\r\n\r\n",
		"GET http://evil.example/v1/version HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /v1/profile?kind=cpu&seconds=30 HTTP/1.1\r\nHost: [::1\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"",
	} {
		f.Add([]byte(seed))
	}
	log := &watchedLog{}
	l := serveRaw(f, log)
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := l.dial(t)
		defer c.Close()
		go func() { _, _ = c.Write(sent) }() // it may be cut off before it has sent all
		if !answers(c) {
			t.Fatal("the client is neither answered nor cut off")
		}
		c.Close()
		someoneElse(t, l)
		if p := log.panicked(); p != "" {
			t.Fatal(p)
		}
	})
}
