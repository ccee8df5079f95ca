package events

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a ring.
const (
	MaxEvents = 65_536   // events
	MaxBytes  = 16 << 20 // of their encodings, and what each takes besides
	// MaxObject is the longest encoding of an object, in bytes. An event of a
	// longer one has none, and says so.
	MaxObject = 256 << 10
	// Linger is how long events of a topic are recorded after the last listener
	// has left, so that one who comes back can resume.
	Linger = time.Minute

	slotBytes = 96 // what a slot takes besides its encoding
)

// Action says what happened to an event's object.
type Action string

// The actions. Events of topics without objects have Added.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Event is one event as it is published.
type Event struct {
	Topic  TopicID
	Time   time.Time
	Action Action
	Key    string          // identifies the object in its topic
	Item   json.RawMessage // the whole new object; nil of one that was removed
	Why    string          // what happened, in words; "" for none
	Cause  uint64          // the number of the event that caused it; 0 for none
	Origin string          // "file:line"; "" for none
}

// slot is one event in the ring, or a run of events that were not recorded.
type slot struct {
	first, last uint64 // numbers; the same of an event
	topic       TopicID
	key         string
	body        []byte // the frame from the time on; nil of a run
	why         string // of a run: why it was not recorded
}

// size is what a slot counts of MaxBytes.
func (s *slot) size() int { return slotBytes + len(s.body) + len(s.key) }

// Ring holds the latest events. It is safe for concurrent use: its lock is held
// for short, and never by anything that waits or is on the path of packets.
type Ring struct {
	// Begins, if not nil, is called when a client begins to listen to a topic that
	// is recorded only then, and no other client does: before it has a position, and
	// on its goroutine. It may wait, so that the client misses nothing afterwards.
	Begins func(TopicID)

	epoch  uint32
	topics []Topic
	byName map[string]TopicID

	maxEvents, maxBytes int // smaller in tests

	mu        sync.Mutex
	slots     []slot // a circle of len(slots), a power of two
	begin     int    // index of the oldest
	count     int
	bytes     int
	last      uint64 // the number given last
	version   uint64 // counts all changes of the ring
	changed   chan struct{}
	listeners []int
	samples   []sample      // the latest of each topic
	lost      atomic.Uint64 // told to readers who asked for them

	// until is, of each topic, when its events are no longer recorded: in
	// nanoseconds since 1970, 0 for at once, -1 for not while somebody listens.
	until []atomic.Int64
}

// NewRing makes an empty ring. epoch tells it from those of other runs of the
// router, so it should be random. There may be up to MaxTopics topics.
func NewRing(epoch uint32, list []Topic) *Ring {
	if len(list) > MaxTopics {
		panic(fmt.Sprintf("events: %d topics, wanted up to %d", len(list), MaxTopics))
	}
	r := &Ring{
		epoch: epoch, topics: list, byName: map[string]TopicID{}, maxEvents: MaxEvents, maxBytes: MaxBytes, slots: make([]slot, 256),
		listeners: make([]int, len(list)), samples: make([]sample, len(list)), until: make([]atomic.Int64, len(list)),
	}
	for i, t := range list {
		r.byName[t.Name] = TopicID(i)
	}
	return r
}

// Wanted reports whether events of the topic are recorded at the time now. It
// takes no lock.
func (r *Ring) Wanted(t TopicID, now time.Time) bool {
	if !r.topics[t].Heard {
		return true
	}
	until := r.until[t].Load()
	return until < 0 || until > now.UnixNano()
}

// listen counts a listener of the topics.
func (r *Ring) listen(set topics) {
	var first topics
	r.mu.Lock()
	set.each(func(t TopicID) {
		if r.listeners[t]++; r.listeners[t] == 1 && r.topics[t].Heard {
			first |= 1 << t
		}
		r.until[t].Store(-1)
	})
	r.mu.Unlock()
	if r.Begins != nil {
		first.each(r.Begins)
	}
}

// leave takes back what listen has counted.
func (r *Ring) leave(set topics, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set.each(func(t TopicID) {
		if r.listeners[t]--; r.listeners[t] == 0 {
			r.until[t].Store(now.Add(Linger).UnixNano())
		}
	})
}

