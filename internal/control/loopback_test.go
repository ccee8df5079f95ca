package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"routerd/internal/access"
)

// serveLoopback shows the router at a socket to the browser of this test, until the
// test ends.
func serveLoopback(t *testing.T, socket string, role access.Role) *web {
	t.Helper()
	c := Dial(socket)
	t.Cleanup(c.Close)
	l, err := NewLoopback(c, role)
	if err != nil {
		t.Fatal(err)
	}
	return showLoopback(t, l)
}

func showLoopback(t *testing.T, l *Loopback) *web {
	t.Helper()
	return showLoopbackAt(t, l, "127.0.0.1:0")
}

func showLoopbackAt(t *testing.T, l *Loopback, address string) *web {
	t.Helper()
	t.Cleanup(l.Close)
	at, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, at) }()
	w := &web{t: t, url: "http://" + at.Addr().String(), client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	w.loopback = l
	return w
}

// enter opens a session by a one-time code and returns the header with its cookie.
func (w *web) enter() string {
	w.t.Helper()
	code, err := w.loopback.Code()
	if err != nil {
		w.t.Fatal(err)
	}
	resp, text := w.ask("POST", "/v1/login", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code)), "Origin: "+w.url)
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 {
		w.t.Fatalf("the login is answered by %s %s", resp.Status, text)
	}
	c := resp.Cookies()[0]
	if c.Name != "routerd-web" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		w.t.Fatalf("the cookie is %+v", c)
	}
	if resp, _ := w.ask("POST", "/v1/login", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code))); resp.StatusCode != http.StatusUnauthorized {
		w.t.Errorf("the code for the second time: %s", resp.Status)
	}
	return "Cookie: " + c.Name + "=" + c.Value
}

// The user's browser has the rights of the user, or fewer if he says so; nobody else
// on the host has any.
func TestLoopback(t *testing.T) {
	f := &fake{}
	socket, _ := serveEvents(t, f, newEvents())
	w := serveLoopback(t, socket, access.Admin)
	cookie := w.enter()
	own := "Origin: " + w.url
	port := w.url[strings.LastIndex(w.url, ":"):]
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               int
		says               string
	}{
		{"the user's browser asks", "GET", "/v1/version", []string{cookie}, 200, `"name":"r1"`},
		{"by a name", "GET", "/v1/version", []string{cookie, "Host: localhost" + port}, 200, ""},
		{"who it is", "GET", "/v1/whoami", []string{cookie}, 200, `"role":"admin","source":"unix socket"`},
		{"it changes something", "POST", "/v1/clear/arp", []string{cookie, own}, 200, "cleared"},
		{"it asks for nothing that there is", "GET", "/v1/nothing", []string{cookie}, 404, "no such noun"},
		{"it names a role, which is not its to name", "POST", "/v1/reload", []string{cookie, own, "Routerd-Role: read"}, 200, ""},
		{"it asks for the page", "GET", "/", []string{cookie}, 200, "<html"},
		{"anybody asks for the page", "GET", "/", nil, 200, "<html"},

		{"anybody asks", "GET", "/v1/version", nil, 401, "no session"},
		{"anybody asks for the index", "GET", "/v1", nil, 401, "no session"},
		{"anybody asks for metrics", "GET", "/metrics", nil, 401, "no session"},
		{"anybody changes something", "POST", "/v1/reload", nil, 401, "no session"},
		{"anybody posts to the page", "POST", "/", nil, 401, "no session"},
		{"anybody by another way of writing", "GET", "//v1/version", nil, 404, ""},
		{"anybody with a token", "GET", "/v1/version", []string{"Authorization: Bearer rtd_x_y"}, 401, "no session"},
		{"a wrong cookie", "GET", "/v1/version", []string{cookie + "a"}, 401, "no session"},
		{"a page of another site", "POST", "/v1/reload", []string{cookie, "Origin: https://evil.example"}, 403, ""},
		{"a page of another port", "POST", "/v1/reload", []string{cookie, "Origin: http://127.0.0.1:1"}, 403, ""},
		{"a page of another port by name", "GET", "/v1/version", []string{cookie, "Sec-Fetch-Site: same-site"}, 403, ""},
		{"a page that hides where it is from", "POST", "/v1/reload", []string{cookie}, 403, ""},
		{"a WebSocket without an Origin", "GET", "/v1/events", []string{cookie, "Connection: Upgrade", "Upgrade: websocket"}, 403, ""},
		{"a page whose name leads here", "GET", "/v1/version", []string{cookie, "Host: evil.example" + port}, 421, ""},
		{"another address", "GET", "/", []string{cookie, "Host: 192.0.2.1" + port}, 421, ""},
	} {
		before := f.loads.Load()
		resp, body := w.ask(c.method, c.path, nil, c.headers...)
		if resp.StatusCode != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %s %.200s, want %d and %q", c.name, resp.Status, body, c.want, c.says)
		}
		if reached := f.loads.Load() > before; reached != (c.want == 200 && c.path == "/v1/reload") {
			t.Errorf("%s: it has reached the router: %t", c.name, reached)
		}
	}

	reader := serveLoopback(t, socket, access.Read)
	cookie = reader.enter()
	if resp, body := reader.ask("POST", "/v1/reload", nil, cookie, "Origin: "+reader.url); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page for reading alone reloads: %s %s", resp.Status, body)
	}
	if resp, body := reader.ask("GET", "/v1/whoami", nil, cookie, "Routerd-Role: admin"); !strings.Contains(body, `"role":"read"`) {
		t.Errorf("a page for reading alone is %s %s", resp.Status, body)
	}
}

