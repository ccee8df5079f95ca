package events

import (
	"errors"
	"time"
)

// BookmarkEvery is how often a client that gets no events is told the cursor up
// to which there were none.
const BookmarkEvery = 10 * time.Second

// The bounds of one call of Next.
const (
	framesAtOnce = 128
	bytesAtOnce  = 128 << 10
)

// Session is the protocol of one client. One goroutine uses it at a time.
type Session struct {
	withheld topics // from this client
	ring     *Ring
	subs     []*subscription
	queued   [][]byte // frames that go before events
	refused  int
	turn     int // the subscription to serve first
	bookmark time.Time
	slots    []slot
	buf      []byte
	emit     func([]byte)
	frames   int // emitted by this call of Next
	bytes    int
}

// hello is the first frame that a client is sent.
type hello struct {
	Type   string   `json:"type"`
	Router string   `json:"router"`
	Epoch  string   `json:"epoch"`
	Cursor string   `json:"cursor"`
	Oldest string   `json:"oldest"`
	Topics []string `json:"topics"`
}

// gapFrame tells of lost events.
type gapFrame struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
	From string `json:"from"`
	To   string `json:"to"`
	// Lost is how many events, nil if that is not known.
	Lost *uint64 `json:"lost,omitempty"`
	Why  string  `json:"why"`
	Then string  `json:"then"`
}

type bookmarkFrame struct {
	Type   string `json:"type"`
	ID     int64  `json:"id,omitzero"`
	Cursor string `json:"cursor"`
}

type errorFrame struct {
	Type  string `json:"type"`
	ID    int64  `json:"id,omitzero"`
	Error string `json:"error"`
}

// What follows a gap.
const (
	thenSnapshot = "snapshot"
	thenEvents   = "events"
)

// NewSession begins a client's session with a router of that name. Close ends it.
func NewSession(r *Ring, router string, now time.Time) *Session {
	s := &Session{ring: r, bookmark: now.Add(BookmarkEvery)}
	first, last := r.ends()
	cursor := Cursor{r.epoch, last}
	s.queue(hello{typeHello, router, cursor.String()[:8], cursor.String(), Cursor{r.epoch, first}.String(), r.TopicNames()})
	return s
}

// Withhold keeps topics from the client, before it has subscribed to any: it is
// refused them by name, and all topics are the others.
func (s *Session) Withhold(names ...string) {
	for _, n := range names {
		if id, ok := s.ring.Topic(n); ok {
			s.withheld |= 1 << id
		}
	}
}

// Close ends the session: nobody listens for its sake any more.
func (s *Session) Close(now time.Time) {
	for _, sub := range s.subs {
		s.ring.leave(sub.topics, now)
	}
	s.subs = nil
}

func (s *Session) queue(frame any) { s.queued = append(s.queued, marshal(frame)) }

// ErrRefused means that a client has sent so many frames that were refused that
// its connection is to be closed.
var ErrRefused = errors.New("too many frames were refused")

// Receive takes a frame of the client. One that is refused is answered by an
// error; ErrRefused is returned when that has happened too often.
func (s *Session) Receive(raw []byte, now time.Time) error {
	q, err := readRequest(raw)
	switch {
	case err != nil:
	case q.Op == opSubscribe:
		err = s.subscribe(q)
	default:
		err = s.unsubscribe(q, now)
	}
	if err == nil {
		return nil
	}
	s.queue(errorFrame{typeError, q.ID, err.Error()})
	if s.refused++; s.refused >= MaxRefused {
		return ErrRefused
	}
	return nil
}

// Subscribe takes a subscription that did not come as a frame. The error says
// why it is refused.
func (s *Session) Subscribe(q Request) error {
	q.Op = opSubscribe
	if _, err := readRequest(marshal(q)); err != nil {
		return err
	}
	return s.subscribe(q)
}

// Wait says what a session waits for when it has nothing to send.
type Wait struct {
	// Walk is a page of objects that Page is to be called with; nil for none.
	Walk *Walk
	// Now: there is more to send.
	Now bool
	// Changed is closed when there is, Until is when to call Next at the latest.
	Changed <-chan struct{}
	Until   time.Time
}

