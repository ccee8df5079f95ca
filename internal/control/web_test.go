package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/tlskeys"
)

// web is an API that is served over TCP.
type web struct {
	t        *testing.T
	fake     *fake
	audit    *access.Audit
	tokens   *access.Tokens
	logins   *access.Logins
	loopback *Loopback // nil for an API
	pair     *tlskeys.Pair
	url      string
	client   *http.Client
}

// serveWeb serves a fake router until the test ends, over HTTPS if secure.
func serveWeb(t *testing.T, secure bool, o Options) *web {
	t.Helper()
	w := &web{t: t, fake: &fake{}, audit: access.NewAudit(nil)}
	var err error
	if w.tokens, err = access.OpenTokens(nil, func([]byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.tokens.Close)
	if w.logins, err = access.OpenLogins(w.tokens, defaultRoles, nil, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.logins.Close)
	w.fake.logins = w.logins
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var certificates func() *tls.Config
	transport := &http.Transport{}
	w.url = "http://" + l.Addr().String()
	if secure {
		if w.pair, err = tlskeys.Open(tlskeys.Config{Own: filepath.Join(t.TempDir(), "tls.key"), Name: "r1", AskClients: o.Clients != nil}); err != nil {
			t.Fatal(err)
		}
		certificates = w.pair.TLS
		w.url = "https://" + l.Addr().String()
		transport.TLSClientConfig = tlskeys.Pinned(w.pair.Pin())
	}
	w.client = &http.Client{Transport: transport, Timeout: time.Minute}
	o.Tokens, o.Logins, o.Audit = w.tokens, w.logins, w.audit
	o.WebHosts = func() []string { return []string{"r1", "r1.example.net"} }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(w.fake, o).ServeWeb(ctx, l, certificates) }()
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return w
}

