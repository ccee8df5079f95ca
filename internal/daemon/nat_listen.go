package daemon

import (
	"context"
	"slices"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
	"routerd/internal/localstack"
	"routerd/nat"
)

// listenersLook is how often the sockets of the router's own stack are looked
// at. The kernel tells nobody of one that is opened.
const listenersLook = time.Second

// listening is what address translation has been told of the router's own
// stack: inside hosts are not to get a port at which the router serves. One
// goroutine uses it.
type listening struct {
	netns   string          // that sockets are looked for in; "" = none
	space   device.Identity // of netns, which may be made anew
	sockets *localstack.Listeners
	told    *nat.NAT // who knows of list
	list    []localstack.Listener
	failed  bool // the log knows
}

// keepListenersPorts looks again and again until ctx ends. A mapping that has
// the port of a new listener keeps it until its sessions end, and so long the
// listener hears nobody, see nat.NAT.Listen: the log says so.
func (d *Daemon) keepListenersPorts(ctx context.Context) {
	var l listening
	defer l.turnTo("", device.Identity{})
	t := time.NewTicker(listenersLook)
	defer t.Stop()
	for {
		var netns string
		var space device.Identity
		var n *nat.NAT
		err := d.ask(ctx, func() {
			if p := d.ports[localstack.Name]; p != nil {
				netns, space = p.spec.host.Netns, p.namespace()
			}
			if n = d.router.NAT(); n != nil && !d.cfg.NAT.Enabled() {
				n = nil
			}
		})
		if err != nil {
			return
		}
		mapped, err := l.look(netns, space, n)
		for _, m := range mapped {
			d.log.Info("a port at which the router serves is an inside host's until its sessions end; show nat session --port says whose",
				"protocol", control.NATProtocol(m.Protocol).String(), "port", m.Port)
		}
		if err != nil && !l.failed {
			d.log.Warn("ports at which the router serves may be given to inside hosts", "err", err)
			l.failed = true
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// look tells n of the listeners in the namespace, unless it knows. It gives the
// new ones whose port is mapped.
func (l *listening) look(netns string, space device.Identity, n *nat.NAT) (mapped []nat.Listener, err error) {
	if n == nil {
		netns = "" // nobody wants to know
	}
	if err := l.turnTo(netns, space); err != nil {
		return nil, err
	}
	var list []localstack.Listener
	if l.sockets != nil {
		if list, err = l.sockets.List(); err != nil {
			return nil, err
		}
	}
	l.failed = false
	if n == nil || n == l.told && slices.Equal(list, l.list) {
		return nil, nil
	}
	known := l.list
	l.told, l.list = n, list
	ports := make([]nat.Listener, len(list))
	for i, s := range list {
		ports[i] = nat.Listener{Address: s.Address, Protocol: s.Protocol, Port: s.Port}
	}
	for _, m := range n.Listen(ports) {
		if !slices.Contains(known, localstack.Listener{Protocol: m.Protocol, Port: m.Port, Address: m.Address}) {
			mapped = append(mapped, m)
		}
	}
	return mapped, nil
}

// turnTo looks into another namespace from now on.
func (l *listening) turnTo(netns string, space device.Identity) (err error) {
	if netns == l.netns && (space == l.space || netns == "") && (l.sockets != nil || netns == "") {
		return nil
	}
	if l.sockets != nil {
		l.sockets.Close()
		l.sockets = nil
	}
	if l.netns, l.space = netns, space; netns != "" {
		l.sockets, err = localstack.OpenListeners(netns)
	}
	return err
}
