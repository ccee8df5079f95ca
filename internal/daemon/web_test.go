package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/control"
	"routerd/internal/tlskeys"
	"routerd/internal/tlskeys/tlskeystest"
)

// freeAddress returns an address of the loopback at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listenAt writes a configuration whose API is at the socket and at addresses, with
// more in its [api], and further tables behind it.
func (s *site) listenAt(api, more string, addresses ...string) {
	s.t.Helper()
	s.write(more)
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	list := fmt.Sprintf("%q", append([]string{"unix://" + s.socket()}, addresses...))
	list = strings.ReplaceAll(list, `" "`, `", "`)
	changed := strings.Replace(string(text), fmt.Sprintf("[\"unix://%s\"]\n", s.socket()), list+"\n"+api, 1)
	changed = fmt.Sprintf("state-dir = %q\n", filepath.Join(s.dir, "state")) + changed
	if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// post changes something through the socket, and reads the answer.
func (s *site) post(what string, answer any) {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", s.socket()) },
	}}
	resp, err := client.Post("http://routerd/v1/"+what, "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("POST %s: %s, %v: %s", what, resp.Status, err, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		s.t.Fatalf("POST %s: %v in %s", what, err, body)
	}
}

// addToken makes a token through the socket.
func (s *site) addToken(role access.Role) (made control.TokenAdded) {
	s.t.Helper()
	s.post("token/add?name=test&role="+role.String(), &made)
	return made
}

// webConn is one connection to the API over HTTPS.
type webConn struct {
	*tls.Conn
	r *bufio.Reader
}

// dialWeb connects to the holder of a key; "" is anybody.
func dialWeb(t *testing.T, address, pin string) *webConn {
	t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true}
	if pin != "" {
		cfg = tlskeys.Pinned(pin)
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &webConn{c, bufio.NewReader(c)}
}

// ask asks for the version on this connection, with a token if there is one.
func (c *webConn) ask(token string) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	shown := ""
	if token != "" {
		shown = "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "GET /v1/version HTTP/1.1\r\nHost: localhost\r\n%s\r\n", shown); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}

// The API over HTTPS comes and goes with the configuration, with a key that outlives
// a restart, as do tokens; a request by the address that goes is answered.
func TestHTTPSFollowsReload(t *testing.T) {
	s := newSite(t)
	stop := s.start()
	first, second := freeAddress(t), freeAddress(t)
	// Without a place for a key nothing changes: the router has none before a restart,
	// and says so.
	s.listenAt("", "", "https://"+first)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.client().Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "state-dir is taken up when the router starts") {
		t.Errorf("without a state-dir at the start: %v", err)
	}
	stop()
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	stop = s.start()
	admin, reader := s.addToken(access.Admin), s.addToken(access.Read)
	version, err := s.client().Version(t.Context())
	if err != nil || len(version.HTTPS) != 1 || version.HTTPS[0].URL != "https://"+first {
		t.Fatalf("the version is %+v, %v", version, err)
	}
	pin := version.HTTPS[0].Pin
	remote := func(address, token string) *control.Client {
		t.Helper()
		c, err := control.DialRemote(control.Remote{URL: "https://" + address, Pin: pin, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	if list, err := remote(first, reader.Secret).Interfaces(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("the interfaces over HTTPS are %+v, %v", list, err)
	}
	// The reload that takes an address away is answered at that address.
	s.listenAt("", "", "https://"+second)
	if _, err := remote(first, admin.Secret).Reload(t.Context()); err != nil {
		t.Errorf("the reload that takes its own address away: %v", err)
	}
	var gone *control.UnreachableError
	if _, err := remote(first, admin.Secret).Version(t.Context()); !errors.As(err, &gone) {
		t.Errorf("at the address that is gone: %v", err)
	}
	stop()
	stop = s.start()
	if v, err := remote(second, admin.Secret).Version(t.Context()); err != nil || v.HTTPS[0].Pin != pin {
		t.Errorf("after a restart: %+v, %v; want the pin %s", v, err, pin)
	}
	// A reload that changes nothing of it ends no connection.
	open := dialWeb(t, second, pin)
	for range 3 {
		if err := open.ask(reader.Secret); err != nil {
			t.Errorf("on a connection over a reload: %v", err)
		}
		s.reload()
	}
	s.post("token/revoke?id="+reader.ID, &control.TokenRevoked{})
	if err := open.ask(reader.Secret); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a revoked token on a connection that is open: %v", err)
	}
	var refused *control.Error
	if _, err := remote(second, reader.Secret).Version(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("with a revoked token: %v", err)
	}
	stop()
	// Neither the log nor any file has a secret.
	filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, token := range []control.TokenAdded{admin, reader} {
			if secret := token.Secret[strings.LastIndex(token.Secret, "_")+1:]; strings.Contains(string(data), secret) {
				t.Errorf("%s has the secret of a token", path)
			}
		}
		if strings.HasPrefix(path, filepath.Join(s.dir, "state")) {
			if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v, %v; want that of its owner alone", path, info.Mode(), err)
			}
		}
		return err
	})
}

