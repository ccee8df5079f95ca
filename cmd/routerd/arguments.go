package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// named checks the number of arguments by the command's Use: NAME is required,
// [NAME] is optional, and NAME... takes all the rest. The error names a missing
// argument.
func named(cmd *cobra.Command, args []string) error {
	var missing []string
	words := strings.Fields(cmd.Use)[1:]
	most := len(words)
	for i, word := range words {
		if strings.HasSuffix(strings.TrimSuffix(word, "]"), "...") {
			most = max(len(args), most)
		}
		if i >= len(args) && !strings.HasPrefix(word, "[") {
			missing = append(missing, strings.TrimSuffix(word, "..."))
		}
	}
	usage := cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name())
	switch {
	case len(missing) > 0:
		last := len(missing) - 1
		if last > 0 {
			missing = []string{strings.Join(missing[:last], ", "), missing[last]}
		}
		return usagef("missing %s; wanted: %s", strings.Join(missing, " and "), usage)
	case len(args) > most:
		return usagef("%q is more than the command takes; wanted: %s", args[most], usage)
	}
	return nil
}

// nameArguments makes all commands below one check their arguments with named,
// unless they have a check of their own.
func nameArguments(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		nameArguments(c)
		judge := c.Args
		if judge == nil {
			continue
		}
		c.Args = func(c *cobra.Command, args []string) error {
			err := judge(c, args)
			if ours := (usageError{}); err == nil || errors.As(err, &ours) {
				return err
			}
			if better := named(c, args); better != nil {
				return better
			}
			return err
		}
	}
}
