package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"routerd/internal/access"
)

// login opens a session and returns the header with its cookie.
func (w *web) login(body string) string {
	w.t.Helper()
	resp, text := w.ask("POST", "/v1/login", strings.NewReader(body))
	if resp.StatusCode != http.StatusNoContent || text != "" {
		w.t.Fatalf("the login is answered by %s %s", resp.Status, text)
	}
	cookies := resp.Cookies()
	if len(cookies) != 1 {
		w.t.Fatalf("the login sets the cookies %v", cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-routerd" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) != 52 {
		w.t.Fatalf("the cookie is %+v", c)
	}
	return "Cookie: " + c.Name + "=" + c.Value
}

// code asks for a one-time code.
func (w *web) code(role, token string) LoginCode {
	w.t.Helper()
	resp, text := w.ask("POST", "/v1/login/code?role="+role, nil, "Authorization: Bearer "+token)
	var c LoginCode
	if err := json.Unmarshal([]byte(text), &c); err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("a code is answered by %s %s", resp.Status, text)
	}
	return c
}

// A browser gets in by a code, which works once, or by a token; is known by its
// cookie; and is out when it says so.
func TestLogin(t *testing.T) {
	w := serveWeb(t, true, Options{})
	admin := w.token(access.Admin)
	code := w.code("operate", admin)
	if code.Role != access.Operate {
		t.Errorf("the code is for the role %v", code.Role)
	}
	if lower := w.code("admin", w.token(access.Read)); lower.Role != access.Read {
		t.Errorf("a reader's code is for the role %v", lower.Role)
	}
	cookie := w.login(`{"code":"` + code.Code + `"}`)
	resp, body := w.ask("GET", "/v1/whoami", nil, cookie)
	var who Whoami
	if err := json.Unmarshal([]byte(body), &who); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("who the browser is: %s %s", resp.Status, body)
	}
	if who.Role != access.Operate || !who.Browser || who.Source != "127.0.0.1" || who.Expires.IsZero() || !strings.Contains(who.Name, "token ") {
		t.Errorf("the browser is %+v", who)
	}
	if resp, body := w.ask("POST", "/v1/login", strings.NewReader(`{"code":"`+code.Code+`"}`)); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
		t.Errorf("the code for the second time: %s %s", resp.Status, body)
	}
	if resp, body := w.ask("POST", "/v1/login/code", nil, cookie, "Origin: "+w.url); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a session opens another: %s %s", resp.Status, body)
	}
	if resp, body := w.ask("POST", "/v1/logout", nil, cookie, "Origin: "+w.url); resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge >= 0 {
		t.Errorf("the browser leaves: %s %s %v", resp.Status, body, resp.Cookies())
	}
	if resp, _ := w.ask("GET", "/v1/whoami", nil, cookie); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie of a session that has ended: %s", resp.Status)
	}

	id, text, err := w.tokens.Add("page", access.Admin, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cookie = w.login(`{"token":"` + text + `"}`)
	if resp, body := w.ask("POST", "/v1/reload", nil, cookie, "Origin: "+w.url); resp.StatusCode != http.StatusOK {
		t.Errorf("an admin's browser reloads: %s %s", resp.Status, body)
	}
	if _, err := w.tokens.Revoke(id.ID); err != nil {
		t.Fatal(err)
	}
	if resp, _ := w.ask("GET", "/v1/version", nil, cookie); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie of a session whose token was revoked: %s", resp.Status)
	}
	var actions []string
	for _, e := range w.audit.Last(100) {
		actions = append(actions, e.Action+": "+e.Result)
		if strings.Contains(e.Action+e.Result+e.Who, code.Code) {
			t.Errorf("the audit has the code: %+v", e)
		}
	}
	for _, want := range []string{"POST /v1/login: done", "POST /v1/login: the code does not work", "POST /v1/logout: done"} {
		if !strings.Contains(strings.Join(actions, "\n"), want) {
			t.Errorf("the audit lacks %q: %q", want, actions)
		}
	}
}

