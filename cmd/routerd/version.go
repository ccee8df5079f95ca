package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

// version is set by the linker.
var version = "devel"

// buildVersion returns the version of this binary.
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
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Long:  "Print the version of this binary. routerd show version asks the router that runs.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if asJSON {
				return show.Encode(s.out, binaryVersion{v.Version, v.Revision, v.GoVersion, runtime.GOOS, runtime.GOARCH})
			}
			fmt.Fprintf(s.out, "routerd %s", v.Version)
			if v.Revision != "" {
				fmt.Fprintf(s.out, " (%s)", v.Revision)
			}
			fmt.Fprintf(s.out, ", %s %s/%s\n", v.GoVersion, runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	addTextOrJSON(cmd, &asJSON)
	return cmd
}

// binaryVersion is the JSON output of version. Fields that show version has too
// have the same names.
type binaryVersion struct {
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	GoVersion string `json:"go_version"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
}
