package nat

import (
	"slices"

	"routerd/flow"
)

// Impact is what a Commit will do, by "kind name" of each rule.
type Impact struct {
	Kept, Added, Changed, Removed []string
	// Ends is the number of sessions of rules that change or go, as counted by
	// Prepare; a session of two such rules counts twice.
	Ends int
}

// Prepare compiles cfg and checks it against the router's interfaces. It
// changes nothing; its result is for Commit. An error names the rule or pool,
// what it says and what is wanted.
func (n *NAT) Prepare(cfg Config, interfaces []Interface) (*Rules, Impact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, err := n.compile(cfg, interfaces)
	if err != nil {
		return nil, Impact{}, err
	}
	return r, n.impact(r), nil
}

func (n *NAT) impact(r *Rules) Impact {
	var i Impact
	old := n.active.Load().texts()
	for id, text := range r.texts() {
		switch was, known := old[id]; {
		case !known:
			i.Added = append(i.Added, id.String())
		case was == text:
			i.Kept = append(i.Kept, id.String())
		default:
			i.Changed = append(i.Changed, id.String())
			i.Ends += n.counts[n.numbers[id]].active
		}
		delete(old, id)
	}
	for id := range old {
		i.Removed = append(i.Removed, id.String())
		i.Ends += n.counts[n.numbers[id]].active
	}
	for _, list := range [][]string{i.Kept, i.Added, i.Changed, i.Removed} {
		slices.Sort(list)
	}
	return i
}

// texts gives the definition of every rule.
func (r *Rules) texts() map[ruleID]string {
	texts := map[ruleID]string{}
	for _, c := range r.all {
		texts[c.id()] = c.text
	}
	return texts
}

// swap replaces old by r.
func (n *NAT) swap(old, r *Rules) {
	before := old.texts()
	for _, c := range r.all {
		c.number = n.numbers[c.id()]
		if text, known := before[c.id()]; !known || text != c.text {
			c.number = n.nextRule()
		}
	}
	n.adopt(r)
	n.active.Store(r)
	n.sessions.Configure(flow.Config{MaxSessions: r.limit, MaxPerHost: r.perHost, FairShare: !r.cfg.NoFairShare, Timeouts: r.cfg.Timeouts, InboundRefresh: r.cfg.InboundRefresh})
	n.mappings.resize(r.limit)
}

// nextRule gives the free rule number that has been unused for longest.
func (n *NAT) nextRule() uint16 {
	for {
		if n.lastRule++; n.lastRule == 0 {
			continue
		}
		if int(n.lastRule) == len(n.counts) {
			n.counts = append(n.counts, nil)
		}
		if n.counts[n.lastRule] == nil {
			n.counts[n.lastRule] = &counts{}
			return n.lastRule
		}
	}
}

// adopt registers the rules, pools and spaces of r in n.
func (n *NAT) adopt(r *Rules) {
	n.numbers = map[ruleID]uint16{}
	for _, c := range r.all {
		n.numbers[c.id()] = c.number
		r.byNumber[c.number] = c
	}
	for _, c := range r.halves {
		c.number = n.numbers[c.id()]
	}
	pools := map[string]*pool{}
	for _, s := range r.spaces {
		n.spaces[s.addr] = s
		s.pools = nil
	}
	for _, p := range r.pools {
		pools[p.text] = p
		for p.id == 0 {
			if n.lastPool++; n.lastPool != ownPool && n.poolByID[n.lastPool] == nil {
				p.id = n.lastPool
			}
		}
		n.poolByID[p.id] = p
		for _, s := range p.spaces {
			s.pools = append(s.pools, p)
		}
	}
	n.pools = pools
	for _, s := range r.spaces {
		n.hold(s, n.kept(r, s))
	}
}

// knows reports whether a is an address of the router or of translation.
func (r *Rules) knows(a uint32) bool {
	_, own := r.own[a]
	return own || r.spaces[a] != nil
}

// sweep forgets rules, pools and spaces that nothing uses any more.
func (n *NAT) sweep(r *Rules) {
	for number, c := range n.counts {
		if c != nil && r.byNumber[uint16(number)] == nil && c.active == 0 {
			n.counts[number] = nil
		}
	}
	for id, p := range n.poolByID {
		if n.pools[p.text] != p && p.mappings == 0 {
			delete(n.poolByID, id)
		}
	}
	for a, s := range n.spaces {
		if r.spaces[a] == s {
			continue
		}
		s.pools = nil
		if n.hold(s, nil); s.unused() {
			delete(n.spaces, a)
		}
	}
}

// unused reports whether no port of the space is taken.
func (s *space) unused() bool {
	for i := range s.sets {
		if set := s.sets[i].Load(); set != nil && set.Len() > 0 {
			return false
		}
	}
	return true
}

// SetInterfaces applies changed addresses of interfaces. Sessions whose outside
// address is gone end at once. It fails, and changes nothing, if the present
// configuration is not valid with them.
func (n *NAT) SetInterfaces(interfaces []Interface) error {
	r, _, err := n.Prepare(n.active.Load().cfg, interfaces)
	if err != nil {
		return err
	}
	n.Commit(r)
	for n.Review() {
	}
	return nil
}

// Listen sets the ports at which the router's own stack listens: no mapping
// gets one of them from now on. It returns those that a mapping of an inside
// host has: as long as that mapping exists, its packets do not reach the stack.
func (n *NAT) Listen(listeners []Listener) (mapped []Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners = slices.Clone(listeners)
	r := n.active.Load()
	for _, s := range r.spaces {
		n.hold(s, n.kept(r, s))
	}
	for _, l := range listeners {
		if slices.ContainsFunc(r.spacesOf(l), func(s *space) bool {
			m := n.mappings.outside(s.addr, l.Protocol, l.Port)
			return m != 0 && n.mappings.at(m).pool != ownPool
		}) {
			mapped = append(mapped, l)
		}
	}
	return mapped
}

// spacesOf are the outside addresses that a listener is at.
func (r *Rules) spacesOf(l Listener) (list []*space) {
	for _, s := range r.spaces {
		if _, own := r.own[s.addr]; own && l.at(s.addr) {
			list = append(list, s)
		}
	}
	return list
}

// at reports whether the listener is at an address of the router's.
func (l Listener) at(address uint32) bool {
	return !l.Address.IsValid() || number(l.Address) == address
}
