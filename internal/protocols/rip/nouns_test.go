package rip_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/protocols/rip"
	"routerd/internal/protocols/rip/riptest"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/protocol"
	core "routerd/routing/rip"
)

// asked asks the protocol as a URL does: "route?limit=2".
func asked(t *testing.T, p running.Protocol, kind rip.Protocol, text string) (any, error) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range kind.Nouns() {
		if n.Ask == nil || n.Path != kind.String()+"/"+u.Path && n.Path != u.Path {
			continue
		}
		q, err := n.Read(u.Query())
		if err != nil {
			return nil, err
		}
		return n.Ask(t.Context(), p, q)
	}
	t.Fatalf("%s has no noun %s", kind, u.Path)
	return nil, nil
}

// The table comes in pages, each behind the last prefix of the one before; a
// filter leaves out routes and not pages.
func TestRoutePages(t *testing.T) {
	p := riptest.New(core.RIP)
	for _, filter := range []string{"", "&neighbor=10.0.13.3", "&interface=lan0"} {
		var got []string
		pages, after := 0, ""
		for ; pages < 10; pages++ {
			answer, err := asked(t, p, rip.RIP, "route?limit=2"+filter+after)
			if err != nil {
				t.Fatal(err)
			}
			page := answer.(rip.RoutePage)
			for _, r := range page.Routes {
				got = append(got, r.Prefix.String())
			}
			if !page.Next.IsValid() {
				break
			}
			after = "&after=" + page.Next.String()
		}
		want := map[string][]string{
			"":                    {"0.0.0.0/0", "10.0.1.0/24", "10.0.2.0/24", "10.0.9.0/24", "203.0.113.0/24"},
			"&neighbor=10.0.13.3": {"10.0.2.0/24"},
		}[filter]
		if !slices.Equal(got, want) || pages != 2 {
			t.Errorf("%q: %q in %d pages, want %q in 3", filter, got, pages+1, want)
		}
	}
}

// A clear hands the machine what it chooses, after a look at how much that is.
func TestClear(t *testing.T) {
	for text, want := range map[string]struct {
		cleared int
		sent    core.Clear
	}{
		"clear/rip":                                   {2, core.Clear{Interface: routing.NoInterface}},
		"clear/rip?interface=core1":                   {1, core.Clear{Interface: 3}},
		"clear/rip?neighbor=10.0.12.2":                {1, core.Clear{Interface: routing.NoInterface, Address: netip.MustParseAddr("10.0.12.2")}},
		"clear/rip?neighbor=10.0.12.2&interface=lan0": {0, core.Clear{Interface: 1, Address: netip.MustParseAddr("10.0.12.2")}},
	} {
		p := riptest.New(core.RIP)
		answer, err := asked(t, p, rip.RIP, text)
		if err != nil || answer != (rip.ClearResult{Cleared: want.cleared}) {
			t.Errorf("%s: %v, %v; want %d", text, answer, err, want.cleared)
		}
		if d := cmp.Diff([]protocol.Input{want.sent}, p.Sent(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%s sent (-want +got):\n%s", text, d)
		}
	}
}

// What there is not is said so, and a router that stops is no fault of the asker.
func TestNounsFail(t *testing.T) {
	for _, n := range []string{"route", "neighbor", "interface", "clear/ripng"} {
		_, err := asked(t, riptest.New(core.RIPng), rip.RIPng, n+"?interface=lan9")
		var e *show.Error
		if want := `ripng on "lan9": there is no such interface`; !errors.As(err, &e) || e.Status != http.StatusNotFound || e.Message != want {
			t.Errorf("%s of an interface that there is not: %v", n, err)
		}
		_, err = asked(t, riptest.New(core.RIPng).Failing(context.Canceled), rip.RIPng, n)
		if want := "asking ripng: context canceled"; !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || e.Message != want {
			t.Errorf("%s of a router that stops: %v", n, err)
		}
	}
	if _, err := asked(t, riptest.New(core.RIP), rip.RIP, "neighbor?prefix=10.0.0.0/8"); err == nil || !strings.HasSuffix(err.Error(), "wanted one of interface, neighbor") {
		t.Errorf("a parameter that neighbours have not: %v", err)
	}
}

// Every value has the labels of its family, and no series is there twice.
func TestMetrics(t *testing.T) {
	for kind, spoken := range map[rip.Protocol]core.Protocol{rip.RIP: core.RIP, rip.RIPng: core.RIPng} {
		p := riptest.New(spoken)
		m := kind.Metrics()
		seen := map[string]float64{}
		used := map[*running.Family]bool{}
		err := m.Read(t.Context(), p, func(f *running.Family, value float64, labels ...string) {
			series := fmt.Sprint(f.Name, labels)
			if _, again := seen[series]; again || len(labels) != len(f.Labels) || labels[0] != kind.String() {
				t.Errorf("%s: labels %q of %q, seen %t", f.Name, labels, f.Labels, again)
			}
			if f.Counter != strings.HasSuffix(f.Name, "_total") || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s is counter %t, %q", f.Name, f.Counter, f.Help)
			}
			seen[series], used[f] = value, true
		})
		if err != nil || len(used) != len(m.Families) {
			t.Errorf("%s: %v, %d families of %d", kind, err, len(used), len(m.Families))
		}
		for series, want := range map[string]float64{
			"rip_routes[" + kind.String() + " own]":                           2,
			"rip_refused_total[" + kind.String() + " core0 own]":              64,
			"rip_sent_packets_total[" + kind.String() + " core0 regular]":     60,
			"rip_interface_routes[" + kind.String() + " core0]":               1,
			"rip_received_packets_total[" + kind.String() + " core0 request]": 1,
		} {
			if got, ok := seen[series]; !ok || got != want {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		p.Failing(context.DeadlineExceeded)
		if err := m.Read(t.Context(), p, func(*running.Family, float64, ...string) {}); err == nil {
			t.Errorf("%s: a core that does not answer is no error", kind)
		}
	}
}
