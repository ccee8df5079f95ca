package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"routerd/internal/control"
)

func TestRIPGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"rip-route":          "show rip route",
		"rip-route-wide":     "show rip route -o wide",
		"rip-route-json":     "show rip route 10.0.2.0/24 -o json",
		"rip-neighbor":       "show rip neighbor",
		"rip-neighbor-wide":  "show rip neighbors -o wide",
		"rip-interface":      "show rip interface",
		"rip-interface-wide": "show rip interface core0 -o wide",
		"rip-interface-json": "show rip interface lan0 -o json",
		"ripng-route":        "show ripng route",
		"ripng-neighbor":     "show ripng neighbor",
		"ripng-interface":    "show ripng interface",
		"clear-rip":          "clear rip",
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

// What a command line chooses.
func TestRIPQueries(t *testing.T) {
	t.Setenv(control.SocketVariable, serve(t, &fake{}))
	for line, want := range map[string]string{
		"show rip route --interface core0 --neighbor 10.0.12.2":         "10.0.2.0/24",
		"show rip route --interface lan0":                               "",
		"show rip route 10.0.2.7/24":                                    "10.0.2.0/24",
		"show rip neighbor --interface core0":                           "10.0.12.2",
		"show rip neighbor --neighbor ::ffff:10.0.13.3":                 "10.0.13.3",
		"show rip neighbors --interface core0 --neighbor 10.0.13.3":     "",
		"show ripng interfaces core0":                                   "core0",
		"clear rip --interface core0 --neighbor ::ffff:10.0.12.2":       "forgotten: 1",
		"clear rip --interface lan0":                                    "forgotten: 0",
		"clear ripng --interface core0":                                 "forgotten: 1",
		"show rip route --output json --neighbor 10.0.13.3 10.0.2.0/24": "10.0.2.0/24",
	} {
		code, stdout, stderr := routerd(strings.Fields(line)...)
		if code != exitOK || !strings.Contains(stdout, want) || want == "" && strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s: exit %d, %s%s, want %q", line, code, stdout, stderr, want)
		}
	}
	for line, want := range map[string]string{
		"show rip":                        "routerd: routerd show rip what? It takes route, neighbor, interface",
		"show rip route 10.0.0.0":         `routerd: "10.0.0.0": wanted a prefix such as 10.0.0.0/8`,
		"show rip route 10.7.0.0/16":      "routerd: rip knows nothing of exactly 10.7.0.0/16",
		"show rip route --neighbor x":     `routerd: invalid argument "x" for "--neighbor" flag: wanted an address such as 10.0.0.1`,
		"show rip neighbor --interface x": `routerd: rip on "x": there is no such interface`,
		"show ripng interface lan0":       "routerd: lan0 does not speak ripng now",
		"clear rip --neighbor fe80::1%a0": `routerd: invalid argument "fe80::1%a0" for "--neighbor" flag`,
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code == exitOK || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q%q, want %q", line, code, stdout, stderr, want)
		}
	}
}