// token makes a token.
func (w *web) token(role access.Role) string {
	w.t.Helper()
	_, text, err := w.tokens.Add(role.String(), role, time.Now().Add(time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// ask sends a request with headers "Name: value" and returns the answer.
func (w *web) ask(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(text)
}

// What is wrong with a request is said by its status, before the router hears of
// it; nobody's role is higher than that of the token.
func TestBadRequestsOverHTTPS(t *testing.T) {
	w := serveWeb(t, true, Options{})
	bearer := func(r access.Role) string { return "Authorization: Bearer " + w.token(r) }
	read, operate, admin := bearer(access.Read), bearer(access.Operate), bearer(access.Admin)
	const reload, clear = "/v1/reload", "/v1/clear/arp"
	for _, c := range []struct {
		name, method, path string
		body               io.Reader
		headers            []string
		want               int
		says               string
	}{
		{"a reader", "GET", "/v1/version", nil, []string{read}, 200, `"name":"r1"`},
		{"an admin", "POST", reload, nil, []string{admin}, 200, `"generation":43`},
		{"an operator", "POST", clear, nil, []string{operate}, 200, `"cleared"`},
		{"by a name", "GET", "/v1/version", nil, []string{read, "Host: R1.example.net.:8443"}, 200, ""},
		{"from a page of its own", "GET", "/v1/version", nil, []string{read, "Host: r1", "Origin: https://r1"}, 200, ""},
		{"scheme of another case", "GET", "/v1/version", nil, []string{strings.Replace(read, "Bearer", "bEARER", 1)}, 200, ""},

		{"nobody", "GET", "/v1/version", nil, nil, 401, "wanted a token"},
		{"nobody asks for metrics", "GET", "/metrics", nil, nil, 401, "wanted a token"},
		{"nobody asks for what there is not", "GET", "/v1/nothing", nil, nil, 401, "wanted a token"},
		{"a cookie", "GET", "/v1/version", nil, []string{"Cookie: token=" + w.token(access.Admin)}, 401, "wanted a token"},
		{"a token in the URL", "GET", "/v1/version?access_token=" + w.token(access.Admin), nil, nil, 401, "wanted a token"},
		{"two tokens", "GET", "/v1/version", nil, []string{read, admin}, 401, "the token is not one of this router"},
		{"another scheme", "GET", "/v1/version", nil, []string{"Authorization: Basic cm9vdDpyb290"}, 401, "the token is not one of this router"},
		{"a wrong token", "GET", "/v1/version", nil, []string{read + "a"}, 401, "the token is not one of this router"},

		{"another host", "GET", "/v1/version", nil, []string{read, "Host: evil.example"}, 421, `"evil.example\"`},
		{"another host without a dot", "GET", "/v1/version", nil, []string{read, "Host: evil"}, 421, `"evil\"`},
		{"a host above one", "GET", "/v1/version", nil, []string{read, "Host: 127.0.0.1.evil.example"}, 421, "evil.example"},
		{"a health check for another host", "GET", "/healthz", nil, []string{"Host: evil.example"}, 421, "evil.example"},
		{"a page of another site", "GET", "/v1/version", nil, []string{read, "Origin: https://evil.example"}, 403, "a page of another site"},
		{"a page of nobody's", "GET", "/v1/version", nil, []string{read, "Origin: null"}, 403, "a page of another site"},
		{"another site by name", "POST", reload, nil, []string{admin, "Sec-Fetch-Site: cross-site"}, 403, "a page of another site"},
		{"a change by a reader", "POST", reload, nil, []string{read}, 403, "who has the role read: wanted the role admin"},
		{"a reload by an operator", "POST", reload, nil, []string{operate}, 403, "who has the role operate: wanted the role admin"},
		{"tokens for an operator", "GET", "/v1/token", nil, []string{operate}, 403, "wanted the role admin"},

		{"another configuration", "POST", reload, nil, []string{admin, `If-Match: "7f3a9c21-2"`}, 412, `"7f3a9c21-3\" applies`},
		{"a weak tag", "POST", clear, nil, []string{operate, `If-Match: W/"7f3a9c21-3"`}, 412, "applies"},
		{"that configuration", "POST", reload, nil, []string{admin, `If-Match: "x", "7f3a9c21-3"`}, 200, ""},
		{"any configuration", "POST", clear, nil, []string{operate, `If-Match: *`}, 200, ""},

		{"a large body", "POST", reload, bytes.NewReader(make([]byte, 1<<20)), []string{admin}, 413, "the body of the request is too large"},
		{"one of unknown length", "POST", reload, struct{ io.Reader }{bytes.NewReader(make([]byte, 1<<20))}, []string{admin}, 413, "the body of the request is too large"},
		{"a body that is just allowed", "POST", clear, bytes.NewReader(make([]byte, maxBody)), []string{operate}, 200, ""},
		{"a long header", "GET", "/v1/version", nil, []string{read, "X-Long: " + strings.Repeat("x", 64<<10)}, 431, ""},
		{"a long key", "POST", clear, nil, []string{operate, "Idempotency-Key: " + strings.Repeat("x", 256)}, 400, "has 256 bytes"},
		{"another method", "PUT", "/v1/route", nil, []string{read}, 405, "wanted GET"},
	} {
		before := w.fake.loads.Load()
		resp, body := w.ask(c.method, c.path, c.body, c.headers...)
		if resp.StatusCode != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %s, want %d and %q in %s", c.name, resp.Status, c.want, c.says, body)
		}
		if reached := w.fake.loads.Load() > before; reached != (c.want == 200 && c.path == reload) {
			t.Errorf("%s: it has reached the router: %t", c.name, reached)
		}
		if c.want != 431 && (resp.Header.Get("Content-Security-Policy") == "" || resp.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: a browser is not told what it may do: %v", c.name, resp.Header)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (challenge != "") != (c.want == 401) {
			t.Errorf("%s: the challenge is %q", c.name, challenge)
		}
		if resp.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: a certificate that nobody has signed is demanded for ever", c.name)
		}
	}
}

// A refused configuration is answered with all that is wrong with it, also over
// HTTPS.
func TestRefusedConfigurationOverHTTPS(t *testing.T) {
	w := serveWeb(t, true, Options{})
	w.fake.err = Refused([]Problem{{Message: "no such key"}, {Message: "no such table"}}, "routerd.toml has 2 errors")
	resp, body := w.ask("POST", "/v1/reload", nil, "Authorization: Bearer "+w.token(access.Admin))
	if resp.StatusCode != 422 || !strings.Contains(body, "no such key") || !strings.Contains(body, "no such table") {
		t.Errorf("%s %s, want 422 with both problems", resp.Status, body)
	}
}

// Wrong tokens are limited by address, and keep nobody with a right one out. What
// was tried is in the audit, without the secret.
func TestWrongTokensAreLimited(t *testing.T) {
	w := serveWeb(t, true, Options{})
	token := w.token(access.Read)
	wrong := strings.Replace(token, "rtd_", "rtd_x", 1)
	refused := 0 // and in the audit
	untilLimited := func(path string) {
		t.Helper()
		for range 200 {
			resp, body := w.ask("GET", path, nil, "Authorization: Bearer "+wrong)
			switch resp.StatusCode {
			case 401:
				refused++
			case 429:
				if after := resp.Header.Get("Retry-After"); after == "" || after == "0" {
					t.Errorf("Retry-After is %q", after)
				}
				return
			default:
				t.Fatalf("%s %s", resp.Status, body)
			}
		}
		t.Fatal("200 wrong tokens are not limited")
	}
	untilLimited("/v1/version")
	if resp, body := w.ask("GET", "/v1/version", nil, "Authorization: Bearer "+token); resp.StatusCode != 200 {
		t.Errorf("a right token behind wrong ones of the same address: %s %s", resp.Status, body)
	}
	untilLimited("/v1/version?t=" + wrong)
	entries := w.audit.Last(access.AuditSize)
	if len(entries) != refused {
		t.Errorf("%d entries in the audit, want one for each of the %d that were not limited", len(entries), refused)
	}
	for _, e := range entries {
		if e.Source != "127.0.0.1" || e.Status != 401 || e.Who != "" || strings.Contains(fmt.Sprint(e), token[len(token)-52:]) {
			t.Errorf("the entry %+v", e)
		}
	}
}

// Over plain HTTP anybody may read and nobody may do anything else, whatever the
// token.
func TestPlainHTTPReads(t *testing.T) {
	w := serveWeb(t, false, Options{})
	admin := "Authorization: Bearer " + w.token(access.Admin)
	for _, c := range []struct {
		method, path string
		headers      []string
		want         int
	}{
		{"GET", "/v1/version", nil, 200},
		{"HEAD", "/v1/version", nil, 200},
		{"GET", "/metrics", nil, 200},
		{"GET", "/v1/version", []string{admin}, 200},
		{"GET", "/v1/version", []string{admin + "x"}, 401},
		{"GET", "/v1/token", []string{admin}, 403},
		{"POST", "/v1/reload", nil, 403},
		{"POST", "/v1/reload", []string{admin}, 403},
		{"POST", "/v1/clear/arp", []string{admin}, 403},
		{"GET", "/v1/version", []string{"Host: evil.example"}, 421},
		{"GET", "/v1/version", []string{"Origin: http://evil.example"}, 403},
	} {
		if resp, body := w.ask(c.method, c.path, nil, c.headers...); resp.StatusCode != c.want {
			t.Errorf("%s %s with %q: %s, want %d: %s", c.method, c.path, c.headers, resp.Status, c.want, body)
		}
	}
	if w.fake.loads.Load() != 0 {
		t.Error("a change has reached the router")
	}
}

// Health is answered to anybody, and while the router does not answer.
func TestHealth(t *testing.T) {
	var broken error
	w := serveWeb(t, true, Options{Ready: func() error { return broken }})
	w.fake.wait = true
	for _, c := range []struct {
		method, path string
		broken       error
		want         int
		says         string
	}{
		{"GET", "/healthz", nil, 200, `{"status":"ok"}`},
		{"HEAD", "/readyz", nil, 200, ""},
		{"GET", "/readyz", errors.New("the router is stopping"), 503, `{"error":"the router is stopping"}`},
		{"GET", "/healthz", errors.New("the router is stopping"), 200, `{"status":"ok"}`},
		{"POST", "/healthz", nil, 405, "wanted GET"},
	} {
		broken = c.broken
		if resp, body := w.ask(c.method, c.path, nil); resp.StatusCode != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %s %s, want %d %s", c.method, c.path, resp.Status, body, c.want, c.says)
		}
	}
}

