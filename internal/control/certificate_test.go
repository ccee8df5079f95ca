package control

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"routerd/internal/access"
	"routerd/internal/tlskeys/tlskeystest"
)

// show has the clients of w show a certificate, nil for none.
func (w *web) show(c *tls.Certificate) {
	transport := w.client.Transport.(*http.Transport)
	transport.CloseIdleConnections()
	transport = transport.Clone()
	if transport.TLSClientConfig.Certificates = nil; c != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*c}
	}
	w.client.Transport = transport
}

// Who holds a certificate has its role; without one, or with one that says nothing,
// a token counts, unless only certificates do. What was refused is in the audit.
func TestCertificatesSayWhoAsks(t *testing.T) {
	ann, annPin := tlskeystest.SelfSigned(t, time.Now().Add(time.Hour))
	bob, bobPin := tlskeystest.SelfSigned(t, time.Now().Add(time.Hour))
	var clients atomic.Pointer[access.Clients]
	w := serveWeb(t, true, Options{Clients: clients.Load})
	list := []access.Client{{Name: "ann", Role: access.Operate, Value: annPin}}
	secret := w.token(access.Admin)
	token, login := "Authorization: Bearer "+secret, `{"token": "`+secret+`"}`
	clients.Store(&access.Clients{List: list})
	resp, body := w.ask("POST", "/v1/login", strings.NewReader(login))
	if len(resp.Cookies()) != 1 {
		t.Fatalf("a login before certificates alone count: %s %s", resp.Status, body)
	}
	session := "Cookie: " + resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
	for _, c := range []struct {
		name    string
		only    bool
		cert    *tls.Certificate
		headers []string
		path    string
		want    int
		says    string
	}{
		{"a certificate", false, ann, nil, "POST /v1/clear/arp", 200, ""},
		{"more than its role", false, ann, nil, "POST /v1/reload", 403, "as certificate ann, who has the role operate"},
		{"a token beside it", false, ann, []string{token}, "POST /v1/reload", 200, ""},
		{"a wrong token beside it", false, ann, []string{token + "x"}, "GET /v1/version", 401, "the token is not one"},
		{"none", false, nil, nil, "GET /v1/version", 401, "wanted a token"},
		{"none, and a token", false, nil, []string{token}, "GET /v1/version", 200, ""},
		{"another one", false, bob, nil, "GET /v1/version", 401, `CN=ann\" with the key ` + bobPin},
		{"another one, and a token", false, bob, []string{token}, "GET /v1/version", 200, ""},
		{"a certificate alone", true, ann, nil, "GET /v1/version", 200, ""},
		{"a wrong token that does not count", true, ann, []string{token + "x"}, "GET /v1/version", 200, ""},
		{"a token that does not count", true, nil, []string{token}, "GET /v1/version", 401, "shown no certificate"},
		{"another one alone", true, bob, []string{token}, "GET /v1/version", 401, bobPin},
		{"a login", true, nil, nil, "POST /v1/login", 401, "shown no certificate"},
		{"a login with a certificate", true, ann, nil, "POST /v1/login", 404, "no such noun"},
		{"a session from before", true, nil, []string{session, "Origin: " + w.url}, "GET /v1/version", 401, "shown no certificate"},
		{"the end of a session from before", true, nil, []string{session, "Origin: " + w.url}, "POST /v1/logout", 401, "shown no certificate"},
		{"a login where tokens count", false, nil, nil, "POST /v1/login", 204, ""},
		{"a session where tokens count", false, nil, []string{session}, "GET /v1/version", 200, ""},
		{"health", true, nil, nil, "GET /healthz", 200, "ok"},
	} {
		clients.Store(&access.Clients{List: list, Only: c.only})
		w.show(c.cert)
		method, path, _ := strings.Cut(c.path, " ")
		resp, body := w.ask(method, path, strings.NewReader(login), c.headers...)
		if resp.StatusCode != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %s, want %d and %q in %s", c.name, resp.Status, c.want, c.says, body)
		}
		if resp.TLS.DidResume {
			t.Errorf("%s: the session was resumed", c.name)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (challenge != "") != (c.want == 401) || c.only && strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("%s: the challenge is %q", c.name, challenge)
		}
	}
	found := 0
	for _, e := range w.audit.Last(100) {
		if e.Status == 401 && e.Who == "" && strings.Contains(e.Result, bobPin) {
			found++
		}
	}
	if last := w.audit.Last(1)[0]; found != 2 {
		t.Errorf("the audit names the refused certificate %d times, want 2; the last entry is %+v", found, last)
	}
}

// A WebSocket ends when its certificate says something else: another configuration,
// other authorities, the end of its time; one that still says the same goes on.
func TestCertificatesEndWebSockets(t *testing.T) {
	for _, c := range []struct {
		name  string
		lives time.Duration
		next  func(c access.Clients) access.Clients
		ends  bool
	}{
		{"the client is gone", time.Hour, func(c access.Clients) access.Clients { c.List = nil; return c }, true},
		{"another role", time.Hour, func(c access.Clients) access.Clients {
			c.List = []access.Client{{Name: "ann", Role: access.Operate, Value: c.List[0].Value}}
			return c
		}, true},
		{"it has expired", 3 * time.Second, func(c access.Clients) access.Clients { return c }, true},
		{"the same again", time.Hour, func(c access.Clients) access.Clients { c.Roots = x509.NewCertPool; return c }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cert, pin := tlskeystest.SelfSigned(t, time.Now().Add(c.lives))
			var clients atomic.Pointer[access.Clients]
			now := access.Clients{List: []access.Client{{Name: "ann", Role: access.Read, Value: pin}}}
			clients.Store(&now)
			w := serveWeb(t, true, Options{Clients: clients.Load, Events: newEvents()})
			w.show(cert)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			conn := followBy(t, w.client.Transport, w.url, nil)
			next := c.next(now)
			clients.Store(&next)
			var err error
			if c.ends {
				for err == nil {
					_, _, err = conn.Read(ctx)
				}
				if websocket.CloseStatus(err) != StatusRevoked {
					t.Errorf("it ended with %v, want status %d", err, StatusRevoked)
				}
				return
			}
			heard, cancel := context.WithTimeout(ctx, 3*lookAgain)
			defer cancel()
			for err == nil {
				_, _, err = conn.Read(heard)
			}
			if heard.Err() == nil || websocket.CloseStatus(err) != -1 {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
