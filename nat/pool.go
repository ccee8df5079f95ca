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

// slot numbers the protocols that have ports: TCP and UDP use the same port
// independently (RFC 7857 §5).
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

// space is the ports of one outside address. The sets are changed under the
// NAT's mutex and may be read by anyone.
type space struct {
	addr  uint32
	sets  [slots]atomic.Pointer[ports.Set] // nil until a port is taken
	held  map[port]holder
	pools []*pool       // the pools with this address
	hand  [slots]uint16 // where evict has looked last
}

// port is one port of a space.
type port struct {
	slot   int
	number uint16
}

// holder says for whom a port is reserved that no mapping has.
type holder uint8

const (
	forForward  holder = iota + 1 // of a destination rule
	forListener                   // of the router's own stack
)

// has reports whether a mapping may get the port.
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

// release frees a port that a mapping had, unless it is reserved.
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
	id          uint16 // in the keys of mappings; never 0 and never reused
	name        string // as in the configuration
	kind        PoolKind
	text        string // its definition, which identifies it
	ranges      intervals
	spaces      []*space
	first, last uint16

	// empty is set for each protocol in which no port was found, so that a
	// flood of new flows does not search again each time.
	empty [slots]bool

	mappings int
	refused  uint64 // new flows, for lack of a port
}

// PoolKind is the kind of a pool.
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

// pairing is the address that a host has in a pool, and its number of mappings.
type pairing struct{ space, mappings uint32 }

// place finds an outside endpoint for the inside one of k. With avoid it is not
// the preserved port, which could not be used.
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
			// A host whose address has no port left is refused: it gets no
			// second address (RFC 7857 §4).
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
	// Only the search for a high port has looked at all ports.
	p.empty[i] = !avoid && (k.SrcPort > 1023 || k.Proto == protoICMP)
	return nil, 0, false
}

// wanted is the wish for a port of p.
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

// tie counts one more mapping of a host at an address of a pool.
func (n *NAT) tie(pl *plan, s *space, host uint32) {
	p := pl.pool
	key := pair{host, p.id}
	was := pl.paired
	if was.mappings == 0 {
		was = n.pairs[key] // place has not looked it up, or found none
	}
	if was.mappings == 0 {
		was.space = s.addr
	}
	was.mappings++
	n.pairs[key] = was
}

// untie undoes one tie.
func (n *NAT) untie(p *pool, host uint32) {
	key := pair{host, p.id}
	was, ok := n.pairs[key]
	if was.mappings--; !ok || was.mappings == 0 {
		delete(n.pairs, key)
		return
	}
	n.pairs[key] = was
}

// hold sets the reserved ports of s to held, and frees the others. A port that
// a mapping has is reserved when the mapping ends.
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
