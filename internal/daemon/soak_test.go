package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// How long TestSoak takes in every run of the tests. With ROUTERD_SOAK, a time
// as "20m" (make soak), it takes that long, and judges memory too.
const soakShort = 6 * time.Second

// How much more the router may have in the last quarter than in the second.
// Between two collections the heap grows by as much as it likes, so the least
// memory of a quarter is compared, and that with a margin; what it opens and
// starts is exactly what it was.
const (
	soakQuarters  = 4
	soakMoreShare = 10         // a tenth
	soakMoreBytes = leastWaste // or this, if that is more: what the router does not give back
)

// soak is a router in a process of its own with a port of each kind, both
// families and translation towards h3, and the tables of a fresh start to
// compare with.
type soak struct {
	*mixed
	process *exec.Cmd
	busy    net.Listener // holds a port that the router cannot have
	ipv6    bool
	causes  int // reloads that were refused on purpose
	reloads int // those that were not
}

func newSoak(t *testing.T) *soak {
	// The router dies with the thread that started it.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s := &soak{mixed: newMixed(t), ipv6: hasIPv6()}
	// A device that only looks like one of the router's.
	s.must("ip", "-n", s.hosts[0], "link", "add", "taken", "type", "bridge")
	var err error
	if s.busy, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.busy.Close() })
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", s.stack).Run() }) // of a router that was killed
	s.write("")
	t.Cleanup(func() {
		if lines := s.logged(""); t.Failed() {
			t.Logf("the log ends with\n%s", strings.Join(lines[max(0, len(lines)-20):], ""))
		}
	})
	return s
}

// hasIPv6 tells whether new namespaces here speak it.
func hasIPv6() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv6/conf/default/disable_ipv6")
	return err == nil && strings.TrimSpace(string(text)) == "0"
}

// write writes the configuration, and more behind it.
func (s *soak) write(more string) {
	s.t.Helper()
	six := func(text string) string {
		if !s.ipv6 {
			return ""
		}
		return text
	}
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[log]
level = "error"
[local-stack]
netns = %q
[interface.lan1]
kind = "tun"
addresses = ["10.0.1.1/24"%s]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24"%s], routes = ["0.0.0.0/0"%s] }
[interface.lan2]
kind = "tap"
addresses = ["10.0.2.1/24"%s]
host = { netns = %q, device = "eth0", addresses = ["10.0.2.2/24"%s], routes = ["0.0.0.0/0"%s] }
[interface.lan3]
kind = "packet"
netns = %q
device = "p3"
addresses = ["10.0.3.1/24"]
[[static.route]]
prefix = "198.51.100.0/24"
next-hop = "10.0.3.2"
[nat]
max-sessions-per-host = 8192
[nat.timeout]
udp = "5s"
tcp-transitory = "5s"
icmp = "5s"
[[nat.source]]
name = "lan-out"
outbound-interface = "lan3"
source = "10.0.0.0/16"
translation = "masquerade"
%s`, s.socket(), s.stack,
		six(`, "2001:db8:1::1/64"`), s.hosts[0], six(`, "2001:db8:1::2/64"`), six(`, "::/0"`),
		six(`, "2001:db8:2::1/64"`), s.hosts[1], six(`, "2001:db8:2::2/64"`), six(`, "::/0"`),
		s.port, more)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// good are changes that nothing speaks against, whatever is gone just then.
func (s *soak) good() []string {
	return []string{
		"",
		"[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n",
		"[[static.route]]\nprefix = \"203.0.113.0/24\"\naction = \"blackhole\"\n[[static.route]]\nprefix = \"192.0.2.0/24\"\nnext-hop = \"10.0.2.2\"\n",
		"[[nat.source]]\nname = \"second\"\noutbound-interface = \"lan3\"\nsource = \"10.9.0.0/16\"\ntranslation = \"none\"\n",
		"[interface.lan4]\nkind = \"tun\"\naddresses = [\"10.0.4.1/24\"]\nhost = { netns = \"" + s.hosts[0] + "\", device = \"eth4\", addresses = [\"10.0.4.2/24\"] }\n",
		"[interface.lan5]\nkind = \"packet\"\nnetns = \"" + s.port + "\"\ndevice = \"p5\"\naddresses = [\"10.0.5.1/24\"]\n",
	}
}

// bad are files that the router has to refuse.
func (s *soak) bad() []string {
	return []string{
		"nonsense = true\n",
		"[interface.lan9\n",
		"[interface.lan9]\nkind = \"tun\"\naddresses = [\"10.0.9.1/24\"]\nhost = { netns = \"" + s.hosts[0] + "\", device = \"taken\" }\n",
		"[[nat.source]]\nname = \"lost\"\noutbound-interface = \"lan3\"\ntranslation = \"pool:none\"\n",
		"[metrics]\nlisten = \"" + s.busy.Addr().String() + "\"\n",
	}
}

// flap does one thing, chosen by chance, to a link.
func (s *soak) flap(r *rand.Rand) string {
	ns := [][2]string{{s.hosts[0], "eth0"}, {s.hosts[1], "eth0"}, {s.third, "eth0"}, {s.port, "p3"}}[r.IntN(4)]
	link := "ip -n " + ns[0] + " link set " + ns[1]
	_ = exec.Command("sh", "-c", link+" down; "+link+" up").Run()
	// What the kernel has forgotten with it that no router brings back.
	_ = exec.Command("ip", "-n", s.third, "route", "replace", "default", "via", "10.0.3.1").Run()
	return "flap of " + ns[0] + " " + ns[1]
}

// reload asks for one, with a file that is good or bad, and complains where the
// answer is not what the file deserves.
func (s *soak) reload(r *rand.Rand, c *control.Client, good bool) (deed string) {
	s.t.Helper()
	files := s.bad()
	if good {
		files = s.good()
	}
	n := r.IntN(len(files))
	s.write(files[n])
	_, err := c.Reload(s.t.Context())
	var refused *control.Error
	switch {
	case good && err != nil:
		s.t.Errorf("a reload was refused that nothing spoke against, with %q more in the file: %v", files[n], errorText(err))
	case !good && !errors.As(err, &refused):
		s.t.Errorf("a reload with %q more in the file: %v, want it refused", files[n], err)
	}
	if good {
		s.reloads++
		return fmt.Sprintf("good reload %d", n)
	}
	s.causes++
	return fmt.Sprintf("bad reload %d", n)
}

// errorText is an error of the API's with the problems in it.
func errorText(err error) string {
	var refused *control.Error
	if errors.As(err, &refused) {
		return fmt.Sprint(refused.Message, refused.Problems)
	}
	return err.Error()
}

// mended brings everything back, the configuration too.
func (s *soak) mended(c *control.Client) {
	s.t.Helper()
	s.write("")
	s.mend()
	if _, err := c.Reload(s.t.Context()); err != nil {
		s.t.Errorf("the reload that mends was refused: %v", errorText(err))
	}
	s.mend()
	_ = exec.Command("ip", "-n", s.third, "link", "set", "eth0", "up").Run()
}

// held is what the router has of its machine.
type held struct {
	fds, goroutines int
	least, most     int // bytes of memory in a quarter
}

func (h held) String() string {
	return fmt.Sprintf("memory %d to %d KiB, %d descriptors, %d goroutines", h.least>>10, h.most>>10, h.fds, h.goroutines)
}

var gauge = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds) (\S+)$`)

