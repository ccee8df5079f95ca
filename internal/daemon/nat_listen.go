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

// listenersLook is how often the sockets of the router's own stack are listed:
// the kernel does not report new ones.
const listenersLook = time.Second

// listening is the listening sockets of the router's own stack, as address
// translation knows them: inside hosts must not get a port at which the router
// listens. One goroutine uses it.
type listening struct {
	netns   string          // the namespace whose sockets are listed; "" = none
	space   device.Identity // of netns, which may be deleted and made again
	sockets *localstack.Listeners
	told    *nat.NAT // the NAT that has list
	list    []localstack.Listener
	failed  bool // logged
}

// keepListenersPorts looks regularly until ctx ends. A mapping that has the
// port of a new listener keeps it until its sessions end, and until then the
// listener gets no packets, see nat.NAT.Listen: that is logged.
func (d *Daemon) keepListenersPorts(ctx context.Context) {
	var l listening
	defer l.watchNamespace("", device.Identity{})
	t := time.NewTicker(listenersLook)
	defer t.Stop()
	for {
		var netns string
		var space device.Identity
		var n *nat.NAT
		err := d.ask(ctx, func() {
			if p := d.ports[localstack.Name]; p != nil {
				netns = p.spec.host.Netns
				if in := p.namespaces(); len(in) > 0 {
					space = in[0]
				}
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

// look gives n the listeners in the namespace, if they have changed. It returns
// the new ones whose port is mapped.
func (l *listening) look(netns string, space device.Identity, n *nat.NAT) (mapped []nat.Listener, err error) {
	if n == nil {
		netns = "" // without translation nothing is to be watched
	}
	if err := l.watchNamespace(netns, space); err != nil {
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

// watchNamespace changes to another namespace.
func (l *listening) watchNamespace(netns string, space device.Identity) (err error) {
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
