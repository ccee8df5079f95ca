package nat

import (
	"slices"

	"routerd/flow"
)

// review is what is left to do of the latest Commit: all sessions are looked at in the
// order of their numbers, those that do not go on end, and what the rest permit is
// recorded if the filtering has become address-dependent.
type review struct {
	under  bool
	cursor uint32    // the number of the last session that was looked at
	ends   *outdated // nil where all go on
	// permits: permissions are being recorded, so far only of sessions up to the cursor.
	// Meanwhile the filtering before counts too: open says that it admits everybody.
	permits, open bool
}

// outdated says which sessions a Commit ends. A packet of one is judged as if the session had
// ended already. It never changes.
type outdated struct {
	rules     [1 << 16 / 64]uint64 // a bit for the number of each rule that is gone
	addresses []uint32             // sorted: those that an interface or a pool had, and has no longer
}

// outdatedBy gives what r, which replaces old, ends; nil for nothing.
func outdatedBy(old, r *Rules) *outdated {
	var o outdated
	some := false
	for _, c := range old.all {
		if r.byNumber[c.number] == nil {
			o.rules[c.number/64] |= 1 << (c.number % 64)
			some = true
		}
	}
	for a := range old.own {
		if !r.knows(a) {
			o.addresses = append(o.addresses, a)
		}
	}
	for a := range old.spaces {
		if !r.knows(a) {
			o.addresses = append(o.addresses, a)
		}
	}
	if !some && len(o.addresses) == 0 {
		return nil
	}
	slices.Sort(o.addresses)
	return &o
}

// lacksRule reports whether a rule is gone; 0 is none.
func (o *outdated) lacksRule(number uint16) bool { return o.rules[number/64]>>(number%64)&1 != 0 }

func (o *outdated) lacksAddress(a uint32) bool {
	_, gone := slices.BinarySearch(o.addresses, a)
	return gone
}

// has reports whether a session ends: for each direction, forward and reply, its packets
// arrive at that address.
func (o *outdated) has(word, forward, reply uint32) bool {
	return o.lacksRule(sourceOf(word)) || o.lacksRule(destinationOf(word)) || o.lacksAddress(forward) || o.lacksAddress(reply)
}

// hits is has for the session that a packet with the key k has hit.
func (o *outdated) hits(k *flow.Key, hit *flow.Hit) bool {
	return o.has(hit.Rule, k.Dst, hit.Other.Dst)
}

// Commit has every later packet translated by r, the result of the latest Prepare.
// Sessions of rules that changed or went, and those whose outside address is gone, are no
// longer found; all others stay. Review has to be called until it has ended
// them. One goroutine at a time may prepare, commit and review.
func (n *NAT) Commit(r *Rules) {
	for n.Review() { // numbers of rules are free again only behind it
	}
	old := n.active.Load()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.swap(old, r)
	n.review = review{under: true, ends: outdatedBy(old, r)}
	n.ending.Store(n.review.ends)
	if r.cfg.Filtering != old.cfg.Filtering {
		n.permitted = map[permission]uint32{}
		n.review.permits = r.cfg.Filtering == AddressDependent
		n.review.open = n.review.permits && old.cfg.Filtering == EndpointIndependent
	}
	if n.review.ends == nil && !n.review.permits || n.sessions.Len() == 0 {
		n.reviewed()
	}
}

// reviewAtOnce is how many sessions Review looks at.
const reviewAtOnce = 256

// Review looks at some of the sessions that there were when Commit was called, at most 256
// of them, and reports whether there are more.
func (n *NAT) Review() (more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &n.review
	if !w.under {
		return false
	}
	r := n.active.Load()
	var list [reviewAtOnce]flow.Session
	got, next := n.sessions.Walk(w.cursor, list[:])
	for i := range list[:got] {
		s := &list[i]
		if w.ends != nil && w.ends.has(s.Rule, s.Forward.Dst, s.Reply.Dst) {
			n.sessions.Delete(s.Number, n.release)
			continue
		}
		if w.cursor = s.Number; w.permits {
			n.permitAll(r, s)
		}
	}
	if w.cursor = next; next != 0 {
		return true
	}
	n.reviewed()
	return false
}

// reviewed ends the review, and forgets what nothing uses any more.
func (n *NAT) reviewed() {
	n.review = review{}
	n.ending.Store(nil)
	n.sweep(n.active.Load())
}

// Reviewing reports whether Review has something to do. Who may call that may call this.
func (n *NAT) Reviewing() bool { return n.review.under }

// behind reports whether the permissions of a session are not recorded yet.
func (w *review) behind(session uint32) bool { return w.permits && session > w.cursor }

// permitAll records the permissions of a session.
func (n *NAT) permitAll(r *Rules, s *flow.Session) {
	forward, reply := &s.Forward, &s.Reply
	if s.Owner != 0 {
		n.permit(r, s.Owner, reply.Src, s.Number)
	}
	if (forward.Dst != reply.Src || forward.DstPort != reply.SrcPort) && destinationOf(s.Rule) == 0 {
		if remote := n.mappings.outside(forward.Dst, forward.Proto, forward.DstPort); remote != 0 {
			n.permit(r, remote, reply.Dst, s.Number)
		}
	}
}

// makeWay ends the session of a packet with the key k if it is outdated, so that the
// packet can begin another one. The caller holds the mutex.
func (n *NAT) makeWay(k *flow.Key) {
	o := n.ending.Load()
	if o == nil {
		return
	}
	if hit := n.sessions.Find(*k); hit.Session != NoSession && o.hits(k, &hit) {
		n.sessions.Delete(hit.Session, n.release)
	}
}

// taken reports whether a session has the key.
func (n *NAT) taken(k *flow.Key) bool {
	hit := n.sessions.Find(*k)
	if hit.Session == NoSession {
		return false
	}
	o := n.ending.Load()
	return o == nil || !o.hits(k, &hit)
}

// mappingAt gives the number of the mapping with an outside endpoint, or 0. Behind a Commit
// one whose rule is gone lets nobody in, though sessions that are about to end still use it.
func (n *NAT) mappingAt(address uint32, proto uint8, number uint16) uint32 {
	m := n.mappings.outside(address, proto, number)
	if o := n.ending.Load(); m != 0 && o != nil && o.lacksRule(n.mappings.at(m).rule) {
		return 0
	}
	return m
}
