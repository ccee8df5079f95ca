package router

import (
	"sync"
	"sync/atomic"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Protocols have the one that watches paths, BFD, watch their neighbours, and
// hear from it:
//
//	protocol --Watch--> errands of the watcher --WatchFor--------> watcher
//	protocol <--NeighborState-- errands of the protocol <--Tell--- watcher
//
// Errands are kept once for each path and client, as they are now. So nobody
// ever waits for room, and nothing is lost.

// errands are what others want one protocol to hear of.
type errands struct {
	waiting atomic.Bool
	mu      sync.Mutex
	at      map[any]int // the place in list of what a path's is
	list    []protocol.Input
}

// runErrands is an input that says that there are errands. A driver that has no
// room for it steps something else soon, and looks then.
type runErrands struct{}

// hand has p hear of in, in place of what it has not heard yet under the same
// key.
func (p *Protocol) hand(key any, in protocol.Input) {
	e := &p.errands
	e.mu.Lock()
	if at, known := e.at[key]; known {
		e.list[at] = in
	} else {
		if e.at == nil {
			e.at = map[any]int{}
		}
		e.at[key] = len(e.list)
		e.list = append(e.list, in)
	}
	e.waiting.Store(true)
	e.mu.Unlock()
	p.Inbox.Offer(runErrands{})
}

// runErrands steps the core with what others have left.
func (p *Protocol) runErrands(now time.Time) {
	e := &p.errands
	e.mu.Lock()
	list := e.list
	e.list, e.at = nil, nil
	e.waiting.Store(false)
	e.mu.Unlock()
	for _, in := range list {
		p.step(now, in)
	}
}

// wish is the key of what a client wants of the watcher.
type wish struct {
	client string
	path   protocol.Path
}

// watch asks the watcher on behalf of a client; unwatch no longer. Without a
// watcher nobody finds anything out.
func (r *Router) watch(client string, w protocol.Watch) {
	if r.watcher != nil {
		r.watcher.hand(wish{client, w.Path}, protocol.WatchFor{Client: client, Watch: w})
	}
}

func (r *Router) unwatch(client string, path protocol.Path) {
	if r.watcher != nil {
		r.watcher.hand(wish{client, path}, protocol.UnwatchFor{Client: client, Path: path})
	}
}

// tell brings a client what the watcher has found out, on the watcher's
// goroutine.
func (p *Protocol) tell(e protocol.Tell) {
	if e.Client == staticClient {
		p.post.request(rib.Watched{Address: e.State.Address, Interface: e.State.Link, Alive: e.State.Alive})
		return
	}
	if client := p.router.Protocol(e.Client); client != nil {
		client.hand(protocol.Path{Link: e.State.Link, Address: e.State.Address}, e.State)
	}
}

// staticClient is by what name the router itself has the next hops of its static
// routes watched.
const staticClient = "static"

// watchStatics has the next hops of static routes watched as the configuration
// says, each once.
func (r *Router) watchStatics(cfg *rib.Config, now time.Time) error {
	wanted := map[protocol.Path]protocol.Watch{}
	for i := range cfg.Static {
		for _, h := range cfg.Static[i].NextHops {
			if h.Watch == nil || !h.Address.IsValid() {
				continue
			}
			w := protocol.Watch{
				Path:    protocol.Path{Link: routing.NoInterface, Address: h.Address},
				Profile: h.Watch.Profile, Strict: h.Watch.Strict,
			}
			if h.Interface != "" {
				id, known := r.ids[h.Interface]
				if !known {
					continue // the RIB says so
				}
				w.Link = id
			}
			if was, twice := wanted[w.Path]; twice { // by several routes: strict if one of them is
				w.Strict = w.Strict || was.Strict
			}
			wanted[w.Path] = w
		}
	}
	for path := range r.watched {
		if _, still := wanted[path]; !still {
			r.unwatch(staticClient, path)
			delete(r.watched, path)
		}
	}
	for path, w := range wanted {
		was, watched := r.watched[path]
		if watched && was == w {
			continue
		}
		if !watched { // what was found out when it was watched before does not count
			if err := r.rib.Step(now, rib.Watched{Address: path.Address, Interface: path.Link, Alive: true}); err != nil {
				return err
			}
		}
		r.watched[path] = w
		r.watch(staticClient, w)
	}
	return nil
}
