package tlskeys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// makePair returns a key and a certificate of it as PEM.
func makePair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sign(k, name, []string{name}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// look has the pair look at its files now, whenever it last did.
func (p *Pair) look() string {
	p.mu.Lock()
	p.looked = time.Time{}
	p.mu.Unlock()
	return p.Pin()
}

// The router's own key outlives the process, nobody else may read it, and a
// file that is no key is not replaced by one.
func TestOwnKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r1", "tls.key")
	cfg := Config{Own: path, Name: "r1", Hosts: []string{"r1.example.net", "192.0.2.1", "2001:db8::1"}}
	first, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v; want mode 0600", info, err)
	}
	second, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if first.Pin() != second.Pin() {
		t.Errorf("the pin was %s and is %s after another start", first.Pin(), second.Pin())
	}
	leaf := second.Certificate().Leaf
	for _, h := range cfg.Hosts {
		if err := leaf.VerifyHostname(h); err != nil {
			t.Errorf("the certificate is not for %s: %v", h, err)
		}
	}
	if leaf.IsCA || leaf.NotAfter.Sub(leaf.NotBefore) > 398*24*time.Hour {
		t.Errorf("the certificate is an authority (%t) or lives from %v to %v", leaf.IsCA, leaf.NotBefore, leaf.NotAfter)
	}
	for _, bad := range []string{"", "precious", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		put(t, path, []byte(bad))
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("over the file %q: %v, want an error that names it", bad, err)
		}
		if got, _ := os.ReadFile(path); string(got) != bad {
			t.Errorf("the file %q was made %q", bad, got)
		}
	}
}

// The router's own certificate is made anew, of the same key, before it expires.
func TestOwnCertificateIsRenewed(t *testing.T) {
	p, err := Open(Config{Own: filepath.Join(t.TempDir(), "tls.key"), Name: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	pin, end := p.Pin(), p.cert.Leaf.NotAfter
	for _, c := range []struct {
		before time.Duration // the end
		anew   bool
	}{{renewBefore + time.Hour, false}, {renewBefore - time.Hour, true}} {
		p.mu.Lock()
		p.follow(end.Add(-c.before))
		p.mu.Unlock()
		if anew := p.cert.Leaf.NotAfter.After(end); anew != c.anew {
			t.Errorf("%v before its end the certificate was renewed: %t, want %t", c.before, anew, c.anew)
		}
	}
	if p.Pin() != pin {
		t.Errorf("the renewed certificate has the pin %s, want %s", p.Pin(), pin)
	}
}

// A renewal is followed when its two files fit together, in whatever order they
// come, by rename or in place, and what cannot be used changes nothing.
func TestFilesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Certificate: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, missing := range []string{cfg.Certificate, cfg.Key} {
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v, want an error that names it", missing, err)
		}
		put(t, missing, []byte("x"))
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), cfg.Certificate) {
		t.Errorf("with files that are none: %v", err)
	}
	cert1, key1 := makePair(t, "one")
	cert2, key2 := makePair(t, "another")
	put(t, cfg.Certificate, cert1)
	put(t, cfg.Key, key1)
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	one := p.look()
	put(t, cfg.Certificate, cert2)
	for range 3 {
		if got := p.look(); got != one {
			t.Fatalf("in the middle of a renewal the pin is %s, want the one before, %s", got, one)
		}
	}
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("that the files do not fit was logged %d times, want once:\n%s", n, &log)
	}
	put(t, filepath.Join(dir, "new"), key2)
	if err := os.Rename(filepath.Join(dir, "new"), cfg.Key); err != nil {
		t.Fatal(err)
	}
	another := p.look()
	if another == one || p.Certificate().Leaf.Subject.CommonName != "another" {
		t.Errorf("after the renewal the certificate is still that of %s", p.Certificate().Leaf.Subject)
	}
	if err := os.Remove(cfg.Key); err != nil {
		t.Fatal(err)
	}
	if got := p.look(); got != another {
		t.Errorf("without its file the pin is %s, want the one before, %s", got, another)
	}
}

// handshake connects a client to a server and returns the client's error, or the
// server's if the client has none.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	deadline := time.Now().Add(30 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	served := make(chan error, 1)
	go func() { served <- tls.Server(a, server).Handshake() }()
	c := tls.Client(b, client)
	err := c.Handshake()
	b.Close()
	return c.ConnectionState(), errors.Join(err, <-served)
}

// A client with the pin is served, with any other it goes away; older versions of
// TLS are not offered.
func TestHandshake(t *testing.T) {
	p, err := Open(Config{Own: filepath.Join(t.TempDir(), "tls.key"), Name: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	// Tickets, which come behind the handshake, would block a pipe.
	server := p.TLS().Clone()
	server.SessionTicketsDisabled = true
	state, err := handshake(t, server, Pinned(p.Pin()))
	if err != nil || state.Version != tls.VersionTLS13 {
		t.Errorf("with the pin: version %x, %v", state.Version, err)
	}
	wrong, err := ParsePin("sha256:" + strings.Repeat("00", 32))
	if err != nil {
		t.Fatal(err)
	}
	var other *PinError
	if _, err := handshake(t, server, Pinned(wrong)); !errors.As(err, &other) || other.Got != p.Pin() {
		t.Errorf("with another pin: %v", err)
	}
	for v := uint16(tls.VersionTLS10); v < tls.VersionTLS13; v++ {
		if state, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: v}); err == nil {
			t.Errorf("a client of version %x was served with %x", v, state.Version)
		}
	}
	http2 := Pinned(p.Pin())
	http2.NextProtos = []string{"h2"}
	if state, err := handshake(t, server, http2); err == nil {
		t.Errorf("a client that speaks HTTP/2 alone was served %q", state.NegotiatedProtocol)
	}
}

func TestParsePin(t *testing.T) {
	const pin = "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, text := range []string{
		pin, CurlPin(pin), "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"sha256:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F",
	} {
		if got, err := ParsePin(text); err != nil || got != pin {
			t.Errorf("%s is read as %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sha256:", pin[7:], "sha256:AAEC", "sha1:" + pin[7:], pin + "A", "sha256:" + strings.Repeat("0", 65)} {
		if got, err := ParsePin(text); err == nil {
			t.Errorf("%q is read as %s, want an error", text, got)
		}
	}
}
