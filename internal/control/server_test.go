package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"routerd/internal/access"
	"routerd/internal/show"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(benchFollowers); what != "" {
		followBench(what)
		os.Exit(0)
	}
	if socket := os.Getenv("CONTROL_TEST_RELOAD"); socket != "" {
		// A process of another user, see TestReloadByOthers.
		_, err := Dial(socket).Reload(context.Background())
		fmt.Print(err)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// as returns a request of somebody with a role.
func as(role access.Role, method, url string) *http.Request {
	ctx := access.With(context.Background(), access.Identity{Name: "uid 1000", Role: role, Source: "unix socket"})
	return httptest.NewRequestWithContext(ctx, method, url, nil)
}

// get requests something with the role read.
func get(t *testing.T, h http.Handler, method, url string) (int, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, as(access.Read, method, url))
	if c := w.Header().Get("Content-Type"); c != "application/json" {
		t.Errorf("%s %s: content type %q", method, url, c)
	}
	if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") == "" {
		t.Errorf("%s %s: status %d without the header Allow", method, url, w.Code)
	}
	return w.Code, w.Body.Bytes()
}

// The JSON of every noun is a contract: fields are only ever added.
func TestGolden(t *testing.T) {
	asked := map[string]string{
		"version":                 "/v1/version",
		"interface":               "/v1/interface",
		"route":                   "/v1/route",
		"fib":                     "/v1/fib",
		"protocol":                "/v1/protocol",
		"drops":                   "/v1/drops?last=10",
		"neighbor":                "/v1/neighbor",
		"bfd":                     "/v1/bfd",
		"clear/bfd":               "/v1/clear/bfd?interface=core0",
		"bgp":                     "/v1/bgp",
		"bgp/summary":             "/v1/bgp/summary",
		"bgp/neighbor":            "/v1/bgp/neighbor",
		"bgp/neighbor/received":   "/v1/bgp/neighbor/received?neighbor=198.51.100.1&limit=3",
		"bgp/neighbor/filtered":   "/v1/bgp/neighbor/filtered?neighbor=198.51.100.1",
		"bgp/neighbor/advertised": "/v1/bgp/neighbor/advertised?neighbor=198.51.100.1&family=4",
		"bgp/route":               "/v1/bgp/route?as-path=.*&limit=3",
		"bgp/attributes":          "/v1/bgp/attributes",
		"clear/bgp/neighbor":      "/v1/clear/bgp/neighbor?neighbor=fe80::9%25core1&soft=in",
		"rip/route":               "/v1/rip/route?limit=5",
		"rip/neighbor":            "/v1/rip/neighbor",
		"rip/interface":           "/v1/rip/interface",
		"ripng/route":             "/v1/ripng/route",
		"ripng/neighbor":          "/v1/ripng/neighbor?interface=core0",
		"ripng/interface":         "/v1/ripng/interface?interface=core0",
		"ospf":                    "/v1/ospf",
		"ospf/neighbor":           "/v1/ospf/neighbor?interface=core0",
		"ospf/interface":          "/v1/ospf/interface?interface=core0",
		"ospf/database":           "/v1/ospf/database?detail=true&limit=6",
		"ospf/route":              "/v1/ospf/route?prefix=10.0.2.0/24&detail=true",
		"ospf/border-routers":     "/v1/ospf/border-routers",
		"ospf/spf":                "/v1/ospf/spf?area=0.0.0.0",
		"clear/ospf/neighbor":     "/v1/clear/ospf/neighbor?router=10.255.0.2",
		"clear/ospf/counters":     "/v1/clear/ospf/counters?interface=core0",
		"acl":                     "/v1/acl",
		"clear/acl/counters":      "/v1/clear/acl/counters",
		"flow":                    "/v1/flow?in=core0&protocol=tcp&source=10.0.0.0/8&limit=3",
		"clear/flow":              "/v1/clear/flow?destination=10.0.2.2",
		"nat/session":             "/v1/nat/session?protocol=tcp&inside=10.1.0.0/24&remote=:443&limit=6",
		"nat/host":                "/v1/nat/host?inside=10.1.0.0/24&limit=2",
		"nat/rule":                "/v1/nat/rule",
		"nat/pool":                "/v1/nat/pool",
		"clear/nat/session":       "/v1/clear/nat/session?rule=web",
		"clear/rip":               "/v1/clear/rip?interface=core0&neighbor=10.0.12.2",
		"clear/ripng":             "/v1/clear/ripng",
		"clear/arp":               "/v1/clear/arp?address=10.0.12.2",
		"explain/route":           "/v1/explain/route?address=203.0.113.9",
		"explain/policy":          "/v1/explain/policy?policy=transit-in,rest&prefix=198.51.100.0/24&source=static&metric=10&tag=7&next_hop=192.0.2.1",
		"explain/packet":          "/v1/explain/packet?in=lan0&src=10.0.1.2&dst=10.0.2.2&protocol=udp&dst_port=53&size=1450&df=true",
		"probe":                   "/v1/probe?dst=203.0.113.9",
		"diff":                    "/v1/diff",
		"config":                  "/v1/config",
		"audit":                   "/v1/audit?last=2",
		"token":                   "/v1/token",
		"whoami":                  "/v1/whoami",
		"topology":                "/v1/topology",
		"traffic":                 "/v1/traffic?name=lan0",
		"login/code":              "/v1/login/code?role=read",
		"token/add":               "/v1/token/add?name=ci&role=operate&expires=12h",
		"token/revoke":            "/v1/token/revoke?id=k3v9q2xa",
		"reload":                  "/v1/reload",
	}
	for _, n := range Nouns() {
		name := n.Path
		if n.Ask == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			url, ok := asked[name]
			if !ok {
				t.Fatalf("the noun %s has no golden file", name)
			}
			method := http.MethodGet
			if n.Changes {
				method = http.MethodPost
			}
			w := httptest.NewRecorder()
			newHandler(&fake{}, Options{}).ServeHTTP(w, as(n.Role(), method, url))
			if w.Code != http.StatusOK {
				t.Fatalf("%s %s: %d %s", method, url, w.Code, w.Body)
			}
			if bytes.Contains(w.Body.Bytes(), []byte("null")) {
				t.Errorf("%s %s: a null in %s", method, url, w.Body)
			}
			golden(t, strings.ReplaceAll(name, "/", "-")+".json", indented(t, w.Body.Bytes()))
		})
	}
}