// A certificate that is swapped in its files is shown to the next connection,
// without a reload, and the hundred that are open go on.
func TestCertificateIsSwapped(t *testing.T) {
	s := newSite(t)
	address := freeAddress(t)
	certificate, key := filepath.Join(s.dir, "r1.crt"), filepath.Join(s.dir, "r1.key")
	s.listenAt("[api.tls]\ncertificate = \"r1.crt\"\nkey = \"r1.key\"\n", "", "https://"+address)
	first := tlskeystest.Put(t, certificate, key)
	s.start()
	token := s.addToken(access.Read).Secret
	var open []*webConn
	for range 100 {
		open = append(open, dialWeb(t, address, first))
	}
	allAnswered := func(when string) {
		t.Helper()
		for i, c := range open {
			if err := c.ask(token); err != nil {
				t.Errorf("%s connection %d: %v", when, i, err)
			}
		}
	}
	allAnswered("before")
	second := tlskeystest.Put(t, certificate, key)
	wait(t, "the new certificate to be shown", func() error {
		if got := tlskeys.PinOf(dialWeb(t, address, "").ConnectionState().PeerCertificates[0]); got != second {
			return fmt.Errorf("the pin is %s, want %s", got, second)
		}
		return nil
	})
	allAnswered("after the swap")
	if v, err := s.client().Version(t.Context()); err != nil || v.HTTPS[0].Pin != second {
		t.Errorf("the version says %+v, %v; want the pin %s", v.HTTPS, err, second)
	}
	// A file that is none is refused by a reload, which says where it is named, and
	// changes nothing.
	if err := os.WriteFile(key, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), s.config+":6: ") || !strings.Contains(err.Error(), key) {
		t.Errorf("a reload with a key that is none: %v", err)
	}
	if err := dialWeb(t, address, second).ask(token); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}
	third := tlskeystest.Put(t, certificate, key)
	s.reload()
	if err := dialWeb(t, address, third).ask(token); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	allAnswered("after the reload")
}

