package config

import (
	"strings"
	"testing"

	"routerd/dataplane"
)

func TestMSS(t *testing.T) {
	for _, tt := range []struct {
		kind, value string
		want        dataplane.MSS
		wrong       string // in the one problem
	}{
		{"tun", `"clamp"`, dataplane.MSSClamp, ""},
		{"tap", `"clamp"`, dataplane.MSSClamp, ""},
		{"packet", "1400", 1400, ""},
		{"tun", "536", dataplane.MinMSS, ""},
		{"tun", "65495", dataplane.MaxMSS, ""},
		{"tun", "535", 0, "wanted \"clamp\", or a whole number of bytes from 536 to 65495"},
		{"tun", "65496", 0, "wanted \"clamp\", or a whole number"},
		{"tun", "1400.5", 0, "wanted \"clamp\", or a whole number"},
		{"tun", `"clmap"`, 0, `did you mean "clamp"?`},
		{"loopback", `"clamp"`, 0, "makes no sense on a loopback"},
	} {
		c, problems := Parse("r.toml", []byte("[interface.x]\nkind = \""+tt.kind+"\"\nmss = "+tt.value+"\n"))
		if tt.wrong != "" {
			var all strings.Builder
			for _, p := range problems {
				all.WriteString(p.String())
			}
			if !Failed(problems) || !strings.Contains(all.String(), tt.wrong) {
				t.Errorf("mss = %s on a %s: %s, want %q in it", tt.value, tt.kind, all.String(), tt.wrong)
			}
			continue
		}
		if Failed(problems) || len(c.Dataplane.Interfaces) != 1 || c.Dataplane.Interfaces[0].MSS != tt.want {
			t.Errorf("mss = %s on a %s: %v, %+v, want %d", tt.value, tt.kind, problems, c.Dataplane.Interfaces, tt.want)
		}
	}
}