// The running configuration has a tag by which a client asks again for little.
func TestConfigTag(t *testing.T) {
	w := serveWeb(t, true, Options{})
	read := "Authorization: Bearer " + w.token(access.Read)
	resp, body := w.ask("GET", "/v1/config", nil, read)
	tag := resp.Header.Get("ETag")
	if resp.StatusCode != 200 || tag != `"7f3a9c21-3"` || !strings.Contains(body, `name = \"r1\"`) {
		t.Errorf("%s, tag %s: %s", resp.Status, tag, body)
	}
	for have, want := range map[string]int{tag: 304, `"x", W/` + tag: 304, "*": 304, `"x"`: 200} {
		if resp, body := w.ask("GET", "/v1/config", nil, read, "If-None-Match: "+have); resp.StatusCode != want || want == 304 && body != "" {
			t.Errorf("with %s: %s, want %d: %q", have, resp.Status, want, body)
		}
	}
}

// What somebody does is in the audit, done or refused, and the first answer is
// that of every repeat.
func TestIdempotencyKey(t *testing.T) {
	w := serveWeb(t, true, Options{})
	admin, operate := "Authorization: Bearer "+w.token(access.Admin), "Authorization: Bearer "+w.token(access.Operate)
	const key = "Idempotency-Key: 6f1d"
	var firsts []string
	for range 3 {
		resp, body := w.ask("POST", "/v1/reload", nil, admin, key)
		if resp.StatusCode != 200 {
			t.Fatalf("%s %s", resp.Status, body)
		}
		firsts = append(firsts, body)
	}
	if n := w.fake.loads.Load(); n != 1 || firsts[0] != firsts[1] || firsts[0] != firsts[2] {
		t.Errorf("three requests with one key reloaded %d times, and got %q", n, firsts)
	}
	for _, c := range []struct {
		path    string
		headers []string
		want    int
		loads   int32
	}{
		{"/v1/clear/arp", []string{admin, key}, 422, 1},          // another change
		{"/v1/reload", []string{operate, key}, 403, 1},           // another sender's key, without the role
		{"/v1/clear/arp", []string{operate, key}, 200, 1},        // another sender's key is another key
		{"/v1/reload", []string{admin}, 200, 2},                  // without a key
		{"/v1/reload", []string{admin, key + "e"}, 200, 3},       // another key
		{"/v1/reload", []string{admin, `If-Match: "x"`}, 412, 3}, // refused
	} {
		if resp, body := w.ask("POST", c.path, nil, c.headers...); resp.StatusCode != c.want || w.fake.loads.Load() != c.loads {
			t.Errorf("%s %q: %s after %d reloads, want %d after %d: %s", c.path, c.headers[1:], resp.Status, w.fake.loads.Load(), c.want, c.loads, body)
		}
	}
	var got []string
	for _, e := range w.audit.Last(100) {
		if e.Source != "127.0.0.1" || !strings.HasPrefix(e.Who, "token ") {
			t.Errorf("the entry %+v", e)
		}
		got = append(got, fmt.Sprintf("%s %s %d", e.Role, e.Action, e.Status))
	}
	want := []string{
		"admin POST /v1/reload 200", "operate POST /v1/reload 403", "operate POST /v1/clear/arp 200", "admin POST /v1/reload 200",
		"admin POST /v1/reload 200", "admin POST /v1/reload 412",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Those who connect and do not shake hands, or do not ask, are hung up on, and keep
// nobody out meanwhile.
func TestSlowHandshakes(t *testing.T) {
	w := serveWeb(t, true, Options{})
	read := "Authorization: Bearer " + w.token(access.Read)
	address := strings.TrimPrefix(w.url, "https://")
	begun := time.Now()
	var slow []net.Conn
	for i := range maxWebConns + 50 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%3 == 0 {
			c.Write([]byte{22, 3, 1, 2, 0, 1}) // the beginning of a ClientHello
		}
		slow = append(slow, c)
	}
	shaken, err := tls.Dial("tcp", address, tlskeys.Pinned(w.pair.Pin()))
	if err != nil {
		t.Fatal(err)
	}
	defer shaken.Close()
	fmt.Fprint(shaken, "GET /v1/version HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	if resp, body := w.ask("GET", "/v1/version", nil, read); resp.StatusCode != 200 {
		t.Errorf("beside %d slow ones: %s %s", len(slow), resp.Status, body)
	}
	// All are gone in the time that one has, whether pushed out or given up.
	var wg sync.WaitGroup
	for _, c := range append(slow, shaken) {
		wg.Go(func() {
			c.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
				t.Error("a slow connection was not hung up on within two minutes")
			}
		})
	}
	wg.Wait()
	t.Logf("%d slow connections have ended after %v", len(slow)+1, time.Since(begun).Round(time.Second))
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// Nothing that a client sends keeps the next one from its answer.
func TestGarbage(t *testing.T) {
	w := serveWeb(t, false, Options{})
	address := strings.TrimPrefix(w.url, "http://")
	for _, text := range []string{
		"\x00\x01\x02\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /v1 HTTP/1.1\r\n\r\n", "GET /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET //v1/../v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET /v1/\x7f HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET http://evil.example/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, text)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && (resp.StatusCode < 300 || resp.StatusCode >= 500 && resp.StatusCode != 505) {
			t.Errorf("%q is answered by %s", text, resp.Status)
		}
		c.Close()
		if resp, body := w.ask("GET", "/v1/version", nil); resp.StatusCode != 200 {
			t.Fatalf("behind %q: %s %s", text, resp.Status, body)
		}
	}
}

