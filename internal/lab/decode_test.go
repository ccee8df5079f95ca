package lab

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const example = `name = "demo"

[node.h1]
kind = "host"
[node.r1]
kind = "router"
[[node.r1.config.static.route]]
prefix = "203.0.113.0/24"
action = "blackhole"
[node.r1.config.interface.lan0]
urpf = "strict"
[node.h2]
kind = "host"

[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
[link.addresses]
"h1:eth0" = ["10.0.1.2/24", "2001:db8:1::2/64"]
"r1:lan0" = ["10.0.1.1/24", "2001:db8:1::1/64"]

[[link]]
endpoints = ["r1:lan1.5", "h2:eth0.5"]
mtu = 1400
addresses = { "r1:lan1.5" = ["10.0.2.1/24"], "h2:eth0.5" = ["10.0.2.2/24"] }
routes = { "h2:eth0.5" = ["10.0.1.0/24"] }

[[test]]
name = "h1 reaches h2"
node = "h1"
run = "ping -c 1 10.0.2.2"
expect = "1 received"
reject = ["unreachable", "^From"]

[[test]]
name = "how fast"
node = "h1"
run = "iperf3 -c 10.0.2.2"
exit = 3
tool = "iperf3"
timeout = "1m"
within = "2s"
show = true
serve = { node = "h2", run = "iperf3 -s -1", port = 5201 }
`

