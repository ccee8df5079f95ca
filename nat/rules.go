package nat

import (
	"routerd/flow"
	"routerd/internal/origin"
	"routerd/routing"
)

// Kind is the list of the configuration that a rule stands in.
type Kind uint8

const (
	KindSource Kind = iota
	KindDestination
	KindStatic
)

// String gives the configuration's word.
func (k Kind) String() string { return [...]string{"source", "destination", "static"}[k] }

// rule is one rule, compiled. A static rule is compiled to two, one for each
// direction.
type rule struct {
	kind   Kind
	name   string
	number uint16 // what sessions keep of it; never 0
	match  criteria
	origin origin.ID
	text   string // its definition: two rules of one kind, name and text are the same

	method  Method
	pool    *pool // of FixedAddress and FromPool
	hairpin bool

	// Of destination and static rules: what the first address and port of the
	// matched range become; the others follow in order.
	from, to         uint32 // from of static rules alone: a destination rule has one host behind it
	fromPort, toPort uint16
	ports            bool // the port changes as well
}

// id is what tells rules apart.
func (r *rule) id() ruleID { return ruleID{r.kind, r.name} }

type ruleID struct {
	kind Kind
	name string
}

// String gives "kind name".
func (i ruleID) String() string { return i.kind.String() + " " + i.name }

// translate gives the address and port that a destination or static rule makes
// of them.
func (r *rule) translate(address uint32, port uint16) (uint32, uint16) {
	if r.kind == KindStatic {
		address = address - r.from + r.to
	} else {
		address = r.to
	}
	if r.ports {
		port = port - r.fromPort + r.toPort
	}
	return address, port
}

// Rules is a configuration compiled against the router's interfaces. Once
// committed it never changes, except for what pools and spaces point to, under
// the NAT's mutex.
type Rules struct {
	cfg   Config
	names map[routing.InterfaceID]string

	all         []*rule
	byNumber    map[uint16]*rule
	destination *index  // over static rules by their outside, then destination rules
	source      *index  // over static rules by their inside, then source rules
	halves      []*rule // the second rules of static rules, which are not in all

	// anywhere and by say by which egress interfaces the source of a packet may
	// be translated.
	anywhere bool
	by       map[routing.InterfaceID]bool
	// leads are the interfaces that some rule names as leading outside: packets
	// that come in by one never count as an inside host's.
	leads map[routing.InterfaceID]bool

	own     map[uint32]routing.InterfaceID // the addresses of interfaces
	outside outside
	masks   map[routing.InterfaceID]*pool // for masquerade
	pools   []*pool
	spaces  map[uint32]*space // the addresses that ports are chosen from

	limit, perHost int
	fair           bool // see Config.NoFairShare
}

// translated reports whether the source of a packet that leaves by out may
// be translated.
func (r *Rules) translated(out routing.InterfaceID) bool {
	return r.anywhere || r.by[out]
}

// inbound gives the first rule that translates the destination of k when it
// came in by in, or nil.
func (r *Rules) inbound(k *flow.Key, in routing.InterfaceID) *rule {
	for _, c := range r.destination.candidates(k) {
		if !c.match.has(k) {
			continue
		}
		if c.match.in.has(in) || c.hairpin && !r.leads[in] && r.reachable(c, k.Dst) {
			return c
		}
	}
	return nil
}

// outbound gives the first rule for the source of k when it came in by in and
// leaves by out, or nil. It may be one with the method Exempt.
func (r *Rules) outbound(k *flow.Key, in, out routing.InterfaceID) *rule {
	for _, c := range r.source.candidates(k) {
		if c.match.has(k) && c.match.out.has(out) && c.match.in.has(in) {
			return c
		}
	}
	return nil
}

// from gives the pool of rule c for flows that leave by out, or nil if out has
// no address.
func (r *Rules) from(c *rule, out routing.InterfaceID) *pool {
	if c.method == Masquerade {
		return r.masks[out]
	}
	return c.pool
}

// outside is the set of the addresses that belong to translation and not to an
// interface, as sorted disjoint ranges. A bit for each /16 answers most
// packets, with no, by one load.
type outside struct {
	ranges intervals
	filter [1024]uint64
}

// add adds a range. Call sort after the last one.
func (o *outside) add(i interval) {
	for top := i.lo >> 16; top <= i.hi>>16; top++ {
		o.filter[top>>6] |= 1 << (top & 63)
	}
	o.ranges = append(o.ranges, i)
}

func (o *outside) has(a uint32) bool {
	if o.filter[a>>22]>>(a>>16&63)&1 == 0 {
		return false
	}
	lo, hi := 0, len(o.ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if o.ranges[mid].hi < a {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(o.ranges) && o.ranges[lo].has(a)
}
