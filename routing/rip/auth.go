package rip

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"routerd/routing/keys"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// Reasons why a packet fails authentication.
var (
	errUnwanted = errors.New("authentication that nobody asked for")
	errUnsigned = errors.New("no authentication, or another type than configured")
	errKey      = errors.New("no such key, or not within its lifetime")
	errDigest   = errors.New("made with another secret or algorithm")
	errReplayed = errors.New("sequence number not above the last one")
	errSenders  = errors.New("sequence numbers of too many senders are remembered")
)

// seal returns the authentication for packets sent on i now, and false if
// nothing can be sent because no key is valid yet.
func (m *Machine) seal(i *iface) (wire.Seal, bool) {
	auth := &i.cfg.Auth
	if len(auth.Keys) == 0 {
		return wire.Seal{}, true
	}
	k := m.sendKey(i)
	if k == nil {
		return wire.Seal{}, false
	}
	s := wire.Seal{Algorithm: auth.of(k), KeyID: k.ID, Secret: k.Secret}
	if s.Algorithm != keys.PlainText {
		s.Sequence = m.auth.next(m.now)
	}
	return s, true
}

// sendKey returns the key to send with, nil while none is valid yet. When the
// last key has expired, it reports that once.
func (m *Machine) sendKey(i *iface) *keys.Key {
	k, ended := i.cfg.Auth.Keys.Sending(m.now)
	if ended && !i.keyExpired {
		m.event(KeyExpired, i, netip.Addr{}, fmt.Errorf("key %d expired at %s", k.ID, k.Send.Until.UTC().Format(time.RFC3339)))
	}
	i.keyExpired = ended
	return k
}

// authentic reports whether the packet in m.packet passes authentication, and
// counts and logs it if not (RFC 2453 §5.2, RFC 4822 §2.3.2).
func (m *Machine) authentic(i *iface, x protocol.Received) bool {
	if m.cfg.Protocol == RIPng {
		return true
	}
	if err := m.authenticate(i, x); err != nil {
		m.refuse(i, x.Src, &i.counters.Unauthentic, err)
		return false
	}
	return true
}

func (m *Machine) authenticate(i *iface, x protocol.Received) error {
	auth, said := &i.cfg.Auth, m.packet.Auth
	switch {
	case len(auth.Keys) == 0 && said.Type == wire.AuthNone:
		return nil
	case len(auth.Keys) == 0:
		return errUnwanted
	case said.Type == wire.AuthNone: // also version 1, as RFC 2453 §5.2 advises
		return errUnsigned
	case said.Type == wire.AuthPassword:
		for k := range auth.Keys.Accepted(m.now) {
			if auth.of(k) == keys.PlainText && wire.Verify(x.Payload, wire.Seal{Algorithm: keys.PlainText, Secret: k.Secret}) {
				return nil
			}
		}
		return errUnsigned
	}
	// RFC 4822 §3.2: only the key that the packet names is tried.
	k := auth.Keys.Accepting(said.KeyID, m.now)
	if k == nil || auth.of(k) == keys.PlainText {
		return fmt.Errorf("%w: key %d", errKey, said.KeyID)
	}
	if !wire.Verify(x.Payload, wire.Seal{Algorithm: auth.of(k), Secret: k.Secret}) {
		return fmt.Errorf("%w: key %d", errDigest, said.KeyID)
	}
	return m.auth.admit(sender{x.Src, said.KeyID}, said.Sequence, i.neighbors[x.Src], m.now)
}
