package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// carries reports whether a device of a node is up and has a carrier.
func (b *bench) carries(node, name string) bool {
	link, err := b.device(node, name)
	return err == nil && link.Attrs().Flags&net.FlagUp != 0 && link.Attrs().RawFlags&unix.IFF_RUNNING != 0
}

// setLink cuts or mends a link and gives what was said.
func (b *bench) setLink(end string, cut bool) string {
	b.t.Helper()
	var out strings.Builder
	if err := b.SetLink(b.t.Context(), &out, end, cut); err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

// A link that was cut stays cut whatever up and test do, until it is mended.
func TestLinkCutAndMended(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters+"[[test]]\nname = \"nothing\"\nnode = \"r1\"\nrun = \"true\"\n")
	b.up()
	before := b.pid("r1")
	if said := b.setLink("r1:right", true); said != "link r1:right - r2:left is cut\n" {
		t.Errorf("said %q", said)
	}
	cut := func(when string) {
		t.Helper()
		if b.carries("r1", "right") || b.carries("r2", "left") {
			t.Errorf("%s the link carries", when)
		}
		status, err := b.Status(t.Context())
		if err != nil || !status.Up || status.Links[0].State != LinkCut || status.Links[1].State != LinkUp {
			t.Errorf("%s the lab is %+v (%v), want it up, its first link cut", when, status, err)
		}
	}
	cut("once it is cut")
	if said, want := b.up(), "link r1:right - r2:left is cut, until: routerd lab link "+b.path+" r1:right up\n"; !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	cut("after another up")
	if sum, err := b.Test(t.Context(), &b.out); err != nil || sum.Passed != 1 {
		t.Errorf("test: %v, %v", sum, err)
	}
	cut("after its tests")
	b.change("r1", "right", netlink.LinkDel)
	b.up()
	cut("after an up that made it anew")
	b.change("r1", "right", netlink.LinkSetUp)
	b.up()
	cut("after an up that found it carrying")
	if b.pid("r1") == before {
		t.Error("r1 does not know of its new device")
	}
	// By its other name, too.
	if said := b.setLink("r2:left", false); said != "link r1:right - r2:left is mended\n" {
		t.Errorf("said %q", said)
	}
	eventually(t, "both ends carry", func() bool { return b.carries("r1", "right") && b.carries("r2", "left") })
	if said := b.setLink("r2:left", false); said != "link r1:right - r2:left was not cut, and is up\n" {
		t.Errorf("said %q", said)
	}
	before = b.pid("r1")
	if b.up(); b.pid("r1") != before {
		t.Error("up takes a mended link for a new one")
	}
	// What is cut is forgotten with the lab.
	b.setLink("r3:left", true)
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
	b.up()
	if !b.carries("r3", "left") {
		t.Error("a lab that was down comes up with a cut link")
	}
}

// What a cut end forgot, the host has again: its addresses and its routes.
func TestLinkMendedOfAHost(t *testing.T) {
	needsRoot(t)
	install(t, allPeers...)
	b := newBench(t, strings.Replace(peers, "[[link]]", `[node.h1]
kind = "host"
[[link]]
endpoints = ["h1:eth0", "f1:eth1"]
addresses = { "h1:eth0" = ["10.1.0.2/24", "2001:db8:1::2/64"], "f1:eth1" = ["10.1.0.1/24", "2001:db8:1::1/64"] }
[[link]]`, 1))
	b.up()
	v := b.plan.Veths[0]
	for _, end := range []string{"h1:eth0", "f1:eth1"} {
		b.setLink(end, true)
		if v.there() {
			t.Errorf("%s is cut, and the pair counts as whole", end)
		}
		b.setLink(end, false)
		if !v.there() {
			t.Errorf("%s was mended, and the pair is not as it was", end)
		}
	}
}

// A router's own devices, a TUN, a veth pair and a TAP, keep what the host has on them, and
// are cut again when the router was started again.
func TestLinkOfARouterIsCut(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	binary := realRouterd(t)
	// What a router leaves of its device when it is killed.
	for wire, left := range map[Wire]LinkState{WireTUN: LinkMissing, WireVeth: LinkCut} {
		t.Run(string(wire), func(t *testing.T) {
			t.Parallel()
			linkOfARouterIsCut(t, binary, wire, left)
		})
	}
}

