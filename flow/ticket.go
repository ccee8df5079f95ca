package flow

// Phase is how far a session is, for those who count sessions.
type Phase uint8

const (
	Opening Phase = iota // of TCP: not open yet
	Open                 // of TCP: until both sides have closed it; of other protocols: always
	Closed               // of TCP: both sides have closed it, or one has reset it
	Ended                // there is no session any more
)

// phase is the phase of a session in the state.
func (s State) phase() Phase {
	switch s {
	case SynForward, SynReply, SynBoth, AckForward, AckReply:
		return Opening
	case TimeWait, Reset:
		return Closed
	}
	return Open
}

// Limiter counts sessions in order to limit them. Turned tells that one that
// counts for host has come from one phase to another. It is called with the
// table's mutex held, must not call the table, and may be called by several
// goroutines at once.
type Limiter interface {
	Turned(host uint64, from, to Phase)
}

// Ticket is what a session counts for. The zero Ticket is none.
type Ticket struct {
	Limiter Limiter
	Host    uint64 // as the limiter numbers hosts
}

// Holding is all that a session counts for. Who makes it has told the limiters
// of the Phase.
type Holding struct {
	Tickets [3]Ticket
	Phase   Phase
	// Brief has the session end OpeningLife after the last packet while it is
	// Opening, whatever Timeouts.TCPOpening says.
	Brief bool
}

// OpeningLife is how long a session that is limited in its opening lives without
// packets: some seconds more than the third SYN of a host that gets no answer
// lets wait for itself (RFC 6298 §2, §5.5).
const OpeningLife = 10_000 // milliseconds

// Turn tells the limiters that the session has come to a phase.
func (h *Holding) Turn(to Phase) {
	if h.Phase == to {
		return
	}
	for _, t := range h.Tickets {
		if t.Limiter != nil {
			t.Limiter.Turned(t.Host, h.Phase, to)
		}
	}
	h.Phase = to
}

// Hold has a session, which was just made, count for what h says until it ends.
// If it has ended already, the limiters are told so.
func (t *Table) Hold(session uint32, h *Holding, now Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if session == NoSession || session >= t.used || t.record(session)[wordHead]>>32&1 == 0 {
		h.Turn(Ended)
		return
	}
	t.held[session] = *h
	t.limited.Store(true)
	t.turned(session)
	if h.Brief {
		t.unfile(session)
		t.file(session, t.due(session, now))
	}
}

// turned tells the limiters of a session in which phase it is. The caller holds
// the mutex.
func (t *Table) turned(number uint32) {
	h, ok := t.held[number]
	if !ok {
		return
	}
	if to := t.record(number).condition().state().phase(); to != h.Phase {
		h.Turn(to)
		t.held[number] = h
	}
}

// turn is turned for a packet's session, which has come to another phase.
func (t *Table) turn(number uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.record(number)[wordHead]>>32&1 != 0 {
		t.turned(number)
	}
}

// lose ends what a session counts for. The caller holds the mutex.
func (t *Table) lose(number uint32) {
	if len(t.held) == 0 {
		return
	}
	if h, ok := t.held[number]; ok {
		h.Turn(Ended)
		delete(t.held, number)
	}
}

// lifetime is how long a session may be idle, in milliseconds. The caller holds
// the mutex.
func (t *Table) lifetime(number uint32) uint32 {
	r := t.record(number)
	state := r.condition().state()
	life := t.life.of(r.proto(), state)
	if len(t.held) > 0 && state.phase() == Opening && t.held[number].Brief {
		return min(life, OpeningLife)
	}
	return life
}
