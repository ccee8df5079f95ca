package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/flow"
	"routerd/routing"
)

// shown is a site with a session of each sort: from inside, from outside by a
// port forward, by hairpin, of a query, without ports.
func shown(t *testing.T) *site {
	s := newSite(t, forwards())
	s.outside("tcp 192.168.10.2:5000 > 203.0.113.9:53")
	s.outside("icmp 192.168.10.3:7 > 203.0.113.9")
	s.outside("gre 192.168.10.4 > 203.0.113.7")
	s.want("tcp 203.0.113.9:1000 > 198.51.100.2:443", wan, lan, "tcp 203.0.113.9:1000 > 192.168.10.20:8443")
	s.flow("tcp 192.168.10.2:6000 > 198.51.100.2:443", lan, lan)
	if s.live() != 5 {
		t.Fatalf("%d sessions, want 5", s.live())
	}
	return s
}

// sees walks the table and words what it finds, sorted.
func (s *site) sees(f Filter) []string {
	out := []string{}
	var list [2]flow.Session
	for cursor := uint32(0); ; {
		n, next := s.n.Walk(f, cursor, list[:])
		for i := range list[:n] {
			e := EndpointsOf(&list[i])
			out = append(out, fmt.Sprintf("%s as %s to %s, to it %s: %s", e.Inside, e.Outside, e.Remote, e.Seen, strings.Join(s.n.RulesOf(&list[i]), " ")))
		}
		if cursor = next; cursor == 0 {
			slices.Sort(out)
			return out
		}
	}
}

// The inside host is shown as the inside, whichever side began the session.
func TestEndpoints(t *testing.T) {
	want := []string{
		"192.168.10.20:8443 as 198.51.100.2:443 to 203.0.113.9:1000, to it 203.0.113.9:1000: web",
		"192.168.10.2:5000 as 198.51.100.2:5000 to 203.0.113.9:53, to it 203.0.113.9:53: lan-out",
		"192.168.10.2:6000 as 198.51.100.2:6000 to 192.168.10.20:8443, to it 198.51.100.2:443: web lan-out",
		"192.168.10.3:7 as 198.51.100.2:7 to 203.0.113.9:0, to it 203.0.113.9:0: lan-out",
		"192.168.10.4:0 as 198.51.100.2:0 to 203.0.113.7:0, to it 203.0.113.7:0: lan-out",
	}
	s := shown(t)
	if d := cmp.Diff(want, s.sees(Filter{})); d != "" {
		t.Errorf("sessions (-want +got):\n%s", d)
	}
	own := packetOf(key("udp 198.51.100.2:40000 > 203.0.113.9:53"), routing.NoInterface)
	own.Own = true
	s.pass(own, wan)
	if got := s.sees(Filter{Inside: EndpointFilter{Port: 40000}}); !slices.Equal(got, []string{"198.51.100.2:40000 as 198.51.100.2:40000 to 203.0.113.9:53, to it 203.0.113.9:53: "}) {
		t.Errorf("a flow of the router's own: %q", got)
	}
}

// What a filter shows is what it clears.
func TestFilter(t *testing.T) {
	side := func(prefix string, port uint16) EndpointFilter {
		f := EndpointFilter{Port: port}
		if prefix != "" {
			f.Addresses = netip.MustParsePrefix(prefix)
		}
		return f
	}
	for name, c := range map[string]struct {
		filter Filter
		want   int
	}{
		"all":                          {Filter{}, 5},
		"tcp":                          {Filter{Protocol: protoTCP}, 3},
		"gre":                          {Filter{Protocol: 47}, 1},
		"an inside address":            {Filter{Inside: side("192.168.10.2/32", 0)}, 2},
		"an inside endpoint":           {Filter{Inside: side("192.168.10.2/32", 6000)}, 1},
		"an inside prefix":             {Filter{Inside: side("192.168.10.0/30", 0)}, 3},
		"the inside of a forward":      {Filter{Inside: side("192.168.10.20/32", 0)}, 1},
		"an inside port":               {Filter{Inside: side("", 8443)}, 1},
		"nobody inside":                {Filter{Inside: side("203.0.113.9/32", 0)}, 0},
		"outside":                      {Filter{Outside: side("198.51.100.2/32", 0)}, 5},
		"the outside of a forward":     {Filter{Outside: side("198.51.100.2/32", 443)}, 2},
		"the outside of a query":       {Filter{Outside: side("", 7)}, 1},
		"nobody outside":               {Filter{Outside: side("192.168.10.0/24", 0)}, 0},
		"an outside that is remote":    {Filter{Outside: side("203.0.113.9/32", 0)}, 0},
		"a remote":                     {Filter{Remote: side("203.0.113.9/32", 0)}, 3},
		"a remote endpoint":            {Filter{Remote: side("203.0.113.9/32", 1000)}, 1},
		"a remote that is inside":      {Filter{Remote: side("192.168.10.20/32", 0)}, 1},
		"a remote as it is seen":       {Filter{Remote: side("198.51.100.2/32", 443)}, 1},
		"one side each, of no session": {Filter{Remote: side("203.0.113.9/32", 443)}, 0},
		"a rule":                       {Filter{Rule: "web"}, 2},
		"another rule":                 {Filter{Rule: "lan-out"}, 4},
		"no rule":                      {Filter{Rule: "range"}, 0},
		"any port":                     {Filter{Port: 443}, 2},
		"all of it":                    {Filter{Protocol: protoTCP, Inside: side("192.168.10.2/32", 0), Outside: side("", 5000), Remote: side("", 53), Port: 53, Rule: "lan-out"}, 1},
		"all but the rule":             {Filter{Inside: side("192.168.10.2/32", 5000), Rule: "web"}, 0},
	} {
		s := shown(t)
		left := s.sees(Filter{})
		got := s.sees(c.filter)
		if len(got) != c.want {
			t.Errorf("%s: it shows %d, want %d: %q", name, len(got), c.want, got)
		}
		if n := s.n.Clear(c.filter); n != c.want {
			t.Errorf("%s: it clears %d, want %d", name, n, c.want)
		}
		left = slices.DeleteFunc(left, func(x string) bool { return slices.Contains(got, x) })
		if d := cmp.Diff(left, s.sees(Filter{})); d != "" {
			t.Errorf("%s: what is left (-want +got):\n%s", name, d)
		}
		s.wantSound()
	}
}
