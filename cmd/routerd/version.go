package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// version is set by the linker.
var version = "devel"

// buildVersion says what this binary was made of.
func buildVersion() control.Version {
	v := control.Version{Version: version, GoVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if dirty && v.Revision != "" {
		v.Revision += "-dirty"
	}
	return v
}

func newVersionCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Long:  "Print the version of this binary. routerd show version asks the router that runs.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			fmt.Fprintf(s.out, "routerd %s", v.Version)
			if v.Revision != "" {
				fmt.Fprintf(s.out, " (%s)", v.Revision)
			}
			fmt.Fprintf(s.out, ", %s %s/%s\n", v.GoVersion, runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