// holds asks the router's metrics, by a connection of its own.
func (s *soak) holds() (h held) {
	s.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
	}}
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport, Timeout: 10 * time.Second}
	answer, err := c.Get("http://localhost/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var b strings.Builder
	if err := answer.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	got := map[string]int{}
	for _, m := range gauge.FindAllStringSubmatch(strings.ReplaceAll(b.String(), "\r", ""), -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		got[m[1]] = int(n)
	}
	if len(got) != 2 {
		s.t.Fatalf("the metrics have %v, want goroutines and descriptors", got)
	}
	return held{fds: got["process_open_fds"], goroutines: got["go_goroutines"]}
}

// A port's link-local address follows from its device's hardware address, which
// changes when that is made anew.
var formedAddress = regexp.MustCompile(`\bfe80::[0-9a-f:]+/64`)

// state is what TestChurn compares, the rules of translation, and what the hosts
// were given.
func (s *soak) state() string {
	s.t.Helper()
	var b strings.Builder
	var tables string
	wait(s.t, "the link-local addresses to be usable", func() error {
		tables = s.tables()
		for _, name := range []string{"lan2 tap", "lan3 packet"} {
			_, line, _ := strings.Cut(tables, name)
			if line, _, _ = strings.Cut(line, "\n"); !formedAddress.MatchString(line) {
				return fmt.Errorf("%s has none: %s", name, line)
			}
		}
		return nil
	})
	b.WriteString(formedAddress.ReplaceAllString(tables, "fe80::/64"))
	c := control.Dial(s.socket())
	defer c.Close()
	rules, err := c.NATRules(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rules.Rules {
		fmt.Fprintln(&b, r.Name, r.Kind, r.Order, r.Translation, r.Origin)
	}
	for _, ns := range s.hosts {
		out := s.must("ip", "-n", ns, "route")
		if s.ipv6 {
			out += s.must("ip", "-n", ns, "-6", "route")
		}
		for line := range strings.Lines(out) {
			fmt.Fprintln(&b, ns, strings.TrimSpace(line))
		}
	}
	return b.String()
}

// begin starts the router, which writes its log into a file: it has much to say
// about what is refused.
func (s *soak) begin() {
	s.t.Helper()
	s.process = s.startProcess([]string{"ROUTERD_TEST_LOG=" + filepath.Join(s.dir, "log")})
}

// stop ends the router as systemd would.
func (s *soak) stop() {
	s.t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Wait(); err != nil {
		s.t.Errorf("the router ended with: %v", err)
	}
}

// quarter makes things come and go until a time, and mends them all, at last
// too. It gives the least and the most memory that the router had meanwhile.
func (s *soak) quarter(r *rand.Rand, c *control.Client, until time.Time) (least, most int) {
	s.t.Helper()
	least = math.MaxInt
	for {
		var deeds []string
		for n := range 8 {
			rss := resident(s.t, s.process.Process.Pid)
			least, most = min(least, rss), max(most, rss)
			deeds = append(deeds, s.churn(r))
			deeds = append(deeds, s.flap(r))
			deeds = append(deeds, s.reload(r, c, n%2 == 0))
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond) // traffic, by chance
		}
		s.mended(c)
		if s.t.Failed() {
			s.t.Fatalf("after %q", deeds)
		}
		if !time.Now().Before(until) {
			return least, most
		}
	}
}

