package nat

import (
	"math/bits"
	"sync/atomic"

	"routerd/flow"
	"routerd/internal/siphash"
)

// mapping ties an inside endpoint to an outside one for as long as sessions use
// it (RFC 4787 §4). It ends with its last session. It takes 40 bytes and has no
// pointer, so the garbage collector does not scan it.
type mapping struct {
	inside, outside         uint32
	insidePort, outsidePort uint16
	// The remote endpoints that the mapping is for: all if both are 0, one
	// address, or one address and port (RFC 4787 REQ-1 wants all).
	remote     uint32
	remotePort uint16
	pool       uint16 // 0 for the router's own endpoints
	proto      uint8
	rule       uint16 // of the source rule that it was last used by
	sessions   uint32
	session    uint32 // the latest of them; it may have ended and its number may belong to another mapping
	// The next mapping in the same chain of either index, 0 at its end. A
	// mapping that is free has the next free one in nextInside.
	nextInside, nextOutside uint32
}

// mappings are all mappings, by number, and two chained hash indexes over them.
// No mapping has the number 0.
type mappings struct {
	blocks   [][]mapping // of blockSize mappings each, so that growing copies nothing
	used     uint32      // numbers given so far
	free     uint32      // the first free one below used, 0 = none
	n        int
	byInside []chain                 // lengths are powers of two
	heads    atomic.Pointer[[]chain] // byInside, for touch
	byRemote []chain                 // by the outside endpoint, which remote hosts see
	key      siphash.Key
}

const blockSize = 4096

// chain is a place of an index: the number of its first mapping and, in the
// five bits above that, how many mappings share it.
type chain uint32

const (
	chainBits = 27 // of the number
	// mostChained is how many mappings may share a place, which bounds what one
	// lookup costs. By chance, one chain in 10¹² of a full index is that long;
	// only a sender who knows the key could make one.
	mostChained = 16
)

func (c *chain) first() uint32 { return uint32(*c) & (1<<chainBits - 1) }
func (c *chain) room() bool    { return *c>>chainBits < mostChained }

// set makes number the first mapping and changes the count by by.
func (c *chain) set(number uint32, by int) {
	atomic.StoreUint32((*uint32)(c), (uint32(*c)>>chainBits+uint32(by))<<chainBits|number) // touch may be reading
}

// init makes room in the indexes for limit mappings. Pages of an index take no
// memory until they are written to.
func (m *mappings) init(limit int, key siphash.Key) {
	m.used, m.key = 1, key
	m.index(limit)
}

// index makes both indexes, empty.
func (m *mappings) index(limit int) {
	size := indexSize(limit)
	m.byInside, m.byRemote = make([]chain, size), make([]chain, size)
	hugePages(m.byInside)
	hugePages(m.byRemote)
	heads := m.byInside
	m.heads.Store(&heads)
}

func indexSize(limit int) int { return 1 << bits.Len(uint(max(limit, 64)-1)) }

// at gives the mapping with a number that is in use.
func (m *mappings) at(number uint32) *mapping {
	return &m.blocks[number/blockSize][number%blockSize]
}

func (m *mappings) hash(a, b uint64) uint32 { return uint32(m.key.Sum(a, b)) }

// hashes are the two by which a mapping is looked for. The mapping of a new
// flow is looked up several times, so they are passed on and not computed
// again.
type hashes struct{ inside, outside uint32 }

func (m *mappings) hashes(x *mapping) hashes {
	return hashes{m.insideHash(x), m.outsideHash(x.outside, x.proto, x.outsidePort)}
}

// insideHash does not depend on the pool, so that it can be computed before the
// pool is known.
func (m *mappings) insideHash(x *mapping) uint32 {
	return m.hash(uint64(x.inside)<<32|uint64(x.insidePort)<<16|uint64(x.proto)<<8, uint64(x.remote)<<32|uint64(x.remotePort)<<16)
}

func (m *mappings) outsideHash(addr uint32, proto uint8, port uint16) uint32 {
	return m.hash(uint64(addr), uint64(port)<<8|uint64(proto))
}

func (m *mappings) insideHead(hash uint32) *chain { return &m.byInside[int(hash)&(len(m.byInside)-1)] }

func (m *mappings) outsideHead(hash uint32) *chain { return &m.byRemote[int(hash)&(len(m.byRemote)-1)] }

// place is the hash by which the mapping of k's source is looked up. It needs
// no mutex, since the hash key never changes.
func (m *mappings) place(k *flow.Key) uint32 {
	x := insideOf(k, 0, EndpointIndependent)
	return m.insideHash(&x)
}

