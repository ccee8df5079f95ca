package main

import (
	"strings"
	"testing"
)

// "show ospf" shows something itself, and has subcommands; what is asked for in
// detail is drawn in lines, and as a table otherwise.
func TestOSPF(t *testing.T) {
	socket := serve(t, &fake{})
	for line, want := range map[string]string{
		"show ospf":                              "router ID 10.255.0.1, chosen, area border router",
		"show ospf neighbor":                     "ROUTER ID   ADDRESS",
		"show ospf neighbor 10.255.0.2 detail":   "10.255.0.2 at 10.0.12.2 on core0, area 0.0.0.0\n",
		"show ospf interface core0 detail":       "last refusal     MTU: theirs 9000, ours 1500; from 10.0.12.9, 4s ago",
		"show ospf database network":             "0.0.0.0  network  10.0.12.2",
		"show ospf database router detail":       "link             to router 10.255.0.3, by 0.0.0.4, cost 10",
		"show ospf route 203.0.113.0/24 detail":  "external LSA 203.0.113.0 of 10.255.0.3, of the AS: to prefix 203.0.113.0/24",
		"show ospf tree 0":                       "|  `- router 10.255.0.2 abr asbr 10",
		"clear ospf neighbor 10.255.0.2":         "adjacencies ended: 1",
		"clear ospf neighbor --interface core1":  "adjacencies ended: 1",
		"clear ospf counters core0":              "interfaces whose counters are zero: 1",
		"show ospf database --router 10.255.0.3": "external",
	} {
		code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
		if code != exitOK || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit %d, %s%s; want %s", line, code, stdout, stderr, want)
		}
	}
	for line, want := range map[string]string{
		"show ospf neigbor":           `routerd: routerd show ospf has no "neigbor"; did you mean neighbor?`,
		"show ospf 10.0.0.1":          `routerd: routerd show ospf has no "10.0.0.1"`,
		"show ospf database sumary":   `routerd: "sumary": wanted one of router, network, summary`,
		"show ospf neighbor 10.9.9.9": "routerd: ospf has no neighbor 10.9.9.9",
		"clear ospf":                  "routerd: routerd clear ospf what? It takes neighbor, counters",
	} {
		code, _, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
		if code == exitOK || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %s; want %s", line, code, stderr, want)
		}
	}
}
