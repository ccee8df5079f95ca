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

// NAT translates for one routing table. It lives as long as the router; what
// it knows of the configuration is swapped by Commit.
//
// Any number of goroutines may call its methods at once. Packets of sessions
// that exist take no lock; a session's first packet, and whatever changes or
// shows the whole, takes one mutex for a short and bounded time.
type NAT struct {
	sessions *flow.Table
	active   atomic.Pointer[Rules]
	choose   ports.Choice

	// mu guards what follows, and that the sessions, the mappings and the
	// ports in use fit each other.
	mu        sync.Mutex
	random    rand.ChaCha8 // what the choice of ports draws from
	mappings  mappings
	permitted map[permission]uint32 // sessions of each, while the filter is by address
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
}

// Options are what a NAT is born with.
type Options struct {
	// Random is where New draws the keys of its hashes and the seed of the
	// choice of ports (RFC 6056 §3.3), each by itself: crypto/rand's where
	// strangers can send.
	Random rand.Source
	Choose ports.Choice // nil = ports.Choose
}

// Interface is what translation knows of one interface.
type Interface struct {
	ID        routing.InterfaceID
	Name      string
	Addresses []netip.Prefix // host bits kept; the first of IPv4 is what masquerade takes
}

// Listener is a port that the router's own stack listens at, and that no
// mapping is to have.
type Listener struct {
	Address  netip.Addr // the zero Addr = all of the router's
	Protocol uint8
	Port     uint16
}

// counts are of one rule, or of all.
type counts struct {
	active int    // sessions
	made   uint64 // sessions since the rule is what it is
	// New flows refused: for want of a port, because the table is full,
	// because of the inside host's limit.
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
		panic(err) // the zero Config is right
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

// Outside reports whether an address, as flow keys have it, is translation's
// and no interface's: of a pool, a fixed one, the outside of a static rule.
// No lookup is to send a packet there back to where it came from.
func (n *NAT) Outside(address uint32) bool { return n.active.Load().owns(address) }

// Proxied lists the addresses of Outside as ranges: what ARP answers for on
// Ethernet links besides the interfaces' own.
func (n *NAT) Proxied() []AddressRange {
	r := n.active.Load()
	own := slices.Sorted(maps.Keys(r.own))
	var list []AddressRange
	for _, i := range r.outside.ranges {
		from, done := i.lo, false
		for _, a := range own {
			if done || a < from || a > i.hi {
				continue
			}
			if a > from {
				list = append(list, AddressRange{addr(from), addr(a - 1)})
			}
			from, done = a+1, a == i.hi
		}
		if !done {
			list = append(list, AddressRange{addr(from), addr(i.hi)})
		}
	}
	return list
}

// Sessions is the table of the NAT's sessions, to look up in and to walk.
// Whoever inserts or deletes there breaks the NAT.
func (n *NAT) Sessions() *flow.Table { return n.sessions }
