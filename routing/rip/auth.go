package rip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// Why a packet does not pass.
var (
	errUnwanted = errors.New("authentication that nobody asked for")
	errUnsigned = errors.New("no authentication, or another type than configured")
	errKey      = errors.New("no such key, or not within its lifetime")
	errDigest   = errors.New("made with another secret or algorithm")
	errReplayed = errors.New("sequence number not above the last one")
	errSenders  = errors.New("sequence numbers of too many senders are remembered")
)

// seal is what packets on i are sealed with now; false where nothing can be
// sent since the first key is not valid yet.
func (m *Machine) seal(i *iface) (wire.Seal, bool) {
	auth := &i.cfg.Auth
	if len(auth.Keys) == 0 {
		return wire.Seal{}, true
	}
	k := m.sendKey(i)
	if k == nil {
		return wire.Seal{}, false
	}
	s := wire.Seal{Algorithm: auth.of(*k), KeyID: k.ID, Secret: k.Secret}
	if s.Algorithm != PlainText {
		s.Sequence = m.auth.next(m.now)
	}
	return s, true
}

// sendKey is the key to send with: of those valid the one that became so
// last, so that a new key comes into use when it is valid.
func (m *Machine) sendKey(i *iface) *Key {
	var best *Key
	keys := i.cfg.Auth.Keys
	for at := range keys {
		if k := &keys[at]; k.Send.Contains(m.now) && (best == nil || k.Send.From.After(best.Send.From)) {
			best = k
		}
	}
	if best != nil {
		i.keyExpired = false
		return best
	}
	// RFC 4822 §5.1: when the last key expires it is used until there is
	// another one, and somebody is told.
	for at := range keys {
		if k := &keys[at]; k.Send.ended(m.now) && (best == nil || k.Send.Until.After(best.Send.Until)) {
			best = k
		}
	}
	if best != nil && !i.keyExpired {
		i.keyExpired = true
		m.event(KeyExpired, i, netip.Addr{}, fmt.Errorf("key %d expired at %s", best.ID, best.Send.Until.UTC().Format(time.RFC3339)))
	}
	return best
}

// accepts reports whether a key is accepted now: within its lifetime, or as
// the last one that expired when none is.
func (m *Machine) accepts(auth *Auth, k *Key) bool {
	if k.Accept.Contains(m.now) {
		return true
	}
	if !k.Accept.ended(m.now) {
		return false
	}
	return !slices.ContainsFunc(auth.Keys, func(o Key) bool {
		return o.Accept.Contains(m.now) || o.Accept.ended(m.now) && o.Accept.Until.After(k.Accept.Until)
	})
}

// authentic reports whether the packet in m.packet may be used, and says so if
// not (RFC 2453 §5.2, RFC 4822 §2.3.2).
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
	case said.Type == wire.AuthNone: // version 1 with it, as RFC 2453 §5.2 advises
		return errUnsigned
	case said.Type == wire.AuthPassword:
		for at := range auth.Keys {
			k := &auth.Keys[at]
			if auth.of(*k) == PlainText && m.accepts(auth, k) && wire.Verify(x.Payload, wire.Seal{Algorithm: PlainText, Secret: k.Secret}) {
				return nil
			}
		}
		return errUnsigned
	}
	// RFC 4822 §3.2: the key that is named, and no other, is tried.
	at := slices.IndexFunc(auth.Keys, func(k Key) bool { return k.ID == said.KeyID })
	if at < 0 || !m.accepts(auth, &auth.Keys[at]) || auth.of(auth.Keys[at]) == PlainText {
		return fmt.Errorf("%w: key %d", errKey, said.KeyID)
	}
	k := &auth.Keys[at]
	if !wire.Verify(x.Payload, wire.Seal{Algorithm: auth.of(*k), Secret: k.Secret}) {
		return fmt.Errorf("%w: key %d", errDigest, said.KeyID)
	}
	return m.auth.admit(sender{x.Src, said.KeyID}, said.Sequence, i.neighbors[x.Src], m.now)
}
