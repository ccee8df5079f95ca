package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
	"routerd/internal/show"
)

// NATSessions gives what a router would of q.Limit and q.After, whose numbers
// are places in the golden file, and what q.Protocol chooses.
func (f *fake) NATSessions(_ context.Context, q control.NATQuery) (control.NATSessionPage, error) {
	p, err := answer[control.NATSessionPage](f, "nat-session")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nat = q
	all, limit := p.Sessions, q.Limit
	p.Sessions, p.Next = []control.NATSession{}, 0
	if limit == 0 {
		limit = len(all)
	}
	looked := 0
	for i := int(q.After); i < len(all); i++ {
		if len(p.Sessions) == limit || f.page > 0 && looked == f.page {
			p.Next = uint32(i)
			break
		}
		looked++
		if q.Protocol == 0 || q.Protocol.String() == all[i].Protocol {
			p.Sessions = append(p.Sessions, all[i])
		}
	}
	return p, err
}

// NATHosts gives what a router would of q.
func (f *fake) NATHosts(_ context.Context, q control.NATHostQuery) (control.NATHostPage, error) {
	p, err := answer[control.NATHostPage](f, "nat-host")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts = append(f.hosts, q)
	all := p.Hosts
	p.Hosts, p.Next = []control.NATHost{}, netip.Addr{}
	for _, h := range all {
		if q.After.IsValid() && h.Address.Compare(q.After) <= 0 || q.Inside.IsValid() && !q.Inside.Contains(h.Address) {
			continue
		}
		if f.page > 0 && len(p.Hosts) == f.page || q.Limit > 0 && len(p.Hosts) == q.Limit {
			p.Next = p.Hosts[len(p.Hosts)-1].Address
			break
		}
		p.Hosts = append(p.Hosts, h)
	}
	return p, err
}

// The list of hosts comes page by page, up to the limit.
func TestShowNATHostPages(t *testing.T) {
	f := &fake{page: 1}
	t.Setenv(control.SocketVariable, serve(t, f))
	for line, want := range map[string]string{
		"show nat host":                         "10.1.0.11 10.1.0.12",
		"show nat host --limit 0":               "10.1.0.11 10.1.0.12",
		"show nat host --limit 1":               "10.1.0.11",
		"show nat host 10.1.0.12":               "10.1.0.12",
		"show nat host 10.1.0.0/24 --limit 300": "10.1.0.11 10.1.0.12",
		"show nat host 10.2.0.0/16":             "",
	} {
		code, stdout, stderr := routerd(append(strings.Fields(line), "-o", "json")...)
		var page control.NATHostPage
		if err := json.Unmarshal([]byte(stdout), &page); err != nil || code != exitOK {
			t.Errorf("%s: exit %d, %v: %s", line, code, err, stderr)
		}
		if got := strings.Join(show.Keys(&page), " "); got != want {
			t.Errorf("%s: hosts %q, want %q", line, got, want)
		}
		if more := strings.Contains(stderr, "there are more"); more != strings.Contains(line, "--limit 1") {
			t.Errorf("%s: said that there are more: %t", line, more)
		}
	}
	for line, want := range map[string]string{
		"show nat host lan0":       `routerd: "lan0": wanted an IPv4 address or prefix: 10.0.0.1, 10.0.0.0/8`,
		"show nat host --limit -1": "routerd: --limit -1: wanted a number of rows, or 0 for all",
	} {
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitUsage || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", line, code, stderr, exitUsage, want)
		}
	}
}

func (f *fake) NATRules(context.Context) (control.NATRuleList, error) {
	return answer[control.NATRuleList](f, "nat-rule")
}

func (f *fake) NATPools(context.Context) (control.NATPoolList, error) {
	return answer[control.NATPoolList](f, "nat-pool")
}

func (f *fake) ClearNAT(_ context.Context, q control.NATQuery) (control.NATClearResult, error) {
	f.mu.Lock()
	f.nat = q
	f.mu.Unlock()
	return answer[control.NATClearResult](f, "clear-nat-session")
}

func TestNATGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"nat-session":       "show nat session",
		"nat-session-wide":  "show nat sessions -o wide",
		"nat-session-json":  "show nat session --protocol gre -o json",
		"nat-session-some":  "show nat session --limit 2",
		"nat-session-none":  "show nat session --protocol esp",
		"nat-session-query": "show nat session --protocol icmp",
		"nat-host":          "show nat host",
		"nat-host-some":     "show nat hosts --limit 1",
		"nat-host-json":     "show nat host 10.1.0.11 -o json",
		"nat-rule":          "show nat rule",
		"nat-rule-wide":     "show nat rules -o wide",
		"nat-rule-json":     "show nat rule web -o json",
		"nat-pool":          "show nat pool",
		"nat-pool-wide":     "show nat pools -o wide",
		"nat-pool-json":     "show nat pool wan0 -o json",
		"clear-nat":         "clear nat session --all",
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
				if n := utf8.RuneCountInString(l) - 1; n > 100 && !strings.Contains(line, "-o") {
					t.Errorf("%d columns: %q", n, l)
				}
			}
			compare(t, name+".txt", stdout)
		})
	}
}

