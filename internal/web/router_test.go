package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/control"
	"routerd/internal/daemon"
	"routerd/internal/events"
)

// router is a router between two hosts, each a network namespace, whose page is at an
// https address of the loopback.
type router struct {
	t        testing.TB
	dir      string
	hosts    [2]string
	address  string // of its page
	stop     func()
	happened []any // events, as frames of JSON
}

// newRouter runs a router with more in its configuration until the test ends.
func newRouter(t testing.TB, more string) *router {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip is not installed")
	}
	r := &router{t: t, dir: t.TempDir()}
	for i := range r.hosts {
		name := fmt.Sprintf("rdw%d-h%d", os.Getpid(), i+1)
		r.hosts[i] = name
		r.must("ip", "netns", "add", name)
		t.Cleanup(func() { r.must("ip", "netns", "del", name) })
		r.must("ip", "-n", name, "link", "set", "lo", "up")
	}
	// By core it is connected to the router that peer runs. The ends have different
	// numbers, so that the kernel tells in time that the carrier is lost.
	r.must("ip", "-n", r.hosts[0], "link", "add", "core1", "index", "101", "type", "veth", "peer", "name", "core2", "index", "102")
	for _, end := range []string{"core1", "core2"} {
		r.must("ip", "-n", r.hosts[0], "link", "set", end, "up")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = l.Addr().String()
	l.Close()
	r.write(more)
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// write writes the configuration.
func (r *router) write(more string) {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"r1\"\nstate-dir = %q\n[api]\nlisten = [\"unix://%s\", \"https://%s\"]\n", filepath.Join(r.dir, "state"), r.socket(), r.address)
	for i, h := range r.hosts {
		n := i + 1
		fmt.Fprintf(&b, `
[interface.lan%d]
kind = "tap"
addresses = ["10.0.%d.1/24", "2001:db8:%d::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.%d.2/24", "2001:db8:%d::2/64"], routes = ["0.0.0.0/0", "::/0"] }
`, i, n, n, h, n, n)
	}
	fmt.Fprintf(&b, "[interface.core]\nkind = \"packet\"\nnetns = %q\ndevice = \"core1\"\naddresses = [\"10.0.12.1/30\"]\n", r.hosts[0])
	if strings.Contains(more, "[bgp]") {
		// Not r1-stack, which tests of other packages make at the same time.
		fmt.Fprintf(&b, "[local-stack]\nnetns = \"rdw%d-r1\"\n", os.Getpid())
	}
	if err := os.WriteFile(r.config(), []byte(b.String()+more), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// peer runs another router until the test ends, which is connected to r by core; more
// is the rest of its configuration.
func (r *router) peer(more string) *router {
	r.t.Helper()
	p := &router{t: r.t, dir: r.t.TempDir(), hosts: r.hosts}
	text := fmt.Sprintf(`name = "rdw%d-r2"
state-dir = %q
[api]
listen = ["unix://%s"]
[interface.core]
kind = "packet"
netns = %q
device = "core2"
addresses = ["10.0.12.2/30"]
`, os.Getpid(), filepath.Join(p.dir, "state"), p.socket(), p.hosts[0])
	if err := os.WriteFile(p.config(), []byte(text+more), 0o600); err != nil {
		r.t.Fatal(err)
	}
	p.start()
	r.t.Cleanup(func() { p.stop() })
	return p
}

func (r *router) config() string { return filepath.Join(r.dir, "routerd.toml") }
func (r *router) socket() string { return filepath.Join(r.dir, "api.sock") }

// start runs the router until stop is called.
func (r *router) start() {
	r.t.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{Config: r.config(), RunDir: filepath.Join(r.dir, "run"), Stderr: log})
	}()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("the router ended with: %v", err)
		}
		log.Close()
	}
	c := control.Dial(r.socket())
	defer c.Close()
	r.wait("the API to answer", func() error {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(log.Name())
			r.t.Fatalf("the router did not start: %v\n%s", err, text)
		default:
		}
		_, err := c.Version(r.t.Context())
		return err
	})
}

// wait polls until f has no complaint any more.
func (r *router) wait(what string, f func() error) {
	r.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	r.t.Fatalf("waiting for %s: %v", what, err)
}

func (r *router) must(argv ...string) string {
	r.t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// in runs a command at a host.
func (r *router) in(host int, argv ...string) string {
	r.t.Helper()
	return r.must(append([]string{"ip", "netns", "exec", r.hosts[host]}, argv...)...)
}

// request sends the API a request by the socket, whose answer is read within a minute and
// closed by the caller.
func (r *router) request(method, what string) *http.Response {
	r.t.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", r.socket()) },
	}}
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://routerd/v1/"+what, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// ask asks the API by the socket.
func (r *router) ask(method, what string, answer any) {
	r.t.Helper()
	resp := r.request(method, what)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %s, %v: %s", method, what, resp.Status, err, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		r.t.Fatalf("%s %s: %v in %s", method, what, err, body)
	}
}

// code is the URL of the page with a new one-time code.
func (r *router) code() string {
	r.t.Helper()
	var c control.LoginCode
	r.ask(http.MethodPost, "login/code", &c)
	return "https://" + r.address + "/#code=" + c.Code
}

// pin is the router's key, as a browser takes it.
func (r *router) pin() string {
	r.t.Helper()
	var v control.Version
	r.ask(http.MethodGet, "version", &v)
	if len(v.HTTPS) != 1 {
		r.t.Fatalf("the router serves HTTPS at %+v, wanted one address", v.HTTPS)
	}
	return strings.TrimPrefix(v.HTTPS[0].Pin, "sha256:")
}

// recorded are the cursors of all events of a run of the router up to one.
func (r *router) recorded(epoch, last string) (list []string) {
	r.t.Helper()
	r.frames(epoch, last, func(f *events.Frame) { list = append(list, f.Cursor) })
	return list
}

// frames gives the events of a run of the router up to one, as its API has them.
func (r *router) frames(epoch, last string, take func(*events.Frame)) {
	r.t.Helper()
	resp := r.request(http.MethodGet, "events?after="+epoch+":0")
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var f events.Frame
		if err := d.Decode(&f); err != nil {
			r.t.Fatalf("reading the events up to %s: %v", last, err)
		}
		if f.Type == "event" {
			take(&f)
		}
		if f.Cursor == last && f.Type == "event" {
			return
		}
	}
}
