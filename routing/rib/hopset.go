package rib

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"routerd/routing"
)

// hopSet is a set of next hops as a source gave it, kept once for all routes
// that have it. It is resolved once too, so a route that uses it costs a
// pointer and a link in the list of its users.
type hopSet struct {
	key   string
	hops  []hop
	refs  int
	first *candidate // users
	// outcome is valid for every user that contains no next hop; the others
	// compute their own.
	outcome  outcome
	trackers []*tracking // of subscribers; they count in refs
	stale    bool
}

// hop is one next hop of a set.
type hop struct {
	routing.NextHop
	missing string // name of the interface, if there is none of that name
	watch   *watch // if the hop is resolved through the table; else nil
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

// outcome is what a set of hops resolves to.
type outcome struct {
	usable bool
	action routing.Action
	group  *sharedGroup // with Forward
}

// acquireHops gives the set of these hops, a new one if needed. missing names
// the interfaces that do not exist and may be nil.
func (r *RIB) acquireHops(hops []routing.NextHop, missing []string) *hopSet {
	r.keyBuf = appendHopsKey(r.keyBuf[:0], hops, missing)
	if hs := r.hopSets[string(r.keyBuf)]; hs != nil {
		hs.refs++
		return hs
	}
	hs := &hopSet{key: string(r.keyBuf), hops: make([]hop, len(hops)), refs: 1}
	for i, h := range hops {
		hs.hops[i].NextHop = h
		if missing != nil {
			hs.hops[i].missing = missing[i]
		}
		if hs.hops[i].missing == "" && h.Interface == routing.NoInterface && h.Address.IsValid() {
			hs.hops[i].watch = r.acquireWatch(h.Address, hs)
		}
	}
	r.hopSets[hs.key] = hs
	r.markStale(hs)
	return hs
}

// releaseHops gives one reference back.
func (r *RIB) releaseHops(hs *hopSet) {
	if hs == nil {
		return
	}
	if hs.refs--; hs.refs > 0 {
		return
	}
	delete(r.hopSets, hs.key)
	r.releaseGroup(hs.outcome.group)
	hs.outcome = outcome{}
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

// sortedHopSets gives all sets in a deterministic order, not that of the map.
func (r *RIB) sortedHopSets() []*hopSet {
	all := make([]*hopSet, 0, len(r.hopSets))
	for _, hs := range r.hopSets {
		all = append(all, hs)
	}
	slices.SortFunc(all, func(a, b *hopSet) int { return cmp.Compare(a.key, b.key) })
	return all
}

// appendHopsKey appends a key that identifies a list of hops.
func appendHopsKey(b []byte, hops []routing.NextHop, missing []string) []byte {
	for i, h := range hops {
		a := h.Address.As16()
		if h.Address.IsValid() {
			b = append(append(b, byte(h.Address.BitLen())), a[:]...)
		} else {
			b = append(b, 0)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(h.Interface))
		b = append(b, max(h.Weight, 1))
		if missing != nil && missing[i] != "" {
			b = append(append(b, missing[i]...), 0)
		} else {
			b = append(b, 0)
		}
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
		for _, d := range r.dests.Supernets(p) {
			d.transit++
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
	for _, d := range r.dests.Supernets(w.prefix) {
		// Circles are only looked for in transit prefixes, so a prefix that
		// becomes a leaf has to be decided once more.
		d.transit--
		r.markDirty(d)
	}
}

// addUser adds c to the users of hs.
func (hs *hopSet) addUser(c *candidate) {
	c.nextUser = hs.first
	if hs.first != nil {
		hs.first.prevUser = c
	}
	hs.first = c
}

// removeUser removes c from the users of hs.
func (hs *hopSet) removeUser(c *candidate) {
	if c.prevUser != nil {
		c.prevUser.nextUser = c.nextUser
	} else {
		hs.first = c.nextUser
	}
	if c.nextUser != nil {
		c.nextUser.prevUser = c.prevUser
	}
	c.prevUser, c.nextUser = nil, nil
}
