package nat

import (
	"sync/atomic"

	"routerd/flow"
	"routerd/nat/ports"
)

// The protocols whose ports, or identifiers of queries, are translated.
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// slot numbers the protocols that have ports to choose: what a port of TCP
// is in use for says nothing about UDP (RFC 7857 §5).
func slot(proto uint8) (int, bool) {
	switch proto {
	case protoTCP:
		return 0, true
	case protoUDP:
		return 1, true
	case protoICMP:
		return 2, true
	}
	return 0, false
}

const slots = 3

// space is the ports of one outside address. What is in use is changed under
// the NAT's mutex and read by anyone.
type space struct {
	addr  uint32
	sets  [slots]atomic.Pointer[ports.Set] // nil until a port is taken
	held  map[port]holder
	pools []*pool       // those that choose from it
	hand  [slots]uint16 // where evict has looked last
}

// port is one port of a space.
type port struct {
	slot   int
	number uint16
}

// holder says for whom a port is kept although no mapping has it.
type holder uint8

const (
	forForward  holder = iota + 1 // of a destination rule
	forListener                   // of the router's own stack
)

// has reports whether a mapping may have the port.
func (s *space) has(proto uint8, number uint16) bool {
	i, ok := slot(proto)
	if !ok {
		return false
	}
	set := s.sets[i].Load()
	return set != nil && set.Has(number)
}

func (s *space) set(i int) *ports.Set {
	set := s.sets[i].Load()
	if set == nil {
		set = new(ports.Set)
		s.sets[i].Store(set)
	}
	return set
}

// release frees a port that a mapping had, unless it is held.
func (s *space) release(i int, number uint16) {
	if s.held[port{i, number}] != 0 {
		return
	}
	s.set(i).Release(number)
	for _, p := range s.pools {
		p.empty[i] = false
	}
}

// pool is where a source rule takes outside addresses and ports from: a pool
// of the configuration, a fixed address, or the address of the interface that
// a flow leaves by.
type pool struct {
	id          uint16 // of mappings' keys; never 0 and never given twice
	name        string // as in the configuration
	kind        PoolKind
	text        string // its definition: one pool for each
	ranges      intervals
	spaces      []*space
	first, last uint16

	// empty remembers for each protocol that nothing was found: a flood of
	// new flows then costs no search each.
	empty [slots]bool

	mappings int
	refused  uint64 // new flows, for want of a port
}

// PoolKind says what a pool stands for.
type PoolKind uint8

const (
	PoolNamed     PoolKind = iota // [nat.pool.NAME]
	PoolFixed                     // a rule's own address
	PoolInterface                 // the address of an interface
)

// String gives the word of `show nat pool`.
func (k PoolKind) String() string { return [...]string{"pool", "address", "interface"}[k] }

// pair is what ties an inside host to one address of a pool (RFC 4787 REQ-2).
type pair struct {
	host uint32
	pool uint16
}

// pairing is the address that a host has, while mappings of it are left.
type pairing struct{ space, mappings uint32 }

// place finds an outside endpoint for the inside one of k. avoid is asked for
// when the port that would be preserved has proved to be of no use.
func (n *NAT) place(pl *plan, k *flow.Key, avoid bool) (*space, uint16, bool) {
	p := pl.pool
	i, ok := slot(k.Proto)
	if !ok || p.empty[i] || len(p.spaces) == 0 {
		return nil, 0, false
	}
	want := wanted(p, k.Proto, k.SrcPort, avoid)
	random := n.random.Uint64()
	at := uint32(uint64(uint32(random)) * uint64(len(p.spaces)) >> 32)
	r := n.active.Load()
	if r.fair || len(p.spaces) > 1 {
		pl.paired = n.pairs[pair{k.Src, p.id}]
	}
	if len(p.spaces) > 1 && r.cfg.Pairing == Paired {
		if paired := pl.paired; paired.mappings > 0 {
			// A host whose address has no port left is refused rather than
			// given a second address (RFC 7857 §4).
			s := n.spaces[paired.space]
			number, ok := n.choose(s.set(i), want, uint32(random>>32))
			return s, number, ok && r.leaves(p, s, i, &want, paired.mappings)
		}
	}
	for tried := range p.spaces {
		s := p.spaces[(int(at)+tried)%len(p.spaces)]
		if number, ok := n.choose(s.set(i), want, uint32(random>>32)); ok {
			return s, number, r.leaves(p, s, i, &want, pl.paired.mappings)
		}
	}
	// Only a high port's search has seen all that is left for anyone.
	p.empty[i] = !avoid && (k.SrcPort > 1023 || k.Proto == protoICMP)
	return nil, 0, false
}

// wanted is what is asked of the choice of a port of p.
func wanted(p *pool, proto uint8, number uint16, avoid bool) ports.Want {
	if proto == protoICMP { // identifiers, 0 included
		first := p.first
		if first == 1 {
			first = 0
		}
		return ports.Want{Port: number, First: first, Last: p.last, Other: avoid}
	}
	return ports.Want{
		Port: number, First: max(p.first, 1), Last: p.last,
		Classes: true, Parity: proto == protoUDP, Other: avoid,
	}
}

// tie keeps a host to an address of a pool for one mapping more.
func (n *NAT) tie(pl *plan, s *space, host uint32) {
	p := pl.pool
	key := pair{host, p.id}
	was := pl.paired
	if was.mappings == 0 {
		was = n.pairs[key] // place has not looked, or found none
	}
	if was.mappings == 0 {
		was.space = s.addr
	}
	was.mappings++
	n.pairs[key] = was
}

// untie takes back what tie did.
func (n *NAT) untie(p *pool, host uint32) {
	key := pair{host, p.id}
	was, ok := n.pairs[key]
	if was.mappings--; !ok || was.mappings == 0 {
		delete(n.pairs, key)
		return
	}
	n.pairs[key] = was
}

// hold makes held what reservations and rules keep of s, and lets go of the
// rest. A port that a mapping has is kept once the mapping ends.
func (n *NAT) hold(s *space, held map[port]holder) {
	for p := range s.held {
		if held[p] == 0 {
			if n.mappings.outside(s.addr, slotProtocols[p.slot], p.number) == 0 {
				s.set(p.slot).Release(p.number)
			}
			for _, pool := range s.pools {
				pool.empty[p.slot] = false
			}
		}
	}
	for p := range held {
		s.set(p.slot).Take(p.number)
	}
	s.held = held
}

// slotProtocols is the inverse of slot.
var slotProtocols = [slots]uint8{protoTCP, protoUDP, protoICMP}
