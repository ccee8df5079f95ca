package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
	"routerd/internal/protocols/bgp"
)

// birdSite is a router with a BIRD of another AS on its second link:
//
//	[ h1 ] ---- lan0 [ r1, AS 65001 ] lan1 ---- [ h2: BIRD, AS 65002 ]
type birdSite struct {
	*site
	more string // of what BIRD says of the session
}

const birdText = `log stderr all;
router id 10.255.0.2;
protocol device { scan time 1; }
protocol static { ipv4; route 198.51.100.0/24 blackhole; route 192.0.2.0/24 blackhole; }
protocol static s6 { ipv6; route 2001:db8:b::/48 blackhole; }
protocol bgp r {
	local 10.0.2.2 as 65002; neighbor 10.0.2.1 as 65001;
	hold time 9; connect delay time 1; connect retry time 2; error wait time 1, 2; error forget time 3;
	ipv4 { import all; export where source = RTS_STATIC; };
	ipv6 { import all; export where source = RTS_STATIC; };
	%s
}
`

func newBIRDSite(t *testing.T, more string) *birdSite {
	s := &birdSite{site: newSite(t), more: more}
	s.needs("bird", "birdc")
	return s
}

// speak writes the configuration of the router, with keys of the neighbour and what else
// there is. Its stack is made because there is BGP, in a namespace of its name.
func (s *birdSite) speak(neighbor, more string) {
	s.t.Helper()
	s.write(fmt.Sprintf(`[bgp]
as = 65001
router-id = "10.255.0.1"
networks = ["10.0.1.0/24", { prefix = "203.0.113.0/24", always = true }, "10.77.0.0/16"]
[bgp.neighbor."10.0.2.2"]
peer-as = 65002
afi-safis = ["ipv4-unicast", "ipv6-unicast"]
hold-time = "9s"
export-policy = []
%s
[policy.prefix-set]
one = ["198.51.100.0/24"]
[[policy.definition.one.statement]]
match = { prefix-set = "one" }
set = { local-pref = 150, community-add = "65001:1" }
action = "accept"
%s`, neighbor, more))
	text, err := os.ReadFile(s.config)
	if err == nil {
		name := strings.Replace(s.hosts[0], "-h1", "-r1", 1)
		err = os.WriteFile(s.config, []byte(strings.Replace(string(text), `name = "r1"`, fmt.Sprintf("name = %q", name), 1)), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *birdSite) stack() string { return strings.Replace(s.hosts[0], "-h1", "-r1-stack", 1) }

// bird starts BIRD, whose link the router has made, until the test ends.
func (s *birdSite) bird() {
	s.t.Helper()
	conf := filepath.Join(s.dir, "bird.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, birdText, s.more), 0o600); err != nil {
		s.t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(s.dir, "bird.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", s.hosts[1], "bird", "-f", "-c", conf, "-s", s.ctl())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
		log.Close()
	})
	wait(s.t, "BIRD to answer", func() error { return exec.Command("birdc", "-s", s.ctl(), "show", "status").Run() })
}

func (s *birdSite) ctl() string { return filepath.Join(s.dir, "bird.ctl") }

func (s *birdSite) birdc(words ...string) string {
	s.t.Helper()
	return s.must(append([]string{"birdc", "-s", s.ctl()}, words...)...)
}

// told waits until BIRD has got a NOTIFICATION.
func (s *birdSite) told(what string) {
	s.t.Helper()
	s.until("BIRD to be told "+what, func() error {
		log, err := os.ReadFile(filepath.Join(s.dir, "bird.log"))
		if err == nil && !strings.Contains(string(log), "Received: "+what) {
			err = errors.New("it has heard nothing of that")
		}
		return err
	})
}

// neighbor is BIRD as the router sees it.
func (s *birdSite) neighbor() (bgp.Neighbor, error) {
	c := control.Dial(s.socket())
	defer c.Close()
	list, err := control.Get[bgp.NeighborList](s.t.Context(), c, "bgp/neighbor", nil)
	if err != nil {
		return bgp.Neighbor{}, err
	}
	if len(list.Neighbors) == 0 {
		return bgp.Neighbor{}, errors.New("no neighbour")
	}
	return list.Neighbors[0], nil
}

// learned are the prefixes of BGP that the router forwards by.
func (s *birdSite) learned() (list []string, err error) {
	c := control.Dial(s.socket())
	defer c.Close()
	page, err := c.Routes(s.t.Context(), control.RouteQuery{Source: "ebgp"})
	for _, r := range page.Routes {
		if r.Installed {
			list = append(list, r.Prefix.String())
		}
	}
	return list, err
}

// until waits longer than wait does: sessions are tried again after some seconds.
func (s *birdSite) until(what string, f func() error) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	n, _ := s.neighbor()
	log, _ := os.ReadFile(filepath.Join(s.dir, "bird.log"))
	s.t.Fatalf("waiting for %s: %v\nthe router's neighbour: %+v\nlog: %q\nBIRD: %s\n%s", what, err, n, s.logged(""), log,
		s.birdc("show", "protocols", "all", "r"))
}

