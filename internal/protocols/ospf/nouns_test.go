package ospf_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/protocols/ospf"
	"routerd/internal/protocols/ospf/ospftest"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"

	core "routerd/routing/ospf"
)

// nounAt gives the noun of a path.
func nounAt(t *testing.T, path string) *running.Noun {
	t.Helper()
	list := ospf.Nouns()
	i := slices.IndexFunc(list, func(n running.Noun) bool { return n.Path == path && n.Ask != nil })
	if i < 0 {
		t.Fatalf("ospf has no noun %s", path)
	}
	return &list[i]
}

// asked asks the protocol as a URL does: "ospf/route?limit=2".
func asked(t *testing.T, p running.Protocol, text string) (any, error) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	n := nounAt(t, u.Path)
	q, err := n.Read(u.Query())
	if err != nil {
		return nil, err
	}
	return n.Ask(t.Context(), p, q)
}

// drawn asks as the command line does, and draws the answer where it is one that is
// drawn and no table.
func drawn(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	n := nounAt(t, words[0])
	q := n.NewQuery()
	if err := n.Arguments(q, words[1:]); err != nil {
		return err.Error() + "\n"
	}
	answer, err := n.Ask(t.Context(), ospftest.New(), q)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	screen := &show.Screen{Writer: &b}
	to := &show.Tables{Screen: screen}
	if n.Draw != nil && (n.Drawn == nil || n.Drawn(q)) {
		to.Draw = func(a any) { n.Draw(screen, q, a) }
	}
	pages := show.Pages{Query: q, Ask: func() (any, error) {
		a := n.NewAnswer()
		switch a := a.(type) {
		case *ospf.NeighborList:
			*a = answer.(ospf.NeighborList)
		case *ospf.InterfaceList:
			*a = answer.(ospf.InterfaceList)
		case *ospf.LSAPage:
			*a = answer.(ospf.LSAPage)
		case *ospf.RoutePage:
			*a = answer.(ospf.RoutePage)
		case *ospf.TreeList:
			*a = answer.(ospf.TreeList)
		}
		return a, nil
	}, Nothing: func() error {
		if n.Nothing == nil {
			return nil
		}
		return n.Nothing(q)
	}}
	if _, err := pages.Print(to); err != nil {
		return err.Error() + "\n"
	}
	return b.String()
}

// What is said in detail, and of what there is not.
func TestDetails(t *testing.T) {
	for file, lines := range map[string][]string{
		"neighbor":  {"ospf/neighbor detail", "ospf/neighbor 10.255.0.3", "ospf/neighbor 10.9.9.9", "ospf/neighbor 10.0.0.1 10.0.0.2"},
		"interface": {"ospf/interface detail", "ospf/interface core1", "ospf/interface core0 core1"},
		"database": {
			"ospf/database detail", "ospf/database network", "ospf/database summary 10.2.0.0", "ospf/database 10.255.0.1",
			"ospf/database sumary", "ospf/database router detail detail",
		},
		"route": {"ospf/route 10.0.2.0/24 detail", "ospf/route 203.0.113.0/24 detail", "ospf/route 10.255.0.1/32 detail", "ospf/route 10.0.12.0/24 detail", "ospf/route 10.2.0.0/24 detail", "ospf/route 10.9.0.0/16", "ospf/route 10.9.0.0"},
		"spf":   {"ospf/spf 7", "ospf/spf 0.0.0.8", "ospf/spf core"},
	} {
		var b strings.Builder
		for _, line := range lines {
			b.WriteString("$ " + line + "\n" + drawn(t, line))
		}
		for l := range strings.Lines(b.String()) {
			if strings.TrimRight(l, " \n") != strings.TrimRight(l, "\n") {
				t.Errorf("%s: trailing blanks: %q", file, l)
			}
		}
		golden := path.Join("testdata", file+".txt")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s (-want +got; UPDATE=1 if the change is meant):\n%s", golden, d)
		}
	}
}