// The events that say who does what are for admins, as the audit itself is; who
// asks for all topics has the others.
func TestEventsOfTheAuditTakeAdmin(t *testing.T) {
	e := newEvents()
	w := serveWeb(t, true, Options{Events: e})
	for _, c := range []struct {
		role  access.Role
		query string
		want  int
		hears bool // of the audit
	}{
		{access.Read, "?topic=audit", 403, false},
		{access.Operate, "?topic=interface&topic=log", 403, false},
		{access.Read, "?topic=interface", 200, false},
		{access.Operate, "", 200, false},
		{access.Admin, "?topic=audit", 200, true},
		{access.Admin, "", 200, true},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/events"+c.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.token(c.role))
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.want {
			t.Errorf("%s asks for %q: %s, want %d", c.role, c.query, resp.Status, c.want)
		}
		if resp.StatusCode == http.StatusOK {
			e.Audit(noon, "uid 0", "a change")
			publish(e, TopicInterface, "lan0", "{}")
			heard := ""
			for lines := bufio.NewScanner(resp.Body); !strings.Contains(heard, `"topic":"interface"`) && !strings.Contains(heard, `"topic":"audit"`) && lines.Scan(); {
				heard += lines.Text()
			}
			if hears := strings.Contains(heard, `"topic":"audit"`); hears != c.hears {
				t.Errorf("%s asks for %q and hears of the audit: %t, want %t", c.role, c.query, hears, c.hears)
			}
		}
		resp.Body.Close()
	}
}
