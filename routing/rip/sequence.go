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
	// saveInterval is how often the numbers of others are kept at the most:
	// what a crash, unlike a stop, may lose.
	saveInterval = 10 * time.Second
	// saveAhead is how far the router's own number is kept ahead of what was
	// used, in seconds, which is what the numbers are.
	saveAhead = 60
	// maxSenders bounds how many senders' numbers are remembered. They are
	// never forgotten to make room: what follows would be replays.
	maxSenders = 4096
	// sameNumber is how long after a packet another one with its number is
	// taken from a neighbour that is not known any more: numbers are often
	// seconds, and in one of these it may have spoken twice, with a carrier
	// lost or this router started again in between.
	sameNumber = 2 * time.Second
)

// authState is what authentication has to remember beyond one packet, and
// beyond the life of a neighbour and of the router (RFC 4822 §2.3.2).
type authState struct {
	sequence uint32    // the last one used
	moved    time.Time // when it was, zero for not in this life
	bound    uint32    // the one that was saved, which is not below it
	senders  map[sender]*heardNumber
	dirty    bool // senders went on
	saved    time.Time
	lost     error // what was saved and cannot be read, until it was told
}

// sender is who numbers its packets: each key has numbers of its own. The
// interface is not part of it, so a new name of one lets no replay in.
type sender struct {
	addr netip.Addr
	key  uint8
}

// heardNumber is what was last heard of a sender.
type heardNumber struct {
	last uint32
	at   time.Time
	// zero: it has begun at zero once. A second zero may be the first again.
	zero bool
}

// savedState is the form in which sequence numbers survive a restart.
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

// load takes in what was saved. What cannot be read is lost: the clock then
// gives numbers that are high enough, and those of others begin anew.
func (a *authState) load(data []byte) {
	a.senders = map[sender]*heardNumber{}
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
		case h != nil: // a file of an earlier routerd has one for each interface
			h.last, h.zero = max(h.last, n.Sequence), h.zero || n.Zero
		case len(a.senders) < maxSenders:
			a.senders[k] = &heardNumber{n.Sequence, n.Heard, n.Zero || n.Sequence == 0}
		}
	}
}

// next is the number for what is sent now. It never decreases (RFC 4822 §2.2),
// and a second later it is a higher one. Seconds outlive any restart whose
// clock is right, and what was saved outlives the others.
func (a *authState) next(now time.Time) uint32 {
	if !a.moved.IsZero() && now.Sub(a.moved) < time.Second {
		return a.sequence
	}
	clock := uint32(min(max(now.Unix(), 0), math.MaxUint32))
	a.sequence, a.moved = max(addNumber(a.sequence, 1), clock), now
	return a.sequence
}

// addNumber adds without beginning again at zero.
func addNumber(a, b uint32) uint32 { return a + min(b, math.MaxUint32-a) }

// admit says why a packet that is authentic is not used: its number shows
// that it may have been sent before. n is the neighbour that the sender is,
// nil where it is not known or was forgotten.
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
		// RFC 4822 §2.3.2 (6): not less while there is connectivity, and
		// higher after it was lost.
		return nil
	case number == 0 && !h.zero && (n == nil || n.paths == 0):
		// RFC 4822 §2.3.2 (6): zero may follow where connectivity was lost.
		return nil
	}
	return fmt.Errorf("%w: %d after %d with key %d", errReplayed, number, h.last, from.key)
}

// note remembers the number of a packet that was used.
func (a *authState) note(from sender, number uint32, now time.Time) {
	h := a.senders[from]
	if h == nil {
		h = &heardNumber{}
		a.senders[from] = h
	}
	h.last, h.at, h.zero = number, now, h.zero || number == 0
	a.dirty = true
}

// makeRoom forgets senders by keys that are not configured any more, where
// there is no room left: without the key nothing of theirs is used anyway.
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

// saveDue is when the numbers have to be saved at the latest, the zero Time
// where nothing has to be.
func (a *authState) saveDue() time.Time {
	if !a.dirty {
		return time.Time{}
	}
	return a.saved.Add(saveInterval)
}

// save keeps the sequence numbers, if any moved on and the last time is long
// enough ago, or the router stops; its own is kept ahead of what is used.
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
	if err != nil { // of numbers, times and addresses: cannot be
		panic(fmt.Sprintf("saving sequence numbers: %v", err))
	}
	m.emit(protocol.Save{Data: data})
}
