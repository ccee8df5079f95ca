package ospf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

const (
	// saveInterval is the least time between two saves of the senders' numbers: a
	// crash, unlike a stop, may lose that much.
	saveInterval = 10 * time.Second
	// saveAhead is how far the saved value of the router's own number is ahead of
	// the one in use. Numbers are seconds.
	saveAhead = 60
	// maxSenders bounds how many senders' numbers are remembered. None is dropped
	// to make room, since that would allow replays.
	maxSenders = 4096
)

// numbers are the cryptographic sequence numbers: the router's own, and those of
// others with AuthExtended, which outlive neighbours and, once saved, the router.
// With AuthCryptographic they are the neighbour's (RFC 2328 §D.5.3 (2)).
type numbers struct {
	// sequence is for AuthCryptographic. It is seconds, so that it is higher after
	// a restart: equal ones are accepted (RFC 2328 §D.3: it never decreases).
	sequence uint32
	moved    time.Time
	bound    uint32 // the saved one, never below sequence
	// boot and count are the halves of those for AuthExtended (RFC 7474 §2).
	boot, count uint32
	used        bool // boot is saved
	senders     map[sender]*lastNumbers
	dirty       bool
	saved       time.Time
}

// sender tells sequences apart: packets of two links may overtake each other.
type sender struct {
	link   string
	router wire.ID
}

// lastNumbers are those of the packets accepted last, by type (RFC 7474 §2).
type lastNumbers [wire.TypeAcknowledgement + 1]uint64

// savedNumbers is the form in which numbers are saved.
type savedNumbers struct {
	Sequence uint32        `json:"sequence"`
	Boot     uint32        `json:"boot"`
	Senders  []savedSender `json:"senders,omitempty"`
}

type savedSender struct {
	Link   string     `json:"link"`
	Router netip.Addr `json:"router"`
	Last   uint64     `json:"last"`
}

// load reads what was saved. If it cannot be read it is lost: the clock still gives
// high enough numbers, and the senders' begin anew.
func (s *numbers) load(data []byte, now time.Time) error {
	*s = numbers{senders: map[sender]*lastNumbers{}}
	// Without a count of starts the clock is one that grows.
	s.boot = uint32(min(max(now.Unix(), 0), math.MaxUint32))
	if len(data) == 0 {
		return nil
	}
	var state savedNumbers
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("reading the saved sequence numbers: %w", err)
	}
	s.sequence, s.bound, s.boot = state.Sequence, state.Sequence, addNumber(state.Boot, 1)
	for _, x := range state.Senders {
		if len(s.senders) < maxSenders && x.Router.Is4() {
			last := &lastNumbers{}
			for t := range last {
				last[t] = x.Last
			}
			s.senders[sender{x.Link, wire.IDOf(x.Router)}] = last
		}
	}
	return nil
}

// addNumber adds without overflowing.
func addNumber(a, b uint32) uint32 { return a + min(b, math.MaxUint32-a) }

// number gives the sequence number for a packet that is sealed by s.
func (m *Machine) number(s *wire.Sealer) uint64 {
	n := &m.numbers
	switch {
	case s == nil || s.Type == wire.AuthSimple:
		return 0
	case s.Type == wire.AuthExtended:
		if n.count++; n.count == 0 { // RFC 7474 §2: it has wrapped
			n.boot, n.used = addNumber(n.boot, 1), false
		}
		if !n.used {
			n.used = true
			m.save(true)
		}
		return uint64(n.boot)<<32 | uint64(n.count)
	}
	if n.moved.IsZero() || m.now.Sub(n.moved) >= time.Second {
		clock := uint32(min(max(m.now.Unix(), 0), math.MaxUint32))
		n.sequence, n.moved = max(addNumber(n.sequence, 1), clock), m.now
		if n.sequence > n.bound {
			n.bound = addNumber(n.sequence, saveAhead)
			m.save(true)
		}
	}
	return uint64(n.sequence)
}

// admit refuses an authentic packet that may be a replay, and remembers the number
// of one that is not.
func (s *numbers) admit(l *link, p *wire.Packet) wire.Refusal {
	if p.Auth.Type == wire.AuthCryptographic {
		for _, n := range l.neighbors {
			if n.router == p.Router && n.state >= NeighborInit {
				if r := p.Auth.Replayed(n.number); !r.OK() {
					return r
				}
				n.number = p.Auth.Sequence
			}
		}
		return wire.Refusal{}
	}
	k := sender{l.name, p.Router}
	last := s.senders[k]
	if last == nil {
		if len(s.senders) >= maxSenders {
			return wire.Refusal{Reason: wire.NeighborsFull, Theirs: uint64(len(s.senders) + 1), Ours: maxSenders}
		}
		last = &lastNumbers{}
		s.senders[k] = last
	} else if r := p.Auth.Replayed(last[p.Type]); !r.OK() {
		return r
	}
	last[p.Type] = p.Auth.Sequence
	s.dirty = true
	return wire.Refusal{}
}

// forget drops the numbers of links that have no keys any more.
func (s *numbers) forget(cfg *Config) {
	for k := range s.senders {
		if i, configured := cfg.Interfaces[k.link]; configured && i.Auth.Type != wire.AuthExtended {
			delete(s.senders, k)
		}
	}
}

// saveSoon has the numbers of others saved when that is due.
func (m *Machine) saveSoon() {
	if m.numbers.dirty && !m.saving.IsSet() {
		m.due.Set(&m.saving, m.numbers.saved.Add(saveInterval))
	}
}

// save saves the numbers, at once if urgent: the router's own must not be used
// before that.
func (m *Machine) save(urgent bool) {
	n := &m.numbers
	if !n.dirty && !urgent {
		return
	}
	n.dirty, n.saved = false, m.now
	state := savedNumbers{Sequence: n.bound, Boot: n.boot}
	for k, last := range n.senders {
		state.Senders = append(state.Senders, savedSender{k.link, k.router.Addr(), slices.Max(last[:])})
	}
	slices.SortFunc(state.Senders, func(a, b savedSender) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Router.Compare(b.Router))
	})
	data, err := json.Marshal(state)
	if err != nil { // cannot happen with numbers, names and addresses
		panic(fmt.Sprintf("saving sequence numbers: %v", err))
	}
	m.emit(protocol.Save{Data: data})
}
