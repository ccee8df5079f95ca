package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// peerStandIns are what the test binary is under the name of a program of
// others.
var peerStandIns = map[string]func(args []string) int{
	"bird": peerStandIn, "zebra": peerStandIn, "staticd": peerStandIn, "ripd": peerStandIn,
	"vtysh": vtyshStandIn,
	"birdc": birdcStandIn,
}

// after gives the argument behind another one.
func after(args []string, flag string) string {
	i := slices.Index(args, flag)
	if i < 0 || i+1 == len(args) {
		return ""
	}
	return args[i+1]
}

// peerStandIn listens where the real daemon would, until it is told to end.
func peerStandIn(args []string) int {
	socket := after(args, "-s")
	if dir := after(args, "--vty_socket"); dir != "" {
		socket = filepath.Join(dir, filepath.Base(args[0])+".vty")
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if text, err := os.ReadFile(after(args, "-c")); err == nil && strings.Contains(string(text), "nonsense") {
		// The real one listens before it reads, and ends when it has read.
		_, _ = listener.Accept()
		fmt.Println("bird.conf:1:1 syntax error")
		return 1
	}
	<-ctx.Done()
	listener.Close()
	return 0
}

// birdcStandIn says that BIRD is up if it listens and its configuration is
// good, has it take every configuration but nonsense, and prints what else it
// is asked.
func birdcStandIn(args []string) int {
	socket := after(args, "-s")
	text, err := os.ReadFile(filepath.Join(filepath.Dir(socket), "bird.conf"))
	bad := err != nil || strings.Contains(string(text), "nonsense")
	switch args[len(args)-1] {
	case "status":
		conn, err := net.Dial("unix", socket)
		if err != nil || bad {
			fmt.Println("Unable to connect to server control socket")
			return 1
		}
		conn.Close()
		fmt.Println("Daemon is up and running")
	case "configure":
		if bad {
			fmt.Println("bird.conf:1:1 syntax error")
			return 1
		}
		fmt.Println("Reconfigured")
	default:
		fmt.Println(args[1:])
	}
	return 0
}

// vtyshStandIn takes every configuration but nonsense.
func vtyshStandIn(args []string) int {
	text, err := os.ReadFile(filepath.Join(after(args, "--config_dir"), "frr.conf"))
	if err != nil || args[len(args)-1] != "-b" {
		fmt.Println(args, err)
		return 3
	}
	if strings.Contains(string(text), "nonsense") {
		fmt.Println("line 1: % Unknown command: nonsense")
		return 2
	}
	return 0
}

// install puts stand-ins where programs are looked for, and nothing else.
func install(t *testing.T, programs ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, p := range programs {
		if err := os.Symlink(self, filepath.Join(dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	system, frr := systemDirs, frrDirs
	t.Cleanup(func() { systemDirs, frrDirs = system, frr })
	systemDirs, frrDirs = nil, nil
	t.Setenv("PATH", dir)
}

const peers = `name = "NAME"
[node.b1]
kind = "bird"
config = "protocol device {}"
[node.f1]
kind = "frr"
config = """
router rip
 network eth0
"""
[[link]]
endpoints = ["b1:eth0", "f1:eth0"]
addresses = { "b1:eth0" = ["10.0.0.1/24", "2001:db8::1/64"], "f1:eth0" = ["10.0.0.2/24", "2001:db8::2/64"] }
`

var allPeers = []string{"bird", "birdc", "zebra", "staticd", "ripd", "vtysh"}

// daemons gives what the state has of a node's.
func (b *bench) daemons(node string) []process {
	b.t.Helper()
	s, err := b.readState()
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Peers[node]
}

func TestPeers(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, peers)
	said := b.up()
	bird, frr := b.daemons("b1"), b.daemons("f1")
	if len(bird) != 1 || len(frr) != 3 {
		t.Fatalf("bird runs as %v, FRR as %v: want one process, and zebra, staticd and ripd", bird, frr)
	}
	for _, want := range []string{
		fmt.Sprintf("b1   bird started, %s, ready after ", pids(bird)),
		fmt.Sprintf("f1   frr started, %s, ready after ", pids(frr)),
		fmt.Sprintf("; ask it by: routerd lab exec %s f1 vtysh\n", b.path),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("up said:\n%s\nwant in it: %s", said, want)
		}
	}
	for node, all := range map[string][]process{"b1": bird, "f1": frr} {
		for _, p := range all {
			if !slices.Contains(processesIn(b.namespace(node)), p) {
				t.Errorf("pid %d of %s is not in its namespace", p.PID, node)
			}
		}
	}
	if said, want := b.up(), fmt.Sprintf("f1   frr runs, %s\n", pids(frr)); !strings.Contains(said, want) {
		t.Errorf("a second up said:\n%s\nwant in it: %s", said, want)
	}
	out, err := exec.Command(b.options.Binary, "exec", b.path, b.options.Dir, "b1", "birdc", "show").CombinedOutput()
	p, _ := b.peer("b1")
	if want := fmt.Sprintf("[-s %s show]\n", p.Daemons[0].Socket); err != nil || string(out) != want {
		t.Errorf("birdc on b1 printed %q (%v), want %q", out, err, want)
	}
	line, err := b.Run(t.Context(), "b1", "birdc show 'a b'")
	if want := fmt.Sprintf("[-s %s show a b]\n", p.Daemons[0].Socket); err != nil || string(line) != want {
		t.Errorf("birdc in a line of sh on b1 printed %q (%v), want %q", line, err, want)
	}
	if out, err := b.Run(t.Context(), "b1", "echo why; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3") || string(out) != "why\n" {
		t.Errorf("a line that fails printed %q: %v", out, err)
	}
	pids, err := b.Processes("f1")
	if want := []int{frr[0].PID, frr[1].PID, frr[2].PID}; err != nil || !slices.Equal(pids, want) {
		t.Errorf("the processes of f1 are %v (%v), want %v", pids, err, want)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

func TestPeersMend(t *testing.T) {
	needsRoot(t)
	kill := func(b *bench, p process) {
		b.t.Helper()
		if err := unix.Kill(p.PID, unix.SIGKILL); err != nil {
			b.t.Fatal(err)
		}
		eventually(b.t, "it is dead", func() bool { return !p.alive() })
	}
	for _, c := range []struct {
		name, said string
		damage     func(b *bench)
	}{
		{"a daemon that was killed", "frr started again: pid ", func(b *bench) { kill(b, b.daemons("f1")[1]) }},
		{"a socket that is gone", "frr started again: it did not answer", func(b *bench) {
			p, _ := b.peer("f1")
			if err := os.Remove(p.Daemons[2].Socket); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"a changed configuration", "frr started again: it was not given this configuration", func(b *bench) {
			b.load(strings.NewReplacer("NAME", b.Topology.Name, "network eth0", "network eth1").Replace(peers))
		}},
		{"a kill before it had its configuration", "frr started again: it was not given this configuration", func(b *bench) {
			p, _ := b.peer("f1")
			if err := os.Remove(p.taken()); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"a new namespace", "frr started again: its namespace is a new one", func(b *bench) {
			if err := removeNamespace(b.namespace("f1")); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"a lost state", "frr started, pid", func(b *bench) {
			// As after a kill before anything was written down of f1.
			s, err := b.readState()
			if err != nil {
				b.t.Fatal(err)
			}
			delete(s.Peers, "f1")
			if err := b.writeState(s); err != nil {
				b.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			install(t, allPeers...)
			b := newBench(t, peers)
			b.up()
			bird, old := b.daemons("b1"), b.daemons("f1")
			c.damage(b)
			if said := b.up(); !strings.Contains(said, "f1   "+c.said) {
				t.Errorf("up said:\n%s\nwant in it: %s", said, c.said)
			}
			for _, p := range old {
				if p.alive() {
					t.Errorf("pid %d of before still runs", p.PID)
				}
			}
			for _, p := range b.daemons("f1") {
				if !p.alive() {
					t.Errorf("pid %d does not run", p.PID)
				}
			}
			if now := b.daemons("b1"); !slices.Equal(now, bird) {
				t.Errorf("b1 was %v and is %v", bird, now)
			}
		})
	}
}

// BIRD is told of a changed configuration, and goes on with the old one where
// the new one is none.
func TestBIRDReconfigures(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, peers)
	b.up()
	bird := b.daemons("b1")
	change := func(to string) {
		b.load(strings.NewReplacer("NAME", b.Topology.Name, "protocol device {}", to).Replace(peers))
	}
	change("protocol nonsense {}")
	want := "b1: giving BIRD its configuration: exit status 1\n    bird.conf:1:1 syntax error"
	for range 2 { // a second up does not take it for given
		if err := b.Up(t.Context(), &b.out); err == nil || err.Error() != want {
			t.Errorf("got:\n%v\nwant:\n%s", err, want)
		}
	}
	change("protocol direct {}")
	if said, want := b.up(), fmt.Sprintf("b1   bird took its changed configuration, %s\n", pids(bird)); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	if now := b.daemons("b1"); !slices.Equal(now, bird) || !bird[0].alive() {
		t.Errorf("b1 was %v and is %v, want the same process, alive", bird, now)
	}
	if said, want := b.up(), fmt.Sprintf("b1   bird runs, %s\n", pids(bird)); !strings.Contains(said, want) {
		t.Errorf("an up after that said:\n%s\nwant in it: %s", said, want)
	}
}

// Others have programs that are called as FRR's daemons are.
func TestFRRIsLookedForInItsOwnDirectory(t *testing.T) {
	needsRoot(t)
	install(t, "zebra", "staticd", "ripd", "bird", "birdc", "vtysh")
	b := newBench(t, peers)
	foreign, own := os.Getenv("PATH"), t.TempDir()
	for _, program := range []string{"zebra", "bird"} {
		if err := os.Symlink(b.options.Binary, filepath.Join(own, program)); err != nil {
			t.Fatal(err)
		}
	}
	frrDirs = []string{own}
	for _, c := range []struct {
		kind          Kind
		program, want string
	}{{KindFRR, "zebra", own}, {KindFRR, "ripd", foreign}, {KindBIRD, "bird", foreign}} {
		if path, err := b.findDaemon(c.kind, c.program); err != nil || path != filepath.Join(c.want, c.program) {
			t.Errorf("%s of %s is %s (%v), want the one in %s", c.program, c.kind, path, err, c.want)
		}
	}
}

// What a peer or a host was given outlives that its device is down, as it does
// on a router of one's own.
func TestIPv6AddressesSurviveDownAndUp(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, peers)
	b.up()
	for _, node := range []string{"b1", "f1"} {
		b.change(node, "eth0", netlink.LinkSetDown)
		b.change(node, "eth0", netlink.LinkSetUp)
		b.change(node, "eth0", func(link netlink.Link) error {
			addresses, err := netlink.AddrList(link, netlink.FAMILY_V6)
			if !slices.ContainsFunc(addresses, func(a netlink.Addr) bool { return strings.HasPrefix(a.IPNet.String(), "2001:db8::") }) {
				t.Errorf("%s has the IPv6 addresses %v after down and up, want the one of the topology among them", node, addresses)
			}
			return err
		})
	}
}

// Whatever a kill left, down leaves nothing.
func TestPeersAreTakenDownAfterAKill(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, peers)
	b.up()
	frr := b.daemons("f1")
	if err := unix.Kill(frr[0].PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.statePath()); err != nil {
		t.Fatal(err)
	}
	// Nothing says any more that the namespaces are the lab's; the daemons are
	// known by what they run with.
	if err := os.WriteFile(b.statePath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

// The daemons themselves take what the lab gives them, and go with it.
func TestRealPeers(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	b := newBench(t, peers)
	for _, node := range []string{"b1", "f1"} {
		if lacks := b.lacking(node); lacks != "" {
			t.Skipf("%s is not installed", lacks)
		}
	}
	b.up()
	for _, c := range []struct{ node, line, want string }{
		{"b1", "birdc show protocols", "device1 "},
		{"f1", "vtysh -c 'show ip rip status'", `Routing Protocol is "rip"`},
	} {
		var out strings.Builder
		cmd, err := b.start(t.Context(), c.node, c.line, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s on %s printed (%v):\n%s\nwant in it: %s", c.line, c.node, err, out.String(), c.want)
		}
	}
	for _, p := range []process{b.daemons("b1")[0], b.daemons("f1")[0]} {
		if err := unix.Kill(p.PID, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both dead", func() bool { return !b.daemons("b1")[0].alive() && !b.daemons("f1")[0].alive() })
	b.up()
	for node, want := range map[string]int{"b1": 1, "f1": 3} {
		if got := slices.DeleteFunc(b.daemons(node), func(p process) bool { return !p.alive() }); len(got) != want {
			t.Errorf("%s runs as %v, want %d processes", node, got, want)
		}
	}
	// And after a kill of which nobody took notice.
	if err := unix.Kill(b.daemons("f1")[1].PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

func TestPeerThatTheTopologyLost(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, peers)
	b.up()
	frr := b.daemons("f1")
	b.load("name = \"" + b.Topology.Name + "\"\n[node.b1]\nkind = \"bird\"\nconfig = \"protocol device {}\"\n")
	if said, want := b.up(), "f1   no longer in the topology: ended its daemons, "+pids(frr); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	for _, p := range frr {
		if p.alive() {
			t.Errorf("pid %d still runs", p.PID)
		}
	}
	if _, err := os.Stat(b.peerDir("f1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory: %v, want none", err)
	}
}

func TestPeerRefusesItsConfiguration(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct{ name, old, want string }{
		{"bird", "protocol device {}", "b1: bird ended before it was ready, exit status 1:\n    bird.conf:1:1 syntax error"},
		{"frr", "router rip", "f1: giving FRR its configuration: exit status 2\n    line 1: % Unknown command: nonsense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			install(t, allPeers...)
			b := newBench(t, strings.Replace(peers, c.old, "nonsense", 1))
			if err := b.Up(t.Context(), &b.out); err == nil || err.Error() != c.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, c.want)
			}
			b.gone()
		})
	}
}

// Without the daemons the lab is there, and what needs them is skipped by name.
func TestPeersThatAreNotInstalled(t *testing.T) {
	needsRoot(t)
	install(t, "bird", "birdc", "zebra", "vtysh")
	b := newBench(t, peers+`
[[test]]
name = "of bird"
node = "b1"
run = "true"
[[test]]
name = "on frr"
node = "f1"
run = "true"
[[test]]
name = "by way of frr"
node = "b1"
needs = "f1"
run = "true"
`)
	var out strings.Builder
	sum, err := b.Test(t.Context(), &out)
	if err != nil || sum != (Result{Passed: 1, Skipped: 2}) {
		t.Errorf("got %v, %v", sum, err)
	}
	for _, want := range []string{
		"f1   staticd is not installed: nothing runs here, and tests that need it are skipped\n",
		"- on frr: skipped, staticd of f1 is not installed\n",
		"- by way of frr: skipped, staticd of f1 is not installed\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed:\n%s\nwant in it: %s", out.String(), want)
		}
	}
	if _, err := b.device("f1", "eth0"); err != nil {
		t.Errorf("f1 has no link: %v", err)
	}
}

func TestFRRPrograms(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "zebra staticd",
		"! router rip\nip route 10.0.0.0/8": "zebra staticd",
		"router rip\n network eth0":         "zebra staticd ripd",
		"router ripng":                      "zebra staticd ripngd",
		"router ospf":                       "zebra staticd ospfd",
		"router ospf6\nrouter bgp 65001\n":  "zebra staticd ospf6d bgpd",
	} {
		if got := strings.Join(frrPrograms(text), " "); got != want {
			t.Errorf("%q takes %s, want %s", text, got, want)
		}
	}
}

// A configuration may stand in a file beside the topology.
func TestPeerConfigFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b1.conf", "protocol device { }\n")
	write("lab.toml", "name = \"x\"\n[node.b1]\nkind = \"bird\"\nconfig-file = \"b1.conf\"\n")
	l, err := Load(filepath.Join(dir, "lab.toml"), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := l.peer("b1"); string(p.Text) != "protocol device { }\n" {
		t.Errorf("it is configured with %q", p.Text)
	}
	write("lab.toml", "name = \"x\"\n[node.b1]\nkind = \"bird\"\nconfig-file = \"b2.conf\"\n")
	if _, err := Load(filepath.Join(dir, "lab.toml"), Options{Dir: dir}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "b1") {
		t.Errorf("a file that is not there: %v", err)
	}
}
