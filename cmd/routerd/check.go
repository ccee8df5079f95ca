package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"routerd/config"
	"routerd/internal/lab"
)

// defaultConfig is the file that run and check read unless told otherwise.
const defaultConfig = "/etc/routerd/routerd.toml"

func newCheckCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file, or a lab's topology",
		Long: `Check a configuration file (` + defaultConfig + ` if none is named) without
touching the machine, and print every problem with its place and what is
wanted instead. Errors make it exit with 1; warnings do not.

A file with nodes or links is the topology of a lab; the configurations of its
routers are checked with it.`,
		Example: "  routerd check routerd.toml\n  routerd check deploy/labs/demo.toml",
		Args:    named,
		RunE: func(_ *cobra.Command, args []string) error {
			file := defaultConfig
			if len(args) == 1 {
				file = args[0]
			}
			problems, err := checked(file)
			if err != nil {
				return err
			}
			errors, warnings := 0, 0
			for _, p := range problems {
				fmt.Fprintf(s.out, "%s\n\n", p)
				if p.Warning {
					warnings++
				} else {
					errors++
				}
			}
			switch {
			case errors > 0:
				fmt.Fprintf(s.out, "%s: %s, %s\n", file, plural(errors, "error", "errors"), plural(warnings, "warning", "warnings"))
				return errReported
			case warnings > 0:
				fmt.Fprintf(s.out, "%s: no errors, %s\n", file, plural(warnings, "warning", "warnings"))
			default:
				fmt.Fprintf(s.out, "%s: no errors\n", file)
			}
			return nil
		},
	}
}

// checked gives what is wrong or odd about a configuration or a topology.
func checked(file string) ([]config.Problem, error) {
	problems, topology, err := lab.Check(file)
	if err != nil || topology {
		return problems, err
	}
	_, problems, err = config.Load(file)
	return problems, err
}