// asked is how many nouns can be asked for.
func asked() (n int) {
	for _, noun := range Nouns() {
		if noun.Ask != nil {
			n++
		}
	}
	return n
}

func TestRefused(t *testing.T) {
	const packet = "/v1/explain/packet?in=lan0&src=10.0.1.2"
	for _, c := range []struct {
		method, url string
		status      int
		want        string
	}{
		{"GET", "/v1/routes", 404, "no such noun: /v1/routes"},
		{"GET", "/", 404, "no such noun: /"},
		{"GET", "/v2/route", 404, "no such noun: /v2/route"},
		{"POST", "/v1/route", 405, "POST /v1/route: wanted GET"},
		{"DELETE", "/v1/reload", 405, "DELETE /v1/reload: wanted POST"},
		{"GET", "/v1/reload", 405, "GET /v1/reload: wanted POST"},
		{"POST", "/v1/reload", 403, "POST /v1/reload as uid 1000, who has the role read: wanted the role admin"},
		{"GET", "/v1/version?x=1", 400, `unknown parameter "x": there are none here`},
		{"GET", "/v1/fib?prefx=1", 400, `unknown parameter "prefx", wanted one of prefix, for, family, after, limit`},
		{"GET", "/v1/route?prefix=10.0.0.0", 400, `parameter prefix is "10.0.0.0", wanted a prefix such as 10.0.0.0/8`},
		{"GET", "/v1/route?for=10.0.0.0/8", 400, `parameter for is "10.0.0.0/8", wanted an address such as 10.0.0.1`},
		{"GET", "/v1/route?for=10.0.0.1&for=10.0.0.2", 400, "parameter for is given 2 times, wanted once"},
		{"GET", "/v1/route?family=5", 400, `parameter family is "5", wanted 4 or 6`},
		{"GET", "/v1/route?limit=10001", 400, `parameter limit is "10001", wanted a number from 0 to 10000`},
		{"GET", "/v1/route?source=isis", 400, `parameter source is "isis", wanted one of connected, static, ebgp, ospf, rip, ibgp`},
		{"POST", "/v1", 405, "POST /v1: wanted GET"},
		{"GET", "/v1/drops?src=lan0", 400, `parameter src is "lan0", wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8`},
		{"GET", "/v1/drops?verdict=noroute", 400, `parameter verdict is "noroute", wanted a name that show drops -o wide lists, such as no_route`},
		{"GET", "/v1/drops?last=-1", 400, `parameter last is "-1", wanted a number from 0 to 1000`},
		{"GET", "/v1/nat/session?protocol=tpc", 400, `parameter protocol is "tpc", wanted tcp, udp, icmp, gre, esp, ah, sctp, udplite or a number from 1 to 255`},
		{"GET", "/v1/nat/session?inside=fe80::1", 400, `parameter inside is "fe80::1", wanted an IPv4 address or prefix, a port, or both: 10.0.0.1, 10.0.0.0/8, :443, 10.0.0.1:443`},
		{"GET", "/v1/nat/host?inside=10.1.0.1:80", 400, `parameter inside is "10.1.0.1:80", wanted an IPv4 address or prefix: 10.0.0.1, 10.0.0.0/8`},
		{"GET", "/v1/nat/session?after=16777217", 400, `parameter after is "16777217", wanted a number from 0 to 16777216`},
		{"GET", "/v1/nat/rule?rule=web", 400, `unknown parameter "rule", wanted one of name`},
		{"GET", "/v1/explain/route", 400, "a route to explain needs an address"},
		{"GET", "/v1/explain/policy?policy=x", 400, "a policy to explain needs policy, one name or several with commas between, and prefix"},
		{"GET", "/v1/explain/policy?policy=,&prefix=10.0.0.0/8", 400, "a policy to explain needs policy, one name or several with commas between, and prefix"},
		{"GET", "/v1/explain/policy?policy=x&prefix=10.0.0.0/8&next_hop=::1", 400, "a route to 10.0.0.0/8 by ::1: both have to be of one family"},
		{"GET", "/v1/explain/policy?policy=x&prefix=10.0.0.0/8&tag=4294967296", 400, `parameter tag is "4294967296", wanted a number from 0 to 4294967295`},
		{"GET", packet, 400, "a packet to explain needs in, src and dst"},
		{"GET", packet + "&dst=2001:db8::1", 400, "a packet from 10.0.1.2 to 2001:db8::1: both addresses have to be of one family"},
		{"GET", packet + "&dst=10.0.2.2&protocol=sctp", 400, `parameter protocol is "sctp", wanted tcp, udp or icmp`},
		{"GET", packet + "&dst=10.0.2.2&dst_port=1", 400, "a packet of icmp has no ports"},
		{"GET", packet + "&dst=10.0.2.2&protocol=udp&dst_port=65536", 400, `parameter dst_port is "65536", wanted a number from 0 to 65535`},
		{"GET", packet + "&dst=10.0.2.2&ttl=256", 400, `parameter ttl is "256", wanted a number from 0 to 255`},
		{"GET", packet + "&dst=10.0.2.2&df=yes", 400, `parameter df is "yes", wanted true or false`},
	} {
		f := &fake{}
		status, body := get(t, newHandler(f, Options{}), c.method, c.url)
		var e Error
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%s %s: %v in %s", c.method, c.url, err, body)
		}
		if status != c.status || e.Message != c.want {
			t.Errorf("%s %s:\n got %d %s\nwant %d %s", c.method, c.url, status, e.Message, c.status, c.want)
		}
		if f.loads.Load() != 0 {
			t.Errorf("%s %s reached the router", c.method, c.url)
		}
		if listed := len(e.Nouns) == asked(); listed != (status == 404) {
			t.Errorf("%s %s: %d lists the nouns %v", c.method, c.url, status, e.Nouns)
		}
	}
}

