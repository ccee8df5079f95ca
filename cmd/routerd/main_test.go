package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"routerd/internal/access"
	"routerd/internal/control"
	"routerd/internal/protocols/bfd/bfdtest"
	"routerd/internal/protocols/bgp/bgptest"
	"routerd/internal/protocols/ospf/ospftest"
	"routerd/internal/protocols/rip/riptest"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	time.Local = time.UTC
	os.Unsetenv(control.SocketVariable)
	goleak.VerifyTestMain(m)
}

// fake answers with the golden files of the API, so that what is rendered is
// what the contract says.
type fake struct {
	mu     sync.Mutex
	err    error
	page   int // prefixes to a page; 0 = all
	asked  int
	routes control.RouteQuery
	fib    control.FIBQuery
	probe  control.ProbeQuery
	packet control.PacketQuery
	policy control.PolicyQuery
	nat    control.NATQuery
	flow   control.FlowQuery
	hosts  []control.NATHostQuery
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// answer reads an answer of the API, and notes that something was asked.
func answer[T any](f *fake, noun string) (v T, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.err != nil {
		return v, f.err
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "internal", "control", "testdata", noun+".json"))
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}

func (f *fake) Protocol(_ context.Context, name string) (running.Protocol, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.err != nil {
		return nil, f.err
	}
	switch name {
	case "bfd":
		return bfdtest.New(), nil
	case "bgp":
		return bgptest.New(), nil
	case "ospf":
		return ospftest.New(), nil
	}
	return riptest.Named(name)
}

func (f *fake) Version(context.Context) (control.Version, error) {
	return answer[control.Version](f, "version")
}

func (f *fake) Interfaces(context.Context) ([]control.Interface, error) {
	list, err := answer[control.InterfaceList](f, "interface")
	return list.Interfaces, err
}

// Routes gives a page of one route after the other if pages are wanted.
func (f *fake) Routes(_ context.Context, q control.RouteQuery) (control.RoutePage, error) {
	p, err := answer[control.RoutePage](f, "route")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes = q
	all := p.Routes
	p.Routes, p.Next = nil, control.RoutePage{}.Next
	begin := !q.After.IsValid()
	for i, r := range all {
		switch {
		case q.Prefix.IsValid() && r.Prefix != q.Prefix, q.For.IsValid() && !r.Prefix.Contains(q.For):
		case begin:
			if f.page > 0 && len(p.Routes) >= f.page && r.Prefix != all[i-1].Prefix {
				p.Next = all[i-1].Prefix
				return p, err
			}
			p.Routes = append(p.Routes, r)
		case r.Prefix == q.After:
			begin = i+1 < len(all) && all[i+1].Prefix != q.After
		}
	}
	return p, err
}

func (f *fake) FIB(_ context.Context, q control.FIBQuery) (control.FIBPage, error) {
	p, err := answer[control.FIBPage](f, "fib")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fib = q
	if q.Prefix.IsValid() {
		p.Entries = nil
	}
	return p, err
}

func (f *fake) Drops(_ context.Context, q control.DropQuery) (control.Drops, error) {
	d, err := answer[control.Drops](f, "drops")
	d.Last = slices.DeleteFunc(d.Last, func(l control.Drop) bool {
		return q.Interface != "" && l.Interface != q.Interface || q.Verdict != "" && l.Verdict != string(q.Verdict)
	})
	d.Verdicts = slices.DeleteFunc(d.Verdicts, func(v control.VerdictCount) bool { return q.Verdict != "" && v.Verdict != string(q.Verdict) })
	d.Rules = slices.DeleteFunc(d.Rules, func(r control.DropRule) bool {
		return q.Interface != "" || q.Verdict != "" && r.Verdict != string(q.Verdict)
	})
	d.Last = d.Last[:min(q.Last, len(d.Last))]
	return d, err
}

