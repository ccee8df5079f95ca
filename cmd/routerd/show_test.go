package main

import (
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

func TestProbeQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	src, dst := netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("10.0.2.2")
	for line, want := range map[string]control.ProbeQuery{
		"":                                    {Protocol: "icmp"},
		"--src 10.0.1.1 --icmp --size 99":     {Src: src, Protocol: "icmp", Size: 99},
		"--tcp 80":                            {Protocol: "tcp", DstPort: 80},
		"--udp 53 --src-port 99 --df --ttl 1": {Protocol: "udp", DstPort: 53, SrcPort: 99, DF: true, TTL: 1},
	} {
		want.Dst = dst
		line = "probe --dst 10.0.2.2 " + line
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.probe, equal); d != "" {
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
	if err := json.Unmarshal([]byte(got), &page); err != nil || len(page.Routes) != 6 || page.Next.IsValid() {
		t.Errorf("%v in %s", err, got)
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
		"show route -o":                 "table\nwide\njson\nndjson\n:4\n",
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
	for flags, want := range map[string]string{
		"--view ospf --svg": "routerd: --view ospf --svg: a view is drawn as a flowchart alone\n", "--from r1": "routerd: --from r1: wanted --view with it\n",
		"--view rip": "routerd: there is no view \"rip\", wanted one of ospf\n",
	} {
		code, _, stderr := routerd(append([]string{"lab", "graph", "../../deploy/labs/demo.toml"}, strings.Fields(flags)...)...)
		if code == exitOK || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %s; want %s", flags, code, stderr, want)
		}
	}
}