func decode(t *testing.T, text string) *Topology {
	t.Helper()
	topology, err := Decode("lab.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestDecode(t *testing.T) {
	got := decode(t, example)
	want := &Topology{
		Name: "demo",
		Nodes: []Node{
			{Name: "h1", Kind: KindHost},
			{Name: "r1", Kind: KindRouter, Config: map[string]any{
				"static": map[string]any{"route": []map[string]any{
					{"prefix": "203.0.113.0/24", "action": "blackhole"},
				}},
				"interface": map[string]any{"lan0": map[string]any{"urpf": "strict"}},
			}},
			{Name: "h2", Kind: KindHost},
		},
		Links: []Link{
			{Ends: [2]End{
				{Node: "h1", Interface: "eth0", Addresses: prefixes("10.0.1.2/24", "2001:db8:1::2/64")},
				{Node: "r1", Interface: "lan0", Addresses: prefixes("10.0.1.1/24", "2001:db8:1::1/64")},
			}},
			{MTU: 1400, Ends: [2]End{
				{Node: "r1", Interface: "lan1.5", Addresses: prefixes("10.0.2.1/24")},
				{
					Node: "h2", Interface: "eth0.5", Addresses: prefixes("10.0.2.2/24"),
					Routes: prefixes("10.0.1.0/24"), Given: true,
				},
			}},
		},
		Tests: []Test{
			{
				Name: "h1 reaches h2", Node: "h1", Run: "ping -c 1 10.0.2.2", Timeout: DefaultTimeout,
				Expect: compile("1 received"), Reject: compile("unreachable", "^From"),
			},
			{
				Name: "how fast", Node: "h1", Run: "iperf3 -c 10.0.2.2", Exit: 3, Tools: []string{"iperf3"},
				Timeout: time.Minute, Within: 2 * time.Second, Show: true,
				Serve: &Serve{Node: "h2", Run: "iperf3 -s -1", Port: 5201},
			},
		},
	}
	compare := []cmp.Option{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b Pattern) bool { return a.String() == b.String() }),
	}
	if diff := cmp.Diff(want, got, compare...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each row changes one thing of the example and names the complaint, with the
// place it is made at.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           string
	}{
		{"syntax", `name = "demo"`, `name = demo`, "lab.toml:1:8: "},
		{"duplicate", "[node.h2]", "[node.h1]", "lab.toml:12:"},
		{"type", "mtu = 1400", `mtu = "big"`, "lab.toml:23:1: mtu has type string: want integer"},
		{"no name", `name = "demo"`, "", "lab.toml:1:1: the lab has no name"},
		{"bad name", `"demo"`, `"Demo"`, `lab.toml:1:1: name "Demo": want`},
		{"misspelt key", "show = true", "shwo = true", `lab.toml:42:1: unknown key "shwo"; did you mean "show"?`},
		{"unlike any key", "show = true", "colour = 3", `lab.toml:42:1: unknown key "colour"; want one of exit, expect,`},
		{"misspelt table", "[node.h2]", "[nod.h2]", `lab.toml:12:2: unknown key "nod"; did you mean "node"?`},
		{"misspelt key inline", "port = 5201", "prot = 5201", `unknown key "prot"; did you mean "port"?`},
		{"no kind", "[node.h2]\nkind = \"host\"", "[node.h2]", "lab.toml:12:7: node h2 has no kind"},
		{"odd kind", `kind = "router"`, `kind = "gateway"`, `lab.toml:6:1: kind "gateway": want`},
		{"later kind", `kind = "router"`, `kind = "switch"`, `lab.toml:6:1: nodes of kind "switch" are not built yet`},
		{"config of a host", "[node.h2]", "[node.h2]\nconfig = {}", "host h2 has config"},
		{"the lab's own table", "[node.h2]", "[node.r1.config.api]\n[node.h2]", "api of a router is the lab's to set"},
		{"the lab's own key", `urpf = "strict"`, "mtu = 1400", "lab.toml:11:1: mtu of r1:lan0 comes from its [[link]]"},
		{"one end", `["h1:eth0", "r1:lan0"]`, `["h1:eth0"]`, "lab.toml:16:1: a link has 1 endpoints"},
		{"no interface", `["h1:eth0",`, `["h1",`, `lab.toml:16:14: end "h1" of a link: want NODE:INTERFACE`},
		{"long interface", "eth0.5", "eth0123456789012", `end "h2:eth0123456789012" of a link`},
		{"unknown node", `["h1:eth0",`, `["h9:eth0",`, `lab.toml:16:14: end "h9:eth0" of a link: there is no [node.h9]`},
		{"end taken", `["r1:lan1.5", "h2:eth0.5"]`, `["r1:lan0", "h2:eth0.5"]`, `lab.toml:22:14: end "r1:lan0" already has a link`},
		{"two hosts", "kind = \"router\"", "kind = \"host\"", "joins two hosts"},
		{"two routers", "[node.h2]\nkind = \"host\"", "[node.h2]\nkind = \"router\"", "lab.toml:21:3: r1:lan1.5 - h2:eth0.5 joins two routers, which takes packet ports"},
		{"bad address", `"10.0.1.1/24"`, `"10.0.1.1"`, `lab.toml:19:14: "10.0.1.1": want an address with its prefix length`},
		{"address of nobody", `"h1:eth0" = [`, `"h1:eth7" = [`, `lab.toml:18:1: addresses of "h1:eth7", which is no end of this link`},
		{"host bits in a route", `"10.0.1.0/24"]`, `"10.0.1.1/24"]`, "route 10.0.1.1/24 has host bits set: want 10.0.1.0/24"},
		{"routes of a router", `routes = { "h2:eth0.5"`, `routes = { "r1:lan1.5"`, "routes of router r1 belong in"},
		{"small mtu", "mtu = 1400", "mtu = 67", "lab.toml:23:1: mtu 67: want 68 to 65535"},
		{"no node", "node = \"h1\"\nrun = \"ping", "run = \"ping", `test "h1 reaches h2" has no node to run on`},
		{"runs nothing", `run = "ping -c 1 10.0.2.2"`, `run = " "`, `test "h1 reaches h2" runs nothing`},
		{"test on nobody", "node = \"h1\"\nrun = \"ping", "node = \"h7\"\nrun = \"ping", `lab.toml:29:1: test "h1 reaches h2" runs on "h7": there is no`},
		{"test without a name", `name = "how fast"`, "", "lab.toml:34:3: a test has no name"},
		{"name twice", `name = "how fast"`, `name = "h1 reaches h2"`, `a second test named "h1 reaches h2"`},
		{"exit", "exit = 3", "exit = 300", "exit 300: want 0 to 255"},
		{"duration", `timeout = "1m"`, `timeout = "1"`, `timeout "1": want a duration above zero with its unit`},
		{"negative", `within = "2s"`, `within = "-2s"`, `within "-2s": want a duration above zero`},
		{"pattern", `"unreachable"`, `"("`, `lab.toml:32:11: "(" is no regular expression`},
		{"list of others", `tool = "iperf3"`, "tool = [1]", "want a string or a list of strings"},
		{"port", "port = 5201", "port = 0", "serve: port 0: want"},
		{"server on nobody", `serve = { node = "h2"`, `serve = { node = "h8"`, `serve runs on "h8"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(example, c.old) {
				t.Fatalf("the example has no %q", c.old)
			}
			_, err := Decode("lab.toml", []byte(strings.Replace(example, c.old, c.new, 1)))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:\n%v\nwant in it: %s", err, c.want)
			}
		})
	}
}

func TestAllProblemsInOrder(t *testing.T) {
	text := strings.NewReplacer(`"demo"`, `"De mo"`, `"1m"`, `"soon"`, "mtu = 1400", "\tmtu = 1").Replace(example)
	_, err := Decode("lab.toml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	for i, line := range []int{1, 23, 40} {
		if problems[i].Line != line {
			t.Errorf("problem %d is at line %d, want %d", i, problems[i].Line, line)
		}
	}
	if want := "lab.toml:23:2: mtu 1: want 68 to 65535 bytes with the addresses of this link\n    \tmtu = 1\n    \t^"; problems[1].Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", problems[1], want)
	}
}

// The labs that are shipped are good.
func TestShippedLabs(t *testing.T) {
	labs, err := filepath.Glob("../../deploy/labs/*.toml")
	if err != nil || len(labs) == 0 {
		t.Fatalf("no labs in deploy/labs: %v", err)
	}
	for _, path := range labs {
		l, err := Load(path, Options{Binary: "routerd"})
		if err != nil {
			t.Error(err)
			continue
		}
		if err := l.plan.preflight(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if len(l.Topology.Tests) == 0 {
			t.Errorf("%s claims nothing: it has no tests", path)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("name = \"a\"\n[node.r]\nkind = \"router\"\n"))
	f.Add([]byte("[[test]]\n[test.serve]\n[[a.b]]\n[a.b.c]\n[[a.b]]\nd.e = [{f = 1}, [2]]\n"))
	labs, _ := filepath.Glob("../../deploy/labs/*.toml")
	for _, path := range labs {
		if data, err := os.ReadFile(path); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		topology, err := Decode("lab.toml", data)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("%T %v, want Problems", err, err)
			}
			_ = err.Error()
			return
		}
		_ = topology.Graph()
		if _, err := plan(topology, "/run/routerd"); err != nil {
			t.Fatalf("a topology without a problem cannot be planned: %v", err)
		}
	})
}
