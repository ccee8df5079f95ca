package arp

// event is an event of a neighbour, the second column of RFC 4861 Appendix C.
// ARP packets are mapped to the same events, see learn_arp.go.
type event uint8

const (
	packetToSend  event = iota
	unanswered          // retransmit timeout, fewer than N solicitations sent
	exhausted           // retransmit timeout, N solicitations sent
	reachableOver       // reachable time since the last confirmation is over
	delayOver           // delay before the first probe is over
	idle                // stale and unused for the configured timeout
	retry               // failed, and time to ask again

	// Neighbour advertisements: solicited or not (S), to override or not (O),
	// with the cached link-layer address, with another one (any, if none is
	// cached), or without one.
	unsolicitedSame         // S=0 O=0
	unsolicitedOther        // S=0 O=0
	unsolicitedOverrideSame // S=0 O=1
	unsolicitedOverride     // S=0 O=1, another
	unsolicitedNone         // S=0
	solicitedSame           // S=1 O=0
	solicitedOther          // S=1 O=0
	solicitedOverride       // S=1 O=1, the same or another
	solicitedNone           // S=1

	// The neighbour itself sends a solicitation or router advertisement with
	// its link-layer address.
	heardSame
	heardOther
	numEvents
)

// action is the set of a transition's actions, in the order of the bits.
type action uint16

const (
	record    action = 1 << iota // the link-layer address
	mark                         // the router flag that the message carries
	confirm                      // the address is as fresh as if just learned
	multicast                    // solicit all
	unicast                      // solicit the neighbour itself
	release                      // send the packets held
	lose                         // report that the neighbour is lost
	fail                         // tell the senders of the packets held
	discard                      // forget the neighbour
	giveUp                       // forget it, unless it is the next hop of routes
)

// unchanged as the new state of a row keeps state and timer.
const unchanged = numStates

type states uint8

type events uint32

func in(s ...State) (set states) {
	for _, x := range s {
		set |= 1 << x
	}
	return set
}

func on(e ...event) (set events) {
	for _, x := range e {
		set |= 1 << x
	}
	return set
}

// row is one line of the state machine.
type row struct {
	name string
	in   states
	on   events
	do   action
	to   State
}

// known is every state in which the link-layer address is cached and may
// change: RFC 4861's !INCOMPLETE.
var known = in(Reachable, Stale, Delay, Probe)

// machineRows is the state machine of RFC 4861 Appendix C, in its order. If the
// appendix and §7.2.5 differ, §7.2.5 applies. A static neighbour has no row: it
// never changes.
//
//	                    NA or RS/NS/RA with MAC,
//	                    S=0 or its own message
//	        packet     .----------------------------.
//	absent ------> INCOMPLETE ---- NA, S=1 ----.    |
//	  ^   3 tries      |                       v    v   timeout, unused
//	  |<---------------'                  REACHABLE --> STALE ----------> absent
//	  |                                     ^  30 s       |  packet
//	  |   3 tries              NA, S=1      |             v
//	  '---------------- PROBE --------------+---------- DELAY
//	                      ^                    5 s        |
//	                      '-------------------------------'
//
// The RFC has no Failed. A next hop of routes becomes Failed where another
// neighbour would be absent, because no packet requests a hop that its groups
// skip.
var machineRows = []row{
	{"packet to send to nobody known", in(Absent, Failed), on(packetToSend), multicast, Incomplete},
	{"failed, time to ask again", in(Failed), on(retry), multicast, Incomplete},
	{
		"failed, NA or its own message", in(Failed),
		on(unsolicitedOther, unsolicitedOverride, solicitedOther, solicitedOverride, heardOther),
		record | mark | confirm, Stale,
	},
	{"packet to send while incomplete", in(Incomplete), on(packetToSend), 0, unchanged},
	{"incomplete, unanswered", in(Incomplete), on(unanswered), multicast, Incomplete},
	{"incomplete, exhausted", in(Incomplete), on(exhausted), lose | fail | giveUp, Absent},
	{
		"incomplete, NA S=0", in(Incomplete), on(unsolicitedOther, unsolicitedOverride),
		record | mark | confirm | release, Stale,
	},
	{
		"incomplete, NA S=1", in(Incomplete), on(solicitedOther, solicitedOverride),
		record | mark | confirm | release, Reachable,
	},
	{"NA without address, none known", in(Failed, Incomplete), on(unsolicitedNone, solicitedNone), mark, unchanged},
	{"NA S=1 O=0, same address", known, on(solicitedSame), mark | confirm, Reachable},
	// §7.2.5 II: this confirms too, unlike in the appendix.
	{"NA S=1, no address", known, on(solicitedNone), mark | confirm, Reachable},
	{"NA S=0, no address", known, on(unsolicitedNone), mark, unchanged},
	{"reachable, NA S=1 O=0, other address", in(Reachable), on(solicitedOther), 0, Stale},
	{"not reachable, NA S=1 O=0, other address", in(Stale, Delay, Probe), on(solicitedOther), 0, unchanged},
	{"NA S=1 O=1", known, on(solicitedOverride), record | mark | confirm, Reachable},
	{"NA S=0 O=0, same address", known, on(unsolicitedSame), mark, unchanged},
	// §7.2.5 I: in the appendix a reachable neighbour does not change.
	{"reachable, NA S=0 O=0, other address", in(Reachable), on(unsolicitedOther), 0, Stale},
	{"not reachable, NA S=0 O=0, other address", in(Stale, Delay, Probe), on(unsolicitedOther), 0, unchanged},
	{"NA S=0 O=1, same address", known, on(unsolicitedOverrideSame), mark, unchanged},
	{"NA S=0 O=1, other address", known, on(unsolicitedOverride), record | mark | confirm, Stale},
	{"reachable time over", in(Reachable), on(reachableOver), 0, Stale},
	{"packet to send while stale", in(Stale), on(packetToSend), 0, Delay},
	{"packet to send while fresh or in doubt", in(Reachable, Delay, Probe), on(packetToSend), 0, unchanged},
	{"delay over", in(Delay), on(delayOver), unicast, Probe},
	{"probe, unanswered", in(Probe), on(unanswered), unicast, Probe},
	{"probe, exhausted", in(Probe), on(exhausted), lose | giveUp, Absent},
	{"heard from nobody known", in(Absent), on(heardOther), record | confirm, Stale},
	{"heard while incomplete", in(Incomplete), on(heardOther), record | confirm | release, Stale},
	{"heard, other address", known, on(heardOther), record | confirm, Stale},
	{"heard, same address", known, on(heardSame), 0, unchanged},
	// RFC 4861 §5.3 leaves the lifetime of unused neighbours to the node; RFC
	// 1122 §2.3.2.1 wants it to be configurable.
	{"stale, unused for the timeout", in(Stale), on(idle), discard, Absent},
}

