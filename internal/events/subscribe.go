package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The bounds of what a client may send.
const (
	MaxFrame         = 16 << 10 // bytes
	MaxSubscriptions = 32       // of one client
	MaxKeys          = 64       // of one subscription
	MaxKey           = 256      // bytes
	// MaxRefused is how many of a client's frames may be refused before its
	// connection is closed.
	MaxRefused = 100
)

// Request is a frame of a client.
type Request struct {
	Op string `json:"op"` // subscribe | unsubscribe
	// ID is the subscription's number, which the client chooses.
	ID int64 `json:"id"`
	// Topics are what to hear of; none are all.
	Topics []string `json:"topics,omitempty"`
	// Keys choose objects by their keys; one that ends with * chooses all keys
	// that begin so. None are all.
	Keys []string `json:"keys,omitempty"`
	// Snapshot asks for the objects first, and again whenever events were lost.
	Snapshot bool `json:"snapshot,omitempty"`
	// After is the cursor to resume from. Without it, events come from now on.
	After string `json:"after,omitempty"`
}

// Operations.
const (
	opSubscribe   = "subscribe"
	opUnsubscribe = "unsubscribe"
)

// readRequest reads a client's frame.
func readRequest(raw []byte) (q Request, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return q, fmt.Errorf("reading the frame: %w; wanted one such as "+
			`{"op":"subscribe","id":1,"topics":["interface"],"snapshot":true}`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return q, errors.New("reading the frame: something follows the object; wanted one object in a frame")
	}
	switch {
	case q.Op != opSubscribe && q.Op != opUnsubscribe:
		return q, fmt.Errorf("op is %.64q: wanted subscribe or unsubscribe", q.Op)
	case len(q.Keys) > MaxKeys:
		return q, fmt.Errorf("the subscription has %d keys: wanted up to %d", len(q.Keys), MaxKeys)
	}
	for _, k := range q.Keys {
		if len(k) > MaxKey {
			return q, fmt.Errorf("a key has %d bytes: wanted up to %d", len(k), MaxKey)
		}
	}
	return q, nil
}

// subscription is one subscription of a client.
type subscription struct {
	id       int64
	topics   topics
	keys     []string
	snapshot bool
	position uint64 // everything up to there was sent, or did not concern it
	// stamps are, of each topic, up to where its snapshot contains the events.
	stamps map[TopicID]uint64
	walks  []TopicID // of which a snapshot is to be sent, the first one now
	walk   *walk     // the one under way
	// answer: the client is told when the subscription is live.
	answer  bool
	sampled map[TopicID]uint64 // number of the latest sample sent
}

// wants reports whether the subscription chooses a key.
func (s *subscription) wants(key string) bool {
	if len(s.keys) == 0 {
		return true
	}
	for _, k := range s.keys {
		if begin, open := strings.CutSuffix(k, "*"); k == key || open && strings.HasPrefix(key, begin) {
			return true
		}
	}
	return false
}

// ErrWithheld means that a client has asked for topics that it may not hear of.
var ErrWithheld = errors.New("some of these topics are not for you, whose role is too low")

// subscribe adds a subscription.
func (s *Session) subscribe(q Request) error {
	for _, have := range s.subs {
		if have.id == q.ID {
			return fmt.Errorf("there is a subscription %d already: wanted another id", q.ID)
		}
	}
	if len(s.subs) >= MaxSubscriptions {
		return fmt.Errorf("there are %d subscriptions already: wanted no more", len(s.subs))
	}
	set, err := s.ring.setOf(q.Topics)
	switch {
	case err != nil:
		return err
	case len(q.Topics) == 0:
		set &^= s.withheld
	case set&s.withheld != 0:
		return fmt.Errorf("%w: %s", ErrWithheld, strings.Join(q.Topics, ", "))
	}
	sub := &subscription{
		id: q.ID, topics: set, keys: q.Keys, snapshot: q.Snapshot, answer: true,
		stamps: map[TopicID]uint64{}, sampled: map[TopicID]uint64{},
	}
	s.ring.listen(set) // before the position is read, so that nothing is missed
	s.subs = append(s.subs, sub)
	set.each(func(t TopicID) {
		if s.ring.topics[t].Sampled {
			sub.sampled[t] = s.ring.latest(t).number
		}
	})
	first, last := s.ring.ends()
	sub.position = last
	if q.After == "" {
		s.renew(sub, set)
		return nil
	}
	c, err := ParseCursor(q.After)
	gap := gapFrame{Type: typeGap, ID: q.ID, From: fmt.Sprintf("%.64s", q.After), To: Cursor{s.ring.epoch, last}.String()}
	switch {
	case err != nil:
		gap.Why = "not a cursor"
	case c.Epoch != s.ring.epoch:
		// Another run of the router: all events of this one are new.
		gap.Why, sub.position = "the router was restarted", first-1
	case c.Number > last:
		gap.Why = "ahead of all events"
	default:
		sub.position = c.Number
		return nil
	}
	gap.Then = s.renew(sub, set)
	s.queue(gap)
	return nil
}

// unsubscribe removes a subscription.
func (s *Session) unsubscribe(q Request, now time.Time) error {
	for i, sub := range s.subs {
		if sub.id == q.ID {
			s.ring.leave(sub.topics, now)
			s.subs = append(s.subs[:i], s.subs[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("there is no subscription %d", q.ID)
}