// everything answers.
func (s *soak) everything() {
	s.t.Helper()
	for n := range 3 {
		s.reaches(n + 1)
	}
	if s.ipv6 {
		wait(s.t, "h2 to answer over IPv6", func() error { return s.pingSoon(0, "2001:db8:2::2") })
	}
}

// Traffic of all kinds, new translated flows without end, links that flap,
// devices and namespaces deleted and made anew, and reloads, half of which the
// router has to refuse. No other is refused; over the last half the router holds
// no more of anything; and in the end its tables are those of a fresh start with
// the same configuration.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	length, long := soakShort, false
	if text := os.Getenv("ROUTERD_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length <= 0 {
			t.Fatalf("ROUTERD_SOAK is %q, want a time such as 20m", text)
		}
		long = true
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ROUTERD_TEST_SEED"); text != "" {
		_, _ = fmt.Sscan(text, &seed)
	}
	t.Logf("ROUTERD_TEST_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := newSoak(t)
	s.begin()
	s.everything()
	load := s.traffic()
	c := control.Dial(s.socket())
	defer c.Close()
	var after [soakQuarters]held
	began := time.Now()
	for q := range soakQuarters {
		least, most := s.quarter(r, c, began.Add(length*time.Duration(q+1)/soakQuarters))
		s.everything()
		c.Close() // its connection is the router's descriptor and goroutine
		if q == soakQuarters-1 {
			wait(t, "descriptors and goroutines to be as many as at half time", func() error {
				if after[q] = s.holds(); after[q].fds > after[1].fds || after[q].goroutines > after[1].goroutines {
					return fmt.Errorf("%v, and %v then", after[q], after[1])
				}
				return nil
			})
		}
		after[q] = s.settled()
		after[q].least, after[q].most = least, most
		t.Logf("after %6s: %v; %v", time.Since(began).Round(time.Second), after[q], load)
	}
	if most := after[1].least + max(after[1].least/soakMoreShare, soakMoreBytes); long && after[3].least > most {
		t.Errorf("memory grew over the last half: %v, then %v", after[1], after[3])
	}
	load.end(t)
	t.Logf("%d reloads, none refused; %d bad ones, all refused", s.reloads, s.causes)
	got := s.state()
	s.stop()
	s.begin()
	s.mended(c)
	s.everything()
	if diff := cmp.Diff(s.state(), got); diff != "" {
		t.Errorf("the tables differ from those of a fresh start (-fresh +soaked):\n%s", diff)
	}
	s.stop()
	if _, err := os.Lstat(device.NamespacePath(s.stack)); err == nil {
		t.Error("the stack's namespace is left after the stop")
	}
}

// settled is what the router holds when two looks find the same.
func (s *soak) settled() (h held) {
	s.t.Helper()
	before := s.holds()
	wait(s.t, "descriptors and goroutines to settle", func() error {
		time.Sleep(50 * time.Millisecond)
		h, before = s.holds(), h
		if h.fds != before.fds || h.goroutines != before.goroutines {
			return fmt.Errorf("%v, then %v", before, h)
		}
		return nil
	})
	return h
}
