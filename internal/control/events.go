package control

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"routerd/internal/access"
	"routerd/internal/events"
	"routerd/internal/protocols"
	"routerd/internal/show"
)

// Topics besides those of the protocols, which have the protocols' names.
const (
	TopicInterface = "interface"
	TopicNeighbor  = "neighbor"
	TopicRoute     = "route"
	TopicNAT       = "nat"
	TopicACL       = "acl"
	TopicDrop      = "drop"
	TopicConfig    = "config"
	TopicAudit     = "audit"
	TopicLog       = "log"
	TopicTraffic   = "traffic"
)

// EventTopics returns the topics of a router's events.
var EventTopics = sync.OnceValue(func() []events.Topic {
	list := []events.Topic{
		{Name: TopicInterface, Objects: true},
		{Name: TopicNeighbor, Objects: true, Heard: true},
		{Name: TopicRoute, Objects: true, Heard: true},
	}
	for _, p := range protocols.All() {
		list = append(list, events.Topic{Name: p.Name, Objects: true})
	}
	return append(list,
		events.Topic{Name: TopicNAT}, events.Topic{Name: TopicACL}, events.Topic{Name: TopicDrop, Heard: true}, events.Topic{Name: TopicConfig},
		events.Topic{Name: TopicAudit}, events.Topic{Name: TopicLog}, events.Topic{Name: TopicTraffic, Heard: true, Sampled: true},
	)
})

// Events is what /v1/events serves.
type Events struct {
	Ring *events.Ring
	// Name is the router's name.
	Name string
	// Stalled is how long a client may not read what it is sent; 0 for 30 s.
	Stalled time.Duration

	followers places
	counts    eventCounts
}

// Audit publishes who has asked for a change, and what came of it. Any goroutine
// may call it.
func (e *Events) Audit(at time.Time, who string, item any) {
	id, _ := e.Ring.Topic(TopicAudit)
	raw, err := EventItem(item)
	if err != nil {
		raw = nil // the key says who it was
	}
	e.Ring.Publish(events.Event{Topic: id, Time: at, Action: events.Added, Key: who, Item: raw})
}

// The bounds of the clients of events.
const (
	maxStreams    = 2048
	maxOwnStreams = 1024 // of one identity, so that no other is kept out
	stalled       = 30 * time.Second
	// graceTime is how long the rest of a message may take that a client has begun
	// to read too late, so that it can be told why it is put out.
	graceTime = 5 * time.Second
	// retryEvents is after how many seconds a refused client may try again.
	retryEvents = "10"
)

// enter counts a client of an identity in, and returns a function that counts it out.
func (e *Events) enter(who string) (leave func(), err error) {
	leave, why := e.followers.take(who, maxStreams, maxOwnStreams)
	switch why {
	case allTaken:
		return nil, show.Unavailable("following events: %d clients do already: wanted no more", maxStreams)
	case ownTaken:
		return nil, show.TooMany("following events: %d clients with the identity %s follow them already: wanted no more", maxOwnStreams, who)
	}
	return leave, nil
}

// clients is how many there are now.
func (e *Events) clients() int { return e.followers.clients() }

func (e *Events) stalled() time.Duration {
	if e.Stalled != 0 {
		return e.Stalled
	}
	return stalled
}

// stoppingKey is the key of a *lasting in a connection's context.
type stoppingKey struct{}

// lasting are the answers of a server that last until it stops.
type lasting struct {
	until   context.Context // of the server
	answers sync.WaitGroup
}

// lastingOf is what the server of a request has; one that never stops without a
// server.
func lastingOf(ctx context.Context) *lasting {
	if l, ok := ctx.Value(stoppingKey{}).(*lasting); ok {
		return l
	}
	return &lasting{until: context.WithoutCancel(ctx)}
}

// serveEvents answers a request for events: by WebSocket if the request asks for
// that, else as lines of JSON.
func (h *handler) serveEvents(w http.ResponseWriter, req *http.Request) error {
	if req.Method != http.MethodGet {
		return wrongMethod(w, req, http.MethodGet)
	}
	upgrade := false
	for _, list := range req.Header.Values("Upgrade") {
		for word := range strings.SplitSeq(list, ",") {
			upgrade = upgrade || strings.EqualFold(strings.TrimSpace(word), "websocket")
		}
	}
	leave, err := h.events.enter(access.From(req.Context()).Name)
	if err != nil {
		w.Header().Set("Retry-After", retryEvents)
		return err
	}
	defer leave()
	l := lastingOf(req.Context())
	l.answers.Add(1)
	defer l.answers.Done()
	follower := follower{
		handler: h, ctx: req.Context(), serving: l.until, ended: access.From(req.Context()).Ended,
		session: events.NewSession(h.events.Ring, h.events.Name, time.Now()),
	}
	defer func() { follower.session.Close(time.Now()) }()
	if !access.From(req.Context()).Role.May(auditNoun.Role()) {
		follower.session.Withhold(TopicAudit, TopicLog) // the log has what the audit has
	}
	if upgrade {
		return follower.socket(w, req)
	}
	return follower.stream(w, req)
}

// follower is a client that follows events.
type follower struct {
	*handler
	ctx     context.Context // of the client
	serving context.Context // of the server
	ended   <-chan struct{}
	session *events.Session
}

// reason is why a follower's connection ends.
type reason int

const (
	reasonNone     reason = iota
	reasonGone            // the client is gone
	reasonStopping        // the router, or its listener, stops
	reasonRevoked         // the client may no longer ask
	reasonRefused         // the client has sent too many frames that were refused
	reasonStalled         // the client does not read
)

// atOnce is ready to be received from.
var atOnce = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()

// follow sends the client what there is, and takes its frames, until that ends.
// emit takes a frame, flush sends what was emitted. Either returns an error if the
// client is gone.
func (f *follower) follow(frames <-chan []byte, emit func([]byte), flush func() reason) (why reason) {
	defer func() { f.events.counts.putOut[why].Add(1) }()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := f.session.Next(time.Now(), emit)
		if why := flush(); why != reasonNone {
			return why
		}
		due := atOnce // there is more to send, which keeps nothing else waiting
		switch {
		case wait.Walk != nil:
			f.session.Page(f.walk(*wait.Walk))
		case !wait.Now:
			timer.Reset(time.Until(wait.Until))
			due = timer.C
		}
		select {
		case <-wait.Changed:
		case <-due:
		case raw, open := <-frames:
			if why := f.receive(raw, open); why != reasonNone {
				return why
			}
		case <-f.ctx.Done():
			return reasonGone
		case <-f.serving.Done():
			return reasonStopping
		case <-f.ended:
			return reasonRevoked
		}
	}
}

// walk asks the router for a page, which ends with the server too: the router's
// loop may be waiting for that.
func (f *follower) walk(w events.Walk) (events.Page, error) {
	ctx, cancel := context.WithTimeout(f.ctx, showTimeout)
	defer cancel()
	defer context.AfterFunc(f.serving, cancel)()
	return f.page(ctx, w)
}

func (f *follower) receive(raw []byte, open bool) reason {
	switch {
	case !open:
		return reasonGone
	case f.session.Receive(raw, time.Now()) != nil:
		return reasonRefused
	}
	return reasonNone
}
