package main

import (
	"bytes"
	"strings"
	"testing"

	"routerd/internal/control"
	"routerd/internal/show"
)

// The places in the configuration stand in one column, whatever letters the names
// of interfaces have.
func TestExplanationIsAligned(t *testing.T) {
	var b bytes.Buffer
	drawExplanation(&show.Screen{Writer: &b}, control.PacketExplanation{Steps: []control.Step{
		{Stage: "validate", Text: "a sound IPv4 packet of 84 bytes on 路由器", Origin: "r.toml:1"},
		{Stage: "lookup", Text: "route 10.0.2.0/24 (connected) directly on lan1", Origin: "r.toml:2"},
		{Stage: "egress", Text: strings.Repeat("long ", 20), Origin: "r.toml:3"},
	}})
	var at []int
	for l := range strings.Lines(b.String()) {
		if before, _, found := strings.Cut(l, "r.toml:"); found {
			at = append(at, show.Width(before))
		}
	}
	if len(at) != 3 || at[0] != at[1] || at[2] <= at[1] {
		t.Errorf("places in columns %v of\n%s", at, &b)
	}
}
