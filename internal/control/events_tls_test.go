package control

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"routerd/internal/access"
	"routerd/internal/events"
	"routerd/internal/tlskeys"
	"routerd/internal/tlskeys/tlskeystest"
)

// serveFiles serves HTTPS with a certificate from files, and returns its address and
// the value of a header that shows a token.
func serveFiles(t *testing.T, e *Events, files tlskeys.Config) (address, bearer string) {
	t.Helper()
	pair, err := tlskeys.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.OpenTokens(nil, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	_, text, err := tokens.Add("page", access.Read, time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(&fake{}, Options{Events: e, Tokens: tokens}).ServeWeb(ctx, l, pair.TLS) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l.Addr().String(), "Bearer " + text
}

// pinAt returns the pin that a server shows to a new connection.
func pinAt(t *testing.T, address string) string {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return tlskeys.PinOf(c.ConnectionState().PeerCertificates[0])
}

// While a hundred clients follow events by WebSocket over TLS, the certificate is
// replaced again and again: who connects is shown the new one, and those who are
// connected have all events, of before and after.
func TestCertificateIsSwappedUnderWebSockets(t *testing.T) {
	t.Parallel()
	const clients, swaps = 100, 2
	dir := t.TempDir()
	files := tlskeys.Config{Certificate: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	pin := tlskeystest.Put(t, files.Certificate, files.Key)
	e := newEvents()
	address, bearer := serveFiles(t, e, files)
	var list []*websocket.Conn
	for range clients {
		transport := &http.Transport{TLSClientConfig: tlskeys.Pinned(pin)}
		t.Cleanup(transport.CloseIdleConnections)
		c := followBy(t, transport, "https://"+address, http.Header{"Authorization": {bearer}}, `{"op":"subscribe","id":1,"topics":["interface"]}`)
		until(t, c, "bookmark")
		list = append(list, c)
	}
	for range swaps {
		publish(e, TopicInterface, "lan0", `{"up":false}`)
		pin = tlskeystest.Put(t, files.Certificate, files.Key)
		for deadline, shown := time.Now().Add(patience), ""; shown != pin; shown = pinAt(t, address) {
			if time.Now().After(deadline) {
				t.Fatalf("new connections are shown %s, want %s", shown, pin)
			}
			time.Sleep(20 * time.Millisecond)
		}
		publish(e, TopicInterface, "lan0", `{"up":true}`)
	}
	for i, c := range list {
		for n := range uint64(2 * swaps) {
			if f := until(t, c, "event"); f.Cursor != (events.Cursor{Epoch: 0x7f3a9c21, Number: n + 1}).String() {
				t.Fatalf("client %d gets %s, want event %d", i, f.Cursor, n+1)
			}
		}
	}
}

// Only TLS 1.3 is offered where the API is served, whatever else a client may speak.
func TestOnlyTLS13(t *testing.T) {
	w := serveWeb(t, true, Options{})
	address := strings.TrimPrefix(w.url, "https://")
	for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: v})
		if err == nil {
			if got := c.ConnectionState().Version; got != tls.VersionTLS13 || v != tls.VersionTLS13 {
				t.Errorf("a client that speaks up to %s is served %s", tls.VersionName(v), tls.VersionName(got))
			}
			c.Close()
		} else if v == tls.VersionTLS13 {
			t.Errorf("a client that speaks TLS 1.3 is refused: %v", err)
		}
	}
	// A client's whole offer is TLS 1.2, as the head of its hello says it; the server
	// ends with the alert protocol_version (RFC 8446 §6.2).
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	client := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err := client.Handshake(); err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("a client of TLS 1.2 is answered with %v, want the alert protocol_version", err)
	}
}

// A client that does not read for a while, less than it is put out for, is told exactly
// what it has lost: what it gets and what it is told to have lost are all that was
// published, in order and without anything twice.
func TestGapOfAStalledClientIsExact(t *testing.T) {
	t.Parallel()
	e := newEvents()
	e.Stalled = time.Minute
	socket, _ := serveEvents(t, &fake{}, e)
	slow := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	quick := follow(t, socket, `{"op":"subscribe","id":1,"topics":["log"]}`)
	until(t, slow, "bookmark")
	until(t, quick, "bookmark")
	item := `{"text":"` + strings.Repeat("x", 2_000) + `"}`
	const count = 3 * events.MaxBytes / 2_000 // three times what the ring holds
	// The quick one is followed, so that it can be seen to lose nothing.
	for n := uint64(1); n <= count; n++ {
		publish(e, TopicLog, "info", item)
		if f := until(t, quick, "event"); f.Cursor != (events.Cursor{Epoch: 0x7f3a9c21, Number: n}).String() {
			t.Fatalf("the quick client gets %s, want event %d", f.Cursor, n)
		}
	}
	if lost := e.Ring.Lost(); lost != 0 {
		t.Fatalf("%d events are lost before the slow client reads", lost)
	}
	at, lost := uint64(0), uint64(0)
	for at < count {
		f, raw := next(t, slow)
		switch f.Type {
		case "event":
			at++
			if want := (events.Cursor{Epoch: 0x7f3a9c21, Number: at}).String(); f.Cursor != want {
				t.Fatalf("the slow client gets %s, want %s", f.Cursor, want)
			}
		case "gap":
			if want := (events.Cursor{Epoch: 0x7f3a9c21, Number: at + 1}).String(); f.From != want {
				t.Fatalf("a gap from %s, want from %s", f.From, want)
			}
			at, lost = at+*f.Lost, lost+*f.Lost
			if want := (events.Cursor{Epoch: 0x7f3a9c21, Number: at}).String(); f.To != want {
				t.Fatalf("a gap to %s that lacks %d events, want to %s", f.To, *f.Lost, want)
			}
		case "bookmark":
		default:
			t.Fatalf("the slow client gets %s", raw)
		}
	}
	if lost == 0 || e.Ring.Lost() != lost {
		t.Errorf("the slow client has lost %d events, the router counts %d; want some, and as many", lost, e.Ring.Lost())
	}
}
