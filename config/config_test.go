package config

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/rib"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every file in testdata with what is said about it, word for word.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files to read: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := Parse(name, data)
			var b strings.Builder
			for _, p := range problems {
				b.WriteString(p.String() + "\n")
			}
			golden := strings.TrimSuffix(file, ".toml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if failed := Failed(problems); failed != (name != "good.toml" && !strings.HasSuffix(name, "warnings.toml")) {
				t.Errorf("failed: %v", failed)
			}
			c2, again := Parse(name, data)
			if d := cmp.Diff(problems, again); d != "" {
				t.Errorf("a second reading differs:\n%s", d)
			}
			if !reflect.DeepEqual(c, c2) {
				t.Errorf("a second reading gives another configuration:\n%+v\n%+v", c, c2)
			}
		})
	}
}

func load(t *testing.T, file string) *Config {
	t.Helper()
	c, problems, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if Failed(problems) {
		t.Fatalf("%s: %v", file, problems)
	}
	return c
}

// What good.toml comes to.
func TestValues(t *testing.T) {
	c := load(t, "testdata/good.toml")
	if c.Name != "r1" || c.Log != (Log{"info", "auto"}) || len(c.API.Listen) != 0 {
		t.Errorf("name %q, log %+v, api %+v", c.Name, c.Log, c.API)
	}
	var names []string
	for _, i := range c.Dataplane.Interfaces {
		names = append(names, i.Name)
	}
	if d := cmp.Diff([]string{"lan0", "lo", "unnumbered0"}, names); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
	lan0 := c.Dataplane.Interfaces[0]
	if lan0.Kind != dataplane.KindTUN || lan0.MTU != 1500 || len(lan0.Addresses) != 3 {
		t.Errorf("lan0 is %+v", lan0)
	}
	if got := c.Origins.Place(lan0.Origin); got != (origin.Place{File: "testdata/good.toml", Line: 2, Column: 12}) {
		t.Errorf("lan0 comes from %+v, want line 2, column 12", got)
	}
	if got := c.Origins.Place(lan0.Addresses[1].Origin); got.Line != 4 || got.Column != 29 {
		t.Errorf("the second address of lan0 comes from %+v, want line 4, column 29", got)
	}
	if len(c.TUN) != 2 || c.TUN[0].Host.Device != "eth0" || c.TUN[1].Host.Device != "unnumbered0" {
		t.Errorf("ports %+v", c.TUN)
	}
	first := c.RIB.Static[0]
	want := []rib.StaticNextHop{{Address: netip.MustParseAddr("10.0.1.2")}, {Interface: "unnumbered0", Weight: 3}}
	if d := cmp.Diff(want, first.NextHops, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("next hops (-want +got):\n%s", d)
	}
	if second := c.RIB.Static[1]; second.Action != routing.Blackhole || second.Distance != 250 {
		t.Errorf("second route %+v", second)
	}
	if got := c.Dataplane.MartianSources; len(got) != len(dataplane.DefaultMartianSources) {
		t.Errorf("martian sources %v, want the default", got)
	}
}

func TestLoadSaysWhatItCannotRead(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("error %v, want one that names the file", err)
	}
	large := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(large); err == nil || !strings.Contains(err.Error(), "large.toml") || !strings.Contains(err.Error(), "[static] file") {
		t.Errorf("error %v of a large file, want one that names it, and where many routes may stand", err)
	}
}

// The shipped example is sound. That it is complete is TestExampleIsComplete's.
func TestExample(t *testing.T) {
	file := "../deploy/routerd.toml"
	c, problems, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if len(c.TUN) == 0 || len(c.RIB.Static) == 0 {
		t.Error("the example shows no port or no static route")
	}
}

func TestStateDirIsAbsolute(t *testing.T) {
	_, problems := Parse("t.toml", []byte("state-dir = \"lib/routerd\"\n"+speaking))
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Message, `state-dir is "lib/routerd"`) {
		t.Errorf("a state-dir that is relative: %v", problems)
	}
}

// What the shipped example shows as a comment is sound too where it stands, once
// its mark is taken away.
func TestExampleUncommented(t *testing.T) {
	text, err := os.ReadFile("../deploy/routerd.toml")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# ([a-z.-]+ = |\[)`)
	if n := len(shown.FindAll(text, -1)); n < 8 {
		t.Fatalf("%d keys are shown as comments, want state-dir, group and the others", n)
	}
	_, problems := Parse("routerd.toml", shown.ReplaceAll(text, []byte("$1")))
	for _, p := range problems {
		t.Error(p)
	}
}

