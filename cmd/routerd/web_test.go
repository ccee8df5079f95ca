package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"routerd/internal/control"
)

// routerd web prints a URL that opens the router's page once, and shows it until it
// is interrupted.
func TestWeb(t *testing.T) {
	socket := serve(t, &fake{})
	var out paper
	b := &webber{session: &session{out: &out, err: io.Discard, socket: socket}, noOpen: true}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("interrupted, it ends with %v", err)
		}
	}()
	out.reads(t, "within ten minutes")
	found := regexp.MustCompile(`(http://[0-9.:]+)/#code=([a-z2-7]{26,})\n`).FindStringSubmatch(out.String())
	if found == nil {
		t.Fatalf("it prints\n%s", out.String())
	}
	base, code := found[1], found[2]
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(method, path, body string) (status int, text string) {
		t.Helper()
		req, err := http.NewRequest(method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", base)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(all)
	}
	if status, body := ask("GET", "/v1/version", ""); status != http.StatusUnauthorized {
		t.Errorf("without the code: %d %s", status, body)
	}
	if status, body := ask("POST", "/v1/login", `{"code":"`+code+`"}`); status != http.StatusNoContent {
		t.Errorf("the code: %d %s", status, body)
	}
	if status, body := ask("GET", "/v1/version", ""); status != http.StatusOK || !strings.Contains(body, `"name":"`) {
		t.Errorf("with the code: %d %s", status, body)
	}
}

// It listens on loopbacks alone, and needs a router that answers.
func TestWebRefused(t *testing.T) {
	socket := serve(t, &fake{})
	t.Setenv("ROUTERD_LAB_DIR", t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--socket", socket, "web", "--listen", "0.0.0.0:8080"}, exitUsage, "wanted an address of a loopback"},
		{[]string{"--socket", socket, "web", "--listen", "192.0.2.1:0"}, exitUsage, "wanted an address of a loopback"},
		{[]string{"--socket", socket, "web", "--listen", "localhost"}, exitUsage, "wanted an address of a loopback"},
		{[]string{"--socket", socket, "web", "--role", "root"}, exitUsage, "wanted read, operate or admin"},
		{[]string{"--socket", filepath.Join(t.TempDir(), "none.sock"), "web"}, exitUnreachable, "no router has that socket"},
		{[]string{"lab", "web", "../../deploy/labs/demo.toml"}, exitFailed, "not up"},
	} {
		if code, _, stderr := routerd(c.args...); code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, %s; want %d and %q", c.args, code, stderr, c.code, c.says)
		}
	}
	b := &webber{}
	for range 1000 {
		address, err := b.address()
		if a := netip.MustParseAddrPort(address); err != nil || !a.Addr().IsLoopback() || a.Port() != 0 {
			t.Fatalf("it listens on %s, %v", address, err)
		}
	}
	var role control.PageRole
	if err := role.Set("read"); err != nil || role.String() != "read" || role.Type() != "role" {
		t.Errorf("the role is %v, %v", role, err)
	}
}
