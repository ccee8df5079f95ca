package daemon

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"routerd/internal/control"
	"routerd/internal/show"
)

// Dropped packets are chosen by the interface that they came in by, their verdict
// and their addresses.
func TestDropsAreChosen(t *testing.T) {
	s := newSite(t)
	s.write("[[static.route]]\nprefix = \"198.51.100.0/24\"\naction = \"blackhole\"\n")
	s.start()
	c := s.client()
	for _, to := range []string{"198.51.100.7", "198.51.100.8", "203.0.113.9", "2001:db8:99::1"} {
		exec.Command("ip", "netns", "exec", s.hosts[0], "ping", "-n", "-c1", "-W1", to).Run() // which is not answered
	}
	for _, tt := range []struct {
		q    control.DropQuery
		want int // packets among the latest; at least one is counted where there is any
	}{
		{control.DropQuery{Interface: "lan0", Dst: show.Subnet{Prefix: netip.MustParsePrefix("198.51.100.0/24")}}, 2},
		{control.DropQuery{Interface: "lan0", Dst: show.Subnet{Prefix: netip.MustParsePrefix("198.51.100.8/32")}}, 1},
		{control.DropQuery{Dst: show.Subnet{Prefix: netip.MustParsePrefix("2001:db8:99::/48")}, Src: show.Subnet{Prefix: netip.MustParsePrefix("2001:db8:1::2/128")}}, 1},
		{control.DropQuery{Interface: "lan0", Verdict: "blackhole"}, 2},
		{control.DropQuery{Verdict: "no_route", Src: show.Subnet{Prefix: netip.MustParsePrefix("10.0.1.2/32")}}, 1},
		{control.DropQuery{Interface: "lan1", Dst: show.Subnet{Prefix: netip.MustParsePrefix("198.51.100.0/24")}}, 0},
		{control.DropQuery{Interface: "lan1", Verdict: "blackhole"}, 0},
	} {
		tt.q.Last = 20
		d, err := c.Drops(t.Context(), tt.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Last) != tt.want {
			t.Errorf("%+v: %d packets %+v, want %d", tt.q, len(d.Last), d.Last, tt.want)
		}
		counted := uint64(0)
		for _, v := range d.Verdicts {
			counted += v.Packets
		}
		if tt.q.Verdict == "blackhole" && counted != uint64(tt.want) {
			t.Errorf("%+v: %d packets are counted, want %d", tt.q, counted, tt.want)
		}
	}
	if _, err := c.Drops(t.Context(), control.DropQuery{Interface: "lan9"}); err == nil || !strings.Contains(err.Error(), `"lan9": there is no such interface`) {
		t.Errorf("drops of an interface that there is not: %v", err)
	}
}

// Metrics tell when the file that runs was applied, and whether it has changed
// since; and how many next hops lead nowhere.
func TestMetricsTellOfTheFile(t *testing.T) {
	s := newSite(t)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf("[metrics]\nlisten = %q\n", port.Addr())
	port.Close()
	hop := "[[static.route]]\nprefix = \"198.51.100.0/24\"\nnext-hop = [\"10.0.2.2\", \"192.0.2.9\"]\n"
	s.write(more)
	s.start()
	c := s.client()
	var last float64
	for i, step := range []struct {
		text    string
		reload  bool
		differs float64
		bad     float64
	}{
		{more, false, 0, 0},
		{more + hop, false, 1, 0},
		{more + hop, true, 0, 1},
		{more + hop + "nonsense", false, 1, 1},
		{more + hop + "# a remark\n", false, 0, 1},
	} {
		s.write(step.text)
		if step.reload {
			if _, err := c.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		m := s.metrics(strings.Split(more, `"`)[1])
		if got := m["routerd_config_differs"]; got != step.differs {
			t.Errorf("step %d: the file differs: %v, want %v", i, got, step.differs)
		}
		if got := m[`routerd_rib_next_hops{usable="false"}`]; got != step.bad {
			t.Errorf("step %d: %v next hops are not usable, want %v", i, got, step.bad)
		}
		at := m["routerd_config_last_reload_success_timestamp_seconds"]
		if at < 1e9 || (at > last) != (step.reload || i == 0) {
			t.Errorf("step %d: applied at %v, after %v", i, at, last)
		}
		last = at
	}
}

// metrics asks for the metrics and gives them by name and labels.
func (s *site) metrics(address string) map[string]float64 {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("metrics: %s, %v: %.300s", resp.Status, err, text)
	}
	m := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(line, ' ')
		if x, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64); err == nil && line[0] != '#' {
			m[line[:at]] = x
		}
	}
	return m
}
