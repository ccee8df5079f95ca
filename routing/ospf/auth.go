package ospf

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing/keys"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// seals are what a link's keys seal packets with, by the numbers of the keys.
type seals struct {
	sealers map[uint8]*wire.Sealer
	size    int  // octets that the longest of them adds to a packet
	expired bool // the expiry of the last key was reported
}

// equip makes the seals of a link's keys, if they are others than before.
func (m *Machine) equip(l *link, was *Auth) {
	a := &l.cfg.Auth
	if l.seals.sealers != nil && was.Type == a.Type && was.Algorithm == a.Algorithm && was.Keys.Same(a.Keys) {
		return
	}
	l.seals = seals{sealers: map[uint8]*wire.Sealer{}}
	if a.Type == wire.AuthNone {
		return
	}
	for i := range a.Keys {
		k := &a.Keys[i]
		s, err := a.sealer(k)
		if err != nil {
			continue // Check lets none of these pass
		}
		l.seals.sealers[k.ID] = s
		l.seals.size = max(l.seals.size, s.Size())
	}
}

// authSize is how many octets of each packet are authentication.
func (l *link) authSize() int { return l.seals.size }

// seal gives what packets of a link are sealed with now, and false if nothing can
// be sent because no key is valid yet. That the last key has expired is reported
// once (RFC 2328 §D.3).
func (m *Machine) seal(l *link) (*wire.Sealer, bool) {
	if l.cfg.Auth.Type == wire.AuthNone {
		return nil, true
	}
	k, ended := l.cfg.Auth.Keys.Sending(m.now)
	if ended && !l.seals.expired {
		m.event(KeyExpired, l, netip.Addr{}, fmt.Errorf("key %d expired at %s", k.ID, k.Send.Until.UTC().Format(time.RFC3339)))
	}
	l.seals.expired = ended
	if k == nil {
		return nil, false
	}
	s := l.seals.sealers[k.ID]
	return s, s != nil
}

// authentic says whether the packet in m.packet is what its sender said, and was
// not said before (RFC 2328 §D.5; RFC 7474 §2).
func (m *Machine) authentic(l *link, x protocol.Received) wire.Refusal {
	p, source := &m.packet, wire.IDOf(x.Src)
	auth := &l.cfg.Auth
	if p.Auth.Type != auth.Type {
		return wire.Refusal{Reason: wire.AuthDiffers, Theirs: uint64(p.Auth.Type), Ours: uint64(auth.Type)}
	}
	switch auth.Type {
	case wire.AuthNone:
		return wire.Refusal{}
	case wire.AuthSimple:
		r := wire.Refusal{Reason: wire.NoKey}
		for k := range auth.Keys.Accepted(m.now) {
			if r = l.seals.sealers[k.ID].Verify(x.Payload, p, source); r.OK() {
				break
			}
		}
		return r
	}
	var k *keys.Key
	if p.Auth.KeyID <= 0xff {
		k = auth.Keys.Accepting(uint8(p.Auth.KeyID), m.now)
	}
	if k == nil {
		ours, _ := auth.Keys.Sending(m.now)
		if ours == nil {
			return wire.Refusal{Reason: wire.NoKey}
		}
		return wire.Refusal{Reason: wire.KeyID, Theirs: uint64(p.Auth.KeyID), Ours: uint64(ours.ID)}
	}
	if r := l.seals.sealers[k.ID].Verify(x.Payload, p, source); !r.OK() {
		return r
	}
	return m.numbers.admit(l, p)
}
