package rib

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/fib"
)

// Candidate is one route that was offered for a prefix, and whether it is used.
type Candidate struct {
	Prefix    netip.Prefix
	Source    routing.Source
	Action    routing.Action
	Distance  uint8
	Metric    uint32
	Tag       uint32
	Interface routing.InterfaceID // of connected, local and broadcast; else NoInterface
	NextHops  []Hop               // in the given order; none for connected routes
	Selected  bool                // chosen, alone or with equals
	Installed bool                // in the FIB since the last Flush
	Stale     bool                // its source has restarted and not offered it again
	WhyNot    string              // if neither selected nor installed: a sentence in lower case, no full stop
	Origin    origin.ID
	Since     time.Time // when its source last changed it, UTC
}

// Hop is one next hop of a candidate.
type Hop struct {
	routing.NextHop               // as given
	Via             netip.Prefix  // the route that it resolves through; invalid when it needs none
	Resolved        []fib.NextHop // where packets go, with Via's backups; empty if the hop is not usable or Via discards
	Usable          bool
	WhyNot          string // why not usable, as above
}

// Walk gives all candidates of up to max prefixes after the prefix after, in
// order of address and length, IPv4 first; those of one prefix by preference.
// The zero Prefix means from the start. It shows the state after the last
// Flush; later candidates are shown as not yet chosen.
func (r *RIB) Walk(after netip.Prefix, max int) []Candidate {
	return r.AppendWalk(nil, after, max)
}

// AppendWalk appends what Walk gives to page, so that its memory can be used again.
func (r *RIB) AppendWalk(page []Candidate, after netip.Prefix, max int) []Candidate {
	for n := range r.behind(after) {
		if r.isGone(n) {
			continue
		}
		if max <= 0 {
			break
		}
		max--
		page = r.appendCandidates(page, n)
	}
	return page
}

// Get gives the candidates of exactly this prefix, by preference.
func (r *RIB) Get(p netip.Prefix) []Candidate {
	n := r.find(p)
	if n == 0 {
		return nil
	}
	return r.appendCandidates(nil, n)
}

// Lookup gives the candidates of the prefix by which the FIB forwards packets
// for a, nil if there is none.
func (r *RIB) Lookup(a netip.Addr) []Candidate {
	for n := range r.above(a) {
		if r.forwards(n) {
			return r.appendCandidates(nil, n)
		}
	}
	return nil
}

// forwards reports whether the FIB that was last handed out has n. Of what is
// being settled it has nothing yet.
func (r *RIB) forwards(n number) bool {
	if s := r.settling; s != nil {
		if changes, had := s.traces.of(uint32(n)); changes {
			return had
		}
	}
	return r.at(n).leads != 0
}

func (r *RIB) appendCandidates(to []Candidate, n number) []Candidate {
	best := r.best(n)
	p, d := r.prefix(n), r.at(n)
	installed := d.leads != 0
	if r.settling != nil && installed {
		changes, _ := r.settling.traces.of(uint32(n))
		installed = !changes
	}
	for at := r.first(n); at != 0; at = *r.more(at) {
		c := r.cand(at)
		v := Candidate{
			Prefix: p, Source: c.source, Action: c.action, Distance: c.distance,
			Metric: c.metric, Tag: c.tag, Interface: c.owner(), Selected: c.is(isChosen),
			Installed: c.is(isChosen) && installed, Stale: r.stale(c, d), Origin: c.origin,
			Since: time.Unix(int64(c.since), 0).UTC(),
		}
		if set := *r.hopsOf(at); set != 0 {
			v.NextHops = r.showHops(r.sets[set], n)
		}
		if !v.Selected {
			v.WhyNot = r.whyNot(&v, n, c, best)
		}
		to = append(to, v)
	}
	return to
}

// showHops resolves the hops of a candidate of n again, for display.
func (r *RIB) showHops(hs *hopSet, n number) []Hop {
	hops := make([]Hop, len(hs.hops))
	for i := range hs.hops {
		h := &hs.hops[i]
		hops[i].NextHop = h.NextHop
		res := r.resolveHop(h, n)
		if res.why != usable {
			hops[i].WhyNot = r.refusalSentence(h, res)
			continue
		}
		hops[i].Usable = true
		if res.via != 0 {
			hops[i].Via = r.prefix(res.via)
		}
		if shares, backups, action := r.sharesOf(h, res); action == routing.Forward {
			hops[i].Resolved = weigh(shares)
			if !h.Backup {
				hops[i].Resolved = append(hops[i].Resolved, weighBackups(backups, hops[i].Resolved)...)
			}
			for j := range hops[i].Resolved {
				to := &hops[i].Resolved[j]
				to.Index = r.neighbours[neighbour{to.Address, to.Interface}]
			}
		}
	}
	return hops
}

