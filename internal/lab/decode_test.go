package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/tomltext"
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
			{Wire: WireTUN, Ends: [2]End{
				{Node: "h1", Interface: "eth0", Addresses: prefixes("10.0.1.2/24", "2001:db8:1::2/64")},
				{Node: "r1", Interface: "lan0", Addresses: prefixes("10.0.1.1/24", "2001:db8:1::1/64")},
			}},
			{MTU: 1400, Wire: WireTUN, Ends: [2]End{
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

// What a link says of its wire counts more than what the lab says, and what Load is given
// more than both.
func TestWires(t *testing.T) {
	const text = `name = "x"
wire = "veth"
node = { h1 = { kind = "host" }, h2 = { kind = "host" }, s = { kind = "switch" }, r = { kind = "router" } }
[[link]]
endpoints = ["h1:eth0", "r:lan0"]
[[link]]
endpoints = ["r:lan1", "h2:eth0"]
wire = "tun"
[[link]]
endpoints = ["r:lan2", "s:r"]
`
	path := filepath.Join(t.TempDir(), "lab.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[Wire][3]Wire{
		"":       {WireVeth, WireTUN, ""},
		WireTUN:  {WireTUN, WireTUN, ""},
		WireVeth: {WireVeth, WireVeth, ""},
	} {
		l, err := Load(path, Options{Dir: t.TempDir(), Binary: "routerd", Wire: given})
		if err != nil {
			t.Fatal(err)
		}
		for i, link := range l.Topology.Links {
			if link.Wire != want[i] {
				t.Errorf("given %q, link %d has the wire %q, want %q", given, i, link.Wire, want[i])
			}
		}
	}
	_, err := Decode("lab.toml", []byte(strings.Replace(text, `["r:lan2", "s:r"]`, "[\"r:lan2\", \"s:r\"]\nwire = \"veth\"", 1)))
	const refused = "link[3].wire is for a link between a router and a host, and this one joins a router and a switch"
	if err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("a wire of a switch: %v, want %s", err, refused)
	}
}

// Each row changes one thing of the example; all that is said of it, each with
// its place and width.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"syntax", `name = "demo"`, "name = demo", []string{`1:8+4: expected value but found "demo" instead; want valid TOML; nothing behind this place has been read`}},
		{"duplicate", "[node.h2]", "[node.h1]", []string{"12:2+4: node.h1 is given twice; want each key and table once; nothing behind this place has been read"}},
		{"type", "mtu = 1400", `mtu = "big"`, []string{`23:7+5: link[2].mtu is "big"; want a whole number from 68 to 65535`}},
		{"no name", `name = "demo"`, "", []string{`1:1+1: the lab has no name; want name = "...", which its namespaces begin with`}},
		{"bad name", `"demo"`, `"Demo"`, []string{`1:8+6: name is "Demo"; want 1 to 32 lower-case letters, digits and '-', with no '-' at either end`}},
		{"misspelt key", "show = true", "shwo = true", []string{`42:1+4: unknown key "shwo" in test[2]; did you mean "show"?`}},
		{"unlike any key", "show = true", "colour = 3", []string{`42:1+6: unknown key "colour" in test[2]; want one of exit, expect, name, needs, node, reject, run, serve, show, timeout, tool, within`}},
		{"misspelt table", "[node.h2]", "[nod.h2]", []string{
			`12:2+3: unknown key "nod" in the topology; did you mean "node"?`,
			`22:27+11: link[2].endpoints[2] is "h2:eth0.5", and there is no [node.h2]; want the name of a node; did you mean "h1"?`,
			`43:18+4: test[2].serve.node is "h2", and there is no [node.h2]; want the name of a node; did you mean "h1"?`,
		}},
		{"misspelt key inline", "port = 5201", "prot = 5201", []string{
			"43:1+5: test[2].serve has no port; want the port that its server listens to",
			`43:46+4: unknown key "prot" in test[2].serve; did you mean "port"?`,
		}},
		{"no kind", "[node.h2]\nkind = \"host\"", "[node.h2]", []string{`12:7+2: node.h2 has no kind; want kind = one of "host", "router", "switch", "bird", "frr"`}},
		{"odd kind", `kind = "router"`, `kind = "gateway"`, []string{`6:8+9: node.r1.kind is "gateway"; want one of "host", "router", "switch", "bird", "frr"`}},
		{"config of a host", "[node.h2]", "[node.h2]\nconfig = {}", []string{"13:1+6: host h2 has config, which only a router takes"}},
		{"the lab's own table", "[node.h2]", "[node.r1.config.api]\n[node.h2]", []string{"12:17+3: api of a router is the lab's to set"}},
		{"the lab's own key", `urpf = "strict"`, "mtu = 1400", []string{"11:1+3: mtu of r1:lan0 comes from its [[link]]"}},
		{"the lab's own device", `urpf = "strict"`, `netns = "demo-r1"`, []string{"11:1+5: netns of r1:lan0 comes from its [[link]]"}},
		{"the loopback", `["h1:eth0",`, `["h1:lo",`, []string{`16:14+7: link[1].endpoints[1] is "h1:lo", which every node has without a link; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`}},
		{"one end", `["h1:eth0", "r1:lan0"]`, `["h1:eth0"]`, []string{`16:13+11: link[1] has 1 endpoints; want two, like endpoints = ["h1:eth0", "r1:lan0"]`}},
		{"no interface", `["h1:eth0",`, `["h1",`, []string{`16:14+4: link[1].endpoints[1] is "h1"; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`}},
		{"long interface", "eth0.5", "eth0123456789012", []string{`22:27+21: link[2].endpoints[2] is "h2:eth0123456789012"; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`}},
		{"unknown node", `["h1:eth0",`, `["h9:eth0",`, []string{`16:14+9: link[1].endpoints[1] is "h9:eth0", and there is no [node.h9]; want the name of a node; did you mean "h1"?`}},
		{"end taken", `["r1:lan1.5", "h2:eth0.5"]`, `["r1:lan0", "h2:eth0.5"]`, []string{`22:14+9: link[2].endpoints[1] is "r1:lan0", which has a link already; want one link to each interface`}},
		{"two hosts", `kind = "router"`, `kind = "host"`, []string{
			"7:11+6: host r1 has config, which only a router takes",
			"15:3+4: h1:eth0 - r1:lan0 joins two hosts; want a router or a switch at one end at least",
			"21:3+4: r1:lan1.5 - h2:eth0.5 joins two hosts; want a router or a switch at one end at least",
		}},
		{"routes of the other router", "[node.h2]\nkind = \"host\"", "[node.h2]\nkind = \"router\"", []string{
			`25:12+11: link[2].routes."h2:eth0.5" is of a router; want its routes in [[node.h2.config.static.route]]`,
		}},
		{"bad address", `"10.0.1.1/24"`, `"10.0.1.1"`, []string{`19:14+10: link[1].addresses."r1:lan0"[1] is "10.0.1.1", which has no length; want an address with the length of its subnet, like "192.0.2.1/24" or "2001:db8::1/64"; did you mean "10.0.1.1/32"?`}},
		{"address of nobody", `"h1:eth0" = [`, `"h1:eth7" = [`, []string{`18:1+9: link[1].addresses."h1:eth7" is of no end of this link; want "h1:eth0" or "r1:lan0"; did you mean "h1:eth0"?`}},
		{"host bits in a route", `"10.0.1.0/24"]`, `"10.0.1.1/24"]`, []string{`25:27+13: link[2].routes."h2:eth0.5"[1] is "10.0.1.1/24", which has bits set behind its length; want a prefix, like "192.0.2.0/24" or "2001:db8::/32"; did you mean "10.0.1.0/24"?`}},
		{"routes of a router", `routes = { "h2:eth0.5"`, `routes = { "r1:lan1.5"`, []string{`25:12+11: link[2].routes."r1:lan1.5" is of a router; want its routes in [[node.r1.config.static.route]]`}},
		{"small mtu", "mtu = 1400", "mtu = 67", []string{"23:7+2: link[2].mtu is 67; want a whole number from 68 to 65535"}},
		{"no node", "node = \"h1\"\nrun = \"ping", `run = "ping`, []string{`27:3+4: test[1] has no node to run on; want node = "..."`}},
		{"runs nothing", `run = "ping -c 1 10.0.2.2"`, `run = " "`, []string{`30:7+3: test[1].run is " "; want a command, as sh takes it`}},
		{"test on nobody", "node = \"h1\"\nrun = \"ping", "node = \"h7\"\nrun = \"ping", []string{`29:8+4: test[1].node is "h7", and there is no [node.h7]; want the name of a node; did you mean "h1"?`}},
		{"test without a name", `name = "how fast"`, "", []string{`34:3+4: test[2] has no name; want name = "what it proves"`}},
		{"name twice", `name = "how fast"`, `name = "h1 reaches h2"`, []string{`35:8+15: a second test named "h1 reaches h2"; want a name of its own`}},
		{"exit", "exit = 3", "exit = 300", []string{"38:8+3: test[2].exit is 300; want a whole number from 0 to 255"}},
		{"duration", `timeout = "1m"`, `timeout = "1"`, []string{`40:11+3: test[2].timeout is "1"; want a duration with its unit, like "90s" or "2h4m", from 1ms to 24h0m0s`}},
		{"negative", `within = "2s"`, `within = "-2s"`, []string{`41:10+5: test[2].within is "-2s"; want a duration with its unit, like "90s" or "2h4m", from 1ms to 24h0m0s`}},
		{"pattern", `"unreachable"`, `"("`, []string{"32:11+3: test[1].reject[1] is \"(\", which is none: missing closing ): `(`; want a regular expression, like \"[0-9]+ received\""}},
		{"list of others", `tool = "iperf3"`, "tool = [1]", []string{"39:9+1: test[2].tool[1] is 1; want the name of a program"}},
		{"port", "port = 5201", "port = 0", []string{"43:53+1: test[2].serve.port is 0; want a whole number from 1 to 65535"}},
		{"server on nobody", `serve = { node = "h2"`, `serve = { node = "h8"`, []string{`43:18+4: test[2].serve.node is "h8", and there is no [node.h8]; want the name of a node; did you mean "h1"?`}},
		{"behind a wrong type", "mtu = 1400", "mtu = \"big\"\nroute = []", []string{
			`23:7+5: link[2].mtu is "big"; want a whole number from 68 to 65535`,
			`24:1+5: unknown key "route" in link[2]; did you mean "routes"?`,
		}},
		{"a wrong node", "[node.h2]\nkind = \"host\"", "[node]\nh2 = 3", []string{"13:6+1: node.h2 is 3; want a table"}},
		{"a wrong config", "[node.h2]", "[node.r2]\nkind = \"router\"\nconfig = 3\n[node.h2]", []string{"14:10+1: node.r2.config is 3; want a table"}},
		{"a wrong interface of config", "[node.r1.config.interface.lan0]\nurpf = \"strict\"", "[node.r1.config]\ninterface = 3", []string{"11:13+1: node.r1.config.interface is 3; want a table"}},
		{"no endpoints", `endpoints = ["h1:eth0", "r1:lan0"]`, "", []string{`15:3+4: link[1] has no endpoints; want two, like endpoints = ["h1:eth0", "r1:lan0"]`}},
		{"endpoints of another type", `endpoints = ["h1:eth0", "r1:lan0"]`, "endpoints = [1, 2]", []string{
			`16:14+1: link[1].endpoints[1] is 1; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`,
			`16:17+1: link[1].endpoints[2] is 2; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`,
		}},
		{"address of the wrong type", `"10.0.1.1/24"`, "{}", []string{`19:14+2: link[1].addresses."r1:lan0"[1] is a table; want an address with the length of its subnet, like "192.0.2.1/24" or "2001:db8::1/64"`}},
		{"serve of the wrong type", `serve = { node = "h2", run = "iperf3 -s -1", port = 5201 }`, "serve = true", []string{"43:9+4: test[2].serve is true; want a table"}},
		{"no port", ", port = 5201", "", []string{"43:1+5: test[2].serve has no port; want the port that its server listens to"}},
		{"addresses of a wrong end", `endpoints = ["h1:eth0", "r1:lan0"]`, `endpoints = ["h1", "r1:lan0"]`, []string{`16:14+4: link[1].endpoints[1] is "h1"; want NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`}},
		{"everything behind a wrong type", `name = "demo"`, "name = 7", []string{"1:8+1: name is 7; want 1 to 32 lower-case letters, digits and '-', with no '-' at either end"}},
		{"IPv6 over a narrow link", "[link.addresses]", "mtu = 1279\n[link.addresses]", []string{"17:7+4: link[1].mtu is 1279 on a link with an IPv6 address; want 1280 or more (RFC 8200 §5)"}},
		{"a link to itself", `["h1:eth0", "r1:lan0"]`, `["r1:eth0", "r1:lan0"]`, []string{
			"15:3+4: a link from r1 to itself; want two nodes",
			`18:1+9: link[1].addresses."h1:eth0" is of no end of this link; want "r1:eth0" or "r1:lan0"; did you mean "r1:eth0"?`,
		}},
		{"one string for a list", `expect = "1 received"`, "expect = { a = 1 }", []string{`31:10+9: test[1].expect is a table; want a regular expression, like "[0-9]+ received"`}},
		{"two switches", "kind = \"host\"\n[node.r1]\nkind = \"router\"", "kind = \"switch\"\n[node.r1]\nkind = \"switch\"", []string{
			"7:11+6: switch r1 has config, which only a router takes",
			"15:3+4: h1:eth0 - r1:lan0 joins two switches; want one switch with the ends of both",
			`18:1+9: link[1].addresses."h1:eth0" is of a switch, which has none`,
			`19:1+9: link[1].addresses."r1:lan0" is of a switch, which has none`,
			`24:15+11: link[2].addresses."r1:lan1.5" is of a switch, which has none`,
		}},
		{"the bridge itself", "[node.h2]", "[node.sw]\nkind = \"switch\"\n[[link]]\nendpoints = [\"sw:br0\", \"r1:br\"]\n[node.h2]", []string{
			`15:14+8: link[1].endpoints[1] is "sw:br0", which is the switch itself; want another name for its port`,
		}},
		{"a daemon without a configuration", "[node.h2]", "[node.b1]\nkind = \"bird\"\n[node.h2]", []string{
			`12:7+2: bird b1 has to be told what to do, once; want either config = """…""" or config-file = "…"`,
		}},
		{"a daemon with two configurations", "[node.h2]", "[node.f1]\nkind = \"frr\"\nconfig = \"x\"\nconfig-file = \"y\"\n[node.h2]", []string{
			`12:7+2: frr f1 has to be told what to do, once; want either config = """…""" or config-file = "…"`,
		}},
		{"a daemon configured as a router", "[node.h2]", "[node.f1]\nkind = \"frr\"\nconfig = {}\n[node.h2]", []string{
			"14:10+2: node.f1.config is a table; want the daemon's configuration as one text",
		}},
		{"needs nobody", `show = true`, `needs = ["r1", "r7"]`, []string{`42:16+4: test[2].needs[2] is "r7", and there is no [node.r7]; want the name of a node; did you mean "r1"?`}},
		{"case", `kind = "router"`, `Kind = "router"`, []string{
			`5:7+2: node.r1 has no kind; want kind = one of "host", "router", "switch", "bird", "frr"`,
			`6:1+4: unknown key "Kind" in node.r1; did you mean "kind"?`,
		}},
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
			var got []string
			for _, p := range problems {
				got = append(got, brief(p))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A router is called LAB-NODE, and routerd bounds the names of routers.
func TestNamesTooLongForARouter(t *testing.T) {
	const router = "[node.h-of-no-router-of-thirty-letters]\nkind = \"host\"\n[node.r1]\nkind = \"router\"\n[node.%s]\nkind = \"router\"\n"
	for _, c := range []struct{ lab, node, want string }{
		{"lab-of-16-letter", "node-of-15-lett", ""},
		{"lab-of-17-letters", "node-of-15-lett", `1:8+19: name is "lab-of-17-letters", which makes node node-of-15-lett the router "lab-of-17-letters-node-of-15-lett", a name of 33 letters; want at most 16 letters, so that the router's name has at most 32`},
		{"x", "a-node-of-thirty-letters-in-all", `6:7+31: router "a-node-of-thirty-letters-in-all" has a name of 31 letters; want at most 30: with the lab's name and a '-' before it, it may have 32`},
	} {
		_, err := Decode("lab.toml", fmt.Appendf(nil, "name = %q\n"+router, c.lab, c.node))
		var problems Problems
		switch errors.As(err, &problems); {
		case c.want == "" && err == nil:
		case len(problems) != 1 || brief(problems[0]) != c.want:
			t.Errorf("lab %s with %s: %v, want %s", c.lab, c.node, err, c.want)
		}
	}
}

// What only the file as a whole shows.
func TestRouteThatNobodyTakes(t *testing.T) {
	_, err := Decode("lab.toml", []byte(`name = "x"
node = { h = { kind = "host" }, s = { kind = "switch" } }
[[link]]
endpoints = ["h:eth0", "s:h"]
addresses = { "h:eth0" = ["10.0.1.2/24"] }
routes = { "h:eth0" = ["10.0.2.0/24"] }
`))
	var problems Problems
	const want = `6:24+13: link[1].routes."h:eth0"[1] is "10.0.2.0/24", and no router beside h:eth0 has an address in a subnet of its; want a route that somebody takes`
	if !errors.As(err, &problems) || len(problems) != 1 || brief(problems[0]) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func brief(p tomltext.Problem) string {
	s := fmt.Sprintf("%d:%d+%d: %s", p.Place.Line, p.Place.Column, p.Width, p.Message)
	if p.Want != "" {
		s += "; want " + p.Want
	}
	if p.Suggestion != "" {
		s += "; " + p.Suggestion
	}
	return s
}

// A value of the wrong type, like any other mistake, ends nothing.
func TestAllProblemsInOrder(t *testing.T) {
	text := strings.NewReplacer(`"demo"`, "7", `"1m"`, `"soon"`, "mtu = 1400", "\tmtu = true").Replace(example)
	_, err := Decode("lab.toml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	for i, line := range []int{1, 23, 40} {
		if problems[i].Place.Line != line {
			t.Errorf("problem %d is at line %d, want %d", i, problems[i].Place.Line, line)
		}
	}
	want := "\nlab.toml:23:8: error: link[2].mtu is true\n    \tmtu = true\n    \t      ^^^^\n    wanted a whole number from 68 to 65535\n"
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got:\n%s\nwant in it:\n%s", err, want)
	}
}

// Nodes that cannot be read are not missed wherever they are named.
func TestNodesOfTheWrongType(t *testing.T) {
	for text, want := range map[string]string{
		"node = 3\n":           "2:8+1: node is 3; want a table",
		"node.h1 = \"host\"\n": `2:11+6: node.h1 is "host"; want a table`,
		"node = {}\n":          "1:1+1: the lab has no nodes; want at least one [node.NAME]",
	} {
		_, err := Decode("lab.toml", []byte("name = \"demo\"\n"+text+"[[test]]\nname = \"x\"\nnode = \"h1\"\nrun = \"true\"\n"))
		var problems Problems
		if !errors.As(err, &problems) || brief(problems[0]) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		} else if len(problems) != 1 && text != "node = {}\n" {
			t.Errorf("%q: %d problems, want one:\n%v", text, len(problems), err)
		}
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
		if odd, err := l.preflight(); err != nil || len(odd) > 0 {
			t.Errorf("%s: %v\n%v", path, err, odd)
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
		_ = topology.Graph(true)
		if len(topology.Nodes) < 40 && len(topology.Links) < 40 {
			_ = topology.SVG(Drawing{Addresses: true})
		}
		if _, err := plan(topology, "/run/routerd"); err != nil {
			t.Fatalf("a topology without a problem cannot be planned: %v", err)
		}
	})
}
