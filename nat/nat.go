package nat

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"routerd/flow"
	"routerd/internal/siphash"
	"routerd/nat/ports"
	"routerd/routing"
)

// NAT translates for one routing table. It exists as long as the router; Commit
// changes its configuration.
//
// Any number of goroutines may call its methods at once. Packets of existing
// sessions take no lock; a session's first packet, and what changes or shows
// the whole, takes one mutex for a short, bounded time.
type NAT struct {
	sessions *flow.Table
	active   atomic.Pointer[Rules]
	ending   atomic.Pointer[outdated] // sessions that end though they are there still; nil for none
	choose   ports.Choice

	// mu guards what follows, and the consistency of sessions, mappings and
	// ports in use.
	mu        sync.Mutex
	random    rand.ChaCha8 // for the choice of ports
	mappings  mappings
	permitted map[permission]uint32 // number of sessions, if filtering is address-dependent
	pairs     map[pair]pairing
	spaces    map[uint32]*space
	pools     map[string]*pool // by definition
	poolByID  map[uint16]*pool
	listeners []Listener
	numbers   map[ruleID]uint16
	counts    []*counts // by rule number; nil where there is no such rule
	lastRule  uint16
	lastPool  uint16
	totals    counts
	evicted   uint64 // sessions that were ended to free their ports
	review    review
}

// Options are what New needs.
type Options struct {
	// Random is the source of the hash keys and of the seed of the choice of
	// ports (RFC 6056 §3.3): crypto/rand's except in tests and simulations.
	Random rand.Source
	Choose ports.Choice // nil = ports.Choose
}

// Interface is what translation has to know of one interface.
type Interface struct {
	ID        routing.InterfaceID
	Name      string
	Addresses []netip.Prefix // host bits kept; masquerade uses the first IPv4 one
}

// Listener is a port at which the router's own stack listens, and which no
// mapping gets.
type Listener struct {
	Address  netip.Addr // the zero Addr = all of the router's
	Protocol uint8
	Port     uint16
}

// counts are of one rule, or of all.
type counts struct {
	active int    // sessions
	made   uint64 // sessions since the rule was last changed
	// New flows refused: for lack of a port, because the table is full, because
	// of the inside host's limit.
	exhausted, full, host uint64
}

// New makes a NAT that translates nothing until a configuration is committed.
func New(o Options) *NAT {
	n := &NAT{
		choose: o.Choose, random: *rand.NewChaCha8(drawSeed(o.Random)),
		permitted: map[permission]uint32{}, pairs: map[pair]pairing{}, spaces: map[uint32]*space{},
		pools: map[string]*pool{}, poolByID: map[uint16]*pool{},
		numbers: map[ruleID]uint16{}, counts: make([]*counts, 1),
	}
	if n.choose == nil {
		n.choose = ports.Choose
	}
	n.mappings.init(0, drawKey(o.Random))
	n.sessions = flow.New(flow.Config{MaxSessions: 1, Key: drawKey(o.Random)})
	none, err := n.compile(Config{}, nil)
	if err != nil {
		panic(err) // the zero Config is valid
	}
	n.active.Store(none)
	return n
}

// drawKey draws the key of one hash.
func drawKey(random rand.Source) siphash.Key { return siphash.Key{random.Uint64(), random.Uint64()} }

// drawSeed draws the seed of one generator.
func drawSeed(random rand.Source) (seed [32]byte) {
	for i := range 4 {
		binary.NativeEndian.PutUint64(seed[8*i:], random.Uint64())
	}
	return seed
}

// Outside reports whether an address, in the form of flow keys, belongs to
// translation and not to an interface: to a pool, a rule's fixed address, the
// outside of a static rule. Packets to it must not be routed back to where they
// came from.
func (n *NAT) Outside(address uint32) bool { return n.active.Load().owns(address) }

// Proxied lists the addresses of Outside as ranges: ARP answers for them on
// Ethernet links.
func (n *NAT) Proxied() []flow.AddressRange {
	r := n.active.Load()
	own := slices.Sorted(maps.Keys(r.own))
	var list []flow.AddressRange
	for _, i := range r.outside.ranges {
		from, done := i.lo, false
		for _, a := range own {
			if done || a < from || a > i.hi {
				continue
			}
			if a > from {
				list = append(list, flow.AddressRange{First: addr(from), Last: addr(a - 1)})
			}
			from, done = a+1, a == i.hi
		}
		if !done {
			list = append(list, flow.AddressRange{First: addr(from), Last: addr(i.hi)})
		}
	}
	return list
}

// Sessions is the table of the NAT's sessions, for reading only: inserting or
// deleting there would break the NAT.
func (n *NAT) Sessions() *flow.Table { return n.sessions }
