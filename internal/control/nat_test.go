package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func end(s string) NATEndpoint {
	if a, err := netip.ParseAddr(s); err == nil {
		return NATEndpoint{Address: a}
	}
	ap := netip.MustParseAddrPort(s)
	return NATEndpoint{ap.Addr(), ap.Port()}
}

func (f *fake) NATSessions(ctx context.Context, q NATQuery) (NATSessionPage, error) {
	f.nat = q
	return NATSessionPage{
		Sessions: []NATSession{
			{
				Protocol: "tcp", Inside: end("10.1.0.11:45678"), Outside: end("203.0.113.1:45678"), Remote: end("198.51.100.2:443"),
				BegunBy: "inside", State: "established", Age: 61.5, Expires: 7439.25, Packets: 1_234, Bytes: 1_765_432, Rules: []string{"lan-out"},
			},
			{
				Protocol: "tcp", Inside: end("10.1.0.12:8080"), Outside: end("203.0.113.1:80"), Remote: end("198.51.100.2:50000"),
				BegunBy: "remote", State: "time-wait", Age: 3, Expires: 238, Rules: []string{"web"},
			},
			{
				Protocol: "tcp", Inside: end("10.1.0.11:40000"), Outside: end("203.0.113.1:1024"), Remote: end("10.1.0.12:8080"), RemoteSeen: end("203.0.113.1:80"),
				BegunBy: "inside", State: "syn-sent", Age: 0.25, Expires: 239.75, Rules: []string{"web", "lan-out"},
			},
			{
				Protocol: "icmp", Inside: end("10.1.0.11:77"), Outside: end("203.0.113.1:77"), Remote: end("198.51.100.2"),
				BegunBy: "inside", Age: 5, Expires: 59.5, Rules: []string{"lan-out"},
			},
			{
				Protocol: "gre", Inside: end("10.1.0.12"), Outside: end("203.0.113.10"), Remote: end("198.51.100.2"),
				BegunBy: "remote", Age: 5, Expires: 595, Rules: []string{"dmz"},
			},
			{
				Protocol: "udp", Inside: end("203.0.113.1:53211"), Outside: end("203.0.113.1:53211"), Remote: end("198.51.100.2:53"),
				BegunBy: "inside", Age: 1, Expires: 299, Packets: 2, Bytes: 180,
			},
		},
		Total: 12_345, Next: 6,
	}, f.answer(ctx)
}

func (f *fake) NATHosts(ctx context.Context, q NATHostQuery) (NATHostPage, error) {
	f.hosts = q
	return NATHostPage{
		Hosts: []NATHost{
			{Address: netip.MustParseAddr("10.1.0.11"), Sessions: 3, Ports: 2, Packets: 1_300, Bytes: 1_800_000},
			{Address: netip.MustParseAddr("10.1.0.12"), Sessions: 12_000, Ports: 11_990, Packets: 98_765_432, Bytes: 123_456_789_012},
		},
		Total: 18, Next: netip.MustParseAddr("10.1.0.12"),
	}, f.answer(ctx)
}

func (f *fake) NATRules(ctx context.Context) (NATRuleList, error) {
	return NATRuleList{[]NATRule{
		{Name: "dmz", Kind: "static", Order: 1, Translation: "10.1.0.12 <-> 203.0.113.10", Sessions: 1, Made: 4, Origin: "r1.toml:40"},
		{Name: "web", Kind: "destination", Order: 1, Translation: "10.1.0.12:8080", Sessions: 2, Made: 1234, Origin: "r1.toml:30"},
		{Name: "guests", Kind: "source", Order: 1, Translation: "pool:cgn", Sessions: 12_000, Made: 3_456_789, Refused: NATRefused{100, 20, 3}, Origin: "r1.toml:18"},
		{Name: "lan-out", Kind: "source", Order: 2, Translation: "masquerade", Sessions: 342, Made: 56_789, Origin: "r1.toml:24"},
	}}, f.answer(ctx)
}

func (f *fake) NATPools(ctx context.Context) (NATPoolList, error) {
	return NATPoolList{
		Sessions: 12_345, MaxSessions: 262_144, Hosts: 18, MaxSessionsPerHost: 4096, Made: 3_514_816, Refused: NATRefused{100, 20, 3}, Evicted: NATEvicted{8, 1_500},
		Pools: []NATPool{
			{
				Name: "cgn", Kind: "pool", Addresses: []string{"203.0.113.64/28", "203.0.113.100-203.0.113.102"}, Size: 19, FirstPort: 1024, LastPort: 65535, Capacity: 1_225_728,
				Used: NATPorts{1_225_728, 420, 3}, Mappings: 1_226_151, Refused: 100, Exhausted: []string{"tcp"},
			},
			{Name: "wan0", Kind: "interface", Addresses: []string{"203.0.113.1"}, Size: 1, FirstPort: 1, LastPort: 65535, Capacity: 65_535, Used: NATPorts{17, 4, 1}, Mappings: 20},
		},
	}, f.answer(ctx)
}

func (f *fake) ClearNAT(ctx context.Context, q NATQuery) (NATClearResult, error) {
	f.nat = q
	return NATClearResult{17}, f.answer(ctx)
}

