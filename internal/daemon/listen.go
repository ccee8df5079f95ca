package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"routerd/config"
	"routerd/internal/control"
)

// wantedEnd is a configured address to listen on.
type wantedEnd struct {
	address string
	metrics bool   // serves metrics alone
	web     bool   // serves the API over TCP: the address begins with https:// or http://
	key     string // the configuration key
	at      string // the place of the key
	// before is the endpoint that the same change takes away from this address and
	// port, for another scheme; nil for none.
	before *endpoint
	// beside are endpoints that the same change takes away from this port: at every
	// address, or at some where this one is for every address.
	beside []*endpoint
}

// endpoint is one address that the daemon is listening on.
type endpoint struct {
	wantedEnd
	step    Step // of a unix socket
	l       net.Listener
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// wantedEnds gives the configured addresses to listen on, by address.
func (d *Daemon) wantedEnds(cfg *config.Config) map[string]wantedEnd {
	wanted := map[string]wantedEnd{}
	for i, a := range cfg.API.Listen {
		wanted[a] = wantedEnd{address: a, web: !strings.HasPrefix(a, "unix://"), key: "api.listen", at: cfg.Origins.Place(cfg.API.Origins[i]).String()}
	}
	if len(cfg.API.Listen) == 0 {
		a := "unix://" + d.opts.RunDir + "/" + cfg.Name + ".sock"
		wanted[a] = wantedEnd{address: a, key: "api.listen", at: "built-in default"}
	}
	if m := cfg.Metrics; m.Listen != "" {
		wanted[m.Listen] = wantedEnd{address: m.Listen, metrics: true, key: "metrics.listen", at: cfg.Origins.Place(m.Origin).String()}
	}
	return wanted
}

// socketGroup gives the number of the sockets' configured group.
func socketGroup(cfg *config.Config) (int, error) {
	name := cfg.API.Group
	if name == "" {
		return os.Getegid(), nil
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return int(n), nil
	}
	at := cfg.Origins.Place(cfg.API.GroupOrigin)
	g, err := user.LookupGroup(name)
	var unknown user.UnknownGroupError
	switch {
	case errors.As(err, &unknown):
		return 0, fmt.Errorf("%s: api.group is %q, and this machine has no such group; groupadd makes it", at, name)
	case err != nil:
		return 0, fmt.Errorf("%s: looking for api.group %q: %w", at, name, err)
	}
	return strconv.Atoi(g.Gid)
}

// planEnds says which listeners are new in c, which stay, and which go.
func (d *Daemon) planEnds(c *change) {
	wanted := d.wantedEnds(c.cfg)
	for a, w := range wanted {
		if e := d.ends[a]; e != nil {
			c.keptEnds = append(c.keptEnds, e)
		} else {
			c.listen = append(c.listen, w)
		}
	}
	for a := range d.ends {
		if _, still := wanted[a]; !still {
			c.ending = append(c.ending, a)
		}
	}
	for i := range c.listen {
		c.listen[i].before, c.listen[i].beside = d.outgoing(c, &c.listen[i])
	}
	c.oldGroup = d.group
}

// outgoing returns the endpoint that c takes away from the address and port of a new
// one, and those that it takes away beside it, see wantedEnd.
func (d *Daemon) outgoing(c *change, w *wantedEnd) (before *endpoint, beside []*endpoint) {
	if w.inStack() {
		return nil, nil
	}
	for _, a := range c.ending {
		e := d.ends[a]
		if _, tcp := e.l.(*net.TCPListener); !tcp {
			continue
		}
		if authority(a) == authority(w.address) {
			return e, nil
		}
		if overlap(authority(a), authority(w.address)) {
			beside = append(beside, e)
		}
	}
	return nil, beside
}

// overlap reports whether two addresses have one port, and one of them is every address.
func overlap(a, b string) bool {
	p, err := netip.ParseAddrPort(a)
	q, err2 := netip.ParseAddrPort(b)
	return err == nil && err2 == nil && p.Port() == q.Port() && (p.Addr().IsUnspecified() || q.Addr().IsUnspecified())
}

// prepareEnds opens the listeners that are new in c, and gives those that stay
// to the group that it names.
func (d *Daemon) prepareEnds(c *change) (err error) {
	if c.group, err = socketGroup(c.cfg); err != nil {
		return err
	}
	if c.tls, err = d.openTLS(c.cfg); err != nil {
		return err
	}
	if c.clients, err = d.openClients(c.cfg); err != nil {
		return err
	}
	for _, w := range c.listen {
		e, err := d.listen(w, c.group)
		if err != nil {
			return err
		}
		c.ends = append(c.ends, e)
	}
	for _, e := range c.keptEnds {
		if err := e.setGroup(c.group); err != nil {
			return err
		}
	}
	return nil
}

// commitEnds serves the new listeners and closes those no longer wanted.
func (d *Daemon) commitEnds(c *change) {
	for _, a := range c.ending {
		d.retireEnd(d.ends[a])
		delete(d.ends, a)
	}
	d.group = c.group
	if c.tls != nil { // else the last one serves those who are just leaving
		d.web.tls.Store(c.tls)
	}
	webHosts := append([]string{c.cfg.Name}, c.cfg.API.Hosts...)
	d.web.webHosts.Store(&webHosts)
	d.web.hostNames.Store(&c.cfg.Metrics.HostNames)
	roles := c.cfg.API.Roles
	roles.Own = uint32(os.Geteuid())
	d.web.roles.Store(&roles)
	d.web.clients.Store(c.clients)
	for _, e := range c.ends {
		d.ends[e.address] = e
		d.serveEnd(e)
	}
}

// abandonEnds undoes what prepareEnds has done.
func (d *Daemon) abandonEnds(c *change) error {
	var errs []error
	for _, e := range c.ends {
		errs = append(errs, d.closeEnd(e))
	}
	for _, e := range c.keptEnds {
		errs = append(errs, e.setGroup(c.oldGroup))
	}
	return errors.Join(errs...)
}

// setGroup gives the endpoint, if it is a unix socket, to a group.
func (e *endpoint) setGroup(gid int) error {
	if s, ok := e.l.(*control.Socket); ok {
		return s.SetGroup(gid)
	}
	return nil
}

// listen opens a listener. The error names the key and its line.
func (d *Daemon) listen(w wantedEnd, group int) (*endpoint, error) {
	e := &endpoint{wantedEnd: w}
	if w.inStack() {
		e.l = d.serveInStack(w)
		return e, nil
	}
	path, unix := strings.CutPrefix(w.address, "unix://")
	if !unix {
		l, err := w.listenTCP()
		if err != nil {
			return nil, w.refused(err)
		}
		e.l = l
		return e, nil
	}
	s, err := control.Listen(path, group)
	if err != nil {
		return nil, w.refused(err)
	}
	// Recorded after it is made, since only then it can be told from another's.
	// If a kill comes in between, the next listener there finds it stale.
	e.l, e.step = s, Step{Kind: kindSocket, Path: path, Made: s.Made}
	if err := d.undo.will(e.step); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return e, nil
}

// listenTCP listens on an address of this host. If the same change removes an endpoint
// at this address, its socket is taken over with the connections that wait there, since
// no two sockets can be bound to the address. Beside one that it removes from the same
// port both listen until the change is made, which the kernel allows where both say so.
func (w *wantedEnd) listenTCP() (net.Listener, error) {
	if w.before == nil {
		for _, e := range w.beside {
			raw, err := e.l.(*net.TCPListener).SyscallConn()
			if err == nil {
				err = sharePort("", "", raw)
			}
			if err != nil {
				return nil, fmt.Errorf("sharing the port with %s: %w", e.address, err)
			}
		}
		var l net.ListenConfig
		if len(w.beside) > 0 {
			l.Control = sharePort
		}
		return l.Listen(context.Background(), "tcp", authority(w.address))
	}
	f, err := w.before.l.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("taking over its socket: %w", err)
	}
	defer f.Close() // the listener has a descriptor of its own
	return net.FileListener(f)
}

