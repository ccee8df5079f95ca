package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// webber shows a router's page.
type webber struct {
	*session
	listen string
	noOpen bool
	role   control.PageRole
}

func newWebCommand(s *session) *cobra.Command {
	b := &webber{session: s}
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Show the router's live page in a browser, until you interrupt it",
		Long: `Show the router's live page in a browser of this host, until you interrupt it. The
router needs no listener for that: this command passes the requests of the page on to
the router's unix socket, or to --url, with your rights.

It listens on a loopback address, with a port that the kernel chooses, and prints a URL
with a code that opens the page once, within the next ten minutes. Other users of this
host cannot log in.

The address is a random one of 127.0.0.0/8, since browsers send the cookies of an address
to all its ports. --listen chooses the address: with it, ssh -L 8080:127.0.0.1:8080 shows
the page on another host.`,
		Example: `  routerd web
  routerd web --role read
  routerd web --listen 127.0.0.1:8080 --no-open
  routerd --url https://192.0.2.1:8443 --pin sha256:... --token-file laptop.token web`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return b.serve(ctx)
		},
	}
	b.addFlags(cmd)
	return cmd
}

func (b *webber) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&b.listen, "listen", "", "listen on this `ADDRESS:PORT` of a loopback (default one at random)")
	flags.BoolVar(&b.noOpen, "no-open", false, "print the URL alone, and open no browser")
	flags.Var(&b.role, "role", "the `ROLE` that the page has at most: read, operate or admin (default admin; never more than you have)")
	cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(b.role.Offered(), cobra.ShellCompDirectiveNoFileComp))
}

// anyLoopback is an address of the loopback at random, with a port that the kernel
// chooses: any but the first and the last address of the network.
func anyLoopback() string {
	n := 1 + rand.Uint32N(1<<24-2)
	return fmt.Sprintf("127.%d.%d.%d:0", byte(n>>16), byte(n>>8), byte(n))
}

// address is where to listen.
func (b *webber) address() (string, error) {
	if b.listen == "" {
		return anyLoopback(), nil
	}
	a, err := netip.ParseAddrPort(b.listen)
	if err != nil || !a.Addr().IsLoopback() {
		return "", usagef("--listen %s: wanted an address of a loopback and a port, such as 127.0.0.1:8080", b.listen)
	}
	return b.listen, nil
}

// serve shows a router's page until ctx is done.
func (b *webber) serve(ctx context.Context) error {
	c, err := b.client()
	if err != nil {
		return err
	}
	defer c.Close()
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	page, err := control.NewLoopback(c, b.role.Role)
	if err != nil {
		return err
	}
	defer page.Close()
	return b.show(ctx, page, version.Name)
}

// show prints the URL of a page, and shows the page until ctx is done.
func (b *webber) show(ctx context.Context, page *control.Loopback, name string) error {
	address, err := b.address()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening for a browser: %w", err)
	}
	url, err := urlOf(l, page)
	if err != nil {
		l.Close()
		return err
	}
	fmt.Fprintf(b.out, "%s is shown at\n\n  %s\n\nuntil you interrupt this command. The URL opens it once, within ten minutes.\n", name, url)
	if !b.noOpen && mayOpen() {
		b.open(ctx, url)
	}
	return page.Serve(ctx, l)
}

// urlOf returns a URL that opens a page once.
func urlOf(l net.Listener, page *control.Loopback) (string, error) {
	code, err := page.Code()
	return fmt.Sprintf("http://%s/#code=%s", l.Addr(), code), err
}

// mayOpen reports whether there is a screen to open a browser on. It is false for root,
// since a browser should not run with the rights of root.
func mayOpen() bool {
	return os.Geteuid() != 0 && (os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "")
}

// open opens the user's browser, if there is one.
func (b *webber) open(ctx context.Context, url string) {
	cmd := exec.CommandContext(ctx, "xdg-open", url)
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(b.err, "routerd: no browser was opened: %v\n", err)
		return
	}
	go func() { _ = cmd.Wait() }() // its output is not shown
}
