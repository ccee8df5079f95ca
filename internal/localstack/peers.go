package localstack

import (
	"errors"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
)

// peer identifies the connections that options of a listener are for.
type peer struct {
	remote netip.Prefix
	link   routing.InterfaceID // of a link-local prefix, else NoInterface
}

func peerOf(remote netip.Prefix, link routing.InterfaceID) peer {
	if !linkLocal(remote.Addr()) {
		link = routing.NoInterface
	}
	return peer{remote.Masked(), link}
}

// lowest returns the TTL below which the kernel drops all segments: the lowest
// that any peer may send with. The caller holds l.mu.
func (l *acceptor) lowest() uint8 {
	low := l.cfg.MinTTL
	for _, o := range l.peers {
		low = min(low, o.MinTTL)
	}
	return low
}

// secret sets the secret of a peer. It ignores a prefix of the other family.
func (l *acceptor) secret(fd, fam int, remote netip.Prefix, secret string) error {
	if family(remote.Addr()) != fam || secret == "" {
		return nil
	}
	return setSecret(fd, fam, remote, secret)
}

// setPeer changes the options of a peer. If the kernel refuses them the
// listener ends, since it must not accept unsigned connections.
func (l *acceptor) setPeer(e protocol.StreamPeer) {
	p := peerOf(e.Remote, e.Link)
	l.change(p, e.Secret, func() { l.peers[p] = e.StreamOptions })
	if p.link == routing.NoInterface {
		return
	}
	// Making a device takes too long to wait for.
	l.client.streams.beside(func() {
		l.mu.Lock()
		sp := l.space
		l.mu.Unlock()
		if sp == nil {
			return // put sees to it
		}
		if _, err := sp.bridge(l.client.streams.links, p.link); err != nil && !errors.Is(err, errSpaceClosed) {
			l.mu.Lock()
			l.fail(err)
			l.mu.Unlock()
		}
	})
}

func (l *acceptor) forgetPeer(e protocol.ForgetPeer) {
	p := peerOf(e.Remote, e.Link)
	l.change(p, "", func() { delete(l.peers, p) })
}

func (l *acceptor) change(p peer, secret string, note func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.peers[p].Secret
	note()
	fam := family(l.cfg.Local.Addr())
	if l.file == nil || family(p.remote.Addr()) != fam {
		return
	}
	raw, err := l.file.SyscallConn()
	if err == nil {
		failed := raw.Control(func(fd uintptr) {
			if was != secret {
				err = setSecret(int(fd), fam, p.remote, secret)
			}
			err = errors.Join(err, setLowest(int(fd), fam, l.lowest()))
		})
		err = errors.Join(err, failed)
	}
	if err != nil {
		l.fail(err)
	}
}

// fail ends the listener, unless its stack goes anyway. The caller holds l.mu.
func (l *acceptor) fail(err error) {
	if l.file != nil && !l.gone {
		l.failed = err
		l.file.Close()
	}
}

// optionsFor returns the options for a remote address on a link.
func (l *acceptor) optionsFor(a netip.Addr, link routing.InterfaceID) protocol.StreamOptions {
	l.mu.Lock()
	defer l.mu.Unlock()
	best, o := -1, l.cfg.StreamOptions
	for p, options := range l.peers {
		if p.link == link && p.remote.Contains(a) && p.remote.Bits() > best {
			best, o = p.remote.Bits(), options
		}
	}
	return o
}