// sharePort allows other sockets of the same user at the port of a socket. It is a Control of a
// net.ListenConfig.
func sharePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	})
	return errors.Join(err, failed)
}

// serveInStack listens in the router's own stack, as long as that has the address.
func (d *Daemon) serveInStack(w wantedEnd) net.Listener {
	address, err := netip.ParseAddrPort(authority(w.address))
	if err != nil {
		d.log.Error("listening in the router's own stack", "address", w.address, "err", err) // cannot happen: the configuration has read it
	}
	waited := false
	return d.streams.Serve(address, func(err error) {
		if err != nil {
			waited = true
			d.log.Warn("cannot listen in the router's own stack yet; trying again", "address", w.address, "why", err)
		} else if waited {
			d.log.Info("listening in the router's own stack again", "address", w.address)
		}
	})
}

// refused says why listening on the address failed, and what helps.
func (w wantedEnd) refused(err error) error {
	help := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		help = "; another process listens there: end it, or give another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		help = "; no device of this machine has that address"
	case errors.Is(err, syscall.EACCES) && !strings.HasPrefix(w.address, "unix://"):
		help = "; a port below 1024 takes CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EACCES):
		help = "; routerd may not write in that directory: --run-dir or api.listen names another"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without naming the address again
	}
	return fmt.Errorf("%s: %s is %q: listening there: %w%s", w.at, w.key, w.address, err, help)
}

func (d *Daemon) serveEnd(e *endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	if e.secure() {
		pin := d.web.tls.Load().Pin()
		d.log.Info("serving the API over HTTPS", "address", e.address, "pin", pin, "try", d.curl(e.address, pin))
	}
	e.serving.Go(func() {
		var err error
		switch {
		case e.metrics:
			err = d.web.api.ServeMetrics(ctx, e.l)
		case e.secure():
			err = d.web.api.ServeWeb(ctx, e.l, func() *tls.Config { return d.web.tls.Load().TLS() })
		case e.web:
			err = d.web.api.ServeWeb(ctx, e.l, nil)
		default:
			err = d.web.api.Serve(ctx, e.l)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Error("serving", "address", e.address, "err", err)
		}
	})
}

// retireEnd stops listening, and lets requests under way have their answers beside
// the loop: the one that made the change may be among them. When it returns the endpoint
// accepts no connection any more: one that has taken over its socket gets them all.
func (d *Daemon) retireEnd(e *endpoint) {
	e.cancel()
	if l, tcp := e.l.(*net.TCPListener); tcp {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			d.log.Warn("closing a listener", "address", e.address, "err", err)
		}
	}
	d.background.Go(func() {
		if err := d.closeEnd(e); err != nil {
			d.log.Warn("closing a listener", "address", e.address, "err", err)
		}
	})
}

// close closes the endpoint; requests under way are cut off.
func (e *endpoint) close() error {
	if e.cancel != nil {
		e.cancel()
	}
	err := e.l.Close()
	e.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// closeEnd closes the endpoint and removes its socket from the undo list.
func (d *Daemon) closeEnd(e *endpoint) error {
	err := e.close()
	if e.step.Kind != "" {
		err = errors.Join(err, d.undo.forget(e.step))
	}
	return err
}