// What a browser may be made to send by another page is refused, whoever's cookie
// comes with it, and so is what is no login.
func TestBadLogins(t *testing.T) {
	w := serveWeb(t, true, Options{Events: newEvents()})
	cookie := w.login(`{"token":"` + w.token(access.Admin) + `"}`)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	with := func(more ...string) []string { return append([]string{cookie}, more...) }
	own, evil := "Origin: "+w.url, "Origin: https://evil.example"
	for _, c := range []struct {
		name, method, path string
		body               string
		headers            []string
		want               int
	}{
		{"reads", "GET", "/v1/version", "", with(), 200},
		{"reads from its own page", "GET", "/v1/version", "", with(own, "Sec-Fetch-Site: same-origin"), 200},
		{"opens the page by its URL", "GET", "/v1/version", "", with("Sec-Fetch-Site: none"), 200},
		{"changes from its own page", "POST", "/v1/clear/arp", "", with(own, "Sec-Fetch-Site: same-origin"), 200},
		{"changes without an Origin", "POST", "/v1/clear/arp", "", with(), 403},
		{"changes from another page", "POST", "/v1/clear/arp", "", with(evil), 403},
		{"changes from nobody's page", "POST", "/v1/clear/arp", "", with("Origin: null"), 403},
		{"changes from a page over http", "POST", "/v1/clear/arp", "", with("Origin: " + strings.Replace(w.url, "https", "http", 1)), 403},
		{"changes from another port", "POST", "/v1/clear/arp", "", with("Origin: https://127.0.0.1:1"), 403},
		{"changes from another site by name", "POST", "/v1/clear/arp", "", with(own, "Sec-Fetch-Site: cross-site"), 403},
		{"changes from another port by name", "POST", "/v1/clear/arp", "", with("Sec-Fetch-Site: same-site"), 403},
		{"reads from another site", "GET", "/v1/version", "", with("Sec-Fetch-Site: cross-site"), 403},
		{"reads from another port", "GET", "/v1/version", "", with("Sec-Fetch-Site: same-site"), 403},
		{"opens a WebSocket without an Origin", "GET", "/v1/events", "", with(upgrade...), 403},
		{"opens a WebSocket from another page", "GET", "/v1/events", "", with(append(upgrade, evil)...), 403},
		{"has two cookies", "GET", "/v1/version", "", []string{cookie, cookie}, 401},
		{"has a wrong cookie", "GET", "/v1/version", "", []string{cookie + "a"}, 401},
		{"has a cookie for a lower role", "POST", "/v1/clear/arp", "", with(own, "Routerd-Role: read"), 403},
		{"wants what is no role", "GET", "/v1/version", "", with("Routerd-Role: root"), 400},
		{"leaves without an Origin", "POST", "/v1/logout", "", with(), 403},
		{"leaves as nobody", "POST", "/v1/logout", "", nil, 401},
		{"logs in by another method", "GET", "/v1/login", "", nil, 405},
		{"logs in from another site", "POST", "/v1/login", `{"code":"x"}`, []string{evil}, 403},
		{"logs in by nothing", "POST", "/v1/login", "", nil, 400},
		{"logs in by no JSON", "POST", "/v1/login", "code=x", nil, 400},
		{"logs in by an empty object", "POST", "/v1/login", "{}", nil, 400},
		{"logs in by both", "POST", "/v1/login", `{"code":"x","token":"y"}`, nil, 400},
		{"logs in by a number", "POST", "/v1/login", `{"code":7}`, nil, 400},
		{"logs in by a novel", "POST", "/v1/login", `{"code":"` + strings.Repeat("x", maxLogin) + `"}`, nil, 413},
		{"logs in by a wrong token", "POST", "/v1/login", `{"token":"rtd_a_b"}`, nil, 401},
	} {
		var body io.Reader
		if c.body != "" {
			body = strings.NewReader(c.body)
		}
		resp, text := w.ask(c.method, c.path, body, c.headers...)
		if resp.StatusCode != c.want {
			t.Errorf("whoever %s: %s %s, want %d", c.name, resp.Status, text, c.want)
		}
		if len(resp.Cookies()) > 0 {
			t.Errorf("whoever %s gets the cookies %v", c.name, resp.Cookies())
		}
	}
}

// Wrong codes are limited by address, as wrong tokens are.
func TestWrongCodesAreLimited(t *testing.T) {
	w := serveWeb(t, true, Options{})
	right := w.code("read", w.token(access.Read))
	for i := range 20 {
		resp, body := w.ask("POST", "/v1/login", strings.NewReader(`{"code":"abcd"}`))
		switch {
		case resp.StatusCode == http.StatusTooManyRequests && i >= 10 && resp.Header.Get("Retry-After") != "":
			w.login(`{"code":"` + right.Code + `"}`)
			return
		case resp.StatusCode != http.StatusUnauthorized:
			t.Fatalf("wrong code %d: %s %s", i+1, resp.Status, body)
		}
	}
	t.Error("20 wrong codes are not too many")
}

// Who reads over http needs no session, and gets none.
func TestNoLoginOverHTTP(t *testing.T) {
	w := serveWeb(t, false, Options{})
	resp, body := w.ask("POST", "/v1/login", strings.NewReader(`{"token":"`+w.token(access.Admin)+`"}`))
	if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
		t.Errorf("a login over http: %s %s", resp.Status, body)
	}
}

// A browser's WebSocket is opened by its cookie from its own page, and ends with its
// session.
func TestBrowserFollowsEvents(t *testing.T) {
	w := serveWeb(t, true, Options{Events: newEvents()})
	cookie := strings.TrimPrefix(w.login(`{"token":"`+w.token(access.Read)+`"}`), "Cookie: ")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := followBy(t, w.client.Transport, w.url, http.Header{"Cookie": {cookie}, "Origin": {w.url}},
		`{"op":"subscribe","id":1,"topics":["interface"],"snapshot":true}`)
	until(t, c, "snapshot")
	_, value, _ := strings.Cut(cookie, "=")
	w.logins.End(value)
	var err error
	for err == nil {
		_, _, err = c.Read(ctx)
	}
	if websocket.CloseStatus(err) != StatusRevoked {
		t.Errorf("after the session has ended its WebSocket ended with %v, want status %d", err, StatusRevoked)
	}
}
