package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the shipped labs claim holds, of the daemon as its users run it.
func TestShippedLabsHold(t *testing.T) { shippedLabsHold(t, "") }

// So do they with veth pairs between routers and hosts, by which the kernel carries flows.
func TestShippedLabsHoldByVeth(t *testing.T) { shippedLabsHold(t, WireVeth) }

func shippedLabsHold(t *testing.T, wire Wire) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds, and -short was asked for")
	}
	needsRoot(t)
	binary := realRouterd(t)
	labs, err := filepath.Glob("../../deploy/labs/*.toml")
	if err != nil || len(labs) == 0 {
		t.Fatalf("no labs in deploy/labs: %v", err)
	}
	name := regexp.MustCompile(`(?m)^name = ".*"$`)
	for _, path := range labs {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// Under a name of its own, beside the same lab of somebody else.
			at := name.FindIndex(text)
			if at == nil {
				t.Fatalf("%s has no name", path)
			}
			b := newBench(t, string(text[:at[0]])+`name = "NAME"`+string(text[at[1]:]))
			b.options.Binary, b.options.Wire = binary, wire
			if wire != "" {
				if b.Lab, err = Load(b.path, b.options); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			sum, err := b.Test(t.Context(), &out)
			if err != nil || sum.Failed > 0 || sum.Passed == 0 {
				t.Errorf("%v, %v:\n%s", sum, err, out.String())
			}
			if sum.Skipped > 0 {
				t.Logf("%v:\n%s", sum, out.String())
			}
			if err := b.Down(t.Context(), &b.out); err != nil {
				t.Error(err)
			}
			b.gone()
		})
	}
}