// Next emits some frames of what there is to send, and says what to wait for. A
// frame is valid only during the call of emit.
func (s *Session) Next(now time.Time, emit func(frame []byte)) Wait {
	s.emit, s.frames, s.bytes = emit, 0, 0
	defer func() { s.emit = nil }()
	s.flush()
	version := s.ring.seen()
	for i := range s.subs {
		sub := s.subs[(s.turn+i)%len(s.subs)]
		walk := s.serve(sub)
		switch {
		case walk != nil:
			return Wait{Walk: walk}
		case s.full():
			s.turn++ // another subscription is the first one next time
			return Wait{Now: true}
		}
	}
	if !now.Before(s.bookmark) {
		s.send(marshal(bookmarkFrame{Type: typeBookmark, Cursor: s.cursor().String()}))
		s.bookmark = now.Add(BookmarkEvery)
	}
	changed := s.ring.since(version)
	return Wait{Now: changed == nil, Changed: changed, Until: s.bookmark}
}

// cursor is up to where all subscriptions have what concerns them.
func (s *Session) cursor() Cursor {
	c := s.ring.Cursor()
	for _, sub := range s.subs {
		c.Number = min(c.Number, sub.position)
	}
	return c
}

// flush emits what was queued.
func (s *Session) flush() {
	for _, f := range s.queued {
		s.send(f)
	}
	s.queued = nil
}

func (s *Session) send(frame []byte) {
	s.frames++
	s.bytes += len(frame)
	s.emit(frame)
}

func (s *Session) full() bool { return s.frames >= framesAtOnce || s.bytes >= bytesAtOnce }

// serve emits what a subscription is to get. It returns a walk when a page of a
// snapshot is needed first.
func (s *Session) serve(sub *subscription) *Walk {
	if s.slots == nil {
		s.slots = make([]slot, framesAtOnce)
	}
	for !s.full() {
		if w := s.nextWalk(sub); w != nil {
			return w
		}
		n, first := s.ring.read(sub.position, s.slots)
		if sub.position+1 < first {
			s.lose(sub, sub.topics, sub.position+1, first-1, "overwritten")
			continue
		}
		if n == 0 {
			break
		}
		for i := range s.slots[:n] {
			if s.full() {
				break
			}
			if s.give(sub, &s.slots[i]); len(sub.walks) > 0 {
				break
			}
		}
		clear(s.slots[:n]) // so that they keep no events from the collector
	}
	if s.full() {
		return nil
	}
	if sub.answer {
		sub.answer = false
		s.send(marshal(bookmarkFrame{typeBookmark, sub.id, Cursor{s.ring.epoch, sub.position}.String()}))
	}
	for t, sent := range sub.sampled {
		if l := s.ring.latest(t); l.number != sent && l.body != nil {
			sub.sampled[t] = l.number
			s.buf = appendSample(s.buf[:0], sub.id, l)
			s.send(s.buf)
		}
	}
	return nil
}

// give emits an event, or a gap for a run of events that were not recorded.
func (s *Session) give(sub *subscription, e *slot) {
	first := max(e.first, sub.position+1)
	sub.position = e.last
	if !sub.topics.has(e.topic) || sub.stamps[e.topic] >= e.last {
		return
	}
	if e.body == nil {
		s.lose(sub, 1<<e.topic, max(first, sub.stamps[e.topic]+1), e.last, e.why)
		return
	}
	if sub.wants(e.key) {
		s.buf = s.ring.appendEvent(s.buf[:0], sub.id, e)
		s.send(s.buf)
	}
}

// lose tells a subscription that the events of the topics with the numbers from
// first to last are lost, unless its snapshots have them.
func (s *Session) lose(sub *subscription, of topics, first, last uint64, why string) {
	sub.position = max(sub.position, last)
	var missing topics
	(of & sub.topics).each(func(t TopicID) {
		if sub.stamps[t] < last {
			missing |= 1 << t
		}
	})
	if missing == 0 {
		return
	}
	lost := last - first + 1
	if why != unheard {
		s.ring.lost.Add(lost)
	}
	s.send(marshal(gapFrame{
		Type: typeGap, ID: sub.id, From: Cursor{s.ring.epoch, first}.String(), To: Cursor{s.ring.epoch, last}.String(),
		Lost: &lost, Why: why, Then: s.renew(sub, missing),
	}))
}
