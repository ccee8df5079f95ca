package control

import "sync"

// places counts the clients that do the same thing, of which there may be so many at once, and
// fewer of one identity, so that none keeps all others out. The zero value has no
// clients.
type places struct {
	mu    sync.Mutex
	taken int
	own   map[string]int // by the name of the identity
}

// placesFull is why there is no place.
type placesFull int

const (
	placeTaken placesFull = iota
	allTaken              // by everybody together
	ownTaken              // by the identity
)

// take takes a place for who, and returns a function that gives it back.
func (p *places) take(who string, most, mostOwn int) (leave func(), why placesFull) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= most:
		return nil, allTaken
	case p.own[who] >= mostOwn:
		return nil, ownTaken
	}
	if p.own == nil {
		p.own = map[string]int{}
	}
	p.taken++
	p.own[who]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.own[who]--; p.own[who] == 0 {
			delete(p.own, who)
		}
	}, placeTaken
}

// clients is how many have a place now.
func (p *places) clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
