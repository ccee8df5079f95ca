package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"routerd/internal/control"
)

// endpoint is one address that the daemon is listening on.
type endpoint struct {
	address string
	metrics bool // serves metrics alone
	step    Step // of a unix socket
	l       net.Listener
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// wantedEnds gives the addresses that the configuration wants listened on,
// and whether each is for metrics alone.
func (d *Daemon) wantedEnds(listen []string, metrics string) map[string]bool {
	wanted := map[string]bool{}
	for _, a := range listen {
		wanted[a] = false
	}
	if len(listen) == 0 {
		wanted["unix://"+d.opts.RunDir+"/"+d.cfg.Name+".sock"] = false
	}
	if metrics != "" {
		wanted[metrics] = true
	}
	return wanted
}

// planEnds says which listeners are new in c, and which go.
func (d *Daemon) planEnds(c *change) {
	wanted := d.wantedEnds(c.cfg.API.Listen, c.cfg.Metrics.Listen)
	c.listen = map[string]bool{}
	for a, metrics := range wanted {
		if d.ends[a] == nil {
			c.listen[a] = metrics
		}
	}
	for a := range d.ends {
		if _, still := wanted[a]; !still {
			c.ending = append(c.ending, a)
		}
	}
}

// prepareEnds opens the listeners that are new in c.
func (d *Daemon) prepareEnds(c *change) error {
	for a, metrics := range c.listen {
		e, err := d.listen(a, metrics)
		if err != nil {
			return err
		}
		c.ends = append(c.ends, e)
	}
	return nil
}

// commitEnds serves the new listeners and closes those no longer wanted.
func (d *Daemon) commitEnds(c *change) {
	for _, a := range c.ending {
		if err := d.closeEnd(d.ends[a]); err != nil {
			d.log.Warn("closing a listener", "address", a, "err", err)
		}
		delete(d.ends, a)
	}
	for _, e := range c.ends {
		d.ends[e.address] = e
		d.serveEnd(e)
	}
}

func (d *Daemon) listen(address string, metrics bool) (*endpoint, error) {
	e := &endpoint{address: address, metrics: metrics}
	path, unix := strings.CutPrefix(address, "unix://")
	if !unix {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", address, err)
		}
		e.l = l
		return e, nil
	}
	s, err := control.Listen(path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	// Noted when it is made, since only then can it be told from another's. One
	// that a kill has kept from the list is found stale by whoever listens there
	// next.
	e.l, e.step = s, Step{Kind: kindSocket, Path: path, Made: s.Made}
	if err := d.undo.will(e.step); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return e, nil
}

func (d *Daemon) serveEnd(e *endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.serving.Go(func() {
		var err error
		if e.metrics {
			err = control.ServeMetrics(ctx, e.l, api{d}, control.Options{Log: d.log})
		} else {
			err = control.Serve(ctx, e.l, api{d}, control.Options{Log: d.log})
		}
		if err != nil && ctx.Err() == nil {
			d.log.Error("serving", "address", e.address, "err", err)
		}
	})
}

// close ends the endpoint; requests under way are given up.
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

// closeEnd ends the endpoint and forgets its socket.
func (d *Daemon) closeEnd(e *endpoint) error {
	err := e.close()
	if e.step.Kind != "" {
		err = errors.Join(err, d.undo.forget(e.step))
	}
	return err
}
