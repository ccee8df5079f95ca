package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"routerd/config"
)

// defaultConfig is the file that run and check read unless told otherwise.
const defaultConfig = "/etc/routerd/routerd.toml"

func newCheckCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file",
		Long: `Check a configuration file (` + defaultConfig + ` if none is named) without
touching the machine, and print every problem with its place and what is
wanted instead. Errors make it exit with 1; warnings do not.`,
		Example: "  routerd check routerd.toml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := defaultConfig
			if len(args) == 1 {
				file = args[0]
			}
			_, problems, err := config.Load(file)
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
