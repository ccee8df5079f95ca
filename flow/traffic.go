package flow

import "sync/atomic"

// Traffic counts the packets of a session, of both directions together. Bytes
// are counted from the IP header on.
type Traffic struct{ Packets, Bytes uint64 }

// Add adds o to t.
func (t *Traffic) Add(o Traffic) {
	t.Packets += o.Packets
	t.Bytes += o.Bytes
}

// What a session has carried is one word beside its record, so that a packet
// costs one addition: packets in the upper 24 bits, bytes in the 40 below. A
// word that is half full is moved to Table.carried, long before either part
// could overflow: after some eight million packets or 550 GB.
const (
	packetsAt = 40
	bytesMask = 1<<packetsAt - 1
	halfFull  = 1<<63 | 1<<(packetsAt-1)
)

func trafficOf(word uint64) Traffic { return Traffic{word >> packetsAt, word & bytesMask} }

func (t *Table) count(number uint32) *uint64 {
	return &t.blocks[number/blockRecords].Load().counts[number%blockRecords]
}

// Count adds packets to what a session has carried, right after Packet or
// Insert for that session. It takes a lock only once in some millions of
// packets. If the session has ended in between, the packets may count for the
// next one with its number.
func (t *Table) Count(session uint32, packets, bytes uint32) {
	word := atomic.AddUint64(t.count(session), uint64(packets)<<packetsAt|uint64(bytes))
	if word&halfFull != 0 {
		t.carryOver(session)
	}
}

// Tally is what packets of one session have added and Count has not been told yet, so
// that several of one session in a row are one addition to it. The zero Tally is
// empty. It belongs to one goroutine.
type Tally struct{ session, packets, bytes uint32 }

// Tally is Count for a worker that calls Settle at the end of its batch. A batch's
// packets of one session are fewer than four billion bytes.
func (t *Table) Tally(y *Tally, session, packets, bytes uint32) {
	if y.session != session {
		t.Settle(y)
		y.session = session
	}
	y.packets += packets
	y.bytes += bytes
}

// Settle counts what y holds, and empties it.
func (t *Table) Settle(y *Tally) {
	if y.packets > 0 {
		t.Count(y.session, y.packets, y.bytes)
	}
	*y = Tally{}
}

// carryOver moves the word of a session to Table.carried.
func (t *Table) carryOver(session uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addTraffic(session, Traffic{})
}

// addTraffic adds to Table.carried what the word of a session holds, and more. The
// caller holds the mutex.
func (t *Table) addTraffic(session uint32, more Traffic) {
	if t.record(session)[wordHead]>>32&1 == 0 {
		return // it has ended
	}
	sum := t.carried[session]
	sum.Add(trafficOf(atomic.SwapUint64(t.count(session), 0)))
	sum.Add(more)
	t.carried[session] = sum
}

// traffic is all that a session has carried. The caller holds the mutex.
func (t *Table) traffic(number uint32) Traffic {
	var sum Traffic
	if len(t.carried) > 0 {
		sum = t.carried[number]
	}
	sum.Add(trafficOf(atomic.LoadUint64(t.count(number))))
	return sum
}

// carry sets what a session has carried. The caller holds the mutex.
func (t *Table) carry(number uint32, sum Traffic) {
	atomic.StoreUint64(t.count(number), 0)
	if sum != (Traffic{}) {
		t.carried[number] = sum
	} else if len(t.carried) > 0 {
		delete(t.carried, number)
	}
}
