package lab

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func compile(texts ...string) (out []Pattern) {
	for _, text := range texts {
		out = append(out, Pattern{regexp.MustCompile("(?m)" + text)})
	}
	return out
}

func TestPlan(t *testing.T) {
	got, err := plan(decode(t, example), "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		Namespaces: []Namespace{{"h1", "demo-h1"}, {"h2", "demo-h2"}},
		Routers: []Router{{
			Node: "r1", Name: "demo-r1",
			Config:     "/run/routerd/lab-demo/r1.toml",
			Log:        "/run/routerd/lab-demo/r1.log",
			Socket:     "/run/routerd/demo-r1.sock",
			Namespaces: []string{"demo-h1", "demo-h2"},
			Text: []byte(`# Router r1 of lab demo, written by routerd lab. What is changed here is lost.

name = "demo-r1"

[api]
listen = ["unix:///run/routerd/demo-r1.sock"]

[interface]
[interface.lan0]
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
kind = "tun"
urpf = "strict"
[interface.lan0.host]
addresses = ["10.0.1.2/24", "2001:db8:1::2/64"]
device = "eth0"
netns = "demo-h1"
routes = ["0.0.0.0/0", "::/0"]
[interface."lan1.5"]
addresses = ["10.0.2.1/24"]
kind = "tun"
mtu = 1400
[interface."lan1.5".host]
addresses = ["10.0.2.2/24"]
device = "eth0.5"
netns = "demo-h2"
routes = ["10.0.1.0/24"]

[static]

[[static.route]]
action = "blackhole"
prefix = "203.0.113.0/24"
`),
		}},
	}
	if diff := cmp.Diff(want, got, cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Three routers, of which the first two share a link and a host is at the third.
const row = `name = "row"
[node]
r1 = { kind = "router" }
r2 = { kind = "router" }
r3 = { kind = "router" }
h1 = { kind = "host" }
[[link]]
endpoints = ["r1:right", "r2:left"]
mtu = 1400
addresses = { "r1:right" = ["10.0.12.0/31"], "r2:left" = ["10.0.12.1/31", "2001:db8:12::2/64"] }
[[link]]
endpoints = ["r3:lan0", "h1:eth0"]
addresses = { "h1:eth0" = ["10.0.1.2/24"] }
`

// A router has a namespace where it shares a link with another one, and only
// there.
func TestPlanRouters(t *testing.T) {
	got, err := plan(decode(t, row), "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	namespaces := []Namespace{{"r1", "row-r1"}, {"r2", "row-r2"}, {"h1", "row-h1"}}
	if diff := cmp.Diff(namespaces, got.Namespaces); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	veths := []Veth{{Ends: [2]Device{{Namespace: "row-r1", Name: "right"}, {Namespace: "row-r2", Name: "left"}}, MTU: 1400}}
	if diff := cmp.Diff(veths, got.Veths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, want := range []string{"row-r1", "row-r2", "row-h1"} {
		if in := strings.Join(got.Routers[i].Namespaces, " "); in != want {
			t.Errorf("%s has devices in %s, want %s", got.Routers[i].Node, in, want)
		}
	}
	want := `[interface]
[interface.left]
addresses = ["10.0.12.1/31", "2001:db8:12::2/64"]
device = "left"
kind = "packet"
netns = "row-r2"
`
	if text := string(got.Routers[1].Text); !strings.HasSuffix(text, want) {
		t.Errorf("r2 is configured as:\n%s\nwant at its end:\n%s", text, want)
	}
	got.acceptable(t)
}

// What is planned must not leak into the topology: a second plan is the same.
func TestPlanTwice(t *testing.T) {
	topology := decode(t, example)
	first, err := plan(topology, "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	second, err := plan(topology, "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

// Lists that mix words and tables, as next hops do, survive the encoding.
func TestPlanMixedList(t *testing.T) {
	text := strings.Replace(example, `action = "blackhole"`, `next-hop = ["10.0.1.2", { interface = "lan1.5", weight = 2 }]`, 1)
	p, err := plan(decode(t, text), "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	if want := `next-hop = ["10.0.1.2", {interface = "lan1.5", weight = 2}]`; !strings.Contains(string(p.Routers[0].Text), want) {
		t.Errorf("got:\n%s\nwant in it: %s", p.Routers[0].Text, want)
	}
}

func TestPlanLongSocket(t *testing.T) {
	_, err := plan(decode(t, example), "/"+strings.Repeat("x", 100))
	if err == nil || !strings.Contains(err.Error(), "want at most 107") {
		t.Errorf("got %v, want a complaint about the length of the path", err)
	}
}

func TestRoutes(t *testing.T) {
	const twoLinks = `name = "x"
node = { h = { kind = "host" }, a = { kind = "router" }, b = { kind = "router" } }
[[link]]
endpoints = ["h:eth0", "a:lan"]
addresses = { "h:eth0" = ["10.0.1.2/24"] }
[[link]]
endpoints = ["h:eth1", "b:lan"]
addresses = { "h:eth1" = ["10.0.2.2/24", "2001:db8::2/64"] }
`
	for _, c := range []struct {
		name, more  string
		first, next []string
	}{
		{"each family by its first link", "", []string{"0.0.0.0/0"}, []string{"::/0"}},
		{"given ones are all there are", `routes = { "h:eth1" = ["10.9.0.0/16"] }`, nil, []string{"10.9.0.0/16"}},
		{"none given", `routes = { "h:eth1" = [] }`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			topology := decode(t, twoLinks+c.more)
			for i, want := range [][]string{c.first, c.next} {
				var got []string
				for _, r := range routes(topology, topology.Links[i].Ends[0]) {
					got = append(got, r.To.String())
				}
				if !slices.Equal(got, want) {
					t.Errorf("link %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestGraph(t *testing.T) {
	want := `graph LR
  n_h1["h1<br/>host"]
  n_r1(["r1<br/>router"])
  n_h2["h2<br/>host"]
  n_h1 ---|"h1:eth0 10.0.1.2/24 2001:db8:1::2/64<br/>r1:lan0 10.0.1.1/24 2001:db8:1::1/64"| n_r1
  n_r1 ---|"r1:lan1.5 10.0.2.1/24<br/>h2:eth0.5 10.0.2.2/24<br/>mtu 1400"| n_h2
`
	if diff := cmp.Diff(want, decode(t, example).Graph(true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const others = `  n_b1(["b1<br/>bird"])
  n_f1(["f1<br/>frr"])
  %% ask b1: routerd lab exec TOPOLOGY.toml b1 birdc
  %% ask f1: routerd lab exec TOPOLOGY.toml f1 vtysh
`
	if got := decode(t, strings.Replace(peers, "NAME", "x", 1)).Graph(true); !strings.Contains(got, others) {
		t.Errorf("got:\n%s\nwant in it: %s", got, others)
	}
	if got, want := decode(t, strings.Replace(lan, "NAME", "x", 1)).Graph(true), "  n_sw{{\"sw<br/>switch\"}}\n"; !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant in it: %s", got, want)
	}
	const thick = `  n_r1 ===|"r1:right 10.0.12.0/31<br/>r2:left 10.0.12.1/31 2001:db8:12::2/64<br/>mtu 1400"| n_r2` + "\n"
	if got := decode(t, row).Graph(true); !strings.Contains(got, thick) {
		t.Errorf("got:\n%s\nwant in it: %s", got, thick)
	}
}
