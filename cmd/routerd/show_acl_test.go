package main

import (
	"context"
	"strings"
	"testing"

	"routerd/internal/control"
)

func (f *fake) ACL(context.Context) (control.ACL, error) { return answer[control.ACL](f, "acl") }

func (f *fake) ClearACL(context.Context) error {
	_, err := answer[control.ACLClearResult](f, "clear-acl-counters")
	return err
}

// TestACLGolden: what people see of the packet filter.
func TestACLGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"acl":       "show acl",
		"acl-wide":  "show acl wan-in -o wide",
		"acl-json":  "show acl router -o json",
		"clear-acl": "clear acl counters",
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
			if code != exitOK || stderr != "" {
				t.Errorf("%s: exit %d, %s", line, code, stderr)
			}
			compare(t, name+".txt", stdout)
		})
	}
}
