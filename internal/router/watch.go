package router

import (
	"sync"
	"sync/atomic"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Protocols ask BFD, the protocol that watches paths, to watch their
// neighbours, and get its answers:
//
// 	protocol --Watch--> pending inputs of the watcher --WatchFor--------> watcher
// 	protocol <--NeighborState-- pending inputs of the protocol <--Tell--- watcher
//
// For each path and client only the latest input is kept. So nobody ever waits
// for room, and nothing is lost.

// pending are inputs for one protocol that wait outside its inbox.
type pending struct {
	waiting atomic.Bool
	mu      sync.Mutex
	at      map[any]int // index in list, by key
	list    []protocol.Input
}

// takePending is an input that says that inputs are pending. If the inbox has
// no room for it, the next other step takes them.
type takePending struct{}

// setPending leaves an input for p, in place of an earlier one with the same
// key that is still pending.
func (p *Protocol) setPending(key any, in protocol.Input) {
	e := &p.pending
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
	p.Inbox.Offer(takePending{})
}

// stepPending steps the core with the pending inputs.
func (p *Protocol) stepPending(now time.Time) {
	e := &p.pending
	e.mu.Lock()
	list := e.list
	e.list, e.at = nil, nil
	e.waiting.Store(false)
	e.mu.Unlock()
	for _, in := range list {
		p.step(now, in)
	}
}

// watchKey is the key of a client's request to the watcher.
type watchKey struct {
	client string
	path   protocol.Path
}

// watch sends the watcher a client's request, unwatch withdraws it. Without a
// watcher they do nothing.
func (r *Router) watch(client string, w protocol.Watch) {
	if r.watcher != nil {
		r.watcher.setPending(watchKey{client, w.Path}, protocol.WatchFor{Client: client, Watch: w})
	}
}

func (r *Router) unwatch(client string, path protocol.Path) {
	if r.watcher != nil {
		r.watcher.setPending(watchKey{client, path}, protocol.UnwatchFor{Client: client, Path: path})
	}
}

// answerClient passes an answer of the watcher to the client, on the watcher's
// goroutine.
func (p *Protocol) answerClient(e protocol.Tell) {
	if e.Client == staticClient {
		p.post.request(rib.Watched{Address: e.State.Address, Interface: e.State.Link, Alive: e.State.Alive})
		return
	}
	if client := p.router.Protocol(e.Client); client != nil {
		client.setPending(protocol.Path{Link: e.State.Link, Address: e.State.Address}, e.State)
	}
}

// staticClient is the client's name under which the router has the next hops of
// its static routes watched.
const staticClient = "static"

// watchStatics has the next hops of static routes watched as configured, each
// once.
func (r *Router) watchStatics(cfg *rib.Config, now time.Time) error {
	wanted := map[protocol.Path]protocol.Watch{}
	for i := range cfg.Static {
		hops := cfg.Static[i].NextHops
		for j := range hops {
			h := &hops[j] // of the many, few are watched
			if h.Watch == nil || !h.Address.IsValid() {
				continue
			}
			w := protocol.Watch{
				Path:    protocol.Path{Link: routing.NoInterface, Address: h.Address},
				Profile: h.Watch.Profile, Strict: h.Watch.Strict,
			}
			if h.Watch.Source.IsValid() {
				w.Path.Source, w.Path.Multihop = h.Watch.Source, true
			}
			if h.Interface != "" {
				id, known := r.ids[h.Interface]
				if !known {
					continue // the RIB reports it
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
		if !watched { // forget an answer from an earlier watch
			if err := r.rib.Step(now, rib.Watched{Address: path.Address, Interface: path.Link, Alive: true}); err != nil {
				return err
			}
		}
		r.watched[path] = w
		r.watch(staticClient, w)
	}
	return nil
}
