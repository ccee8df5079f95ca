package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/control"
	"routerd/internal/tlskeys"
	"routerd/internal/tlskeys/tlskeystest"
)

// serveRemote serves f over HTTPS, and gives the URL, the pin and the file of a
// token.
func serveRemote(t *testing.T, f *fake, role access.Role) (url, pin, tokenFile string) {
	t.Helper()
	dir := t.TempDir()
	pair, err := tlskeys.Open(tlskeys.Config{Own: filepath.Join(dir, "tls.key"), Name: "r1", AskClients: true})
	if err != nil {
		t.Fatal(err)
	}
	client := filepath.Join(dir, "client.pem")
	clients := &access.Clients{List: []access.Client{{Name: "test", Role: access.Read, Value: tlskeystest.Put(t, client, client)}}}
	tokens, err := access.OpenTokens(nil, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	_, text, err := tokens.Add("test", role, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	tokenFile = filepath.Join(dir, "token")
	if err := os.WriteFile(tokenFile, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- control.New(f, control.Options{Tokens: tokens, Clients: func() *access.Clients { return clients }}).ServeWeb(ctx, l, func() *tls.Config { return pair.TLS() })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return "https://" + l.Addr().String(), pair.Pin(), tokenFile
}

// Every verb asks a router by its URL, its pin and a token, given by flags or by
// the environment, and says what is wrong with them.
func TestRemote(t *testing.T) {
	f := &fake{}
	url, pin, tokenFile := serveRemote(t, f, access.Operate)
	cert := filepath.Join(filepath.Dir(tokenFile), "client.pem")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := "sha256:" + strings.Repeat("00", 32)
	for _, c := range []struct {
		line        string
		environment []string
		code        int
		says        string
	}{
		{"show interface --url URL --pin PIN --token-file FILE", nil, exitOK, "lan0"},
		{"clear arp --url URL --pin PIN --token-file FILE", nil, exitOK, "neighbours forgotten: 2"},
		{"reload --url URL --pin PIN --token-file FILE", nil, exitFailed, "who has the role operate: wanted the role admin"},
		{"explain route 10.0.2.2", []string{urlVariable, "URL", pinVariable, "PIN", tokenFileVariable, "FILE"}, exitOK, "10.0.2.2"},
		{"show interface --url URL --pin PIN", nil, exitFailed, "wanted a token"},
		{"show interface --url URL --pin OTHER --token-file FILE", nil, exitUnreachable, "another router, or somebody in between"},
		{"show interface --url URL --token-file FILE", nil, exitUnreachable, "--pin says which key to trust"},
		{"show interface --url https://127.0.0.1:1 --pin PIN", nil, exitUnreachable, "connection refused; nobody listens there"},
		{"show interface --url URL --pin x", nil, exitUsage, `the pin "x": wanted "sha256:"`},
		{"show interface --url URL --socket /run/r1.sock", nil, exitUsage, "--socket and --url: wanted one of them"},
		{"show interface --pin PIN", nil, exitUsage, "are for a router that --url names"},
		{"show interface --url http://192.0.2.1:8080", nil, exitUsage, "http is for a loopback's address alone"},
		{"show interface --url http://127.0.0.1:8080 --pin PIN", nil, exitUsage, "http has no key to pin"},
		{"show interface --url 192.0.2.1", nil, exitUsage, `wanted "https://ADDRESS:PORT"`},
		{"show interface --url URL --pin PIN --token-file EMPTY", nil, exitUsage, "wanted a file with one token"},
		{"show interface --url URL --pin PIN --token-file /nonexistent", nil, exitFailed, "reading the token"},
		{"show interface --url URL --pin PIN --cert CERT", nil, exitOK, "lan0"},
		{"show interface", []string{"ROUTERD_URL", "URL", "ROUTERD_PIN", "PIN", "ROUTERD_CERT", "CERT", "ROUTERD_CERT_KEY", "CERT"}, exitOK, "lan0"},
		{"clear arp --url URL --pin PIN --cert CERT", nil, exitFailed, "as certificate test, who has the role read"},
		{"show interface --url URL --pin PIN --cert FILE", nil, exitUsage, "reading the certificate FILE with the key FILE"},
		{"show interface --url URL --pin PIN --cert-key CERT", nil, exitUsage, "wanted --cert too"},
		{"show interface --cert CERT", nil, exitUsage, "are for a router that --url names"},
		{"show interface --url http://127.0.0.1:8080 --cert CERT", nil, exitUsage, "http shows no certificate"},
		{"token add", nil, exitUsage, "a token needs a name"},
		{"token revoke", nil, exitUsage, "which token?"},
		{"token add x --role root", nil, exitUsage, "wanted read, operate or admin"},
		{"token", nil, exitUsage, "list, add, revoke"},
	} {
		t.Run(c.line, func(t *testing.T) {
			fill := strings.NewReplacer("URL", url, "PIN", pin, "FILE", tokenFile, "OTHER", other, "EMPTY", empty, "CERT", cert)
			for i := 0; i < len(c.environment); i += 2 {
				t.Setenv(c.environment[i], fill.Replace(c.environment[i+1]))
			}
			code, stdout, stderr := routerd(strings.Fields(fill.Replace(c.line))...)
			if code != c.code || !strings.Contains(stdout+stderr, fill.Replace(c.says)) {
				t.Errorf("exit %d, want %d and %q in\n%s%s", code, c.code, c.says, stdout, stderr)
			}
		})
	}
}

// A new token is printed so that a script can take it.
func TestTokenCommands(t *testing.T) {
	socket := serve(t, &fake{})
	for _, c := range []struct{ line, says string }{
		{"token add ci --role operate --expires 30d", "rtd_k3v9q2xa_secret\ntoken k3v9q2xa (ci) may operate until "},
		{"token add ci -o json", `"token": "rtd_k3v9q2xa_secret"`},
		{"token list", "grafana"},
		{"token list -o json", `"name": "grafana"`},
		{"show token", "grafana"},
		{"token revoke k3v9q2xa", "revoked token k3v9q2xa (ci)\n"},
		{"show audit", "POST /v1/reload"},
		{"show config", "name = \"r1\"\n"},
		{"show running-config", "name = \"r1\"\n"},
	} {
		code, stdout, stderr := routerd(append(strings.Fields(c.line), "--socket", socket)...)
		if code != exitOK || !strings.Contains(stdout, c.says) {
			t.Errorf("%s: exit %d, want %q in\n%s%s", c.line, code, c.says, stdout, stderr)
		}
	}
}