// Publish adds an event and returns its number. If nobody wants to hear of its
// topic, the event only takes the number.
func (r *Ring) Publish(e Event) uint64 {
	if !r.Wanted(e.Topic, e.Time) {
		return r.Skip(e.Topic, 1, unheard)
	}
	body := r.encode(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.add(slot{first: r.last, last: r.last, topic: e.Topic, key: e.Key, body: body})
	return r.last
}

// Why events are not recorded.
const (
	unheard = "nobody listened"
	// TooMany: there were more at once than can be told one by one.
	TooMany = "too many at once"
)

// Skip gives count numbers to events that are not recorded, and returns the last.
// Readers are told why.
func (r *Ring) Skip(t TopicID, count uint64, why string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if count == 0 {
		return r.last
	}
	first := r.last + 1
	r.last += count
	if r.count > 0 {
		if s := r.slot(r.count - 1); s.body == nil && s.topic == t && s.why == why {
			s.last = r.last
			r.wake()
			return r.last
		}
	}
	r.add(slot{first: first, last: r.last, topic: t, why: why})
	return r.last
}

// Unheard is Skip for events that happen while their topic is not recorded.
func (r *Ring) Unheard(t TopicID, count uint64) { r.Skip(t, count, unheard) }

// slot returns a slot by its place, 0 for the oldest.
func (r *Ring) slot(at int) *slot { return &r.slots[(r.begin+at)&(len(r.slots)-1)] }

func (r *Ring) add(s slot) {
	if r.count == len(r.slots) && r.count < r.maxEvents {
		grown := make([]slot, 2*len(r.slots))
		for i := range r.count {
			grown[i] = *r.slot(i)
		}
		r.slots, r.begin = grown, 0
	}
	r.bytes += s.size()
	for r.count == len(r.slots) || r.bytes > r.maxBytes {
		oldest := r.slot(0)
		r.bytes -= oldest.size()
		*oldest = slot{}
		r.begin = (r.begin + 1) & (len(r.slots) - 1)
		r.count--
	}
	*r.slot(r.count) = s
	r.count++
	r.wake()
}

// wake tells those who wait that there is something new.
func (r *Ring) wake() {
	r.version++
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// seen is the version of what the ring has now.
func (r *Ring) seen() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

// since returns a channel that is closed as soon as the ring has something newer
// than the version, nil if it has.
func (r *Ring) since(version uint64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version != version {
		return nil
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// sample is the latest sample of a topic.
type sample struct {
	number uint64 // counts the topic's samples
	body   []byte // the frame from the topic on
}

// Sample replaces the latest sample of a topic: figures over some seconds, which
// take no position, and of which a client that is slow gets only the latest.
func (r *Ring) Sample(t TopicID, seconds float64, items []json.RawMessage) {
	body := marshal(sampleBody{r.topics[t].Name, seconds, items})[1:]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples[t] = sample{r.samples[t].number + 1, body}
	r.wake()
}

// latest returns the latest sample of a topic.
func (r *Ring) latest(t TopicID) sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.samples[t]
}

// Lost is how many events readers who asked for them were told to have lost, those
// that nobody listened to not counted.
func (r *Ring) Lost() uint64 { return r.lost.Load() }

// Cursor is the position of the latest event.
func (r *Ring) Cursor() Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Cursor{r.epoch, r.last}
}

// ends returns the first number that the ring has, and the last one given. If it
// has none, first is the next number.
func (r *Ring) ends() (first, last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first(), r.last
}

func (r *Ring) first() uint64 {
	if r.count == 0 {
		return r.last + 1
	}
	return r.slot(0).first
}

// read copies slots that end behind the position into to, and returns how many,
// and the first number that the ring has. If position+1 is less than that, the
// numbers between are lost.
func (r *Ring) read(position uint64, to []slot) (n int, first uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	low, high := 0, r.count
	for low < high {
		mid := (low + high) / 2
		if r.slot(mid).last > position {
			high = mid
		} else {
			low = mid + 1
		}
	}
	for ; n < len(to) && low+n < r.count; n++ {
		to[n] = *r.slot(low + n)
	}
	return n, r.first()
}
