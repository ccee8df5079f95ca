package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
)

var equal = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// What is asked of the router, by the command line.
func TestRouteQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	pfx, addr := netip.MustParsePrefix, netip.MustParseAddr
	for line, want := range map[string]control.RouteQuery{
		"show route":                                      {},
		"show routes":                                     {},
		"show ip route":                                   {Family: 4},
		"show ipv6 route":                                 {Family: 6},
		"show route 10.0.1.0/24":                          {Prefix: pfx("10.0.1.0/24")},
		"show route 10.0.1.7/24":                          {Prefix: pfx("10.0.1.0/24")},
		"show route 10.0.1.7":                             {For: addr("10.0.1.7")},
		"show route for 10.0.1.7":                         {For: addr("10.0.1.7")},
		"show ip route for 10.0.1.7":                      {For: addr("10.0.1.7"), Family: 4},
		"show route for ::ffff:10.0.1.7":                  {For: addr("10.0.1.7")},
		"show route for 2001:db8:1::7 --source connected": {For: addr("2001:db8:1::7"), Source: "connected"},
		"show route --protocol rip":                       {Source: "rip"},
	} {
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.routes, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
	for line, want := range map[string]control.FIBQuery{
		"show fib":               {},
		"show ipv6 fib":          {Family: 6},
		"show fib for 10.0.1.7":  {For: addr("10.0.1.7")},
		"show ip fib 10.0.1.7":   {For: addr("10.0.1.7"), Family: 4},
		"show fib 2001:db8::/32": {Prefix: pfx("2001:db8::/32")},
	} {
		routerd(strings.Fields(line)...) // which prefixes there are is not the matter here
		if d := cmp.Diff(want, f.fib, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

func TestPacketQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	src, dst := netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.2.2")
	for line, want := range map[string]control.PacketQuery{
		"":                        {Protocol: "icmp"},
		"--icmp":                  {Protocol: "icmp"},
		"--tcp 443 --src-port 99": {Protocol: "tcp", DstPort: 443, SrcPort: 99},
		"--tcp 0 --src-port 0":    {Protocol: "tcp"},
		"--tcp 80":                {Protocol: "tcp", DstPort: 80, SrcPort: 49152},
		"--udp 53 --size 1450 --df --ttl 1": {
			Protocol: "udp", DstPort: 53, SrcPort: 49152, Size: 1450, DF: true, TTL: 1,
		},
	} {
		want.In, want.Src, want.Dst = "lan0", src, dst
		line = "explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2 " + line
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.packet, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

// A table that comes in pages is shown as a whole.
func TestPages(t *testing.T) {
	whole, paged := &fake{}, &fake{page: 1}
	_, want, _ := routerd("show", "route", "-o", "json", "--socket", serve(t, whole))
	code, got, stderr := routerd("show", "route", "-o", "json", "--socket", serve(t, paged))
	if code != exitOK || got != want {
		t.Errorf("exit %d, %s (-whole +paged):\n%s", code, stderr, cmp.Diff(want, got))
	}
	if paged.asked < 4 {
		t.Errorf("the table came in %d pages", paged.asked)
	}
	var page control.RoutePage
	if err := json.Unmarshal([]byte(got), &page); err != nil || len(page.Routes) != 5 || page.Next.IsValid() {
		t.Errorf("%v in %s", err, got)
	}
}

// How a next hop is worded, by how it was resolved.
func TestNextHops(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.9.9.9")
	via := netip.MustParsePrefix("10.9.0.0/16")
	for _, c := range []struct {
		hop  control.NextHop
		want string
	}{
		{control.NextHop{Address: a, Interface: "lan0"}, "10.0.1.2 on lan0"},
		{control.NextHop{Address: a}, "10.0.1.2"},
		{control.NextHop{Interface: "lan0"}, "directly on lan0"},
		{control.NextHop{Interface: "lan0", Usable: true, Resolved: []control.Hop{{Interface: "lan0", Weight: 1}}}, "directly on lan0"},
		{control.NextHop{Address: a, Usable: true, Via: via, Resolved: []control.Hop{{Address: a, Interface: "lan0", Weight: 1}}}, "10.0.1.2 on lan0"},
		{control.NextHop{Address: b, Usable: true, Via: via, Resolved: []control.Hop{{Address: a, Interface: "lan0", Weight: 1}}}, "10.9.9.9 through 10.0.1.2 on lan0"},
		{control.NextHop{Address: b, Usable: true, Via: via, Resolved: []control.Hop{{Address: a, Interface: "lan0"}, {Interface: "lan1"}}}, "10.9.9.9 through 10.0.1.2 on lan0, directly on lan1"},
		{control.NextHop{Address: b, Usable: true, Via: via}, "10.9.9.9, discarded by the route to 10.9.0.0/16"},
	} {
		if got := givenHop(&c.hop); got != c.want {
			t.Errorf("%+v: %q, want %q", c.hop, got, c.want)
		}
	}
}

// The notes of a route with several next hops, none of them usable: each
// stands beside its hop, and is not said twice.
func TestRouteNotes(t *testing.T) {
	r := control.Route{
		WhyNot: "interface lan0 is down; interface lan1 is down",
		NextHops: []control.NextHop{
			{Interface: "lan0", Weight: 1, WhyNot: "interface lan0 is down"},
			{Interface: "lan1", Weight: 3, WhyNot: "interface lan1 is down"},
		},
	}
	want := []routeLine{{"directly on lan0", "interface lan0 is down"}, {"directly on lan1 (weight 3)", "interface lan1 is down"}}
	if d := cmp.Diff(want, routeLines(&r), cmp.AllowUnexported(routeLine{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r.WhyNot = "distance 20 is higher than static's 1"
	want[0].note = r.WhyNot
	if d := cmp.Diff(want, routeLines(&r), cmp.AllowUnexported(routeLine{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	stale := control.Route{Stale: true, NextHops: []control.NextHop{{Interface: "lan0", Weight: 1, Usable: true}}}
	if got := routeLines(&stale)[0].note; got != "stale: its source has started afresh" {
		t.Errorf("the note of a stale route is %q", got)
	}
}

// A shell is offered the names of interfaces, and nothing where nobody
// answers.
func TestCompletion(t *testing.T) {
	t.Setenv(control.SocketVariable, serve(t, &fake{}))
	for line, want := range map[string]string{
		"show interface":                "lan0\nlan1\ncore0\nlo\n:4\n",
		"explain packet --in":           "lan0\nlan1\ncore0\nlo\n:4\n",
		"show interface lan0":           ":4\n",
		"show route -o":                 "table\nwide\njson\n:4\n",
		"--socket /none show interface": ":4\n",
	} {
		code, stdout, _ := routerd(append(append([]string{"__complete"}, strings.Fields(line)...), "")...)
		if code != exitOK || stdout != want {
			t.Errorf("%s: exit %d, %q, want %q", line, code, stdout, want)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := routerd("version")
	if v := buildVersion(); code != exitOK || !strings.HasPrefix(stdout, "routerd "+v.Version) || !strings.Contains(stdout, v.GoVersion) {
		t.Errorf("exit %d, %q", code, stdout)
	}
}

func TestAmounts(t *testing.T) {
	for n, want := range map[uint64][2]string{
		0:                    {"0", "0 B"},
		999:                  {"999", "999 B"},
		1000:                 {"1000", "1.00 kB"},
		9_999:                {"9999", "10.0 kB"},
		10_000:               {"10.0k", "10.0 kB"},
		12_345:               {"12.3k", "12.3 kB"},
		99_949:               {"99.9k", "99.9 kB"},
		99_950:               {"100k", "100 kB"},
		999_499:              {"999k", "999 kB"},
		999_500:              {"1.00M", "1.00 MB"},
		9_876_543_210:        {"9.88G", "9.88 GB"},
		18446744073709551615: {"18.4E", "18.4 EB"},
	} {
		p := &paper{}
		if got := [2]string{p.amount(n), p.bytes(n)}; got != want {
			t.Errorf("%d is shown as %q, want %q", n, got, want)
		}
	}
}

// Colour does not move anything: without its sequences a coloured table is
// the plain one.
func TestColour(t *testing.T) {
	draw := func(colour bool) string {
		tab := table{columns: []column{{name: "a"}, {name: "n", right: true}, {name: "never", optional: true}, {name: "z"}}}
		tab.add(cell{"up", good}, 7, "", cell{"größer", bad})
		tab.add("downwards", cell{"12345", faint}, "", "")
		tab.add("", "", "", "last")
		var b bytes.Buffer
		tab.draw(&paper{Writer: &b, colour: colour})
		return b.String()
	}
	const want = "A              N  Z\nup             7  größer\ndownwards  12345\n                  last\n"
	if got := draw(false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	coloured := draw(true)
	if !strings.Contains(coloured, "\x1b[31mgrößer\x1b[0m\n") {
		t.Errorf("no colour in %q", coloured)
	}
	for _, s := range []style{good, bad, faint, bold, resetStyle} {
		coloured = strings.ReplaceAll(coloured, string(s), "")
	}
	if coloured != want {
		t.Errorf("without its colours\n%swant\n%s", coloured, want)
	}
}

func TestLabErrors(t *testing.T) {
	file := t.TempDir() + "/lab.toml"
	if err := os.WriteFile(file, []byte("nme = \"x\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"up", "down", "test", "graph"} {
		code, stdout, stderr := routerd("lab", verb, file)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, "lab.toml:1:1") {
			t.Errorf("lab %s of a wrong topology: exit %d, %s%s", verb, code, stdout, stderr)
		}
	}
	if code, _, stderr := routerd("lab", "exec", file, "h1"); code != exitUsage {
		t.Errorf("lab exec without a command: exit %d, %s", code, stderr)
	}
}

func TestLabGraph(t *testing.T) {
	code, stdout, stderr := routerd("lab", "graph", "../../deploy/labs/demo.toml")
	if code != exitOK || !strings.Contains(stdout, "h1:eth0") || !strings.HasSuffix(stdout, "\n") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
