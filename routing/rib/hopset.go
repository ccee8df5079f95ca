package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"routerd/routing"
)

// hopSet is a set of next hops as a source gave it, kept once for all routes
// that have it. It is resolved once too, so a route that uses it costs four
// bytes, its number.
type hopSet struct {
	key    string
	number uint32 // from 1
	hops   []hop
	refs   int
	// leads is valid for every user that contains no next hop; the others
	// compute their own. Until it has been computed once, all users are dirty.
	leads    leads
	sum      uint64 // of what it came to, see gathering.sum
	settled  bool
	trackers []*tracking // of subscribers; they count in refs
	stale    bool
}

// hop is one next hop of a set.
type hop struct {
	routing.NextHop
	obstacle
	watch *watch // if the hop is resolved through the table; else nil
}

// watch is one next-hop address that is resolved through the table.
type watch struct {
	prefix netip.Prefix // the address alone
	users  []*hopSet
	// via is the prefix through which it resolves, for every route that is not
	// itself part of that resolution; invalid if there is none.
	via   netip.Prefix
	stale bool
}

// leads is what a prefix or a set of hops resolves to: 0 = there is no usable
// route; the number of an action other than Forward; or that of a group.
type leads uint32

const firstGroup leads = 8 // above all actions

// action is what becomes of the packets.
func (l leads) action() routing.Action {
	if l >= firstGroup {
		return routing.Forward
	}
	return routing.Action(l)
}

// acquireHops gives the set of these hops, a new one if needed. What stands
// against each may be nil, where nothing does.
func (r *RIB) acquireHops(hops []routing.NextHop, against []obstacle) uint32 {
	r.keyBuf = appendHopsKey(r.keyBuf[:0], hops, against)
	if hs := r.hopSets[string(r.keyBuf)]; hs != nil {
		hs.refs++
		return hs.number
	}
	hs := &hopSet{key: string(r.keyBuf), hops: make([]hop, len(hops)), refs: 1}
	for i, h := range hops {
		hs.hops[i].NextHop = h
		if against != nil {
			hs.hops[i].obstacle = against[i]
		}
		if hs.hops[i].missing == "" && h.Interface == routing.NoInterface && h.Address.IsValid() {
			hs.hops[i].watch = r.acquireWatch(h.Address, hs)
		}
	}
	r.hopSets[hs.key] = hs
	if n := len(r.freeSets); n > 0 {
		hs.number = r.freeSets[n-1]
		r.freeSets = r.freeSets[:n-1]
		r.sets[hs.number] = hs
	} else {
		hs.number = uint32(len(r.sets))
		r.sets = append(r.sets, hs)
	}
	r.markStale(hs)
	return hs.number
}

// knownHops is a slice of next hops whose set is known: protocols hand over the
// same slice with many routes, and never write to it.
type knownHops struct {
	hops []routing.NextHop
	set  uint32
}

// knownHops is acquireHops for the hops of a protocol.
func (r *RIB) knownHops(hops []routing.NextHop) uint32 {
	if len(hops) == 0 {
		return r.acquireHops(hops, nil)
	}
	b := hops[0].Address.As16()
	k := &r.known[b[15]^b[14]*7^b[13]*31^b[7]*13^byte(hops[0].Interface)]
	if len(k.hops) == len(hops) && &k.hops[0] == &hops[0] {
		r.sets[k.set].refs++
		return k.set
	}
	*k = knownHops{hops, r.acquireHops(hops, nil)}
	return k.set
}

// releaseHops gives one reference back; 0 is no set.
func (r *RIB) releaseHops(set uint32) {
	if set == 0 {
		return
	}
	hs := r.sets[set]
	if hs.refs--; hs.refs > 0 {
		return
	}
	delete(r.hopSets, hs.key)
	r.sets[set] = nil
	r.freeSets = append(r.freeSets, set)
	for i := range r.known {
		if r.known[i].set == set {
			r.known[i] = knownHops{}
		}
	}
	r.releaseLeads(hs.leads)
	hs.leads = 0
	for i := range hs.hops {
		if w := hs.hops[i].watch; w != nil {
			r.releaseWatch(w, hs)
		}
	}
}

// markStale has Flush resolve hs again.
func (r *RIB) markStale(hs *hopSet) {
	r.staleSets = append(r.staleSets, hs)
}

// appendHopsKey appends a key that identifies a list of hops.
func appendHopsKey(b []byte, hops []routing.NextHop, against []obstacle) []byte {
	for i, h := range hops {
		a := h.Address.As16()
		if h.Address.IsValid() {
			b = append(append(b, byte(h.Address.BitLen())), a[:]...)
		} else {
			b = append(b, 0)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(h.Interface))
		b = append(b, max(h.Weight, 1), byte(btoi(h.Backup)))
		if against != nil && against[i].dead {
			b = append(b, 1) // which no name begins with
		}
		if against != nil {
			b = append(b, against[i].missing...)
		}
		b = append(b, 0)
	}
	return b
}

// acquireWatch makes hs a user of the watch of a.
func (r *RIB) acquireWatch(a netip.Addr, hs *hopSet) *watch {
	p := hostPrefix(a)
	w, ok := r.watches.Get(p)
	if !ok {
		w = &watch{prefix: p}
		r.watches.Insert(p, w)
		r.watchNear[near(a)]++
		for n := range r.above(a) {
			t := r.transits[n]
			if t == nil {
				t = &transit{}
				r.transits[n] = t
				r.dirtyAnew = r.dirtyAnew || r.at(n).is(isDirty)
				r.at(n).flags |= isTransit
			}
			t.watches++
		}
		r.staleWatches = append(r.staleWatches, w)
	}
	if !slices.Contains(w.users, hs) {
		w.users = append(w.users, hs)
	}
	return w
}

// releaseWatch removes hs from the users of w.
func (r *RIB) releaseWatch(w *watch, hs *hopSet) {
	i := slices.Index(w.users, hs)
	if i < 0 {
		return // one address twice in a set
	}
	w.users = slices.Delete(w.users, i, i+1)
	if len(w.users) > 0 {
		return
	}
	r.watches.Delete(w.prefix)
	r.watchNear[near(w.prefix.Addr())]--
	for n := range r.above(w.prefix.Addr()) {
		// Circles are only looked for in transit prefixes, so a prefix that
		// becomes a leaf has to be decided once more.
		r.touch(n)
		if t := r.transits[n]; t.watches > 1 {
			t.watches--
		} else {
			delete(r.transits, n)
			r.at(n).flags &^= isTransit
		}
	}
}

// watchesIn counts the watched addresses in p. Next to none of a million prefixes
// has any, so those that have none in the neighbourhood are told at a glance.
func (r *RIB) watchesIn(p netip.Prefix) int {
	a := p.Addr()
	if p.Bits() >= nearBits(a) && r.watchNear[near(a)] == 0 || r.watches.Size() == 0 {
		return 0
	}
	n := 0
	for range r.watches.Subnets(p) {
		n++
	}
	return n
}

// near gives a number to the neighbourhood of an address: all that begin with the
// same nearBits.
func near(a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return uint32(b[0])
	}
	b := a.As16()
	return 256 + uint32(b[1]^b[2]*31^b[3]*57)
}

func nearBits(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 32
}
