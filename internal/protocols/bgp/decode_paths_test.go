package bgp

import (
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// What a neighbour, a family of its or its group says of several paths, and of routes that
// are kept for long: the closest one counts.
func TestDecodePaths(t *testing.T) {
	type want struct {
		send    int
		receive bool
		stale   time.Duration
	}
	for _, test := range []struct {
		text      string
		four, six want
	}{
		{``, want{}, want{}},
		{`add-path = { send = "all", receive = true }`, want{bgp.AllPaths, true, 0}, want{bgp.AllPaths, true, 0}},
		{`peer-group = "g"`, want{3, true, time.Hour}, want{3, true, time.Hour}},
		{"peer-group = \"g\"\nadd-path = { receive = false }", want{3, false, time.Hour}, want{3, false, time.Hour}},
		{"peer-group = \"g\"\nlong-lived-stale-time = \"0s\"\n[bgp.neighbor.\"10.0.0.2\".ipv6-unicast]\nadd-path = { send = 0 }", want{3, true, 0}, want{0, true, 0}},
		{"[bgp.neighbor.\"10.0.0.2\".ipv4-unicast]\nlong-lived-stale-time = \"2h\"", want{0, false, 2 * time.Hour}, want{}},
	} {
		cfg, said := decodeText(t, `[bgp]
as = 65001
router-id = "10.9.0.1"
[bgp.peer-group.g]
add-path = { send = 3, receive = true }
long-lived-stale-time = "1h"
[bgp.neighbor."10.0.0.2"]
peer-as = 65002
afi-safis = ["ipv4-unicast", "ipv6-unicast"]
import-policy = "all"
export-policy = "all"
`+test.text)
		c, ok := cfg.Config.(bgp.Config)
		if !ok || len(said) > 0 {
			t.Fatalf("%s: %T, %v", test.text, cfg.Config, said)
		}
		for f, w := range map[wire.Family]want{wire.IPv4Unicast: test.four, wire.IPv6Unicast: test.six} {
			x := c.Neighbors[0].Families[f]
			if got := (want{x.SendPaths, x.ReceivePaths, x.LongLived}); got != w {
				t.Errorf("%s: %v has %+v, want %+v", test.text, f, got, w)
			}
		}
	}
	for _, wrong := range []string{`send = "some"`, "send = -1", "send = 70000", "send = true"} {
		_, said := decodeText(t, "[bgp]\nas = 65001\nrouter-id = \"10.9.0.1\"\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002\nadd-path = { "+wrong+" }\n")
		if len(said) == 0 || !strings.Contains(said[0], "add-path.send") {
			t.Errorf("%s: %v", wrong, said)
		}
	}
}
