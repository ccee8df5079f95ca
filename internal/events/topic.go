package events

import (
	"fmt"
	"strings"
)

// Topic is a kind of event.
type Topic struct {
	Name string // "interface"
	// Objects: the topic's events are changes of objects, which a snapshot has.
	Objects bool
	// Heard: the topic's events are recorded only while somebody listens.
	Heard bool
	// Sampled: the topic has no events but samples, as often as its source makes
	// one. Heard is set too.
	Sampled bool
}

// TopicID is the index of a topic in a ring's list of topics.
type TopicID uint8

// MaxTopics is the most topics that a ring can have.
const MaxTopics = 64

// topics is a set of topics.
type topics uint64

func (s topics) has(t TopicID) bool { return s>>t&1 != 0 }

// each calls f with each topic of the set, in order.
func (s topics) each(f func(TopicID)) {
	for t := TopicID(0); s>>t != 0; t++ {
		if s.has(t) {
			f(t)
		}
	}
}

// Topic returns the topic called name.
func (r *Ring) Topic(name string) (TopicID, bool) {
	id, ok := r.byName[name]
	return id, ok
}

// TopicOf returns the topic with the number.
func (r *Ring) TopicOf(id TopicID) Topic { return r.topics[id] }

// TopicNames returns the names of all topics, in their order.
func (r *Ring) TopicNames() (names []string) {
	for _, t := range r.topics {
		names = append(names, t.Name)
	}
	return names
}

// setOf returns the set of the named topics; no names are all topics.
func (r *Ring) setOf(names []string) (set topics, err error) {
	if len(names) == 0 {
		return topics(1)<<len(r.topics) - 1, nil
	}
	for _, n := range names {
		id, ok := r.byName[n]
		if !ok {
			return 0, fmt.Errorf("there is no topic %.64q: wanted some of %s", n, strings.Join(r.TopicNames(), ", "))
		}
		set |= 1 << id
	}
	return set, nil
}
