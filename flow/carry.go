package flow

import "sync/atomic"

// OnEnd has f called with the number of each session that somebody carries
// packets of (Carry) when it ends, whatever ends it, and when its TCP connection
// comes to its end: when both sides have closed it, or one has reset it. From
// then on the packets of the session have to be handed over to Packet again. f is
// called by whoever ends the session, mostly with the table's mutex held, before
// any key of it can be another session's. It must not wait nor call the table,
// and several goroutines may call it at once. There is one observer at most.
func (t *Table) OnEnd(f func(session uint32)) { t.ended.Store(&f) }

func (t *Table) tellEnd(session uint32) {
	if f := t.ended.Load(); f != nil {
		(*f)(session)
	}
}

// turnedCarried tells the observer of a session whose connection has come to
// another phase, if that is the end of it.
func (t *Table) turnedCarried(hit *Hit) {
	r := t.record(hit.Session)
	if atomic.LoadUint64(&r[wordHead])&flagsCarried != 0 && r.condition().state().phase() == Closed {
		t.tellEnd(hit.Session)
	}
}

// Carry says that packets of the session and direction of hit may be carried by
// somebody else from now on, without a call of Packet, until Uncarry. It reports
// false, and nothing is to be carried, if the session has ended or its connection
// has come to its end; otherwise OnEnd tells of that.
//
// What is carried changes no state: UDP, and TCP segments with ACK and without
// SYN, FIN and RST, of a connection that is established or that one side has
// closed. The others have to be handed to Packet. Since the sequence numbers of
// what is carried are not seen, they cannot speak against such a segment: it is
// judged as if the connection had been picked up in mid-stream.
func (t *Table) Carry(hit *Hit) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.carries(hit) {
		return false
	}
	// The mark comes first: a packet that ends the connection meanwhile sees
	// either it, and tells of the end, or is seen here.
	r := t.record(hit.Session)
	if r.condition().state().phase() == Closed {
		atomic.AndUint64(&r[wordHead], ^(uint64(flagCarried) << hit.Direction))
		return false
	}
	return true
}

// carries marks the session of hit, and reports false if it has ended. The caller
// holds the mutex.
func (t *Table) carries(hit *Hit) bool {
	r := t.record(hit.Session)
	head := atomic.LoadUint64(&r[wordHead])
	if head>>32&1 == 0 || uint32(head>>32) != hit.Generation {
		return false
	}
	if flag := uint64(flagCarried) << hit.Direction; head&flag == 0 {
		atomic.OrUint64(&r[wordHead], flag)
	}
	return true
}

// Carried records packets of hit's session and direction that somebody else has
// carried since the last call, the latest of them at the time last: it counts
// them and refreshes the session as Packet does. Bytes count from the IP header
// on. It reports false if the session has ended; then nothing is counted.
//
// It is to be called before Tick with what was carried until then, so that no
// session ends that is in use.
func (t *Table) Carried(hit *Hit, packets, bytes uint64, last Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.carries(hit) {
		return false
	}
	if packets == 0 {
		return true
	}
	if packets < 1<<16 && bytes < 1<<32 {
		if atomic.AddUint64(t.count(hit.Session), packets<<packetsAt|bytes)&halfFull != 0 {
			t.addTraffic(hit.Session, Traffic{})
		}
	} else {
		t.addTraffic(hit.Session, Traffic{packets, bytes})
	}
	r := t.record(hit.Session)
	if r.proto() != protoTCP {
		return r.used(hit, last, t.refresh.Load())
	}
	for {
		c := r.condition()
		if c.fresh(last) || r.swap(c, c.at(last)) {
			return true
		}
	}
}

// Uncarry ends what Carry began, when nothing of the direction is on its way any
// more. The sequence numbers of the direction are learnt anew, from its next
// packet. Where packets of a direction are carried that come in by several
// interfaces, it is for the last of them; one that is carried on nevertheless is
// known again from the next call of Carried.
func (t *Table) Uncarry(hit *Hit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.record(hit.Session)
	head := atomic.LoadUint64(&r[wordHead])
	if head>>32&1 == 0 || uint32(head>>32) != hit.Generation || head&flagsCarried == 0 {
		return
	}
	atomic.AndUint64(&r[wordHead], ^(uint64(flagCarried) << hit.Direction))
	for {
		c := r.condition()
		next := c.missing(head & (flagCarried << hit.Direction))
		if next == c || r.swap(c, next) {
			return
		}
	}
}
