package router

import (
	"errors"
	"sync"
	"time"

	"routerd/routing"
	"routerd/routing/rib"
)

// Each protocol runs on a goroutine of its own and writes its routes into
// slots. The router's owner reads the changed slots when it has time, so nobody
// waits for room, and of a route that changes again before that only the last
// state is read. Requests that are not routes go into a post.
//
//	core --slots--> owner --> RIB
//	     --post---> owner

// mail has all posts of a router and one signal for its owner.
type mail struct {
	posts  []*post
	signal chan struct{}
	ring   func() // called behind each signal
}

func newMail() *mail { return &mail{signal: make(chan struct{}, 1), ring: func() {}} }

// poke signals the owner that there is mail.
func (m *mail) poke() {
	select {
	case m.signal <- struct{}{}:
		m.ring()
	default: // already signalled
	}
}

// waiting reports whether any post has something to read.
func (m *mail) waiting() bool {
	for _, p := range m.posts {
		if p.waiting() {
			return true
		}
	}
	return false
}

// post holds the requests of one protocol and what the owner has read of its
// slots.
type post struct {
	mail   *mail
	source routing.Source
	slots  *routing.Slots

	mu       sync.Mutex
	requests []any // rib.Input or a request to the router

	// For the owner only: how many changes that were there at open it has still
	// to read, and the RIB's number of each slot's prefix.
	unread  int
	numbers []*[numberPage]rib.Number
}

const numberPage = 1024

func newPost(m *mail, source routing.Source, slots *routing.Slots) *post {
	p := &post{mail: m, source: source, slots: slots}
	m.posts = append(m.posts, p)
	return p
}

// publish ends a step of the core: the changed slots can be read.
func (p *post) publish() {
	if p.slots.Publish() {
		p.mail.poke()
	}
}

// request adds a request whose order among the routes does not matter.
func (p *post) request(r any) {
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.mu.Unlock()
	p.mail.poke()
}

// barrier adds a request that is read after all present changes of routes and
// before all later ones.
func (p *post) barrier(in rib.Input) {
	p.slots.Cut(in, latestMark)
	p.mail.poke()
}

// latestMark merges two marks, of which the later implies the earlier.
func latestMark(before, after any) (any, bool) {
	if _, ok := before.(rib.Mark); !ok {
		return nil, false
	}
	_, ok := after.(rib.Mark)
	return after, ok
}

func (p *post) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests) > 0 || p.slots.Unread() > 0
}

// open makes all present changes of routes available to read, and returns the
// requests.
func (p *post) open() []any {
	p.unread = p.slots.Unread()
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := p.requests
	p.requests = nil
	return requests
}

// read has the RIB take up to max of the changes that were there when the post was
// opened, and returns how many it took.
func (p *post) read(max int, r *rib.RIB, now time.Time) (read int, err error) {
	var errs []error
	for p.unread > 0 && read < max {
		n, mark := p.slots.Read(min(max-read, p.unread), func(c routing.Change) {
			at := p.number(c.ID)
			var err error
			if *at, err = r.TakeSlot(now, p.source, *at, c); err != nil {
				errs = append(errs, err)
			}
		})
		if in, ok := mark.(rib.Input); ok {
			errs = append(errs, r.Step(now, in))
		}
		if n == 0 { // the remaining slots are being written again
			p.unread = 0
			break
		}
		p.unread -= n
		read += n
	}
	return read, errors.Join(errs...)
}

// number returns the place of the RIB's number of a slot's prefix.
func (p *post) number(id routing.SlotID) *rib.Number {
	for int(id/numberPage) >= len(p.numbers) {
		page := new([numberPage]rib.Number)
		p.numbers = append(p.numbers, page)
		*page = [numberPage]rib.Number{} // written before it is read, as those of the RIB are
	}
	return &p.numbers[id/numberPage][id%numberPage]
}