func linkOfARouterIsCut(t *testing.T, binary string, wire Wire, left LinkState) {
	b := newBench(t, fmt.Sprintf(`name = "NAME"
wire = %q
[node]
h1 = { kind = "host" }
h2 = { kind = "host" }
s1 = { kind = "switch" }
r1 = { kind = "router" }
[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
addresses = { "h1:eth0" = ["10.1.0.2/24"], "r1:lan0" = ["10.1.0.1/24"] }
[[link]]
endpoints = ["r1:lan1", "s1:p1"]
addresses = { "r1:lan1" = ["10.2.0.1/24"] }
[[link]]
endpoints = ["h2:eth0", "s1:p2"]
addresses = { "h2:eth0" = ["10.2.0.2/24"] }
`, string(wire)))
	b.options.Binary = binary
	b.up()
	const ping = "ping -n -c 1 -W 1 10.2.0.2"
	for _, end := range []string{"h1:eth0", "r1:lan0", "s1:p1", "r1:lan1", "s1:p2", "h2:eth0"} {
		b.reaches("h1", ping, true, "before "+end+" is cut")
		b.setLink(end, true)
		b.reaches("h1", ping, false, "while "+end+" is cut")
		b.setLink(end, false)
		b.reaches("h1", ping, true, "after "+end+" was mended")
	}
	b.setLink("r1:lan0", true)
	if err := unix.Kill(b.pid("r1").PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	dead := b.pid("r1")
	eventually(t, "r1 dead", func() bool { return !dead.alive() })
	if status, err := b.Status(t.Context()); err != nil || status.Up || status.Nodes[3].Up || !strings.HasPrefix(status.Nodes[3].Detail, "it has ended") || status.Links[0].State != left {
		t.Errorf("with r1 dead the lab is %+v (%v)", status, err)
	}
	b.up()
	b.reaches("h1", ping, false, "when r1 was started again with a cut link")
	b.setLink("h1:eth0", false)
	b.reaches("h1", ping, true, "in the end")
}

// reaches waits until a line of sh on a node fares as it shall.
func (b *bench) reaches(node, line string, want bool, when string) {
	b.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		out, err := b.Run(b.t.Context(), node, line)
		if (err == nil) == want {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s %q on %s goes well: %v, want %v; it printed:\n%s", when, line, node, err == nil, want, out)
		}
	}
}

func TestSetLinkOfWhatIsNot(t *testing.T) {
	b := newBench(t, routersOnly+"[[link]]\nendpoints = [\"r1:core0\", \"r2:core0\"]\n")
	err := b.SetLink(t.Context(), &b.out, "r1:cor0", true)
	if want := fmt.Sprintf(`lab %s has no link at "r1:cor0": want one of r1:core0, r2:core0; did you mean "r1:core0"?`, b.Topology.Name); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := b.SetLink(t.Context(), &b.out, "r1:core0", true); !errors.Is(err, ErrNotUp) {
		t.Errorf("a lab that is not up: %v", err)
	}
	b.gone()
}

// A test may cut and mend, though the command that runs it has the lab's lock.
func TestLinkIsCutByATest(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters+`[[test]]
name = "cut"
node = "r1"
run = "$ROUTERD link $ROUTERD_LAB $DIR r1:right down && $ROUTERD link $ROUTERD_LAB $DIR r1:right up"
expect = ['is cut$', 'is mended$']
timeout = "5s"
`)
	t.Setenv("ROUTERD", b.options.Binary)
	t.Setenv("DIR", b.options.Dir)
	if sum, err := b.Test(t.Context(), &b.out); err != nil || sum.Passed != 1 {
		t.Errorf("test: %v, %v", sum, err)
	}
}

func TestList(t *testing.T) {
	b := newBench(t, routersOnly)
	if all, err := List(b.options.Dir); err != nil || len(all) != 0 {
		t.Errorf("with none up there are %v (%v)", all, err)
	}
	if all, err := List(filepath.Join(b.options.Dir, "none")); err != nil || len(all) != 0 {
		t.Errorf("without a directory there are %v (%v)", all, err)
	}
	b.up()
	want := Listed{Name: b.Topology.Name, Topology: b.path, Started: 2, Running: 2}
	if all, err := List(b.options.Dir); err != nil || !slices.Equal(all, []Listed{want}) {
		t.Errorf("there are %v (%v), want %v", all, err, want)
	}
	r2 := b.pid("r2")
	if err := unix.Kill(r2.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "r2 dead", func() bool { return !r2.alive() })
	want.Running = 1
	if all, err := List(b.options.Dir); err != nil || !slices.Equal(all, []Listed{want}) {
		t.Errorf("there are %v (%v), want %v", all, err, want)
	}
}

// A first ping right after up is answered.
func TestUpWaitsForIPv6Addresses(t *testing.T) {
	needsRoot(t)
	binary := realRouterd(t)
	if _, err := exec.LookPath("ping"); err != nil {
		t.Skip("ping is not installed")
	}
	text, err := os.ReadFile("../../deploy/labs/chain.toml")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, strings.Replace(string(text), `name = "chain"`, `name = "NAME"`, 1))
	b.options.Binary = binary
	said := b.up()
	if asking, err := b.tentative(t.Context()); err != nil || len(asking) > 0 {
		t.Errorf("after up %v may not be used yet (%v); up said:\n%s", asking, err, said)
	}
	if out, err := b.Run(t.Context(), "h1", "ping -n -6 -c 1 -W 1 2001:db8:3::2"); err != nil {
		t.Errorf("the first ping: %v\n%s\nup said:\n%s", err, out, said)
	}
}
