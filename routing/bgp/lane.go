package bgp

import (
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// lane is a stream of UPDATEs that neighbours of a group are sent together. What they were
// sent is a bit for each prefix, since what it was follows from what was chosen.
//
// UPDATEs are made in blocks, when the fastest of them has room for one. Others read the
// same blocks as they can. One that is too far behind gets a lane of its own, which is a
// copy; lanes with nothing to send become one again.
type lane struct {
	group  *group
	riders []*outgoing

	sent  routing.SlotSet
	count int        // bits of sent
	paths *sentPaths // in place of sent, where several paths of a prefix are sent

	waiting queue    // numbers that are to be sent
	held    queue    // those that have to wait until this round is over
	dump    uint32   // all numbers below are to be sent besides
	again   []uint32 // numbers of the dump that a block had no room for

	// owed are numbers that the dump has left out, since the FIB does not have them yet: they
	// are part of it when they are told of, and its end waits for them.
	owed  routing.SlotSet
	owing int // bits of owed

	ending        bool // the end of the RIB is still to be sent (RFC 4724 §2)
	begin, finish bool // so are BoRR and EoRR (RFC 7313 §4)
	refresh       bool // all is to be sent again when the RIB has been sent
	gathering     bool // it waits for others that come up
	moved         bool // something was sent since it was last held against other lanes

	blocks []*block
	first  uint64 // the number of blocks[0]
	size   int    // octets of all blocks

	// With an advertisement interval, what there is to be sent is sent in rounds: what
	// changes meanwhile waits for the next one, which begins at next at the earliest.
	round bool
	next  time.Time
	wake  *task

	// origin is the lane that this one was made from in this step, at which block; nil in
	// others.
	origin      *lane
	originAt    uint64
	originAgain bool
}

// block is UPDATEs, made once for all who ride on a lane.
type block struct {
	data                 []byte
	announced, withdrawn int // prefixes
	patches              []patch
}

// laneRoom is how many octets of blocks a lane keeps for those who have not read them.
const laneRoom = 2 * protocol.StreamRoom

func (m *Machine) newLane(g *group) *lane {
	l := &lane{group: g, wake: newTask(nil, g.family, func(*Machine, *task) {})}
	if g.key.paths != 0 {
		l.paths = &sentPaths{from: map[*neighbor]int{}}
	}
	g.lanes = append(g.lanes, l)
	return l
}

// queue is numbers, each once.
type queue struct {
	list []uint32
	in   routing.SlotSet
}

func (q *queue) add(n uint32) {
	if id := routing.SlotID(n); !q.in.Has(id) {
		q.in.Add(id)
		q.list = append(q.list, n)
	}
}

func (q *queue) take() uint32 {
	n := q.list[len(q.list)-1]
	q.list = q.list[:len(q.list)-1]
	q.in.Remove(routing.SlotID(n))
	return n
}

func (q *queue) clone() queue { return queue{slices.Clone(q.list), slices.Clone(q.in)} }

// add has a prefix sent, of which something has changed.
func (l *lane) add(n uint32) {
	if l.round && !l.owed.Has(routing.SlotID(n)) {
		l.held.add(n)
		return
	}
	l.waiting.add(n)
}

// keeps reports whether a number has to be kept for the lane.
func (l *lane) keeps(n uint32) bool {
	id := routing.SlotID(n)
	return l.sent.Has(id) || l.waiting.in.Has(id) || l.held.in.Has(id) || l.paths != nil && l.paths.first(n) != 0
}

// isOf reports whether a neighbour, if it is one, rides on the lane and nobody else does: then
// its own routes are sent to nobody.
func (l *lane) isOf(n *neighbor) bool {
	return n != nil && len(l.riders) == 1 && l.riders[0].neighbor == n
}

func (l *lane) end() uint64 { return l.first + uint64(len(l.blocks)) }

// busy reports whether the table is being sent.
func (l *lane) busy() bool {
	return l.dump > 0 || len(l.again) > 0 || l.owing > 0 || l.ending || l.begin || l.finish || l.refresh || l.gathering
}

// idle reports whether nothing can be sent now.
func (l *lane) idle() bool {
	if l.dump > 0 || len(l.again) > 0 || len(l.waiting.list) > 0 || l.begin || l.refresh && !l.ending {
		return false
	}
	return !l.ending && !l.finish || l.owing > 0
}

// owe notes that the dump has left out a number. Tell brings it again when the FIB has it.
func (l *lane) owe(n uint32) {
	if id := routing.SlotID(n); !l.owed.Has(id) {
		l.owed.Add(id)
		l.owing++
	}
}

// pay reports whether the dump had left out a number, which is sent now.
func (l *lane) pay(n uint32) bool {
	id := routing.SlotID(n)
	if l.owing == 0 || !l.owed.Has(id) {
		return false
	}
	l.owed.Remove(id)
	l.owing--
	return true
}

// take gives a number that is to be sent; whole says that it is part of a dump.
func (l *lane) take() (n uint32, whole, ok bool) {
	switch k := len(l.again); {
	case k > 0:
		n = l.again[k-1]
		l.again = l.again[:k-1]
		return n, true, true
	case len(l.waiting.list) > 0:
		return l.waiting.take(), false, true
	case l.dump > 0:
		l.dump--
		return l.dump, true, true
	}
	return 0, false, false
}

// send sends all neighbours what they are to be sent, as far as their connections have
// room and their advertisement intervals let it.
func (m *Machine) send() {
	for f := range m.groups {
		for i := 0; i < len(m.groups[f]); i++ {
			g := m.groups[f][i]
			for k := 0; k < len(g.lanes); k++ { // new ones may come
				m.run(g.lanes[k])
			}
			if len(g.lanes) > 1 {
				m.merge(g)
			}
		}
		m.groups[f] = slices.DeleteFunc(m.groups[f], func(g *group) bool { return len(g.lanes) == 0 })
		m.ribs[f].paths = slices.ContainsFunc(m.groups[f], func(g *group) bool { return g.key.paths != 0 })
	}
}

// run goes on with a lane.
func (m *Machine) run(l *lane) {
	l.origin = nil // in the next step, the other one may be further
	if !m.gathered(l) {
		return
	}
	for {
		m.feed(l)
		if l.idle() || !l.hungry() || !m.due(l) {
			break
		}
		for l.size >= laneRoom {
			last := l.first
			m.split(l, l.group, func(o *outgoing) bool { return o.at == last })
		}
		m.produce(l)
		if l.refresh && !l.ending {
			m.dumpAgain(l)
		}
	}
	m.endRound(l)
}

// hungry reports whether somebody has read all blocks, and has room for another one.
func (l *lane) hungry() bool {
	return slices.ContainsFunc(l.riders, func(o *outgoing) bool { return o.at == l.end() && o.hasRoom() })
}

// hasRoom reports whether half of the room is free, so that there will be a Written when
// there is room again.
func (o *outgoing) hasRoom() bool { return o.neighbor.session.Room() >= protocol.StreamRoom/2 }

// feed gives everybody the blocks that they have room for.
func (m *Machine) feed(l *lane) {
	if len(l.blocks) == 0 {
		return
	}
	for _, o := range l.riders {
		for o.at < l.end() && o.hasRoom() {
			m.sendBlock(o, l.blocks[o.at-l.first])
			o.at++
		}
	}
	m.trim(l)
}

// trim forgets blocks that all have read, and lanes that nobody rides on.
func (m *Machine) trim(l *lane) {
	if len(l.riders) == 0 {
		m.tasks.Stop(&l.wake.timer)
		l.group.lanes = slices.DeleteFunc(l.group.lanes, func(x *lane) bool { return x == l })
		m.letGo(m.ribs[l.group.family], l)
		return
	}
	at := l.end()
	for _, o := range l.riders {
		at = min(at, o.at)
	}
	for ; l.first < at; l.first++ {
		l.size -= len(l.blocks[0].data)
		l.blocks[0] = nil
		l.blocks = l.blocks[1:]
	}
}

// sendBlock sends a neighbour a block.
func (m *Machine) sendBlock(o *outgoing, b *block) {
	n, data := o.neighbor, b.data
	n.messages.Sent += uint64(b.announced)
	n.messages.Withdrawn += uint64(b.withdrawn)
	for i := range b.patches {
		if p := &b.patches[i]; p.rider == o {
			data = p.apply(data)
			n.messages.Sent += uint64(p.announced) // less than there are, and so below 0
			n.messages.Withdrawn += uint64(p.withdrawn)
			break
		}
	}
	if len(data) == 0 {
		return
	}
	m.session(n.session, func() []protocol.Effect { return n.session.Send(m.now, data, m.out) })
	if mrai := o.lane.group.key.mrai; mrai > 0 {
		o.next = m.now.Add(mrai)
	}
}

// split has some of those who ride on a lane go on by one of their own, a copy, of a group.
func (m *Machine) split(l *lane, g *group, which func(*outgoing) bool) *lane {
	x := m.newLane(g)
	wake := x.wake
	*x = *l
	x.group, x.wake, x.riders, x.origin, x.moved = g, wake, nil, nil, true
	x.sent, x.waiting, x.held = slices.Clone(l.sent), l.waiting.clone(), l.held.clone()
	x.again, x.owed, x.blocks = slices.Clone(l.again), slices.Clone(l.owed), slices.Clone(l.blocks)
	if l.paths != nil {
		x.paths = l.paths.clone(m)
	}
	if l.gathering {
		m.tasks.Set(&x.wake.timer, l.wake.timer.At())
	}
	l.riders = slices.DeleteFunc(l.riders, func(o *outgoing) bool {
		if which(o) {
			o.lane, x.riders = x, append(x.riders, o)
			return true
		}
		return false
	})
	m.trim(x)
	m.trim(l)
	return x
}

// due reports whether changes may be sent now, and begins a round of them. A neighbour that
// was sent the last ones too late for this one waits on a lane of its own.
func (m *Machine) due(l *lane) bool {
	if l.group.key.mrai == 0 || l.round {
		return true
	}
	late := func(o *outgoing) bool { return o.at < l.end() || m.now.Before(o.next) }
	if m.now.Before(l.next) || !slices.ContainsFunc(l.riders, func(o *outgoing) bool { return !late(o) }) {
		return false
	}
	if slices.ContainsFunc(l.riders, late) {
		m.split(l, l.group, late)
	}
	l.round = true
	return true
}

// endRound ends a round when all of it was sent, and wakes up for the next one.
func (m *Machine) endRound(l *lane) {
	mrai := l.group.key.mrai
	if mrai == 0 || len(l.riders) == 0 {
		return
	}
	if l.round && l.idle() {
		l.round, l.next = false, m.now.Add(mrai)
		l.waiting, l.held = l.held, l.waiting
	}
	if l.round || l.idle() {
		return
	}
	var soonest time.Time
	for _, o := range l.riders {
		if o.at == l.end() && (soonest.IsZero() || o.next.Before(soonest)) {
			soonest = o.next
		}
	}
	if soonest.Before(l.next) {
		soonest = l.next
	}
	if soonest.After(m.now) {
		m.tasks.Set(&l.wake.timer, soonest)
	}
}

// letGo frees the numbers that only a lane has kept on which nobody rides any more.
func (m *Machine) letGo(r *rib, l *lane) {
	if l.paths != nil {
		for n := range l.paths.heads.n {
			if l.paths.first(n) != 0 {
				r.vacate(n)
			}
		}
		l.paths.drop(m)
	}
	for _, set := range [...]routing.SlotSet{l.sent, l.waiting.in, l.held.in} {
		for n := range setNumbers(set) {
			if r.table.Used(n) && r.table.heads.at(n).first == 0 {
				r.vacate(n)
			}
		}
	}
}

// tell has all neighbours sent what was chosen for a prefix.
func (m *Machine) tell(r *rib, n uint32) {
	c := r.at(n)
	for _, g := range m.groups[r.family] {
		for _, l := range g.lanes {
			if l.concerns(n, c, m.sources[c.source].neighbor) {
				l.add(n)
			}
		}
	}
}

// concerns reports whether there may be something to be sent of what was chosen for a prefix,
// a route of the neighbour from: those of a group that is sent nothing, and a neighbour whose
// own it is, have only to be told of the end of what they were sent before.
func (l *lane) concerns(n uint32, c *chosen, from *neighbor) bool {
	id := routing.SlotID(n)
	if l.paths != nil || l.sent.Has(id) || l.owed.Has(id) {
		return true
	}
	return c.attributes != 0 && !l.group.sendsNothing() && !l.isOf(from)
}

// kept reports whether a neighbour has still to be told of a number.
func (m *Machine) kept(f wire.Family, n uint32) bool {
	for _, g := range m.groups[f] {
		for _, l := range g.lanes {
			if l.keeps(n) {
				return true
			}
		}
	}
	return false
}