// Long lists come in pages, each behind the last one of the page before.
func TestPages(t *testing.T) {
	for _, filter := range []string{"", "&router=10.255.0.2", "&area=0.0.0.7", "&interface=core0", "&type=external"} {
		var got []string
		for after, pages := "", 0; pages < 10; pages++ {
			answer, err := asked(t, ospftest.New(), "ospf/database?limit=2"+filter+after)
			if err != nil {
				t.Fatal(err)
			}
			page := answer.(ospf.LSAPage)
			for _, l := range page.LSAs {
				got = append(got, l.Type)
			}
			if page.Next == "" {
				break
			}
			after = "&after=" + url.QueryEscape(string(page.Next))
		}
		want := map[string][]string{
			"":                   {"external", "router", "network", "summary", "asbr-summary", "nssa-external", "opaque-link"},
			"&router=10.255.0.2": {"network", "summary", "asbr-summary", "opaque-link"}, "&area=0.0.0.7": {"nssa-external"},
			"&interface=core0": {"opaque-link"}, "&type=external": {"external"},
		}[filter]
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
	answer, err := asked(t, ospftest.New(), "ospf/route?limit=2&after=10.0.12.0/24")
	if page, _ := answer.(ospf.RoutePage); err != nil || len(page.Routes) != 2 || page.Next.String() != "10.255.0.1/32" {
		t.Errorf("a page of routes: %+v, %v", answer, err)
	}
	for _, after := range []string{"x", "area/0.0.0.0/0/router/1.1.1.1", "area/0.0.0.0/70000/router/1.1.1.1/1.1.1.1", "area/0/0/router/1.1.1.1/1.1.1.1", "all/0.0.0.0/0/router/1.1.1.1/1.1.1.1"} {
		if _, err := asked(t, ospftest.New(), "ospf/database?after="+url.QueryEscape(after)); err == nil || !strings.Contains(err.Error(), "wanted the next of a page") {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

// Routes are derived: from LSAs, or as the router's own ranges.
func TestDerive(t *testing.T) {
	for to, want := range map[string][]string{
		"203.0.113.0/24": {"10.255.0.3 on core1: external LSA 203.0.113.0 of 10.255.0.3, of the AS: to prefix 203.0.113.0/24, cost 0, 10 in all"},
		"10.255.0.1/32":  {"the router itself: router LSA 10.255.0.1 of 10.255.0.1, of area 0.0.0.0: to prefix 10.255.0.1/32, cost 0, 0 in all"},
		"10.7.0.0/16":    {"nothing: it is a range of area 0.0.0.7, which this router announces: what has no route of its own is discarded, so that it goes in no circle"},
		"10.9.0.0/16":    nil,
	} {
		list, err := ospf.Derive(t.Context(), ospftest.New(), netip.MustParsePrefix(to))
		var got []string
		for _, d := range list {
			got = append(got, d.Path+": "+d.Steps[len(d.Steps)-1])
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", to, got, err, want)
		}
	}
	if _, err := ospf.Derive(t.Context(), ospftest.New().Failing(context.Canceled), netip.MustParsePrefix("10.9.0.0/16")); err == nil {
		t.Error("a core that does not answer is no error")
	}
}

// A clear hands the machine what it chooses, after a look at how much that is.
func TestClear(t *testing.T) {
	router := wire.IDOf(netip.MustParseAddr("10.255.0.2"))
	for text, want := range map[string]struct {
		answer any
		sent   protocol.Input
	}{
		"clear/ospf/neighbor":                                   {ospf.ClearResult{Cleared: 3}, core.ClearNeighbors{Interface: routing.NoInterface}},
		"clear/ospf/neighbor?interface=core1":                   {ospf.ClearResult{Cleared: 1}, core.ClearNeighbors{Interface: 3}},
		"clear/ospf/neighbor?router=10.255.0.2":                 {ospf.ClearResult{Cleared: 1}, core.ClearNeighbors{Interface: routing.NoInterface, Router: router}},
		"clear/ospf/neighbor?router=10.255.0.2&interface=core1": {ospf.ClearResult{}, core.ClearNeighbors{Interface: 3, Router: router}},
		"clear/ospf/counters":                                   {ospf.ClearCountersResult{Interfaces: 4}, core.ClearCounters{Interface: routing.NoInterface}},
		"clear/ospf/counters?interface=lan0":                    {ospf.ClearCountersResult{Interfaces: 1}, core.ClearCounters{Interface: 1}},
	} {
		p := ospftest.New()
		answer, err := asked(t, p, text)
		if err != nil || answer != want.answer {
			t.Errorf("%s: %v, %v; want %v", text, answer, err, want.answer)
		}
		if d := cmp.Diff([]protocol.Input{want.sent}, p.Sent()); d != "" {
			t.Errorf("%s sent (-want +got):\n%s", text, d)
		}
	}
}

// What there is not is said so, and a router that stops is no fault of the asker.
func TestNounsFail(t *testing.T) {
	for _, n := range ospf.Nouns() {
		if n.Ask == nil {
			continue
		}
		_, err := asked(t, ospftest.New().Failing(context.Canceled), n.Path)
		var e *show.Error
		if want := "asking ospf: context canceled"; !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || e.Message != want {
			t.Errorf("%s of a router that stops: %v", n.Path, err)
		}
		if !slices.ContainsFunc(n.Parameters(), func(p show.Parameter) bool { return p.Name == "interface" }) {
			continue
		}
		_, err = asked(t, ospftest.New(), n.Path+"?interface=lan9")
		if want := `ospf on "lan9": there is no such interface`; !errors.As(err, &e) || e.Status != http.StatusNotFound || e.Message != want {
			t.Errorf("%s of an interface that there is not: %v", n.Path, err)
		}
	}
}

// Every value has the labels of its family, and no series is there twice.
func TestMetrics(t *testing.T) {
	m := ospf.Metrics()
	seen := map[string]float64{}
	used := map[*running.Family]bool{}
	err := m.Read(t.Context(), ospftest.New(), func(f *running.Family, value float64, labels ...string) {
		series := fmt.Sprint(f.Name, labels)
		if _, again := seen[series]; again || len(labels) != len(f.Labels) {
			t.Errorf("%s: labels %q of %q, seen %t", f.Name, labels, f.Labels, again)
		}
		if f.Counter != strings.HasSuffix(f.Name, "_total") || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s is counter %t, %q", f.Name, f.Counter, f.Help)
		}
		seen[series], used[f] = value, true
	})
	if err != nil || len(used) != len(m.Families) {
		t.Errorf("%v, %d families of %d", err, len(used), len(m.Families))
	}
	for series, want := range map[string]float64{
		"ospf_neighbors[full]":                    2,
		"ospf_routes[external-2]":                 12345,
		"ospf_refused_total[core0 mtu]":           3,
		"ospf_sent_packets_total[core0 hello]":    360,
		"ospf_interface_full_neighbors[core1]":    1,
		"ospf_received_lsas_total[core0 newer]":   20,
		"ospf_retransmitted_lsas_total[core0]":    5,
		"ospf_lsas[router]":                       5,
		"ospf_calculations_total[partial]":        12345,
		"ospf_received_packets_total[lan0 hello]": 0,
	} {
		if got, ok := seen[series]; !ok || got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if err := m.Read(t.Context(), ospftest.New().Failing(context.DeadlineExceeded), func(*running.Family, float64, ...string) {}); err == nil {
		t.Error("a core that does not answer is no error")
	}
}
