package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// setGroup writes [api] group into the configuration, as TOML.
func (s *site) setGroup(group string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("[api]\n"), []byte("[api]\ngroup = "+group+"\n"), 1)
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) group() uint32 {
	s.t.Helper()
	info, err := os.Stat(s.socket())
	if err != nil {
		s.t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Gid
}

// Where something cannot be listened on, the error names the key, its line and
// what helps; and the socket stays of the group it had.
func TestListenErrorsNameTheirPlace(t *testing.T) {
	s := newSite(t)
	s.start()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct{ group, listen, want string }{
		{"4", busy.Addr().String(), fmt.Sprintf(`:16: metrics.listen is %q: listening there: bind: address already in use; another process listens there`, busy.Addr())},
		{"4", "192.0.2.1:9179", `:16: metrics.listen is "192.0.2.1:9179": listening there: bind: cannot assign requested address; no device of this machine has that address`},
		{`"no-such-group"`, "127.0.0.1:1", `:3: api.group is "no-such-group", and this machine has no such group`},
	} {
		s.write(fmt.Sprintf("[metrics]\nlisten = %q\n", c.listen))
		s.setGroup(c.group)
		if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), s.config+c.want) {
			t.Errorf("a reload with metrics at %s: %v\nwant %s%s", c.listen, err, s.config, c.want)
		}
		if got := s.group(); got != uint32(os.Getegid()) {
			t.Errorf("the reload was refused, and the socket is of group %d", got)
		}
	}
}

// A reload may change between every address of a port and some of them, back and forth; a
// refused one changes nothing, and the port stays taken for others.
func TestListenAtOneAddressOfThePort(t *testing.T) {
	s := newSite(t)
	s.start()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	free.Close()
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answers := func(host string) bool {
		resp, err := client.Get("http://" + net.JoinHostPort(host, port) + "/metrics")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	for i, c := range []struct {
		listen  string
		other   bool   // another address of this host answers too
		more    string // of the configuration
		refused bool
	}{
		{listen: "0.0.0.0", other: true},
		{listen: "127.0.0.1"},
		{listen: "127.0.0.1", more: "host-names = [3]", refused: true},
		{listen: "[::]", other: true},
		{listen: "127.0.0.1"},
		{listen: "0.0.0.0", other: true},
		{listen: "127.0.0.1"},
	} {
		s.write(fmt.Sprintf("[metrics]\nlisten = \"%s:%s\"\n%s\n", c.listen, port, c.more))
		if _, err := s.client().Reload(t.Context()); (err != nil) != c.refused {
			t.Fatalf("reload %d, with metrics at %s:%s: %v", i, c.listen, port, err)
		}
		if !answers("127.0.0.1") || (!c.refused && answers("127.0.0.2") != c.other) {
			t.Errorf("after reload %d, with metrics at %s:%s, 127.0.0.1 answers: %v, and 127.0.0.2: %v, want true and %v",
				i, c.listen, port, answers("127.0.0.1"), answers("127.0.0.2"), c.other)
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			t.Errorf("after reload %d another process can listen at 127.0.0.1:%s", i, port)
		}
	}
}

// A reload gives the socket to a group and takes it back, and says what else a
// scraper may call the router.
func TestListenFollowsReload(t *testing.T) {
	s := newSite(t)
	s.start()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := port.Addr().String()
	port.Close()
	metrics := fmt.Sprintf("[metrics]\nlisten = %q\n", address)
	for i, c := range []struct {
		group, more string
		want        uint32
		status      int
	}{
		{"4", metrics, 4, http.StatusMisdirectedRequest},
		{"5", metrics + "host-names = \"r1.example.net\"\n", 5, http.StatusOK},
		{"", metrics, uint32(os.Getegid()), http.StatusMisdirectedRequest},
	} {
		s.write(c.more)
		if c.group != "" {
			s.setGroup(c.group)
		}
		if _, err := s.client().Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.group(); got != c.want {
			t.Errorf("after reload %d the socket is of group %d, want %d", i, got, c.want)
		}
		req, err := http.NewRequest(http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "r1.example.net"
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("after reload %d a request for r1.example.net got %s, want %d", i, resp.Status, c.status)
		}
	}
}

// An endpoint that a change takes away leaves all connections that come behind the change
// to the one that has its socket then.
func TestRetiredEndAcceptsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answering := make(chan struct{})
	e := &endpoint{l: l, cancel: func() {}}
	e.serving.Go(func() { <-answering })
	d := &Daemon{log: slog.New(slog.DiscardHandler)}
	d.retireEnd(e)
	if err := l.(*net.TCPListener).SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("behind retireEnd the listener is open: %v, want %v", err, net.ErrClosed)
	}
	close(answering)
	d.background.Wait()
}
