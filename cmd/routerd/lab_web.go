package main

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/lab"
)

func newLabWebCommand(s *session) *cobra.Command {
	b := &webber{session: s}
	cmd := &cobra.Command{
		Use:   "web TOPOLOGY.toml",
		Short: "Show a map of the lab in a browser, and from there the page of each router",
		Long: `Show a map of a lab that is up in a browser of this host: its nodes and links and their
states, as they change. The map has a link to the live page of each router.

It ends when you interrupt it. Like routerd web it listens on addresses of the
loopback, and prints a URL that opens the map once, within ten minutes.`,
		Example: `  routerd lab web demo.toml
  routerd lab web demo.toml --listen 127.0.0.1:8080`,
		Args:              named,
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error { return b.serveLab(ctx, l) })
		},
	}
	b.addFlags(cmd)
	return cmd
}

// serveLab shows the map of a lab until ctx is done.
func (b *webber) serveLab(ctx context.Context, l *lab.Lab) error {
	if _, err := l.Living(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer stop()
	pages := map[string]*shownRouter{}
	for _, n := range l.Sockets() {
		r, err := b.showRouter(n.Socket)
		if err != nil {
			return err
		}
		defer r.close()
		pages[n.Node] = r
		serving.Go(func() { _ = r.page.Serve(ctx, r.listener) }) // a failed page answers no request, and the map still works
	}
	site := lab.Page{Lab: l, Open: func(node string) (string, error) {
		r, ok := pages[node]
		if !ok {
			return "", fmt.Errorf("%q is not a routerd of the lab", node)
		}
		return urlOf(r.listener, r.page)
	}}
	page, err := control.NewLoopbackSite(&site)
	if err != nil {
		return err
	}
	defer page.Close()
	return b.show(ctx, page, "lab "+l.Topology.Name)
}

// shownRouter is the page of a router of a lab.
type shownRouter struct {
	client   *control.Client
	page     *control.Loopback
	listener net.Listener
}

func (r *shownRouter) close() {
	r.listener.Close()
	r.page.Close()
	r.client.Close()
}

// showRouter prepares the page of a router at an address of its own: a browser gives the
// cookies of an address to all of its ports.
func (b *webber) showRouter(socket string) (*shownRouter, error) {
	l, err := net.Listen("tcp", anyLoopback())
	if err != nil {
		return nil, fmt.Errorf("listening for a browser: %w", err)
	}
	r := &shownRouter{client: control.Dial(socket), listener: l}
	if r.page, err = control.NewLoopback(r.client, b.role.Role); err != nil {
		l.Close()
		return nil, err
	}
	return r, nil
}
