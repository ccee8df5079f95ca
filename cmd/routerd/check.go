package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/lab"
	"routerd/internal/show"
)

// defaultConfig is the file that run and check read by default.
const defaultConfig = "/etc/routerd/routerd.toml"

func newCheckCommand(s *session) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
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
			wrong, odd := 0, 0
			for _, p := range problems {
				if !asJSON {
					fmt.Fprintf(s.out, "%s\n\n", p)
				}
				if p.Warning {
					odd++
				} else {
					wrong++
				}
			}
			if asJSON {
				err := show.Encode(s.out, checkResult{file, wrong, odd, problemsOf(problems)})
				if err == nil && wrong > 0 {
					return errReported
				}
				return err
			}
			switch {
			case wrong > 0:
				fmt.Fprintf(s.out, "%s: %s, %s\n", file, show.Plural(wrong, "error", "errors"), show.Plural(odd, "warning", "warnings"))
				return errReported
			case odd > 0:
				fmt.Fprintf(s.out, "%s: no errors, %s\n", file, show.Plural(odd, "warning", "warnings"))
			default:
				fmt.Fprintf(s.out, "%s: no errors\n", file)
			}
			return nil
		},
	}
	addTextOrJSON(cmd, &asJSON)
	return cmd
}

// checkResult is the JSON output of check. Fields are only ever added.
type checkResult struct {
	File     string            `json:"file"`
	Errors   int               `json:"errors"`
	Warnings int               `json:"warnings"`
	Problems []control.Problem `json:"problems"` // in order of place
}

func problemsOf(problems []config.Problem) []control.Problem {
	list := []control.Problem{}
	for _, p := range problems {
		list = append(list, control.Problem{Origin: p.Place.String(), Warning: p.Warning, Message: p.Message, Text: p.String()})
	}
	return list
}

// addTextOrJSON adds show's flag --output to a command that asks no router.
func addTextOrJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().VarP((*textOrJSON)(asJSON), "output", "o", "how to print: text for people, or JSON")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// textOrJSON is the value of --output: true if it is json.
type textOrJSON bool

func (f *textOrJSON) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("wanted text or json")
	}
	*f = s == "json"
	return nil
}

func (f *textOrJSON) String() string {
	if *f {
		return "json"
	}
	return "text"
}

func (*textOrJSON) Type() string { return "text|json" }

// checked returns the errors and warnings of a configuration or a topology.
func checked(file string) ([]config.Problem, error) {
	problems, topology, err := lab.Check(file)
	if err != nil || topology {
		return problems, err
	}
	_, problems, err = config.Load(file)
	return problems, err
}