// exchange waits until the router forwards by the routes that are wanted, and BIRD has
// those of the router.
func (s *birdSite) exchange(learned, sent []string) {
	s.t.Helper()
	s.until("routes on both sides", func() error {
		got, err := s.learned()
		if err != nil {
			return err
		}
		if !slices.Equal(got, learned) {
			return fmt.Errorf("the router goes by %v, want %v", got, learned)
		}
		if has := birdPrefixes(s.birdc("show", "route", "protocol", "r")); !slices.Equal(has, sent) {
			return fmt.Errorf("BIRD has %v, want %v", has, sent)
		}
		return nil
	})
}

// birdPrefixes are those in a list of BIRD's.
func birdPrefixes(text string) (list []string) {
	for line := range strings.Lines(text) {
		if first, _, _ := strings.Cut(line, " "); strings.Contains(first, "/") {
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return list
}

var (
	birdRoutes = []string{"192.0.2.0/24", "198.51.100.0/24", "2001:db8:b::/48"}
	ownRoutes  = []string{"10.0.1.0/24", "203.0.113.0/24"}
)

// Either end dials, both sign their segments, and routes of both families go both ways.
// The network that the router has no route for is not there.
func TestBGPWithBIRD(t *testing.T) {
	for _, tt := range []struct{ name, bird, router string }{
		{"the router dials", "passive yes; password \"s3cret\";", "auth-password-file = \"password\""},
		{"BIRD dials", "password \"s3cret\";", "passive = true\nauth-password-file = \"password\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newBIRDSite(t, tt.bird)
			if err := os.WriteFile(filepath.Join(s.dir, "password"), []byte("s3cret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s.speak(tt.router+"\nimport-policy = []", "")
			s.start()
			s.bird()
			s.exchange(birdRoutes, ownRoutes)
			n, err := s.neighbor()
			if err != nil || n.State != "established" || n.Accepted != 3 || n.Sent != 2 || n.HoldTime != 9 || n.Remark != "" || n.Local != mustAddr("10.0.2.1") {
				t.Errorf("neighbour %+v, %v", n, err)
			}
			if lines := s.logged("made a TCP/IP stack of the router's own"); len(lines) != 1 || !strings.Contains(lines[0], s.stack()) {
				t.Errorf("log lines of the stack: %q", lines)
			}
		})
	}
}

// Reloads: what changes policies alone asks for routes again and ends no session, others
// end that of the neighbour, and tell it why.
func TestBGPReload(t *testing.T) {
	s := newBIRDSite(t, "")
	s.speak("", "")
	s.start()
	s.bird()
	s.until("a session without a policy", func() error {
		n, err := s.neighbor()
		if err == nil && (n.State != "established" || n.Remark != "0 of 2 accepted: no import policy; 0 of 1 accepted: no import policy") {
			err = fmt.Errorf("%s, remark %q", n.State, n.Remark)
		}
		return err
	})
	s.exchange(nil, ownRoutes)
	before, _ := s.neighbor()
	// Each one does what diff has said before.
	reload := func(neighbor, more string, effects ...string) {
		t.Helper()
		s.speak(neighbor, more)
		d, err := s.client().Diff(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, e := range d.Effects {
			said = append(said, e.Text)
		}
		if diff := cmp.Diff(effects, said); diff != "" {
			t.Errorf("effects by diff (-want +got):\n%s", diff)
		}
		if _, err := s.client().Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(what string) string { return "10.0.2.2 is asked for its routes again: " + what }
	const sent = "10.0.2.2 is sent all routes again, as far as the policies let them pass; it has %d prefixes now"
	reload("import-policy = []", "", asked("ipv4-unicast, ipv6-unicast"))
	s.exchange(birdRoutes, ownRoutes)
	reload("import-policy = \"one\"", "", asked("ipv4-unicast, ipv6-unicast"))
	s.exchange([]string{"198.51.100.0/24"}, ownRoutes)
	reload("import-policy = \"one\"\nipv6-unicast.import-policy = []\nipv4-unicast.export-policy = \"one\"", "", asked("ipv6-unicast"), fmt.Sprintf(sent, 2))
	s.exchange([]string{"198.51.100.0/24", "2001:db8:b::/48"}, nil)
	reload("import-policy = \"one\"", "[bgp.redistribute.static]\nmetric = 78\n[[static.route]]\nprefix = \"10.77.0.0/16\"\naction = \"blackhole\"\n[[static.route]]\nprefix = \"10.78.0.0/16\"\naction = \"blackhole\"\n", asked("ipv6-unicast"), fmt.Sprintf(sent, 0))
	s.exchange([]string{"198.51.100.0/24"}, []string{"10.0.1.0/24", "10.77.0.0/16", "10.78.0.0/16", "203.0.113.0/24"})
	text := s.birdc("show", "route", "10.78.0.0/16", "all")
	if !strings.Contains(text, "BGP.med: 78") || !strings.Contains(text, "BGP.origin: Incomplete") {
		t.Errorf("a route that is redistributed: %s", text)
	}
	if text := s.birdc("show", "route", "10.77.0.0/16", "all"); !strings.Contains(text, "BGP.origin: IGP") || !strings.Contains(text, "BGP.med: 0\n") {
		t.Errorf("a route of a network: %s", text)
	}
	n, err := s.neighbor()
	if err != nil || !n.Since.Equal(before.Since) {
		t.Errorf("changes of policies have ended the session: up since %v, then %v, %v", before.Since, n.Since, err)
	}
	reload("import-policy = \"one\"\nkeepalive-interval = \"1s\"", "", "the session with 10.0.2.2 ends and begins again")
	s.until("another session", func() error {
		n, err := s.neighbor()
		if err == nil && (n.State != "established" || n.Keepalive != 1 || !n.Since.After(before.Since)) {
			err = fmt.Errorf("%+v", n)
		}
		return err
	})
	reload("shutdown = \"until Monday\"", "", "the session with 10.0.2.2 ends")
	s.told(`Administrative shutdown: "until Monday"`)
	if n, err := s.neighbor(); err != nil || n.State != "idle" || n.Remark != "shut down" {
		t.Errorf("%+v, %v", n, err)
	}
	s.exchange(nil, nil)
}

// A router that was stopped, and one that was killed, have their session again.
func TestBGPRestart(t *testing.T) {
	s := newBIRDSite(t, "")
	s.speak("import-policy = []", "")
	env := []string{"ROUTERD_TEST_LOG=" + filepath.Join(s.dir, "log")}
	p := s.startProcess(env)
	s.bird()
	s.exchange(birdRoutes, ownRoutes)
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil && signal == unix.SIGTERM {
			t.Errorf("told to stop, the router ended with %v", err)
		}
		if signal == unix.SIGTERM {
			s.told("Administrative shutdown\n")
		}
		p = s.startProcess(env)
		s.exchange(birdRoutes, ownRoutes)
	}
	if err := p.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("told to stop, the router ended with %v", err)
	}
}

// When the kernel of the stack ends the connection, or a reload makes the stack in another
// namespace, BIRD, which dials, has its session again; when the device of the stack is
// deleted it keeps it.
func TestBGPWithoutItsStack(t *testing.T) {
	s := newBIRDSite(t, "")
	s.speak("import-policy = []\npassive = true", "")
	s.start()
	s.bird()
	s.exchange(birdRoutes, ownRoutes)
	since := func() time.Time {
		n, err := s.neighbor()
		if err != nil {
			t.Fatal(err)
		}
		return n.Since
	}
	again := func(what string, before time.Time) {
		t.Helper()
		s.until("a session after "+what, func() error {
			n, err := s.neighbor()
			if err == nil && (n.State != "established" || !n.Since.After(before)) {
				err = fmt.Errorf("%s since %v, before that %v", n.State, n.Since, before)
			}
			return err
		})
		s.exchange(birdRoutes, ownRoutes)
	}
	before := since()
	s.must("ip", "netns", "exec", s.stack(), "sh", "-c", "ss -K dport != 1 >/dev/null; true")
	again("its connection was killed", before)
	before = since()
	other := strings.Replace(s.stack(), "-stack", "-other", 1)
	s.speak("import-policy = []\npassive = true", fmt.Sprintf("[local-stack]\nnetns = %q\n", other))
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	again("another stack was made", before)
	before = since()
	s.must("ip", "-n", other, "link", "del", "routerd0")
	s.until("the device to be made again", func() error {
		if len(s.logged("an interface serves that was gone")) == 0 {
			return errors.New("it is not there")
		}
		return nil
	})
	s.birdc("restart", "r")
	again("the end of the one that outlived the device", before)
}
