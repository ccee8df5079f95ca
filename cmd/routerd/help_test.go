package main

import (
	"strings"
	"testing"

	"routerd/config"
)

// What help says of the configuration: its tables, a table, a key.
func TestHelpConfig(t *testing.T) {
	for name, line := range map[string]string{
		"help-config":       "help config",
		"help-config-table": "help config nat.source",
		"help-config-key":   "help config rip.interface.lan0.passive",
		"help-config-like":  "help config ripng.interface.NAME.metric",
	} {
		code, stdout, stderr := routerd(strings.Fields(line)...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		compare(t, name+".txt", stdout)
	}
	reference, err := config.LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range reference.Names() {
		if code, stdout, _ := routerd("help", "config", name); code != exitOK || !strings.HasPrefix(stdout, name+"\n") || !strings.Contains(stdout, "\n    ") {
			t.Errorf("help config %s: exit %d, and no line of the example in\n%s", name, code, stdout)
		}
	}
	for line, want := range map[string]string{
		"help config passive":                   `the configuration has no key "passive"; did you mean bfd.profile.NAME.passive or bgp.neighbor.NAME.passive or bgp.peer-group.NAME.passive or ospf.interface.NAME.passive or rip.interface.NAME.passive or ripng.interface.NAME.passive?`,
		"help config rip.interface.NAME.pasive": `did you mean "rip.interface.NAME.passive"?`,
		"help config quite.something":           "routerd help config lists its tables",
		"help config name state-dir":            `"state-dir" is more than the command takes`,
		"help sow":                              `there is no command "sow"; did you mean show?`,
		"help nothing":                          `there is no command "nothing"`,
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q, %q; want %q", line, code, stdout, stderr, want)
		}
	}
	for line, want := range map[string]string{
		"help":            "Available Commands:",
		"help show route": "routerd show route for 192.0.2.7",
		"help help":       "help config",
		// What a shell completes.
		"__complete help config rip.interface.NAME.pas": "rip.interface.NAME.passive\n:6\n",
		"__complete help config nat.so":                 "nat.source\nnat.source.\n:6\n",
		"__complete help show ro":                       "route\t",
		"__complete help c":                             "config\t",
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit %d, %s, and no %q in\n%s", line, code, stderr, want, stdout)
		}
	}
}