// touch prefetches what is at the places. It needs no mutex.
func (m *mappings) touch(places []uint32) {
	heads := *m.heads.Load()
	for _, place := range places {
		atomic.LoadUint32((*uint32)(&heads[int(place)&(len(heads)-1)]))
	}
}

// find gives the number of the mapping with the inside endpoint, pool and
// remote endpoint of x, or 0. hash is insideHash(x).
func (m *mappings) find(x *mapping, hash uint32) uint32 {
	number := m.insideHead(hash).first()
	for number != 0 {
		y := m.at(number)
		if y.inside == x.inside && y.insidePort == x.insidePort && y.proto == x.proto &&
			y.pool == x.pool && y.remote == x.remote && y.remotePort == x.remotePort {
			return number
		}
		number = y.nextInside
	}
	return 0
}

// outside gives the number of the mapping that has the outside endpoint, or 0.
// There is never a second one: ports are not overloaded (RFC 4787 REQ-3).
func (m *mappings) outside(addr uint32, proto uint8, port uint16) uint32 {
	number := m.outsideHead(m.outsideHash(addr, proto, port)).first()
	for number != 0 {
		y := m.at(number)
		if y.outside == addr && y.outsidePort == port && y.proto == proto {
			return number
		}
		number = y.nextOutside
	}
	return 0
}

// room reports for each index whether it has room for a mapping with the
// hashes.
func (m *mappings) room(h hashes) (inside, outside bool) {
	return m.insideHead(h.inside).room(), m.outsideHead(h.outside).room()
}

// next is the number that add will give.
func (m *mappings) next() uint32 {
	if m.free != 0 {
		return m.free
	}
	return m.used
}

// add adds x, which has the hashes, and gives its number. x must not be in the
// indexes, and both must have room for it.
func (m *mappings) add(x *mapping, h hashes) uint32 {
	number := m.free
	if number != 0 {
		m.free = m.at(number).nextInside
	} else {
		number = m.used
		m.used++
		if int(number/blockSize) == len(m.blocks) {
			m.blocks = append(m.blocks, make([]mapping, blockSize))
		}
	}
	*m.at(number) = *x
	m.chain(number, h)
	m.n++
	return number
}

// chain puts the mapping with the number and the hashes into both indexes.
func (m *mappings) chain(number uint32, h hashes) {
	x := m.at(number)
	in, out := m.insideHead(h.inside), m.outsideHead(h.outside)
	x.nextInside, x.nextOutside = in.first(), out.first()
	in.set(number, +1)
	out.set(number, +1)
}

// remove frees the mapping with the number.
func (m *mappings) remove(number uint32) {
	x := m.at(number)
	h := m.hashes(x)
	m.unchain(m.insideHead(h.inside), number, func(y *mapping) *uint32 { return &y.nextInside })
	m.unchain(m.outsideHead(h.outside), number, func(y *mapping) *uint32 { return &y.nextOutside })
	*x = mapping{nextInside: m.free}
	m.free = number
	m.n--
}

// unchain takes a mapping out of the chain that begins at head.
func (m *mappings) unchain(head *chain, number uint32, next func(*mapping) *uint32) {
	first := head.first()
	if first == number {
		first = *next(m.at(number))
	} else {
		at := first
		for *next(m.at(at)) != number {
			at = *next(m.at(at))
		}
		*next(m.at(at)) = *next(m.at(number))
	}
	head.set(first, -1)
}

// resize makes the indexes large enough for limit mappings and for the present
// ones.
func (m *mappings) resize(limit int) {
	if limit = max(limit, m.n); indexSize(limit) == len(m.byInside) || indexSize(limit) < len(m.byInside) && m.n > 0 {
		return // with fewer places, chains could be too long
	}
	m.index(limit)
	for number := uint32(1); number < m.used; number++ {
		if x := m.at(number); x.sessions != 0 { // it is not free
			m.chain(number, m.hashes(x))
		}
	}
}

// insideOf is the mapping of k's source from the pool with the number pool,
// without its outside endpoint.
func insideOf(k *flow.Key, pool uint16, b Behavior) mapping {
	x := mapping{inside: k.Src, insidePort: k.SrcPort, proto: k.Proto, pool: pool}
	if b != EndpointIndependent {
		x.remote = k.Dst
	}
	if b == AddressAndPortDependent {
		x.remotePort = k.DstPort
	}
	return x
}
