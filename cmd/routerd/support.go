package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// newSupportCommand makes an archive for a bug report.
func newSupportCommand(s *session) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "support", Short: "Write an archive for a bug report", Args: cobra.NoArgs,
		Long: `Write an archive for a bug report: versions, the running configuration, every table
that show knows, counters, the latest events with the log among them, profiles of the
process, and facts of this host. It has no secrets, but it has addresses and names: look
at it before you send it. The command also works while the router hangs; the file
contents.txt in the archive says what is missing. The profiles and the audit need the
role admin.`,
		Example: `  routerd support
  routerd support --output /tmp/r1.tar.gz`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := s.client()
			if err != nil {
				return err
			}
			defer c.Close()
			if output == "" {
				output = fmt.Sprintf("routerd-support-%s.tar.gz", time.Now().UTC().Format("20060102-150405"))
			}
			// The file appears only when it is complete, and only its owner can read it.
			f, err := os.CreateTemp(filepath.Dir(output), filepath.Base(output)+".*")
			if err != nil {
				return fmt.Errorf("writing the archive: %w", err)
			}
			missing, err := control.Support(cmd.Context(), c, f, s.remote.fromEnvironment().url == "" || s.socket != "")
			if err = errors.Join(err, f.Close()); err == nil {
				err = os.Rename(f.Name(), output)
			}
			if err != nil {
				return fmt.Errorf("writing the archive: %w", errors.Join(err, os.Remove(f.Name())))
			}
			fmt.Fprintf(s.out, "%s\n", output)
			if len(missing) > 0 {
				fmt.Fprintf(s.err, "routerd: missing from the archive, for the reasons in contents.txt: %s\n", strings.Join(missing, ", "))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "the `FILE` to write (default routerd-support-TIME.tar.gz here)")
	return cmd
}
