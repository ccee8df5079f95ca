package bgp

import (
	"testing"

	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// What a neighbour, a family of its or its group says of keeping routes: the closest one
// counts.
func TestDecodeSoftReconfiguration(t *testing.T) {
	for _, test := range []struct {
		text      string
		four, six bool
	}{
		{``, false, false},
		{`soft-reconfiguration = true`, true, true},
		{`peer-group = "g"`, true, true},
		{"peer-group = \"g\"\nsoft-reconfiguration = false", false, false},
		{"peer-group = \"g\"\n[bgp.neighbor.\"10.0.0.2\".ipv6-unicast]\nsoft-reconfiguration = false", true, false},
		{"[bgp.neighbor.\"10.0.0.2\".ipv4-unicast]\nsoft-reconfiguration = true", true, false},
	} {
		cfg, said := decodeText(t, `[bgp]
as = 65001
router-id = "10.9.0.1"
[bgp.peer-group.g]
soft-reconfiguration = true
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
		f := c.Neighbors[0].Families
		if f[wire.IPv4Unicast].KeepReceived != test.four || f[wire.IPv6Unicast].KeepReceived != test.six {
			t.Errorf("%s: kept %v and %v, want %v and %v", test.text, f[wire.IPv4Unicast].KeepReceived, f[wire.IPv6Unicast].KeepReceived, test.four, test.six)
		}
	}
}