// Every source but the connected one has its distance.
func TestDistances(t *testing.T) {
	c, problems := Parse("t.toml", []byte(`name = "r1"
rib.distance = { static = 2, ebgp = 30, ospf = 105, rip = 255 }`))
	if Failed(problems) {
		t.Fatal(problems)
	}
	want := [routing.NumSources]uint8{
		routing.SourceStatic: 2, routing.SourceEBGP: 30, routing.SourceOSPF: 105, routing.SourceRIP: 255,
	}
	if c.RIB.Distance != want {
		t.Errorf("distances %v, want %v", c.RIB.Distance, want)
	}
	for _, text := range []string{"connected = 1", "isis = 1", "rip = 0"} {
		_, problems := Parse("t.toml", []byte("name = \"r1\"\nrib.distance = { "+text+" }"))
		if !Failed(problems) {
			t.Errorf("%s: taken in", text)
		}
	}
}

// What the language has and this version does not build is refused by name.
func TestUnbuiltIsRefusedByName(t *testing.T) {
	for _, text := range []string{
		"[log]\nmodules = { bgp = \"debug\" }",
	} {
		_, problems := Parse("t.toml", []byte(text))
		if !Failed(problems) || !strings.Contains(problems[0].String(), "not built into this version") {
			t.Errorf("%q: %v, want it refused as not built", text, problems)
		}
	}
}

func TestDiff(t *testing.T) {
	old := load(t, "testdata/good.toml")
	text, err := os.ReadFile("testdata/good.toml")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(pairs ...string) *Config {
		t.Helper()
		s := strings.NewReplacer(pairs...).Replace(string(text))
		c, problems := Parse("new.toml", []byte(s))
		if Failed(problems) {
			t.Fatal(problems)
		}
		return c
	}
	for _, tt := range []struct {
		name  string
		pairs []string
		want  []string // kind path old -> new
	}{
		{"nothing", nil, nil},
		{"lines that move", []string{"name = ", "\n\n# later\nname = "}, nil},
		{"an MTU", []string{"[interface.unnumbered0]", "[interface.unnumbered0]\nmtu = 1400"}, []string{"changed interface.unnumbered0.mtu 1500 -> 1400"}},
		{"a segment size", []string{"[interface.unnumbered0]", "[interface.unnumbered0]\nmss = \"clamp\""}, []string{"changed interface.unnumbered0.mss  -> clamp"}},
		{"a segment size as a number", []string{"[interface.unnumbered0]", "[interface.unnumbered0]\nmss = 1400"}, []string{"changed interface.unnumbered0.mss  -> 1400"}},
		{"how many flows the kernel carries", []string{"[interface.unnumbered0]", "[forwarding]\noffload-flows = 0\n[interface.unnumbered0]"}, []string{"changed forwarding.offload-flows 65536 -> 0"}},
		{"a name", []string{`"r1"`, `"r2"`}, []string{"changed name r1 -> r2"}},
		{"a distance is another route", []string{"250", "251"}, []string{
			"removed static.route.10.9.0.0/16 distance 250 action blackhole -> ",
			"added static.route.10.9.0.0/16 distance 251  -> action blackhole",
		}},
		{"a distance that applies anyway", []string{"weight = 3 }]", "weight = 3 }]\ndistance = 1"}, nil},
		{"a next hop", []string{"weight = 3", "weight = 4"}, []string{
			"changed static.route.10.9.0.0/16.next-hop 10.0.1.2, on unnumbered0 weight 3 -> 10.0.1.2, on unnumbered0 weight 4",
		}},
		{"an interface's name", []string{"[interface.lo]", "[interface.lo1]"}, []string{
			"removed interface.lo addresses 10.255.0.1/32 2001:db8:ff::1/128, kind loopback, mtu 65535 -> ",
			"added interface.lo1  -> addresses 10.255.0.1/32 2001:db8:ff::1/128, kind loopback, mtu 65535",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range Diff(old, edit(tt.pairs...)) {
				got = append(got, c.Kind+" "+c.Path+" "+c.Old+" -> "+c.New)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

// FuzzParse: any text is read without a panic, and every problem stands at a
// place inside it.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.toml")
	for _, file := range append(files, "../deploy/routerd.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a.b.c = [[1, [2]], {d = 1}]\n[[x.y]]\n[[x.y.z]]\n[x.y.z.w]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := Parse("f.toml", data)
		lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
		for _, p := range problems {
			if p.Place.Line < 1 || p.Place.Line > len(lines) || p.Message == "" {
				t.Fatalf("problem %+v does not stand in a text of %d lines", p, len(lines))
			}
			// One column behind the end is where something is missing.
			most := utf8.RuneCountInString(lines[p.Place.Line-1]) + 1
			if p.Place.Column < 1 || p.Width < 1 || p.Place.Column+p.Width-1 > most {
				t.Errorf("problem %+v does not stand in a line of %d characters", p, most-1)
			}
			if p.String() == "" {
				t.Errorf("problem %+v has no text", p)
			}
		}
		if changes := Diff(c, c); len(changes) > 0 {
			t.Errorf("a configuration differs from itself: %+v", changes)
		}
	})
}
