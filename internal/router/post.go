package router

import (
	"sync"

	"routerd/routing"
	"routerd/routing/rib"
)

// Each protocol runs on a goroutine of its own and leaves what it has for the
// RIB in a post, which the router's owner takes up when it comes to it. A route
// that changes again before that is kept once, as it was last. So nobody ever
// waits for room here, and a post is never longer than the protocol's table.
//
//	core --slots--> post --mail.signal--> owner --> RIB

// mail is all posts of a router, with one signal for its owner.
type mail struct {
	posts  []*post
	signal chan struct{}
}

func newMail() *mail { return &mail{signal: make(chan struct{}, 1)} }

// poke has the owner look.
func (m *mail) poke() {
	select {
	case m.signal <- struct{}{}:
	default: // the owner is about to look anyway
	}
}

// waiting reports whether there is anything to take.
func (m *mail) waiting() bool {
	for _, p := range m.posts {
		if p.waiting() {
			return true
		}
	}
	return false
}

// post is what one protocol has left.
type post struct {
	mail *mail

	mu    sync.Mutex
	list  []letter
	spare []letter // of an earlier take, empty
	// at is the number of the letter that has the change of each slot. Letters
	// are numbered from 1 for ever; list begins with the one after taken, and
	// those up to closed are not written over.
	at            []uint64
	taken, closed uint64

	// The owner's own: what it took and has not read yet, and the list that it is
	// the rest of.
	rest, whole []letter
}

// letter is a change of a route, or something else for the RIB or the router.
type letter struct {
	delta   routing.Delta
	request any // a rib.Input or a linkRequest; nil = the delta counts
}

func newPost(m *mail) *post {
	p := &post{mail: m}
	m.posts = append(m.posts, p)
	return p
}

// publish leaves what has changed in the slots.
func (p *post) publish(source routing.Source, slots *routing.Slots) {
	if !slots.Changed() {
		return
	}
	p.mu.Lock()
	for len(p.at) < slots.Len() {
		p.at = append(p.at, 0)
	}
	slots.Drain(func(c routing.Change) {
		p.leave(c.ID, deltaOf(source, c.Slot, c.Offered))
		if c.Freed {
			p.at[c.ID] = 0 // what its next prefix does comes after what others do meanwhile
		}
	})
	p.mu.Unlock()
	p.mail.poke()
}

func deltaOf(source routing.Source, s *routing.Slot, offered bool) routing.Delta {
	if !offered {
		return routing.Delta{Withdraw: true, Route: routing.Route{Prefix: s.Prefix, Source: source}}
	}
	return routing.Delta{Route: routing.Route{
		Prefix: s.Prefix, Source: source, Action: s.Action, Distance: s.Distance,
		Metric: s.Metric, Tag: s.Tag, NextHops: s.NextHops, Origin: s.Origin,
	}}
}

// leave notes one change in place of an earlier one of the same slot.
func (p *post) leave(id routing.SlotID, d routing.Delta) {
	if n := p.at[id]; n > p.closed {
		p.list[n-p.taken-1].delta = d
		return
	}
	p.list = append(p.list, letter{delta: d})
	p.at[id] = p.taken + uint64(len(p.list))
}

// request leaves something that has no order to keep with routes.
func (p *post) request(r any) {
	p.mu.Lock()
	p.list = append(p.list, letter{request: r})
	p.mu.Unlock()
	p.mail.poke()
}

// barrier leaves something that comes after all that is there, and before all
// that comes later.
func (p *post) barrier(in rib.Input) {
	p.mu.Lock()
	p.list = append(p.list, letter{request: in})
	p.closed = p.taken + uint64(len(p.list))
	p.mu.Unlock()
	p.mail.poke()
}

func (p *post) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list) > 0
}

// open takes everything that was left, for the owner to read. What it took
// before it must have read.
func (p *post) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole, p.rest = p.list, p.list
	p.list, p.spare = p.spare, nil
	p.taken += uint64(len(p.whole))
	p.closed = p.taken
}

// unread reports whether there is more of what was taken.
func (p *post) unread() bool { return len(p.rest) > 0 }

// read gives at most so many of the letters that were taken. They go back by
// done.
func (p *post) read(max int) []letter {
	n := min(max, len(p.rest))
	letters := p.rest[:n]
	p.rest = p.rest[n:]
	return letters
}

// keptLetters is how long a list is kept for what comes next, so that a burst
// that comes in many pieces does not leave one behind for each.
const keptLetters = 4096

// done takes letters back that are not used any more, and with the last of them
// their list.
func (p *post) done(letters []letter) {
	clear(letters)
	if p.unread() || p.whole == nil {
		return
	}
	list := p.whole
	p.whole, p.rest = nil, nil
	if cap(list) > keptLetters {
		return
	}
	p.mu.Lock()
	p.spare = list[:0]
	p.mu.Unlock()
}
