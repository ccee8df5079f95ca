package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"routerd/dataplane"
)

// The key is of interfaces whose packets the kernel can carry; of others the
// error says which these are.
func TestOffload(t *testing.T) {
	for _, tt := range []struct {
		kind, key string
		want      dataplane.Offload
		wrong     string // in the one problem
	}{
		{"packet", ``, dataplane.OffloadAuto, ""},
		{"packet", `offload = "auto"`, dataplane.OffloadAuto, ""},
		{"packet", `offload = "always"`, dataplane.OffloadAlways, ""},
		{"packet", `offload = "off"`, dataplane.OffloadOff, ""},
		{"packet", `offload = "on"`, 0, `wanted one of "auto", "always", "off"`},
		{"packet", `offload = "alway"`, 0, `did you mean "always"?`},
		{"packet", `offload = true`, 0, `wanted one of "auto", "always", "off"`},
		{"veth", ``, dataplane.OffloadAuto, ""},
		{"veth", `offload = "always"`, dataplane.OffloadAlways, ""},
		{"tun", ``, dataplane.OffloadOff, ""},
		{"tun", `offload = "auto"`, 0, `interface.x.offload makes no sense on an interface of kind "tun"`},
		{"tap", `offload = "off"`, 0, `kind = "veth" or kind = "packet"`},
		{"tap", `offload = "off"`, 0, `kind = "packet"`},
		{"loopback", `offload = "off"`, 0, `makes no sense on an interface of kind "loopback"`},
	} {
		c, problems := Parse("r.toml", fmt.Appendf(nil, "[interface.x]\nkind = %q\n%s\n", tt.kind, tt.key))
		switch {
		case tt.wrong != "":
			if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), tt.wrong) }) || !Failed(problems) {
				t.Errorf("%s on kind %q: %v, want %q in it", tt.key, tt.kind, problems, tt.wrong)
			}
		case Failed(problems) || len(c.Dataplane.Interfaces) != 1 || c.Dataplane.Interfaces[0].Offload != tt.want:
			t.Errorf("%q on kind %q: %v, %+v, want %v", tt.key, tt.kind, problems, c.Dataplane.Interfaces, tt.want)
		}
	}
}

func TestOffloadFlows(t *testing.T) {
	for text, want := range map[string]int{"": 65536, "offload-flows = 0": 0, "offload-flows = 1048576": 1048576, "offload-flows = 1048577": -1, "offload-flows = -1": -1} {
		c, problems := Parse("r.toml", []byte("[forwarding]\n"+text+"\n"))
		if Failed(problems) != (want < 0) || want >= 0 && c.Dataplane.OffloadFlows != want {
			t.Errorf("%q: %v, %d flows; want %d, or an error for less than none", text, problems, c.Dataplane.OffloadFlows, want)
		}
	}
}

// Another choice interrupts nothing, and diff says so.
func TestOffloadImpact(t *testing.T) {
	text := "[interface.x]\nkind = \"packet\"\n"
	old, _ := Parse("r.toml", []byte(text))
	c, problems := Parse("r.toml", []byte(text+"offload = \"off\"\n"))
	d := Diff(old, c)
	if Failed(problems) || len(d) != 1 || d[0].Path != "interface.x.offload" || d[0].Old != "auto" || d[0].New != "off" || !strings.Contains(d[0].Impact, "none is interrupted") {
		t.Errorf("the key changes from auto to off: %+v, %v", d, problems)
	}
}