// What the client gives of translation is what the router gave, and what it
// asks is what the router is asked.
func TestNATClient(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	defer c.Close()
	ctx := context.Background()
	equal := cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty(),
	}
	chosen := NATQuery{
		Protocol: 6, Inside: NATFilter{pfx("10.1.0.0/24"), 0}, Outside: NATFilter{pfx("203.0.113.1/32"), 80}, Remote: NATFilter{Port: 443}, Port: 7, Rule: "web",
	}
	page := chosen
	page.After, page.Limit = 1<<24, 7
	for _, x := range []struct {
		what        string
		q           NATQuery
		ask, answer func(NATQuery) (any, error)
	}{
		{
			"session", page,
			func(q NATQuery) (any, error) { return c.NATSessions(ctx, q) },
			func(q NATQuery) (any, error) { return f.NATSessions(ctx, q) },
		},
		{
			"clear", chosen,
			func(q NATQuery) (any, error) { return c.ClearNAT(ctx, q) },
			func(q NATQuery) (any, error) { return f.ClearNAT(ctx, q) },
		},
		{
			"clear all",
			NATQuery{},
			func(q NATQuery) (any, error) { return c.ClearNAT(ctx, q) },
			func(q NATQuery) (any, error) { return f.ClearNAT(ctx, q) },
		},
		{
			"rule",
			NATQuery{},
			func(NATQuery) (any, error) { return c.NATRules(ctx) },
			func(NATQuery) (any, error) { return f.NATRules(ctx) },
		},
		{
			"pool",
			NATQuery{},
			func(NATQuery) (any, error) { return c.NATPools(ctx) },
			func(NATQuery) (any, error) { return f.NATPools(ctx) },
		},
	} {
		f.nat = NATQuery{Rule: "not asked"}
		if strings.HasPrefix(x.what, "rule") || x.what == "pool" {
			f.nat = x.q
		}
		got, err := x.ask(x.q)
		if err != nil {
			t.Errorf("%s: %v", x.what, err)
		}
		if d := cmp.Diff(x.q, f.nat, equal); d != "" {
			t.Errorf("%s asked (-want +got):\n%s", x.what, d)
		}
		want, _ := x.answer(x.q)
		if d := cmp.Diff(tidy(want), got, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.what, d)
		}
	}
}

func TestParseNATFilter(t *testing.T) {
	for s, want := range map[string]NATFilter{
		"10.0.0.1":       {Addresses: pfx("10.0.0.1/32")},
		"10.0.0.0/8":     {Addresses: pfx("10.0.0.0/8")},
		"10.1.2.3/8":     {Addresses: pfx("10.0.0.0/8")},
		"10.0.0.1:443":   {Addresses: pfx("10.0.0.1/32"), Port: 443},
		"10.0.0.0/8:443": {Addresses: pfx("10.0.0.0/8"), Port: 443},
		":65535":         {Port: 65535},
	} {
		got, err := ParseNATFilter(s)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
		if again, err := ParseNATFilter(got.String()); err != nil || again != got {
			t.Errorf("%q: written as %q it is %v, %v", s, got, again, err)
		}
	}
	for _, s := range []string{"", ":", ":0", ":65536", ":http", "10.0.0.1:", "10.0.0", "10.0.0.0/33", "2001:db8::1", "::/0", "::1", "10.0.0.1%eth0", "443", "lan0"} {
		if got, err := ParseNATFilter(s); err == nil || got != (NATFilter{}) || !strings.HasPrefix(err.Error(), "wanted ") {
			t.Errorf("%q: %v, %v; want it refused", s, got, err)
		}
	}
}

func TestParseNATProtocol(t *testing.T) {
	for n := range 256 {
		p := NATProtocol(n)
		if got, err := ParseNATProtocol(p.String()); n > 0 && (err != nil || got != p) {
			t.Errorf("%d: as %q it is %d, %v", n, p, got, err)
		}
	}
	for _, s := range []string{"", "0", "256", "TCP", "-1", "ip"} {
		if got, err := ParseNATProtocol(s); err == nil || got != 0 || !strings.HasPrefix(err.Error(), "wanted tcp, ") {
			t.Errorf("%q: %d, %v; want it refused", s, got, err)
		}
	}
}

// Nobody ends every session by leaving something out.
func TestClearNATWants(t *testing.T) {
	f := &fake{nat: NATQuery{Rule: "not asked"}}
	c := serveFake(t, f)
	defer c.Close()
	for q, want := range map[string]string{
		"":                      "sessions to clear: wanted a filter, or all=true",
		"all=false":             "sessions to clear: wanted a filter, or all=true",
		"all=true&protocol=udp": "sessions to clear: all=true, and a filter besides; wanted one of them",
		"rule=web&limit=1":      `unknown parameter "limit", wanted one of protocol, inside, outside, remote, port, rule, all`,
	} {
		v, err := url.ParseQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		err = c.do(context.Background(), http.MethodPost, "clear/nat/session", v, &NATClearResult{})
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", q, err, want)
		}
	}
	if f.nat.Rule != "not asked" {
		t.Errorf("the router was asked to clear %v", f.nat)
	}
}
