package events

import (
	"encoding/json"
	"slices"
)

// Walk asks for a page of a topic's objects.
type Walk struct {
	Topic string
	After string // the Next of the page before, "" for the first
}

// Page is a page of a topic's objects.
type Page struct {
	Keys  []string // the key of each item, as its events have it
	Items []json.RawMessage
	Next  string // After of the next page, "" of the last
}

// walk is the snapshot of a topic that is being sent.
type walk struct {
	stamp uint64 // the position before the walk
	after string
}

// snapshotFrame is a part of a topic's objects.
type snapshotFrame struct {
	Type   string            `json:"type"`
	ID     int64             `json:"id"`
	Topic  string            `json:"topic"`
	Cursor string            `json:"cursor"`
	Keys   []string          `json:"keys"`
	Items  []json.RawMessage `json:"items"`
	More   bool              `json:"more"`
}

// renew has a subscription sent a snapshot of those of its topics that have
// objects, if it wants that, and returns what follows then.
func (s *Session) renew(sub *subscription, of topics) string {
	then := thenEvents
	if !sub.snapshot {
		return then
	}
	(of & sub.topics).each(func(t TopicID) {
		if !s.ring.topics[t].Objects {
			return
		}
		then = thenSnapshot
		if len(sub.walks) > 0 && sub.walks[0] == t {
			sub.walk = nil // it begins again
		}
		if !slices.Contains(sub.walks, t) {
			sub.walks = append(sub.walks, t)
		}
	})
	return then
}

// nextWalk returns the page that a subscription needs next, nil for none.
func (s *Session) nextWalk(sub *subscription) *Walk {
	if len(sub.walks) == 0 {
		return nil
	}
	if sub.walk == nil {
		sub.walk = &walk{stamp: s.ring.Cursor().Number}
	}
	return &Walk{Topic: s.ring.topics[sub.walks[0]].Name, After: sub.walk.after}
}

// walking returns the subscription whose walk Next has returned.
func (s *Session) walking() *subscription {
	for i := range s.subs {
		if sub := s.subs[(s.turn+i)%len(s.subs)]; sub.walk != nil {
			return sub
		}
	}
	return nil
}

// Page takes the page that Next has asked for. With an error, the client is told,
// and its subscription ends.
func (s *Session) Page(p Page, err error) {
	sub := s.walking()
	if sub == nil {
		return
	}
	topic := sub.walks[0]
	if err != nil {
		s.ring.leave(sub.topics, s.bookmark)
		s.subs = slices.DeleteFunc(s.subs, func(x *subscription) bool { return x == sub })
		s.queue(errorFrame{typeError, sub.id, "reading the objects of " + s.ring.topics[topic].Name + ": " + err.Error() + "; the subscription has ended"})
		return
	}
	f := snapshotFrame{Type: typeSnapshot, ID: sub.id, Topic: s.ring.topics[topic].Name, Cursor: Cursor{s.ring.epoch, sub.walk.stamp}.String()}
	f.clear()
	size := 0
	for i, item := range p.Items {
		if !sub.wants(p.Keys[i]) {
			continue
		}
		if size > 0 && size+len(item) > bytesAtOnce {
			f.More = true
			s.queue(f)
			f.clear()
			size = 0
		}
		f.Keys, f.Items = append(f.Keys, p.Keys[i]), append(f.Items, item)
		size += len(item)
	}
	if f.More = p.Next != ""; !f.More || len(f.Items) > 0 {
		s.queue(f)
	}
	if sub.walk.after = p.Next; p.Next == "" {
		sub.stamps[topic] = sub.walk.stamp
		sub.walks, sub.walk = sub.walks[1:], nil
	}
}

func (f *snapshotFrame) clear() { f.Keys, f.Items = []string{}, []json.RawMessage{} }
