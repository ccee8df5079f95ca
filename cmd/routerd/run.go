package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"routerd/internal/daemon"
)

func newRunCommand() *cobra.Command {
	var o daemon.Options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the router in the foreground until it is told to stop",
		Long: `Run the router that the configuration describes.

It stays in the foreground and logs to standard error, or to the journal under
systemd. SIGHUP, like routerd reload, applies the file anew or changes nothing
and says why; SIGTERM and SIGINT stop it with nothing left behind.

Creating interfaces needs CAP_NET_ADMIN in the namespaces they belong to, and
/dev/net/tun. Where the machine allows user namespaces no root is needed:

  unshare -Urn routerd run --config routerd.toml --run-dir /tmp/r1

With --run-dir the API's socket is there, called by the router's name, unless
api.listen says otherwise. The other verbs are told of it:

  ROUTERD_SOCKET=/tmp/r1/NAME.sock routerd show route`,
		Example: `  routerd run --config /etc/routerd/routerd.toml
  routerd check routerd.toml && routerd run --config routerd.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Stderr = os.Stderr
			o.Version = buildVersion()
			o.Reduce = true
			err := daemon.Run(cmd.Context(), o)
			var bad *daemon.ConfigError
			if errors.As(err, &bad) {
				for _, p := range bad.Problems {
					fmt.Fprintln(cmd.ErrOrStderr(), p)
				}
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&o.Config, "config", "c", "/etc/routerd/routerd.toml", "the configuration file")
	cmd.Flags().StringVar(&o.RunDir, "run-dir", "", "where the lock and, by default, the API's socket lie (default /run/routerd)")
	return cmd
}