// Hops counts the next hops of all different sets, and those that are not
// usable.
func (r *RIB) Hops() (all, unusable int) {
	for _, hs := range r.hopSets {
		for i := range hs.hops {
			all++
			if r.resolveHop(&hs.hops[i], 0).why != usable {
				unusable++
			}
		}
	}
	return all, unusable
}

// refusalSentence says why a next hop is not usable.
func (r *RIB) refusalSentence(h *hop, res resolution) string {
	switch res.why {
	case waiting:
		return fmt.Sprintf("next hop %v is not resolved yet", h.Address)
	case noRoute:
		return fmt.Sprintf("next hop %v is unreachable: no route covers it", h.Address)
	case throughItself:
		return fmt.Sprintf("next hop %v would be reached through the route that it serves", h.Address)
	case ownAddress:
		return fmt.Sprintf("next hop %v is one of the router's own addresses", h.Address)
	case broadcastAddress:
		return fmt.Sprintf("next hop %v is a broadcast address", h.Address)
	case notNeighbour:
		return fmt.Sprintf("next hop %v is not an address that a neighbour can have", h.Address)
	case linkLocalAlone:
		return fmt.Sprintf("next hop %v is link-local and does not say on which interface", h.Address)
	case interfaceDown:
		return fmt.Sprintf("interface %s is down", r.interfaceName(res.iface))
	case interfaceMissing:
		if h.missing != "" {
			return fmt.Sprintf("there is no interface %s", h.missing)
		}
		return fmt.Sprintf("there is no interface number %d", h.Interface)
	case watchedDead:
		return fmt.Sprintf("next hop %v has no BFD session that is up", h.Address)
	case leadsNowhere:
		return "a next hop has neither an address nor an interface"
	}
	return ""
}

func (r *RIB) interfaceName(id routing.InterfaceID) string {
	if s := r.interfaces[id]; s != nil {
		return s.Name
	}
	return fmt.Sprintf("number %d", id)
}

// whyNot says why c is not chosen but best is; best is nil if no candidate of
// the prefix is usable.
func (r *RIB) whyNot(v *Candidate, n number, c, best *candidate) string {
	if r.at(n).flags&(isDirty|isPending) != 0 {
		return "it has just changed and is not decided yet"
	}
	if c.distance == neverUsed {
		return "distance 255 means never used"
	}
	if best == nil || best.order(c) > 0 || best.merges(c) {
		return hopSentences(v.NextHops)
	}
	switch {
	case best.action == routing.Local && c.action == routing.Local:
		return fmt.Sprintf("%s has the same address and comes first", r.interfaceName(best.owner()))
	case best.action == routing.Local:
		return fmt.Sprintf("the address is the router's own, on %s", r.interfaceName(best.owner()))
	case best.action == routing.Broadcast:
		return fmt.Sprintf("the address is a broadcast address of %s", r.interfaceName(best.owner()))
	case best.distance != c.distance:
		return fmt.Sprintf("distance %d is higher than %v's %d", c.distance, best.source, best.distance)
	case best.metric != c.metric:
		return fmt.Sprintf("metric %d is higher than %d", c.metric, best.metric)
	case best.source != c.source:
		return fmt.Sprintf("%v comes before %v at the same distance and metric", best.source, c.source)
	case best.owner() != c.owner():
		return fmt.Sprintf("%s has the same prefix and comes first", r.interfaceName(best.owner()))
	}
	return "an equal route stands before it in the configuration"
}

func hopSentences(hops []Hop) string {
	var why []string
	for _, h := range hops {
		if h.WhyNot != "" {
			why = append(why, h.WhyNot)
		}
	}
	if len(why) == 0 {
		return "it has no next hop"
	}
	return strings.Join(why, "; ")
}

// Unreached is a static next hop that cannot be resolved.
type Unreached struct {
	Prefix  netip.Prefix
	NextHop StaticNextHop
	WhyNot  string // as in Candidate
	Origin  origin.ID
}

// Unreached gives the static next hops that cannot be resolved, in the order of
// the configuration, none before they are taken up. In a RIB whose interfaces are
// all up these are mistakes of the configuration.
func (r *RIB) Unreached() []Unreached {
	var all []Unreached
	if r.binding != nil || r.bindDue {
		return nil
	}
	for i, n := range r.statics {
		set := *r.hopsOf(r.by(n, routing.SourceStatic, uint32(i)))
		if set == 0 {
			continue
		}
		for j, h := range r.showHops(r.sets[set], n) {
			if !h.Usable {
				s := &r.config.Static[i]
				all = append(all, Unreached{r.prefix(n), s.NextHops[j], h.WhyNot, s.Origin})
			}
		}
	}
	return all
}
