package control

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Bounds of the remembered answers to changes.
const (
	repeatFor     = time.Hour
	maxRepeats    = 1024
	maxRepeatSize = 1 << 20 // bytes of all answers
	maxRepeatKey  = 255     // bytes of an Idempotency-Key
)

// repeats remembers the answers to changes that had an Idempotency-Key, so that
// whoever has not heard the answer may ask again: the change is made once, and
// each repeat within an hour gets the first answer. It is safe for concurrent
// use; the zero repeats is ready.
type repeats struct {
	mu   sync.Mutex
	by   map[repeatKey]*repeat
	size int       // bytes of the answers
	old  []*repeat // in order of age; some may not be in by any more
}

// repeatKey is an Idempotency-Key with the name of its sender.
type repeatKey struct{ who, key string }

type repeat struct {
	key   repeatKey
	what  string        // method, path and query
	done  chan struct{} // closed once there is an answer
	reply reply
	until time.Time
}

// do returns the answer to a change: that of its first time, or that of f, which
// makes it and says whether the answer is to be remembered. While the first time
// is under way a repeat waits for it, until ctx is done.
func (r *repeats) do(ctx context.Context, key repeatKey, what string, now time.Time, f func() (a reply, keep bool)) (a reply, err error) {
	for {
		r.mu.Lock()
		r.forget(now)
		first := r.by[key]
		if first == nil {
			first = &repeat{key: key, what: what, done: make(chan struct{}), until: now.Add(repeatFor)}
			if r.by == nil {
				r.by = map[repeatKey]*repeat{}
			}
			r.by[key] = first
			r.old = append(r.old, first)
			r.mu.Unlock()
			return r.first(first, f), nil
		}
		r.mu.Unlock()
		if first.what != what {
			return a, &Error{Status: http.StatusUnprocessableEntity, Message: "the Idempotency-Key " + key.key + " was that of another change, " + first.what + ": wanted a new one for each change"}
		}
		select {
		case <-first.done:
		case <-ctx.Done():
			return a, ctx.Err()
		}
		if first.reply.status != 0 {
			return first.reply, nil
		}
		// It was not made, so this one makes it.
	}
}

// first makes the change, and remembers its answer if that is to be kept.
func (r *repeats) first(p *repeat, f func() (reply, bool)) (a reply) {
	keep := false
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if keep {
			p.reply = a
			r.size += len(a.body)
		} else {
			delete(r.by, p.key) // also if f panics
		}
		close(p.done)
	}()
	a, keep = f()
	return a
}

// forget forgets what is too old, and the oldest of what is too much.
func (r *repeats) forget(now time.Time) {
	var waiting []*repeat
	for len(r.old) > 0 {
		p := r.old[0]
		switch {
		case r.by[p.key] != p: // its change was not made
		case !isDone(p):
			waiting = append(waiting, p)
		case now.Before(p.until) && len(r.by) < maxRepeats && r.size < maxRepeatSize:
			r.old = append(waiting, r.old...)
			return
		default:
			delete(r.by, p.key)
			r.size -= len(p.reply.body)
		}
		r.old = r.old[1:]
	}
	r.old = waiting
}

func isDone(p *repeat) bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
