package rip

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/rip/wire"
)

// saveInterval is how often sequence numbers are kept at the most, and how far
// the router's own is kept ahead of what was used.
const saveInterval = time.Minute

// Why a packet does not pass.
var (
	errUnwanted = errors.New("authentication that nobody asked for")
	errUnsigned = errors.New("no authentication, or another type than configured")
	errKey      = errors.New("no such key, or not within its lifetime")
	errDigest   = errors.New("made with another secret or algorithm")
	errReplayed = errors.New("sequence number lower than the last one")
)

// authState is what authentication has to remember beyond one packet.
type authState struct {
	sequence uint32 // the last one used
	bound    uint32 // the one that was saved, which is not below it
	dirty    bool   // neighbours' sequence numbers went on
	saved    time.Time
	loaded   savedState
}

// savedState is the form in which sequence numbers survive a restart.
type savedState struct {
	Sequence  uint32          `json:"sequence"`
	At        time.Time       `json:"at"`
	Neighbors []savedNeighbor `json:"neighbors,omitempty"`
}

type savedNeighbor struct {
	Interface string     `json:"interface"`
	Address   netip.Addr `json:"address"`
	Key       uint8      `json:"key"`
	Sequence  uint32     `json:"sequence"`
}

// sequence is the last sequence number of a neighbour's key.
type sequence struct {
	key  uint8
	last uint32
}

// load takes in what was saved. What cannot be read counts as lost: the clock
// then gives sequence numbers that are high enough.
func (a *authState) load(data []byte) {
	if json.Unmarshal(data, &a.loaded) == nil {
		a.sequence = a.loaded.Sequence
	}
}

// recall gives what was saved of a neighbour, unless that is too long ago for
// it to have been the same neighbour ever since.
func (a *authState) recall(name string, addr netip.Addr, now time.Time) []sequence {
	if now.Sub(a.loaded.At) > 24*time.Hour {
		return nil
	}
	var list []sequence
	for _, s := range a.loaded.Neighbors {
		if s.Interface == name && s.Address == addr {
			list = append(list, sequence{s.Key, s.Sequence})
		}
	}
	return list
}

// save keeps the sequence numbers, if any moved on and the last time is long
// enough ago; the router's own is kept ahead of what is used.
func (m *Machine) save() {
	a := &m.auth
	if a.sequence <= a.bound && (!a.dirty || m.now.Sub(a.saved) < saveInterval) {
		return
	}
	a.bound = a.sequence + uint32(saveInterval/time.Second)
	a.dirty, a.saved = false, m.now
	state := savedState{Sequence: a.bound, At: m.now.UTC()}
	for _, i := range m.order {
		for _, n := range i.sortedNeighbors() {
			for _, s := range n.sequences {
				state.Neighbors = append(state.Neighbors, savedNeighbor{i.name, n.addr, s.key, s.last})
			}
		}
	}
	data, err := json.Marshal(state)
	if err != nil { // of numbers, names and addresses: cannot be
		panic(fmt.Sprintf("saving sequence numbers: %v", err))
	}
	m.emit(Save{data})
}

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
		// RFC 4822 §2.2: the number may stay the same, but never decreases.
		// Seconds outlive any restart whose clock is right, and what was
		// saved outlives the others.
		m.auth.sequence = max(m.auth.sequence, uint32(m.now.Unix()))
		s.Sequence = m.auth.sequence
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
func (m *Machine) authentic(i *iface, x Received) bool {
	if m.cfg.Protocol == RIPng {
		return true
	}
	if err := m.authenticate(i, x); err != nil {
		m.refuse(i, x.Src, &i.counters.Unauthentic, err)
		return false
	}
	return true
}

func (m *Machine) authenticate(i *iface, x Received) error {
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
	if last, known := m.lastSequence(i, x.Src, said.KeyID); known && said.Sequence < last.last {
		// RFC 4822 §2.3.2 (6): zero may follow where connectivity was lost.
		if n := i.neighbors[x.Src]; said.Sequence != 0 || n != nil && n.paths > 0 {
			return fmt.Errorf("%w: %d after %d with key %d", errReplayed, said.Sequence, last.last, said.KeyID)
		}
	}
	return nil
}

// lastSequence is the last number of a neighbour's key, also of one that was
// not heard of since a restart.
func (m *Machine) lastSequence(i *iface, from netip.Addr, key uint8) (sequence, bool) {
	list := m.auth.loaded.Neighbors
	if n := i.neighbors[from]; n != nil {
		for _, s := range n.sequences {
			if s.key == key {
				return s, true
			}
		}
		return sequence{}, false
	}
	if len(list) > 0 {
		for _, s := range m.auth.recall(i.name, from, m.now) {
			if s.key == key {
				return s, true
			}
		}
	}
	return sequence{}, false
}

// sequence notes the number of a packet that was authentic.
func (n *neighbor) sequence(a wire.Auth) {
	for at := range n.sequences {
		if n.sequences[at].key == a.KeyID {
			n.sequences[at].last = a.Sequence
			return
		}
	}
	n.sequences = append(n.sequences, sequence{a.KeyID, a.Sequence})
}