// What is asked of the router, by the command line.
func TestNATQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	host := control.NATFilter{Addresses: netip.MustParsePrefix("10.1.0.11/32")}
	for line, want := range map[string]control.NATQuery{
		"show nat session":                                          {Limit: 1000},
		"show nat session --limit 0":                                {},
		"show nat session --limit 20000":                            {Limit: control.MaxPage},
		"show nat session --limit 0 --inside 10.1.0.11":             {Inside: host},
		"clear nat session --all":                                   {},
		"clear nat session --inside 10.1.0.11":                      {Inside: host},
		"clear nat session --protocol 47 --outside 203.0.113.10/24": {Protocol: 47, Outside: control.NATFilter{Addresses: netip.MustParsePrefix("203.0.113.0/24")}},
		"clear nat session --remote :53 --port 7 --rule web":        {Remote: control.NATFilter{Port: 53}, Port: 7, Rule: "web"},
	} {
		code, _, stderr := routerd(strings.Fields(line)...)
		if code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.nat, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
	f.nat = control.NATQuery{Rule: "not asked"}
	for line, want := range map[string]string{
		"show nat":                                  "routerd: routerd show nat what? It takes session, host, rule, pool",
		"show nat session lan0":                     `routerd: "lan0" is more than the command takes; wanted: routerd show nat session`,
		"show nat session --inside fe80::1":         `routerd: invalid argument "fe80::1" for "--inside" flag: wanted an IPv4 address or prefix, a port, or both: 10.0.0.1, 10.0.0.0/8, :443, 10.0.0.1:443`,
		"show nat session --outside 10.1.0.0/33":    `routerd: invalid argument "10.1.0.0/33" for "--outside" flag: wanted an IPv4 address`,
		"show nat session --remote 10.1.0.11:http":  `routerd: invalid argument "10.1.0.11:http" for "--remote" flag: wanted an IPv4 address`,
		"show nat session --protocol tpc":           `routerd: invalid argument "tpc" for "--protocol" flag: wanted tcp, udp, icmp, gre, esp, ah, sctp, udplite or a number from 1 to 255`,
		"show nat session --limit -1":               "routerd: --limit -1: wanted a number of rows, or 0 for all",
		"show nat rule ghost":                       `routerd: there is no rule "ghost" of address translation; there are dmz, web, guests, lan-out`,
		"show nat pool ghost":                       `routerd: there is no pool "ghost" of address translation; there are cgn, wan0`,
		"clear nat":                                 "routerd: routerd clear nat what? It takes session",
		"clear nat session":                         "routerd: which sessions? A filter chooses some, --all every one",
		"clear nat session --all --rule web":        "routerd: --all and a filter: wanted one of them",
		"clear nat session --protocol any":          `routerd: invalid argument "any" for "--protocol" flag: wanted tcp, `,
		"clear nat session --inside 10.1.0.11 host": `routerd: "host" is more than the command takes; wanted: routerd clear nat session`,
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code == exitOK || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q%q, want %q", line, code, stdout, stderr, want)
		}
	}
	if f.nat.Rule != "not asked" {
		t.Errorf("in spite of the mistake the router was asked for %v", f.nat)
	}
}

// A table that comes in pages, even in empty ones, is shown as a whole, and
// only what is left out is said to be.
func TestNATPages(t *testing.T) {
	ask := func(f *fake, args ...string) (stdout, stderr string) {
		code, stdout, stderr := routerd(append([]string{"show", "nat", "session", "-o", "json", "--socket", serve(t, f)}, args...)...)
		if code != exitOK {
			t.Errorf("%q: exit %d, %s", args, code, stderr)
		}
		return stdout, stderr
	}
	const told = "routerd: there are more, of 12345 in the table; --limit 0 shows all\n"
	for _, c := range []struct {
		args   string
		page   int
		asked  int
		stderr string
	}{
		{"--limit 0", 1, 6, ""},
		{"--limit 6", 1, 6, ""},
		{"--limit 5", 0, 2, told},
		{"--limit 5", 2, 4, told},
		{"--limit 3 --protocol tcp", 1, 6, ""}, // the rest is looked through for more
		{"--limit 2 --protocol tcp", 1, 3, told},
		{"--protocol gre", 1, 6, ""},
		{"--protocol esp", 1, 6, ""},
	} {
		args := strings.Fields(c.args)
		want, _ := ask(&fake{}, args...)
		paged := &fake{page: c.page}
		got, stderr := ask(paged, args...)
		if c.stderr == "" && got != want {
			t.Errorf("%s in pages of %d (-whole +paged):\n%s", c.args, c.page, cmp.Diff(want, got))
		}
		if paged.asked != c.asked || stderr != c.stderr {
			t.Errorf("%s in pages of %d: asked %d times, %q; want %d, %q", c.args, c.page, paged.asked, stderr, c.asked, c.stderr)
		}
		if n, limit := strings.Count(got, `"protocol"`), strings.Count(want, `"protocol"`); n != limit {
			t.Errorf("%s in pages of %d: %d sessions, want %d", c.args, c.page, n, limit)
		}
	}
}