func (f *fake) Neighbors(_ context.Context, q control.NeighborQuery) (control.NeighborList, error) {
	l, err := answer[control.NeighborList](f, "neighbor")
	l.Neighbors = slices.DeleteFunc(l.Neighbors, func(n control.Neighbor) bool {
		return q.Address.IsValid() && n.Address != q.Address || q.Interface != "" && n.Interface != q.Interface ||
			!q.Family.Has(n.Address)
	})
	return l, err
}

func (f *fake) ClearNeighbors(context.Context, control.NeighborQuery) (control.ClearResult, error) {
	return answer[control.ClearResult](f, "clear-arp")
}

func (f *fake) ExplainPacket(_ context.Context, q control.PacketQuery) (control.PacketExplanation, error) {
	f.mu.Lock()
	f.packet = q
	f.mu.Unlock()
	return answer[control.PacketExplanation](f, "explain-packet")
}

func (f *fake) Probe(_ context.Context, q control.ProbeQuery) (control.ProbeResult, error) {
	f.mu.Lock()
	f.probe = q
	f.mu.Unlock()
	return answer[control.ProbeResult](f, "probe")
}

func (f *fake) ExplainRoute(context.Context, netip.Addr) (control.RouteExplanation, error) {
	return answer[control.RouteExplanation](f, "explain-route")
}

func (f *fake) ExplainPolicy(_ context.Context, q control.PolicyQuery) (control.PolicyExplanation, error) {
	f.mu.Lock()
	f.policy = q
	f.mu.Unlock()
	x, err := answer[control.PolicyExplanation](f, "explain-policy")
	if q.Policies[0] == "nothing" { // a policy that rejects
		x.Accepted, x.Result, x.Decided, x.Steps = false, nil, "no statement decides", x.Steps[:1]
		x.Route.NextHop = netip.Addr{}
	}
	return x, err
}

func (f *fake) Config(context.Context) (control.RunningConfig, error) {
	return answer[control.RunningConfig](f, "config")
}

func (f *fake) Tokens(context.Context) ([]access.Token, error) {
	l, err := answer[control.TokenList](f, "token")
	return l.Tokens, err
}

func (f *fake) AddToken(context.Context, string, access.Role, time.Time) (control.TokenAdded, error) {
	return answer[control.TokenAdded](f, "token-add")
}

func (f *fake) RevokeToken(context.Context, string) (access.Token, error) {
	r, err := answer[control.TokenRevoked](f, "token-revoke")
	return r.Token, err
}

func (f *fake) Topology(context.Context) (control.Topology, error) {
	return answer[control.Topology](f, "topology")
}

func (f *fake) Traffic(context.Context) (control.TrafficList, error) {
	return answer[control.TrafficList](f, "traffic")
}

func (f *fake) LoginCode(context.Context, access.Identity, access.Role) (control.LoginCode, error) {
	return answer[control.LoginCode](f, "login-code")
}

func (f *fake) Audit(context.Context, int) ([]access.Entry, error) {
	l, err := answer[control.AuditList](f, "audit")
	return l.Entries, err
}

func (f *fake) Reload(context.Context, string) (control.ReloadResult, error) {
	return answer[control.ReloadResult](f, "reload")
}

func (f *fake) Diff(context.Context) (control.DiffResult, error) {
	return answer[control.DiffResult](f, "diff")
}

func (f *fake) Metrics(context.Context) (control.Snapshot, error) {
	return control.Snapshot{}, errors.New("nobody asks for metrics here")
}

// serve serves f on a socket and gives its path.
func serve(t *testing.T, f *fake) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r1.sock")
	l, err := control.Listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func(l net.Listener) { ended <- control.New(f, control.Options{}).Serve(ctx, l) }(l)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return path
}

// routerd runs a command line and gives its exit code and what it wrote.
func routerd(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

// compare compares got with the golden file called name.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; if the change is meant, -update):\n%s", path, d)
	}
}