// A change for another configuration than the one that runs is refused, also where
// that has just been replaced; a reload by signal is in the audit too.
func TestReloadOfAnotherConfiguration(t *testing.T) {
	s := newSite(t)
	address := freeAddress(t)
	s.listenAt("", "", "https://"+address)
	s.start()
	admin := s.addToken(access.Admin)
	ask := func(method, path string, headers map[string]string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest(method, "https://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+admin.Secret)
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	tagOf := func() string {
		t.Helper()
		resp, body := ask("GET", "/v1/config", nil)
		text, err := os.ReadFile(s.config)
		var running control.RunningConfig
		if err := errors.Join(err, json.Unmarshal([]byte(body), &running)); err != nil || running.Text != string(text) || running.File != s.config {
			t.Errorf("the running configuration is %s, %v; want the text of %s", body, err, s.config)
		}
		return resp.Header.Get("ETag")
	}
	old := tagOf()
	s.reload()
	if got := tagOf(); got != old {
		t.Errorf("the same text has the tag %s and then %s", old, got)
	}
	s.listenAt("", "[nat]\nmax-sessions = 1000\n", "https://"+address)
	if resp, body := ask("POST", "/v1/reload", map[string]string{"If-Match": old}); resp.StatusCode != http.StatusOK {
		t.Fatalf("a reload for the configuration that runs: %s %s", resp.Status, body)
	}
	tag := tagOf()
	for _, path := range []string{"/v1/reload", "/v1/clear/arp", "/v1/token/add?name=x"} {
		if resp, body := ask("POST", path, map[string]string{"If-Match": old}); resp.StatusCode != http.StatusPreconditionFailed || !strings.Contains(body, strings.Trim(tag, `"`)) {
			t.Errorf("%s for the one before, %s: %s %s; want 412 and the tag %s", path, old, resp.Status, body, tag)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	var entries control.AuditList
	wait(t, "the reload by signal to be in the audit", func() error {
		_, body := ask("GET", "/v1/audit", nil)
		if err := json.Unmarshal([]byte(body), &entries); err != nil {
			return err
		}
		if last := entries.Entries[len(entries.Entries)-1]; last.Source != "SIGHUP" || last.Result != "done" {
			return fmt.Errorf("the last entry is %+v", last)
		}
		return nil
	})
	var got []string
	for _, e := range entries.Entries {
		got = append(got, fmt.Sprintf("%s %s %d", e.Source, e.Action, e.Status))
	}
	want := []string{
		"unix socket POST /v1/token/add?name=test&role=admin 200", "unix socket POST /v1/reload 200", "127.0.0.1 POST /v1/reload 200",
		"127.0.0.1 POST /v1/reload 412", "127.0.0.1 POST /v1/clear/arp 412", "127.0.0.1 POST /v1/token/add?name=x 412", "SIGHUP reload 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// While the router's owner is held up, health is answered, and says so.
func TestHealthWhileTheOwnerIsHeld(t *testing.T) {
	var s stepTimes
	if held := s.held(); held != 0 {
		t.Errorf("before any step: %v", held)
	}
	s.run(func() {
		wait(t, "the step to count as begun", func() error {
			if s.held() <= 0 {
				return errors.New("it does not")
			}
			return nil
		})
		d := &Daemon{}
		if err := d.ready(); err == nil {
			t.Error("a router that has not started is ready")
		}
		d.started.Store(true)
		if err := d.ready(); err != nil {
			t.Errorf("between steps: %v", err)
		}
		d.steps.begun.Store(int64(time.Since(dawn) - longestStep - time.Second))
		if err := d.ready(); err == nil || !strings.Contains(err.Error(), "in one step for") {
			t.Errorf("held for 11 s: %v", err)
		}
	})
	if held := s.held(); held != 0 {
		t.Errorf("after the step: %v", held)
	}
}

// A router that has given up what only starting takes still makes its key, keeps
// tokens, listens on a low port, and follows a certificate that it may not own.
func TestHTTPSWithReducedPrivileges(t *testing.T) {
	if err := probeThreads(); errors.Is(err, errThreads) {
		t.Skip("this test binary is built with cgo, which cannot change all threads")
	}
	s := newSite(t)
	s.listenAt("", "")
	s.startProcess([]string{"ROUTERD_TEST_REDUCE=1"})
	const address = "127.83.1.9:443" // where nobody else listens
	s.listenAt("", "", "https://"+address)
	s.reload()
	v, err := s.client().Version(t.Context())
	if err != nil || len(v.HTTPS) != 1 {
		t.Fatalf("the version is %+v, %v", v, err)
	}
	token := s.addToken(access.Read).Secret
	if err := dialWeb(t, address, v.HTTPS[0].Pin).ask(token); err != nil {
		t.Errorf("with a key of the router's own: %v", err)
	}
	certificate, key := filepath.Join(s.dir, "r1.crt"), filepath.Join(s.dir, "r1.key")
	pin := tlskeystest.Put(t, certificate, key)
	for _, path := range []string{certificate, key} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	s.listenAt("[api.tls]\ncertificate = \"r1.crt\"\nkey = \"r1.key\"\n", "", "https://"+address)
	s.reload()
	if err := dialWeb(t, address, pin).ask(token); err != nil {
		t.Errorf("with a certificate of somebody else's: %v", err)
	}
}
