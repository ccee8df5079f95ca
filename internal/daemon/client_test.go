package daemon

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/tlskeys/tlskeystest"
)

// Clients' certificates are asked for and judged as the configuration and the file
// of authorities say now, on connections that are open too, of which none ends.
func TestClientCertificatesFollowReloadAndFile(t *testing.T) {
	s := newSite(t)
	address := freeAddress(t)
	certificate, key := filepath.Join(s.dir, "ann.crt"), filepath.Join(s.dir, "ann.key")
	pin := tlskeystest.Put(t, certificate, key) // signs itself, so it is its authority too
	authorities := filepath.Join(s.dir, "clients.crt")
	put := func(text []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(authorities+".new", text, 0o600), os.Rename(authorities+".new", authorities)); err != nil {
			t.Fatal(err)
		}
	}
	ann, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	tlskeystest.Put(t, filepath.Join(s.dir, "bob.crt"), filepath.Join(s.dir, "bob.key"))
	bob, err := os.ReadFile(filepath.Join(s.dir, "bob.crt"))
	if err != nil {
		t.Fatal(err)
	}
	put(ann)
	const byName = "[api.tls]\nclient-ca = \"clients.crt\"\nclient.ann = { role = \"read\", dns = \"localhost\" }\n"
	s.listenAt(byName, "", "https://"+address)
	s.start()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	open := &webConn{c, bufio.NewReader(c)}
	expect := func(when, says string) {
		t.Helper()
		wait(t, when+" to count", func() error {
			err := open.ask("")
			if says == "" && err == nil || says != "" && err != nil && strings.Contains(err.Error(), says) {
				return nil
			}
			return fmt.Errorf("the answer is %v, want %q", err, says)
		})
	}
	expect("the certificate", "")
	put(bob)
	expect("another authority", "unknown authority")
	put([]byte("half of a file"))
	expect("the authority before", "unknown authority")
	put(append(bob, ann...))
	expect("both authorities", "")
	s.listenAt("[api.tls]\nclient-auth = \"require\"\nclient.ann = { role = \"read\", key = \""+strings.Repeat("00", 32)+"\" }\n", "", "https://"+address)
	if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "1 error") {
		t.Errorf("a reload with a key that is none: %v", err)
	}
	expect("the configuration before", "")
	s.listenAt("[api.tls]\nclient.ann = { role = \"read\", key = \"sha256:"+strings.Repeat("00", 32)+"\" }\n", "", "https://"+address)
	s.reload()
	expect("another key", pin)
	s.listenAt("[api.tls]\nclient-auth = \"require\"\nclient.ann = { role = \"read\", key = \""+pin+"\" }\n", "", "https://"+address)
	s.reload()
	expect("the key", "")
	if err := dialWeb(t, address, "").ask(""); err == nil || !strings.Contains(err.Error(), "shown no certificate") {
		t.Errorf("without a certificate: %v", err)
	}
	// A file that is none is refused by a reload, which says where it is named.
	put([]byte("precious"))
	s.listenAt(byName, "", "https://"+address)
	if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), s.config+":6: ") || !strings.Contains(err.Error(), authorities) {
		t.Errorf("a reload with authorities that are none: %v", err)
	}
	expect("the configuration before", "")
}