func TestGolden(t *testing.T) {
	const packet = "explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2 --udp 53"
	const policy = "explain policy transit-in rest --prefix 198.51.100.0/24 --protocol static --metric 10 --tag 7 --next-hop 192.0.2.1"
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"interface":               "show interface",
		"interface-wide":          "show interface -o wide",
		"interface-json":          "show interface lan1 -o json",
		"route":                   "show route",
		"route-wide":              "show route -o wide",
		"route-json":              "show route for 2001:db8:1::7 -o json",
		"route-prefix":            "show route 10.0.1.0/24",
		"fib":                     "show fib",
		"fib-wide":                "show fib -o wide",
		"drops":                   "show drops",
		"arp":                     "show arp",
		"arp-wide":                "show neighbor --interface core0 -o wide",
		"arp-ipv6":                "show ipv6 neighbor",
		"clear-arp":               "clear arp 10.0.12.2",
		"drops-last":              "show drops --last 5",
		"drops-chosen":            "show drops --in lan0 --src 10.0.0.0/8 --verdict no_route",
		"drops-wide":              "show drops --last 1 -o wide",
		"version":                 "show version",
		"explain":                 packet,
		"explain-json":            packet + " -o json",
		"probe":                   "probe --dst 203.0.113.9",
		"probe-json":              "probe --dst 203.0.113.9 --udp 53 -o json",
		"explain-route":           "explain route 203.0.113.9",
		"explain-route-json":      "explain route 203.0.113.9 -o json",
		"explain-policy":          policy,
		"explain-policy-rejected": "explain policy nothing --prefix 198.51.100.0/24",
		"explain-policy-json":     policy + " -o json",
		"diff":                    "diff",
		"reload":                  "reload",
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
			if code != exitOK || stderr != "" {
				t.Errorf("%s: exit %d, %s", line, code, stderr)
			}
			for l := range strings.Lines(stdout) {
				if strings.TrimRight(l, " \n") != strings.TrimRight(l, "\n") {
					t.Errorf("trailing blanks: %q", l)
				}
			}
			compare(t, name+".txt", stdout)
		})
	}
}

