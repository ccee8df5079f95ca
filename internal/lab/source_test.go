package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/origin"
	"routerd/internal/tomltext"
)

const placed = `name = "NAME"
[node]
h1 = { kind = "host" }
[node.r1]
kind = "router"
[node.r1.config]
rip.interface.lan0 = { passive = true }
[[node.r1.config.static.route]]
prefix = "203.0.113.0/24"
action = "blackhole"
[[node.r1.config.static.route]]
prefix = "198.51.100.0/24"
action = "blackhole"
[node.r1.config.interface.lan0]
urpf = "strict"
[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
mtu = 1400
[link.addresses]
"h1:eth0" = ["10.0.1.2/24"]
"r1:lan0" = ["10.0.1.1/24"]
`

// What a router says of where something stands is a place in the topology.
func TestPlacesAreTheTopologys(t *testing.T) {
	b := newBench(t, placed)
	r, _ := b.router("r1")
	doc, ok := tomltext.Parse(r.Config, r.Text)
	if !ok {
		t.Fatalf("%v\n%s", doc.Problems(), r.Text)
	}
	root := tomltext.Path{}
	lan := root.With("interface").With("lan0")
	for _, c := range []struct {
		at   tomltext.Path
		line int
	}{
		{root.With("name"), 1},
		{root.With("api").With("listen"), 4},
		{root.With("rip").With("interface").With("lan0"), 7},
		{root.With("rip").With("interface").With("lan0").With("passive"), 7},
		{root.With("static").With("route").Element(0), 8},
		{root.With("static").With("route").Element(0).With("prefix"), 9},
		{root.With("static").With("route").Element(1).With("prefix"), 12},
		{root.With("static").With("route").Element(1).With("action"), 13},
		{lan, 14},
		{lan.With("urpf"), 15},
		{lan.With("kind"), 17},
		{lan.With("mtu"), 18},
		{lan.With("host").With("addresses"), 20},
		{lan.With("addresses"), 21},
	} {
		if got := doc.KeyPlace(c.at); got.File != b.path || got.Line != c.line {
			t.Errorf("%s stands at %s, want %s:%d", c.at, got, b.path, c.line)
		}
	}
	if t.Failed() {
		t.Logf("the configuration is:\n%s", r.Text)
	}
}

// All that the shipped labs have routers do is found in them.
func TestNoPlaceIsAGeneratedFiles(t *testing.T) {
	labs, _ := filepath.Glob("../../deploy/labs/*.toml")
	for _, path := range labs {
		l, err := Load(path, Options{Dir: t.TempDir(), Binary: "routerd"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.plan.Routers {
			c, problems := config.Parse(r.Config, r.Text)
			if config.Failed(problems) {
				t.Fatalf("%s: %v", path, problems)
			}
			for id := 1; c.Origins.Place(origin.ID(id)).File != ""; id++ {
				if p := c.Origins.Place(origin.ID(id)); p.File != l.path {
					t.Errorf("%s of %s has %s", r.Node, path, p)
				}
			}
		}
	}
}

// A mistake in a router's tables is shown in the topology, with its line.
func TestMistakesOfARouterAreShownInTheTopology(t *testing.T) {
	const nonsense = "  urpf = 'strickt' # so\n"
	file := filepath.Join(t.TempDir(), "lab.toml")
	text := strings.NewReplacer("NAME", "x", "urpf = \"strict\"\n", nonsense).Replace(placed)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	problems, is, err := Check(file)
	want := file + ":15:3: error: interface.lan0.urpf is \"strickt\"\n      urpf = 'strickt' # so\n      ^^^^^^^^^^^^^^^^^^^^^\n"
	if err != nil || !is || len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) {
		t.Errorf("%v (%v, a topology: %v), want first:\n%s", problems, err, is, want)
	}
}

func TestCheckKnowsATopology(t *testing.T) {
	for text, want := range map[string]bool{
		"[node.h1]\nkind = \"host\"\n": true, "node = 3\n": true, "[[ link ]]\n": true, "\"node\".h1 = {}\n": true, "[node\n": false,
		"[interface.lo]\nkind = \"loopback\"\n": false, "# node = 3\n": false, "[nat]\nlink-mtu = 3\n": false, "nodes = 3\n": false,
	} {
		file := filepath.Join(t.TempDir(), "x.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, is, err := Check(file); is != want || err != nil {
			t.Errorf("%q is a topology: %v (%v), want %v", text, is, err, want)
		}
	}
	if _, _, err := Check(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was checked")
	}
}

// A living router names the topology where it is asked.
func TestLivingRouterNamesTheTopology(t *testing.T) {
	needsRoot(t)
	binary := realRouterd(t)
	b := newBench(t, placed)
	b.options.Binary = binary
	b.up()
	r, _ := b.router("r1")
	client := control.Dial(r.Socket)
	defer client.Close()
	routes, err := client.Routes(t.Context(), control.RouteQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, line := range map[string]int{"203.0.113.0/24": 9, "10.0.1.0/24": 21} {
		want := fmt.Sprintf("%s:%d", b.path, line)
		i := slices.IndexFunc(routes.Routes, func(x control.Route) bool { return x.Prefix.String() == prefix })
		if i < 0 || routes.Routes[i].Origin != want {
			t.Errorf("route %s is of %+v, want the origin %s", prefix, routes.Routes, want)
		}
	}
	// A line more in the topology, and nothing else.
	before := b.pid("r1")
	b.load("# one line more\n" + strings.Replace(placed, "NAME", b.Topology.Name, 1))
	if said, want := b.up(), fmt.Sprintf("routerd reloaded its configuration, pid %d: 0 changes\n", before.PID); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
}