type move struct {
	do action
	to State
	ok bool
}

// moves is machineRows by state and event.
var moves = func() (t [NumStates][numEvents]move) {
	for _, r := range machineRows {
		for s := range t {
			for e := range t[s] {
				if r.in&(1<<s) != 0 && r.on&(1<<e) != 0 {
					t[s][e] = move{r.do, r.to, true}
				}
			}
		}
	}
	return t
}()

// news is what a message says of the neighbour in addition to its event.
type news struct {
	mac       MAC
	router    bool
	hasRouter bool // the router flag is the message's
}

// event applies an event to n by the state machine. mac is the link-layer
// address in the message, if it has one.
func (m *Machine) event(n *neighbor, e event, mac MAC) {
	m.eventWith(n, e, news{mac: mac})
}

func (m *Machine) eventWith(n *neighbor, e event, what news) {
	move := moves[n.state][e]
	if !move.ok {
		if n.state == Absent {
			m.remove(n)
		}
		return
	}
	switch {
	case e == exhausted && n.state == Incomplete:
		m.counters.Unanswered++
	case e == exhausted:
		m.counters.Lost++
	}
	mac, router := n.mac, n.router
	if move.do&record != 0 {
		n.mac = what.mac
	}
	if move.do&mark != 0 && what.hasRouter {
		n.router = what.router
	}
	if n.state != Absent && (n.mac != mac || n.router != router) {
		m.changed(n)
	}
	if move.do&confirm != 0 {
		n.learned = m.now
	}
	kept := move.do&giveUp != 0 && m.routed(n)
	if kept {
		m.condemn(n) // first of all, so that packets use another hop from now on, if there is one
	}
	// Addresses for which nobody ever answered are reported only if they are
	// next hops: a scan causes many others.
	if move.do&lose != 0 && (n.entry != nil || n.index != 0) {
		m.emit(Lost{n.iface.id, n.addr})
	}
	if move.do&fail != 0 {
		m.unreachable(n)
	}
	if kept {
		m.failed(n)
		return
	}
	if move.do&(discard|giveUp) != 0 {
		m.remove(n)
		return
	}
	if move.to != unchanged {
		m.enter(n, move.to)
	}
	if n.state >= Reachable {
		m.publish(n)
	}
	if move.do&multicast != 0 {
		m.solicit(n, false)
	}
	if move.do&unicast != 0 {
		m.solicit(n, true)
	}
	if move.do&release != 0 {
		m.release(n)
	}
}

// enter puts n into a state, sets its timer and moves it to its queue.
func (m *Machine) enter(n *neighbor, s State) {
	if n.state != s {
		n.tries = 0
		m.changed(n)
	}
	n.state = s
	switch s {
	case Incomplete:
		if n.queue == nil {
			m.enqueue(n, m.waiting[n.rank])
		}
		m.timers.Set(&n.timer, m.now.Add(retransTimer))
		return
	case Reachable:
		// RFC 4861 §6.3.2: MIN_RANDOM_FACTOR to MAX_RANDOM_FACTOR times the base.
		m.timers.Set(&n.timer, m.now.Add(m.between(m.cfg.ReachableTime/2, m.cfg.ReachableTime*3/2)))
	case Stale:
		m.enqueue(n, m.stale)
		m.timers.Set(&n.timer, m.now.Add(n.iface.Timeout))
		return
	case Delay:
		m.timers.Set(&n.timer, m.now.Add(delayFirstProbeTime))
	case Probe:
		m.timers.Set(&n.timer, m.now.Add(retransTimer))
	case Static:
		m.timers.Stop(&n.timer)
	}
	m.enqueue(n, nil)
}

// expire handles n's timer.
func (n *neighbor) expire(m *Machine) {
	switch n.state {
	case Failed:
		if !m.routed(n) {
			m.remove(n)
			return
		}
		m.event(n, retry, MAC{})
	case Incomplete:
		m.event(n, n.tried(maxMulticastSolicit), MAC{})
	case Reachable:
		m.event(n, reachableOver, MAC{})
	case Stale:
		if n.entry != nil && n.entry.used.Load() {
			// The entry was used, but the report of that was lost.
			m.event(n, packetToSend, MAC{})
			return
		}
		m.event(n, idle, MAC{})
	case Delay:
		m.event(n, delayOver, MAC{})
	case Probe:
		m.event(n, n.tried(maxUnicastSolicit), MAC{})
	}
}

func (n *neighbor) tried(most int) event {
	if n.tries < most {
		return unanswered
	}
	return exhausted
}
