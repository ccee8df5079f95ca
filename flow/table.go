package flow

import (
	"sync"
	"sync/atomic"

	"routerd/internal/siphash"
)

// Config is the configuration of a table. Configure changes it.
type Config struct {
	MaxSessions int // 1 to MostSessions; 0 = DefaultMaxSessions
	MaxPerHost  int // sessions of one inside host; 0 = no limit but MaxSessions
	// FairShare keeps room for hosts that have few sessions: see Table.Evict.
	// It has no effect if one host may have all sessions.
	FairShare      bool
	Timeouts       Timeouts
	InboundRefresh bool        // packets towards the inside host refresh what is not TCP too (RFC 4787 REQ-6: "inbound refresh")
	Key            siphash.Key // secret key of the hash, so that nobody knows which keys collide; only New reads it
}

const (
	DefaultMaxSessions = 262144
	MostSessions       = 1 << 24
)

// Table is the sessions of one router. Find, Packet and Touch take
// no lock, and any number of goroutines may call them; whatever makes or ends
// sessions takes the table's mutex for a bounded time.
//
// Callback functions run while the mutex is held. They must not call the table,
// nor keep the Session that they get.
type Table struct {
	index   atomic.Pointer[index]
	blocks  [MostSessions/blockRecords + 1]atomic.Pointer[block]
	refresh atomic.Bool                  // Config.InboundRefresh
	limited atomic.Bool                  // a session has been limited
	ended   atomic.Pointer[func(uint32)] // see OnEnd; nil for nobody
	key     siphash.Key
	wide    bool // the sessions are of IPv6, see wide.go
	wides   [MostSessions/blockRecords + 1]atomic.Pointer[wideBlock]

	mu      sync.Mutex // guards what follows, and all writing of records but for their state
	limit   uint32
	perHost uint32
	fair    bool
	hand    uint32 // where Evict has looked last
	life    lifetimes
	wheel   wheel
	used    uint32 // numbers used so far; 0 is never used
	free    queue
	hosts   map[uint32]uint32  // sessions by inside host
	carried map[uint32]Traffic // what does not fit the counter words of sessions that have carried much
	held    map[uint32]Holding // of sessions that are limited
	ending  Session            // what the callback for ended sessions gets

	sessions atomic.Int64
	counters counters
}

// NoSession is the number of no session.
const NoSession uint32 = 0

// New makes an empty table. Values of cfg that are out of range are clamped.
func New(cfg Config) *Table {
	t := &Table{used: 1, hosts: map[uint32]uint32{}, carried: map[uint32]Traffic{}, held: map[uint32]Holding{}, key: cfg.Key}
	t.Configure(cfg)
	return t
}

// Configure changes limits and timeouts. Sessions over a limit stay until they
// end by themselves; a shorter timeout applies from the wheel's next visit.
// Raising MaxSessions above all earlier values takes time in proportion to the
// existing sessions, some tenths of a second for a million; until then no
// session can be made, while packets of existing ones pass.
func (t *Table) Configure(cfg Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = DefaultMaxSessions
	}
	t.limit = uint32(min(cfg.MaxSessions, MostSessions))
	t.perHost = t.limit
	if cfg.MaxPerHost > 0 {
		t.perHost = uint32(min(cfg.MaxPerHost, MostSessions))
	}
	t.fair = cfg.FairShare && t.perHost < t.limit
	t.life = cfg.Timeouts.lifetimes()
	t.refresh.Store(cfg.InboundRefresh)
	if x := t.index.Load(); x == nil || x.sessions < t.limit {
		t.reindex()
	}
}

// reindex makes an index for t.limit sessions.
func (t *Table) reindex() {
	x := newIndex(t.limit)
	for number := uint32(1); number < t.used; number++ {
		if s, ok := t.session(number); ok {
			x.insert(t.Hash(&s.Forward), number<<1, anywhere)
			x.insert(t.Hash(&s.Reply), number<<1|1, anywhere)
		}
	}
	t.index.Store(x)
}

// Hit is a packet's session as Find found it, a consistent copy.
type Hit struct {
	Session    uint32 // NoSession: there is none
	Generation uint32 // tells it from a later session with the same number
	Rule       uint32 // as given to Insert
	Owner      uint32 // as given to Insert
	Direction  Direction
	Other      Key // the key of the other direction; its reverse is what the packet is translated to
}

// Refusal says why Insert made no session.
type Refusal uint8

const (
	Accepted  Refusal = iota
	KeyTaken          // one of the keys belongs to a session
	TableFull         // Config.MaxSessions
	HostFull          // Config.MaxPerHost
	Crowded           // too many keys share its place in the index, which does not happen by chance
	refusals
)

// String gives the refusal in a few words.
func (r Refusal) String() string {
	return [...]string{"accepted", "key taken", "table full", "host full", "crowded"}[r]
}

// Room reports whether the limits allow one more session of the host.
func (t *Table) Room(host uint32) Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.room(host)
}

func (t *Table) room(host uint32) Refusal {
	sessions, mine := uint32(t.sessions.Load()), t.hosts[host]
	switch {
	case sessions >= t.limit:
		return TableFull
	case mine >= t.perHost:
		return HostFull
	case t.fair && mine >= Share*(t.limit-sessions):
		return TableFull
	}
	return Accepted
}

// Insert makes a session. forward is the key of its first packet and reply that
// of the replies, of the same protocol and table. rule and owner are returned
// with each Hit. host is the inside host that the session counts for: forward's
// source, or the responder's address if that is inside. s is the first packet's
// segment, nil for other protocols than TCP: a SYN opens a connection, any
// other segment picks one up in mid-stream; the caller decides whether it may.
func (t *Table) Insert(forward, reply Key, rule, owner, host uint32, s *Segment, now Time) (uint32, Refusal) {
	return t.InsertHashed(&forward, &reply, Hashes{t.Hash(&forward), t.Hash(&reply)}, rule, owner, host, s, now)
}