// Every verb explains itself, with an example of what it does.
func TestHelp(t *testing.T) {
	root := newRootCommand(&session{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	for _, c := range root.Commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.Name(), c.Short)
		}
		for _, e := range strings.Split(c.Example, "\n") {
			if e != "" && !strings.HasPrefix(e, "  routerd ") {
				t.Errorf("%s: example %q", c.Name(), e)
			}
		}
	}
	code, stdout, stderr := routerd("show", "route", "--help")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "routerd show route for 192.0.2.7") {
		t.Errorf("help: exit %d, %s%s", code, stdout, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	f := &fake{}
	socket := serve(t, f)
	nobody := filepath.Join(t.TempDir(), "none.sock")
	const packet = "explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2 "
	for _, c := range []struct {
		line   string
		err    error // of the router
		code   int
		stderr string
	}{
		{"show interface", nil, 0, ""},
		{"show interface lan9", nil, 1, `routerd: there is no interface "lan9"; there are lan0, lan1, core0, lo`},
		{"show route 10.9.0.0/16", nil, 1, "routerd: there is no route to exactly 10.9.0.0/16; routerd show route for 10.9.0.0 tells which one leads there"},
		{"show route for fd00::1", nil, 1, "routerd: no route covers fd00::1"},
		{"show fib 10.9.0.0/16", nil, 1, "routerd: there is no route to exactly 10.9.0.0/16; routerd show route for 10.9.0.0 tells which one leads there"},
		{"show version", errors.New("broken"), 1, "routerd: broken"},
		{"show version", show.Unavailable("the router is stopping"), 1, "routerd: the router is stopping"},
		{"diff", control.Refused([]control.Problem{{Text: "r.toml:1:1: error: no such key\n    x = 1\n    ^\n"}}, "r.toml has 1 error(s)"), 1, "routerd: r.toml has 1 error(s)\n\nr.toml:1:1: error: no such key\n    x = 1\n    ^"},
		{"reload", control.Refused(nil, "the device is in use"), 1, "routerd: reload refused, nothing changed: the device is in use"},
		{packet, show.NotFound(`there is no interface "lan0"`), 1, `routerd: there is no interface "lan0"`},
		{packet, show.BadRequest("making up a packet of 9 bytes: wanted 28 to 65535"), 2, "routerd: making up a packet of 9 bytes: wanted 28 to 65535\nTry routerd explain packet --help."},

		{"", nil, 0, ""},
		{"shwo", nil, 2, `routerd: unknown command "shwo" for "routerd"`},
		{"show", nil, 2, "routerd: routerd show what? It takes interface, route, fib, arp, rip, ripng, ospf, bgp, bfd, nat, acl, flow, drops, version"},
		{"show rout", nil, 2, `routerd: routerd show has no "rout"; did you mean route?`},
		{"show ghost", nil, 2, `routerd: routerd show has no "ghost"`},
		{"lab", nil, 2, "routerd: routerd lab what? It takes up, down, exec, link, test, status, list, graph"},
		{"show version more", nil, 2, `routerd: "more" is more than the command takes; wanted: routerd show version`},
		{"show version --colour", nil, 2, "routerd: unknown flag: --colour"},
		{"show version -o xml", nil, 2, `routerd: invalid argument "xml" for "-o, --output" flag: wanted table, wide, json or ndjson`},
		{"show version -w 1ms", nil, 2, `routerd: invalid argument "1ms" for "-w, --watch" flag: wanted at least 100ms`},
		{"show version --watch=soon", nil, 2, `routerd: invalid argument "soon" for "-w, --watch" flag: wanted a duration such as 500ms or 2s`},
		{"show arp lan0", nil, 2, "routerd: \"lan0\": wanted an address such as 10.0.0.1"},
		{"show drops --verdict noroute", nil, 2, `routerd: invalid argument "noroute" for "--verdict" flag: wanted a name that show drops -o wide lists, such as no_route`},
		{"show drops --src lan0", nil, 2, `routerd: invalid argument "lan0" for "--src" flag: wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8`},
		{"version -o yaml", nil, 2, `routerd: invalid argument "yaml" for "-o, --output" flag: wanted text or json`},
		{"show drops --last 1001", nil, 2, `routerd: invalid argument "1001" for "--last" flag: wanted a number from 0 to 1000`},
		{"show route 10.0.0.300", nil, 2, `routerd: "10.0.0.300": wanted a prefix such as 10.0.0.0/8 or an address such as 10.0.0.1`},
		{"show route --source isis", nil, 2, `routerd: invalid argument "isis" for "--source" flag: wanted one of connected, static, `},
		{"show route --source static --protocol rip", nil, 2, "routerd: --source and --protocol mean the same: wanted one of them"},
		{"show route for 10.0.0.0/8", nil, 2, `routerd: "10.0.0.0/8": wanted an address such as 10.0.0.1`},
		{"show route for", nil, 2, "routerd: for which address?"},
		{"show route to 10.0.0.1", nil, 2, `routerd: unexpected "to", wanted a prefix, an address, or for and an address`},
		{"show ip route 2001:db8::/32", nil, 2, "routerd: 2001:db8::/32 is not IPv4"},
		{"show ipv6 fib for 10.0.0.1", nil, 2, "routerd: 10.0.0.1 is not IPv6"},
		{"explain", nil, 2, "routerd: routerd explain what? It takes packet, route, policy"},
		{"explain policy", nil, 2, "routerd: which policy? One name or several, in the order in which they are asked"},
		{"explain policy a,b --prefix 10.0.0.0/8", nil, 2, `routerd: "a,b": wanted the names of policies, with blanks between`},
		{"explain policy a", nil, 2, "routerd: --prefix is missing: the prefix of the route"},
		{"explain policy a --prefix 10.0.0.0", nil, 2, `routerd: --prefix "10.0.0.0": wanted a prefix such as 10.0.0.0/8`},
		{"explain policy a --prefix 10.0.0.1/8", nil, 2, `routerd: --prefix 10.0.0.1/8 has bits set behind its length: wanted 10.0.0.0/8`},
		{"explain policy a --prefix 10.0.0.0/8 --next-hop x", nil, 2, `routerd: --next-hop "x": wanted an address such as 10.0.0.1`},
		{"explain policy a --prefix 10.0.0.0/8 --next-hop ::1", nil, 2, "routerd: --prefix 10.0.0.0/8 --next-hop ::1: both have to be of one family"},
		{"explain policy a --prefix 10.0.0.0/8 --protocol isis", nil, 2, `routerd: parameter source is "isis", wanted one of connected, static, `},
		{"explain policy a --prefix 10.0.0.0/8 --tag -1", nil, 2, `routerd: invalid argument "-1" for "--tag" flag`},
		{"explain policy a --prefix 10.0.0.0/8", show.NotFound(`explaining policies: there is no policy "a"; there are b`), 1, `routerd: explaining policies: there is no policy "a"; there are b`},
		{"explain route", nil, 2, "routerd: wanted one address such as 192.0.2.7"},
		{"explain route 10.0.0.0/8", nil, 2, `routerd: "10.0.0.0/8": wanted an address such as 192.0.2.7`},
		{"explain packet", nil, 2, "routerd: --in is missing: the interface that the packet comes in by"},
		{"explain packet --in lan0", nil, 2, "routerd: --src is missing: an address"},
		{"explain packet --in lan0 --src 10.0.0.1 --dst x", nil, 2, `routerd: --dst "x": wanted an address such as 10.0.0.1`},
		{"explain packet --in lan0 --src 10.0.0.1 --dst ::1", nil, 2, "routerd: --src 10.0.0.1 --dst ::1: both have to be of one family"},
		{"probe", nil, 2, "routerd: --dst is missing: an address"},
		{"probe --dst x", nil, 2, `routerd: --dst "x": wanted an address such as 10.0.0.1`},
		{"probe --dst 10.0.0.1 --src ::1", nil, 2, "routerd: --src ::1 --dst 10.0.0.1: both have to be of one family"},
		{"probe --dst 10.0.0.1 --tcp 0", nil, 2, "routerd: a probe by tcp needs dst_port"},
		{"probe --dst 10.0.0.1 --ttl 0", nil, 2, "routerd: --ttl 0: wanted 1 to 255"},
		{"probe --dst 10.0.0.1", show.TooMany("sending a probe: at most 5 may be sent in a second"), 1, "routerd: sending a probe: at most 5"},
		{packet + "--tcp 1 --udp 2", nil, 2, "routerd: --tcp, --udp and --icmp: wanted one of them"},
		{packet + "--icmp --udp 2", nil, 2, "routerd: --tcp, --udp and --icmp: wanted one of them"},
		{packet + "--tcp 65536", nil, 2, `routerd: invalid argument "65536" for "--tcp" flag`},
		{packet + "--src-port 7", nil, 2, "routerd: --src-port 7: an echo request has no port; wanted with --tcp or --udp"},
		{packet + "--size 65536", nil, 2, "routerd: --size 65536: wanted up to 65535"},
		{packet + "--ttl 0", nil, 2, "routerd: --ttl 0: wanted 1 to 255"},

		{"--socket " + nobody + " show version", nil, 3, "routerd: asking the router at " + nobody + ": no such file or directory; no router has that socket: routerd run starts one"},
		{"--socket " + nobody + " reload", nil, 3, "routerd: asking the router at " + nobody},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Setenv(control.SocketVariable, socket)
			f.fail(c.err)
			code, stdout, stderr := routerd(strings.Fields(c.line)...)
			if code != c.code || !strings.HasPrefix(stderr, c.stderr) || (c.stderr == "") != (stderr == "") {
				t.Errorf("exit %d, %q; want %d, %q", code, stderr, c.code, c.stderr)
			}
			if code != exitOK && stdout != "" {
				t.Errorf("it failed and still printed %q", stdout)
			}
			if usage := strings.Contains(stderr, "--help.\n"); usage != (code == exitUsage) {
				t.Errorf("exit %d with %q", code, stderr)
			}
		})
	}
}

// Several routers and no choice between them is a matter of usage.
func TestAmbiguous(t *testing.T) {
	s := session{began: true}
	if code := s.exitCode(&control.AmbiguousError{Sockets: []string{"a", "b"}}); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
}