// A site of the command's own is shown in the same way: what is below /v1/ to its user
// alone.
func TestLoopbackSite(t *testing.T) {
	l, err := NewLoopbackSite(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { fmt.Fprint(w, "site "+req.URL.Path) }))
	if err != nil {
		t.Fatal(err)
	}
	w := showLoopback(t, l)
	cookie := w.enter()
	for _, c := range []struct {
		path    string
		headers []string
		want    int
	}{
		{"/", nil, 200},
		{"/v1/lab", nil, 401},
		{"/v1/lab", []string{cookie}, 200},
		{"/v1/lab", []string{cookie, "Sec-Fetch-Site: cross-site"}, 403},
		{"/", []string{"Host: evil.example"}, 421},
	} {
		if resp, body := w.ask("GET", c.path, nil, c.headers...); resp.StatusCode != c.want || c.want == 200 && body != "site "+c.path {
			t.Errorf("%s with %q: %s %s, want %d", c.path, c.headers, resp.Status, body, c.want)
		}
	}
}

// Events reach the page, and end with its session or the command. A router that is
// gone is said to be.
func TestLoopbackEvents(t *testing.T) {
	e := newEvents()
	socket, stop := serveEvents(t, &fake{}, e)
	w := serveLoopback(t, socket, access.Admin)
	cookie := strings.TrimPrefix(w.enter(), "Cookie: ")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := followBy(t, w.client.Transport, w.url, http.Header{"Cookie": {cookie}, "Origin": {w.url}},
		`{"op":"subscribe","id":1,"topics":["interface"],"snapshot":true}`)
	until(t, c, "snapshot")
	publish(e, TopicInterface, "lan0", `{"name":"lan0"}`)
	if got := until(t, c, "event"); got.Key != "lan0" {
		t.Errorf("the event is about %q", got.Key)
	}
	if resp, body := w.ask("POST", "/v1/logout", nil, "Cookie: "+cookie, "Origin: "+w.url); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("leaving: %s %s", resp.Status, body)
	}
	var err error
	for err == nil {
		_, _, err = c.Read(ctx)
	}
	if ctx.Err() != nil {
		t.Error("the events go on after the session has ended")
	}

	again := w.enter()
	lines, err := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/events?topic=interface&snapshot=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	lines.Header.Set("Cookie", strings.TrimPrefix(again, "Cookie: "))
	resp, err := w.client.Do(lines)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 16)
	if _, err := io.ReadFull(resp.Body, first); err != nil || !strings.HasPrefix(string(first), `{"type":"hello"`) {
		t.Errorf("the lines begin with %q, %v", first, err)
	}
	stop()
	if resp, body := w.ask("GET", "/v1/version", nil, again); resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "asking the router at "+socket) {
		t.Errorf("without a router: %s %s", resp.Status, body)
	}
}

// The command line of a browser, which other users of the host can read, has the code.
// So a code opens a session only by a connection of the user who runs the command.
func TestLoopbackOfUser(t *testing.T) {
	for _, c := range []struct {
		user uint32
		want int
	}{{uint32(os.Geteuid()), http.StatusNoContent}, {uint32(os.Geteuid()) + 1, http.StatusForbidden}} {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
			l, err := NewLoopbackSite(http.NotFoundHandler())
			if err != nil {
				t.Fatal(err)
			}
			l.user = &c.user
			w := showLoopbackAt(t, l, at)
			code, err := l.Code()
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Sprintf(`{"code":%q}`, code)
			if resp, text := w.ask("POST", "/v1/login", strings.NewReader(body), "Origin: "+w.url); resp.StatusCode != c.want {
				t.Errorf("a login of the user %d at %s of a page of the user %d: %s %s", os.Geteuid(), at, c.user, resp.Status, text)
			}
		}
	}
}
