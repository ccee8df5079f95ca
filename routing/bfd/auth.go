package bfd

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// Why a packet does not pass.
var (
	errUnwanted = errors.New("authentication that is not configured here")
	errUnsigned = errors.New("no authentication, which is configured here")
	errKey      = errors.New("no such key, or not within its lifetime")
	errDigest   = errors.New("made with another secret")
)

// seal is what a packet is sealed with now; false where nothing can be sent
// since the first key is not valid yet. News: it says something else than the
// one before.
func (m *Machine) seal(s *session, news bool) (wire.Seal, bool) {
	auth := &s.profile.Auth
	if auth.Type == wire.AuthNone {
		return wire.Seal{}, true
	}
	k, ended := auth.Keys.Sending(m.now)
	if k == nil {
		return wire.Seal{}, false
	}
	if ended && !s.keyExpired {
		m.event(slog.LevelWarn, "last key expired", s, fmt.Errorf("key %d expired at %s", k.ID, k.Send.Until.UTC().Format(time.RFC3339)))
	}
	s.keyExpired = ended
	if auth.Type.Meticulous() || news { // RFC 5880 §6.7.3, §6.7.4
		s.sequence++
	}
	return wire.Seal{Type: auth.Type, KeyID: k.ID, Sequence: s.sequence, Secret: k.Secret}, true
}

// authenticate says why a packet does not pass (RFC 5880 §6.7). The sequence
// number is taken over from a packet that passes, and from no other.
func (m *Machine) authenticate(s *session, x protocol.Received, p *wire.Packet) (Reason, error) {
	auth, said := &s.profile.Auth, &p.Auth
	switch {
	case auth.Type == wire.AuthNone && said.Type == wire.AuthNone:
		return 0, nil
	case auth.Type == wire.AuthNone:
		return Unauthentic, errUnwanted
	case said.Type == wire.AuthNone:
		return Unauthentic, errUnsigned
	case said.Type != auth.Type:
		return Unauthentic, fmt.Errorf("authentication %v, want %v", said.Type, auth.Type)
	}
	var k *keys.Key
	if k = auth.Keys.Accepting(said.KeyID, m.now); k == nil {
		return Unauthentic, fmt.Errorf("%w: key %d", errKey, said.KeyID)
	}
	if !auth.Type.Sequenced() {
		if !wire.Verify(x.Payload, wire.Seal{Type: auth.Type, Secret: k.Secret}) {
			return Unauthentic, errDigest
		}
		return 0, nil
	}
	if err := m.replayed(s, p); err != nil {
		return Replayed, err
	}
	if !wire.Verify(x.Payload, wire.Seal{Type: auth.Type, Secret: k.Secret}) {
		return Unauthentic, fmt.Errorf("%w: key %d", errDigest, said.KeyID)
	}
	s.received, s.receivedKnown = said.Sequence, true
	return 0, nil
}

// replayed says why the sequence number of a packet is none of the next ones. A
// neighbour that was silent for twice the detection time may begin anew (RFC
// 5880 §6.8.1).
func (m *Machine) replayed(s *session, p *wire.Packet) error {
	if !s.receivedKnown || m.now.Sub(s.lastHeard) >= 2*s.detection() {
		return nil
	}
	ahead, most := p.Auth.Sequence-s.received, 3*uint32(p.DetectMult) // in circular number space
	if least := s.profile.Auth.Type.Meticulous(); ahead > most || least && ahead == 0 {
		return fmt.Errorf("sequence number %d, the last one was %d", p.Auth.Sequence, s.received)
	}
	return nil
}