// Hashes are those of a session's two keys.
type Hashes struct{ Forward, Reply uint64 }

// InsertHashed is Insert for a caller that has the keys' hashes.
func (t *Table) InsertHashed(forward, reply *Key, h Hashes, rule, owner, host uint32, s *Segment, now Time) (uint32, Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.insert(forward, reply, h, rule, owner, host, s, now)
}

// insert is InsertHashed with the mutex held.
func (t *Table) insert(forward, reply *Key, h Hashes, rule, owner, host uint32, s *Segment, now Time) (uint32, Refusal) {
	// Limits come first: a flood that has reached one is refused without a
	// look at the index.
	why, number := t.room(host), NoSession
	var hit Hit
	switch {
	case why != Accepted:
	case t.FindHashed(forward, h.Forward, &hit) || t.FindHashed(reply, h.Reply, &hit):
		why = KeyTaken
	default:
		number, why = t.enlist(h.Forward, h.Reply)
	}
	if why != Accepted {
		t.counters.refused[why].Add(1)
		return NoSession, why
	}
	var c conversation
	if forward.Proto == protoTCP {
		c = begin(s)
	}
	c.condition = c.at(now)
	t.record(number).write(forward, reply, rule, owner, host != forward.Src, c)
	if t.wheel.count == 0 {
		t.wheel.hand = tick(now)
	}
	t.enter(number, host, now, now)
	t.counters.made.Add(1)
	return number, Accepted
}

// enlist takes a free number and puts it into the index under both hashes. A
// reader that finds it before its record is written sees that the record is not
// in use.
func (t *Table) enlist(hf, hr uint64) (uint32, Refusal) {
	number, x := t.number(), t.index.Load()
	if x.insert(hf, number<<1, nearby) {
		if x.insert(hr, number<<1|1, nearby) {
			return number, Accepted
		}
		x.remove(hf, number<<1)
	}
	t.release(number)
	return NoSession, Crowded
}

// enter adds a session, whose record and index entries exist, to the wheel, the
// hosts and the counters.
func (t *Table) enter(number, host uint32, created, now Time) {
	a := t.aside(number)
	a.created, a.note = created, Note{}
	t.carry(number, Traffic{})
	t.hosts[host]++
	t.sessions.Add(1)
	t.file(number, t.due(number, now))
}

// number takes the number that has been free for longest.
func (t *Table) number() uint32 {
	if number := t.free.head; number != 0 {
		t.free.head = t.aside(number).next
		if t.free.head == 0 {
			t.free.tail = 0
		}
		return number
	}
	number := t.used
	t.used++
	t.reserve(number)
	return number
}

// reserve allocates the memory for a number if there is none yet.
func (t *Table) reserve(number uint32) {
	if b := &t.blocks[number/blockRecords]; b.Load() == nil {
		fresh := new(block)
		hugePages(fresh.words())
		b.Store(fresh)
	}
	if w := &t.wides[number/blockRecords]; t.wide && w.Load() == nil {
		w.Store(new(wideBlock))
	}
}

// queue is the free numbers below Table.used, chained by aside.next.
type queue struct{ head, tail uint32 }

// end ends a session, which exists.
func (t *Table) end(number uint32, ended func(*Session)) {
	s := &t.ending
	*s, _ = t.session(number)
	t.lose(number)
	x := t.index.Load()
	x.remove(t.Hash(&s.Forward), number<<1)
	x.remove(t.Hash(&s.Reply), number<<1|1)
	if t.record(number).retire()&flagsCarried != 0 {
		t.tellEnd(number)
	}
	t.unfile(number)
	t.carry(number, Traffic{})
	if n := t.hosts[s.Host]; n > 1 {
		t.hosts[s.Host] = n - 1
	} else {
		delete(t.hosts, s.Host)
	}
	t.release(number)
	t.sessions.Add(-1)
	if ended != nil {
		ended(s)
	}
}

// release appends a number to the queue of free ones.
func (t *Table) release(number uint32) {
	if t.free.tail != 0 {
		t.aside(t.free.tail).next = number
	} else {
		t.free.head = number
	}
	t.free.tail = number
}

// Delete ends a session, calls ended, which may be nil, with it, and reports
// whether there was one with the number.
func (t *Table) Delete(session uint32, ended func(*Session)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.session(session); !ok {
		return false
	}
	t.counters.deleted.Add(1)
	t.end(session, ended)
	return true
}

// Packet records a packet of the session that Find gave: it changes the state
// of a TCP connection, with the packet's segment s, and refreshes the session.
// For other protocols s is nil, and the session is refreshed by packets of the
// inside host (RFC 4787 REQ-6), or of both sides with Config.InboundRefresh.
// Packet is not called for ICMP errors (RFC 5508 REQ-6).
//
// It reports false if the session has ended since it was found. No packet is
// dropped for its sequence number: that is the receiver's to judge, and an RST
// has to pass (RFC 7857 §2.2).
func (t *Table) Packet(hit *Hit, s *Segment, now Time) bool {
	r := t.record(hit.Session)
	if s == nil {
		return r.used(hit, now, t.refresh.Load())
	}
	alive, turned := r.segment(hit, s, now)
	if turned {
		if t.limited.Load() {
			t.turn(hit.Session)
		}
		t.turnedCarried(hit)
	}
	return alive
}