// What a router fails with decides the status.
func TestRouterFails(t *testing.T) {
	refused := Refused([]Problem{{Message: "no such key"}}, "routerd.toml has 1 error")
	for _, c := range []struct {
		err    error
		status int
		want   string
		logged bool
	}{
		{errBroken, 500, "the loop is broken", true},
		{show.NotFound("there is no interface %q", "lan9"), 404, `there is no interface "lan9"`, false},
		{show.BadRequest("no"), 400, "no", false},
		{refused, 422, "routerd.toml has 1 error", false},
		{fmt.Errorf("reloading: %w", refused), 422, "reloading: routerd.toml has 1 error", false},
		{show.Unavailable("the router is stopping"), 503, "the router is stopping", false},
		{context.DeadlineExceeded, 503, "the router did not answer in time: context deadline exceeded", false},
	} {
		var log bytes.Buffer
		h := newHandler(&fake{err: c.err}, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		status, body := get(t, h, "GET", "/v1/diff")
		var e Error
		if err := json.Unmarshal(body, &e); err != nil || status != c.status || e.Message != c.want {
			t.Errorf("%v:\n got %d %s\nwant %d %s", c.err, status, body, c.status, c.want)
		}
		if errors.Is(c.err, refused) && len(e.Problems) != 1 {
			t.Errorf("%v: the problems are lost in %s", c.err, body)
		}
		if got := log.Len() > 0; got != c.logged {
			t.Errorf("%v: logged %q", c.err, log.String())
		}
	}
}

// serveFake serves f on a socket of its own until the test ends.
func serveFake(t *testing.T, f Router) *Client {
	t.Helper()
	return Dial(serveAt(t, f, filepath.Join(t.TempDir(), "api.sock")))
}

func serveAt(t *testing.T, f Router, path string) string {
	t.Helper()
	l, err := Listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(f, Options{}).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("the socket is still there")
		}
	})
	return path
}

