package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"routerd/internal/access"
	"routerd/internal/tlskeys"
)

// curl asks for the version in a host's namespace, by a pin, and returns the answer.
func (s *site) curl(host int, url, pin, token string) (string, error) {
	return s.try("ip", "netns", "exec", s.hosts[host], "curl", "-sS", "-k", "--max-time", "20", "--pinnedpubkey", tlskeys.CurlPin(pin),
		"-H", "Authorization: Bearer "+token, url+"/v1/version")
}

// A host reaches the router by an address of the router's, through its forwarding,
// as long as the configuration says so, and when the stack has been made anew.
func TestManagedByItsOwnAddress(t *testing.T) {
	s := newSite(t)
	s.needs("curl")
	s.listenAt("", "", "stack+https://10.0.2.1:8443", "stack+https://[2001:db8:2::1]:8443")
	s.start()
	token := s.addToken(access.Read).Secret
	v, err := s.client().Version(t.Context())
	if err != nil || len(v.HTTPS) != 2 || v.HTTPS[0].URL != "https://10.0.2.1:8443" {
		t.Fatalf("the version is %+v, %v", v, err)
	}
	pin := v.HTTPS[0].Pin
	answers := func(when string, urls ...string) {
		t.Helper()
		for _, url := range urls {
			wait(t, url+" to answer "+when, func() error {
				out, err := s.curl(0, url, pin, token)
				if err == nil && !strings.Contains(out, `"name":"r1"`) {
					err = errors.New(out)
				}
				return err
			})
		}
	}
	const four, six = "https://10.0.2.1:8443", "https://[2001:db8:2::1]:8443"
	answers("after the start", four, six)
	if out, err := s.curl(0, four, "sha256:"+strings.Repeat("A", 43)+"=", token); err == nil || !strings.Contains(out, "pinned") {
		t.Errorf("with another pin: %s %v", out, err)
	}
	s.listenAt("", "[local-stack]\nnetns = \""+s.hosts[0]+"-s\"\n", "stack+https://10.0.2.1:8443")
	s.reload() // another namespace
	answers("in another namespace", four)
	s.listenAt("", "")
	s.reload()
	if out, err := s.curl(0, four, pin, token); err == nil {
		t.Errorf("when it is configured no more: %s", out)
	}
	s.listenAt("", "", "stack+https://0.0.0.0:8443")
	s.reload()
	answers("at every address", four, "https://10.0.1.1:8443")
	// An address that the router has not is refused, at its place.
	s.listenAt("", "", "stack+https://10.0.9.1:8443")
	if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), s.config) {
		t.Errorf("a reload with an address of nobody's: %v", err)
	}
	answers("after a refused reload", four)
}

// The scheme of an address and port changes in one reload, and a reload that is
// refused leaves the one before.
func TestSchemeChangesInOneReload(t *testing.T) {
	s := newSite(t)
	address := freeAddress(t)
	s.listenAt("", "", "http://"+address)
	s.start()
	plain := func() error {
		resp, err := http.Get("http://" + address + "/v1/version")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	}
	defer http.DefaultClient.CloseIdleConnections()
	if err := plain(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s.listenAt("", "", "https://"+address, "https://"+taken.Addr().String())
	if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("a reload to an address that is taken: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := plain(); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}
	token := s.addToken(access.Read).Secret
	s.listenAt("", "", "https://"+address)
	s.reload()
	if err := dialWeb(t, address, "").ask(token); err != nil {
		t.Errorf("https where http was: %v", err)
	}
	s.listenAt("", "", "http://"+address)
	s.reload()
	if err := plain(); err != nil {
		t.Errorf("http where https was: %v", err)
	}
	// The listener of the metrics is one of them.
	s.listenAt("", "[metrics]\nlisten = \""+address+"\"\n")
	s.reload()
	http.DefaultClient.CloseIdleConnections()
	if err := plain(); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("metrics where the API was: %v", err)
	}
}
