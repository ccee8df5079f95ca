package rip

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

const (
	// saveInterval is the least time between two saves of the senders' numbers:
	// a crash, unlike a stop, may lose that much.
	saveInterval = 10 * time.Second
	// saveAhead is how far the saved value of the router's own number is ahead
	// of the one in use. Numbers are seconds.
	saveAhead = 60
	// maxSenders bounds how many senders' numbers are remembered. None is
	// dropped to make room, since that would allow replays.
	maxSenders = 4096
	// sameNumber is how long after a packet another one with the same number is
	// accepted from a neighbour that has been forgotten meanwhile: numbers are
	// often seconds, and it may have sent twice in one second, with a carrier
	// loss or a restart of this router in between.
	sameNumber = 2 * time.Second
)

// authState is what authentication remembers from packet to packet. It outlives
// neighbours and, once saved, the router (RFC 4822 §2.3.2).
type authState struct {
	sequence uint32    // the last one used
	moved    time.Time // when it was used, zero for not since the start
	bound    uint32    // the saved value, never below sequence
	senders  map[sender]*lastNumber
	dirty    bool // numbers of senders have changed since the last save
	saved    time.Time
	lost     error // why the saved state could not be read, until it is reported
}

// sender identifies a sequence of numbers: an address and a key, each key
// having its own numbers. The interface is not part of it, so that renaming one
// allows no replays.
type sender struct {
	addr netip.Addr
	key  uint8
}

// lastNumber is the last number of a sender.
type lastNumber struct {
	last uint32
	at   time.Time
	// zero: it has started at zero once. A second zero may be a replay of the
	// first.
	zero bool
}

// savedState is the format of the saved sequence numbers.
type savedState struct {
	Sequence  uint32          `json:"sequence"`
	At        time.Time       `json:"at"`
	Neighbors []savedNeighbor `json:"neighbors,omitempty"`
}

type savedNeighbor struct {
	Address  netip.Addr `json:"address"`
	Key      uint8      `json:"key"`
	Sequence uint32     `json:"sequence"`
	Heard    time.Time  `json:"heard,omitzero"`
	Zero     bool       `json:"zero,omitempty"`
}

// load reads the saved state. If it cannot be read it is lost: the clock still
// gives high enough own numbers, and the senders' numbers start anew.
func (a *authState) load(data []byte) {
	a.senders = map[sender]*lastNumber{}
	if len(data) == 0 {
		return
	}
	var state savedState
	if err := json.Unmarshal(data, &state); err != nil {
		a.lost = fmt.Errorf("reading the saved sequence numbers: %w", err)
		return
	}
	a.sequence, a.bound = state.Sequence, state.Sequence
	for _, n := range state.Neighbors {
		k := sender{n.Address, n.Key}
		switch h := a.senders[k]; {
		case h != nil: // a file of an earlier version has one for each interface
			h.last, h.zero = max(h.last, n.Sequence), h.zero || n.Zero
		case len(a.senders) < maxSenders:
			a.senders[k] = &lastNumber{n.Sequence, n.Heard, n.Zero || n.Sequence == 0}
		}
	}
}

// next returns the number for a packet sent now. It never decreases (RFC 4822
// §2.2) and grows every second. After a restart the clock gives a higher
// number, or, if the clock is wrong, the saved number does.
func (a *authState) next(now time.Time) uint32 {
	if !a.moved.IsZero() && now.Sub(a.moved) < time.Second {
		return a.sequence
	}
	clock := uint32(min(max(now.Unix(), 0), math.MaxUint32))
	a.sequence, a.moved = max(addNumber(a.sequence, 1), clock), now
	return a.sequence
}

// addNumber adds without overflowing.
func addNumber(a, b uint32) uint32 { return a + min(b, math.MaxUint32-a) }

// admit returns an error for an authentic packet whose number shows that it may
// be a replay. n is the sender as a neighbour, nil if it is not known or was
// forgotten.
func (a *authState) admit(from sender, number uint32, n *neighbor, now time.Time) error {
	h := a.senders[from]
	if h == nil {
		if len(a.senders) >= maxSenders {
			return fmt.Errorf("%w: %d", errSenders, maxSenders)
		}
		return nil
	}
	since := now.Sub(h.at)
	switch {
	case number > h.last:
		return nil
	case number == h.last && (n != nil || since >= 0 && since <= sameNumber):
		// RFC 4822 §2.3.2 (6): not lower while there is connectivity, and
		// higher after it was lost.
		return nil
	case number == 0 && !h.zero && (n == nil || n.paths == 0):
		// RFC 4822 §2.3.2 (6): zero may follow where connectivity was lost.
		return nil
	}
	return fmt.Errorf("%w: %d after %d with key %d", errReplayed, number, h.last, from.key)
}

// note remembers the number of an accepted packet.
func (a *authState) note(from sender, number uint32, now time.Time) {
	h := a.senders[from]
	if h == nil {
		h = &lastNumber{}
		a.senders[from] = h
	}
	h.last, h.at, h.zero = number, now, h.zero || number == 0
	a.dirty = true
}

// makeRoom drops the numbers of keys that are no longer configured once there
// is no room left: without the key no packet with it is accepted anyway.
func (a *authState) makeRoom(interfaces map[string]InterfaceConfig) {
	if len(a.senders) < maxSenders {
		return
	}
	var keys [256]bool
	for _, i := range interfaces {
		for _, k := range i.Auth.Keys {
			keys[k.ID] = true
		}
	}
	for s := range a.senders {
		if !keys[s.key] {
			delete(a.senders, s)
			a.dirty = true
		}
	}
}

// saveDue returns when the numbers must be saved, the zero Time if there is
// nothing to save.
func (a *authState) saveDue() time.Time {
	if !a.dirty {
		return time.Time{}
	}
	return a.saved.Add(saveInterval)
}

// save saves the sequence numbers if any has changed and the last save is long
// enough ago, or the router stops. The saved own number is ahead of the one in
// use.
func (m *Machine) save() {
	a := &m.auth
	if a.lost != nil {
		m.emit(StateLost.on(routing.NoInterface, netip.Addr{}, a.lost))
		a.lost = nil
	}
	due := a.dirty && (m.stopping || !m.now.Before(a.saveDue()))
	if a.sequence <= a.bound && !due {
		return
	}
	if a.sequence > a.bound {
		a.bound = addNumber(a.sequence, saveAhead)
	}
	a.dirty, a.saved = false, m.now
	state := savedState{Sequence: a.bound, At: m.now.UTC()}
	for s, h := range a.senders {
		state.Neighbors = append(state.Neighbors, savedNeighbor{s.addr, s.key, h.last, h.at.UTC(), h.zero})
	}
	slices.SortFunc(state.Neighbors, func(a, b savedNeighbor) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Key, b.Key))
	})
	data, err := json.Marshal(state)
	if err != nil { // cannot happen with numbers, times and addresses
		panic(fmt.Sprintf("saving sequence numbers: %v", err))
	}
	m.emit(protocol.Save{Data: data})
}