// Stopping the server ends requests that wait for the router.
func TestServeStops(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "api.sock"), os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(&fake{}, Options{}).Serve(ctx, l) }()
	c := Dial(l.Addr().String())
	if _, err := c.Version(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("serving ended with %v", err)
	}
	var u *UnreachableError
	if _, err := c.Version(context.Background()); !errors.As(err, &u) {
		t.Errorf("after the end: %v", err)
	}
	c.Close()

	// A listener that fails is an error.
	l, err = Listen(filepath.Join(t.TempDir(), "api.sock"), os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := New(&fake{}, Options{}).Serve(context.Background(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serving on a closed listener ended with %v", err)
	}
}

// Nobody makes the server keep more of a request than it needs.
func TestBounds(t *testing.T) {
	c := serveFake(t, &fake{})
	defer c.Close()
	for _, b := range []struct {
		name   string
		header int
		body   int
		status int
	}{
		{"a header of 64 KiB", 64 << 10, 0, http.StatusRequestHeaderFieldsTooLarge},
		{"a body of 64 KiB, which nobody reads", 0, 64 << 10, http.StatusOK},
		{"a body of 1 MiB", 0, 1 << 20, http.StatusRequestEntityTooLarge},
	} {
		req, err := http.NewRequest("GET", "http://routerd/v1/version", bytes.NewReader(make([]byte, b.body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", b.header))
		resp, err := c.http.Do(req)
		if err != nil {
			t.Errorf("%s: %v", b.name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != b.status {
			t.Errorf("%s: %s, want %d", b.name, resp.Status, b.status)
		}
	}
}

// Unless roles are given, of those who may open the socket only root and the
// router's own user may change the router.
func TestReloadByOthers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: to run a process as another user")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "routerd-control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// The test binary lies where others may not look.
	binary := filepath.Join(dir, "test")
	if err := os.Link(self, binary); err != nil {
		copyFile(t, self, binary)
	}
	f := &fake{}
	socket := serveAt(t, f, filepath.Join(dir, "api.sock"))
	for _, c := range []struct {
		uid, gid uint32
		want     string
		loads    int32
	}{
		{65534, 0, "POST /v1/reload as uid 65534, who has the role read: wanted the role admin", 0},
		{65534, 65534, "asking the router at " + socket + ": permission denied; root may ask, and the members of the group that [api] group names: try sudo", 0},
		{0, 0, "<nil>", 1},
	} {
		cmd := exec.Command(binary)
		cmd.Env = []string{"CONTROL_TEST_RELOAD=" + socket, "GORACE=atexit_sleep_ms=0"}
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.gid}}
		out, err := cmd.Output() // not stderr: a binary built for coverage complains there
		if err != nil {
			t.Fatalf("as %d:%d: %v: %s", c.uid, c.gid, err, out)
		}
		if string(out) != c.want || f.loads.Load() != c.loads {
			t.Errorf("as %d:%d: %s after %d reloads, want %s after %d", c.uid, c.gid, out, f.loads.Load(), c.want, c.loads)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
}
