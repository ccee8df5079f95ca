package access

import (
	"sync"
	"time"
)

// AuditSize is how many entries are remembered.
const AuditSize = 1000

// Entry is one thing that somebody has done, or was refused.
type Entry struct {
	Number uint64    `json:"number" show:"number,right"` // from 1, without a gap
	Time   time.Time `json:"time" show:"time"`
	Who    string    `json:"who" show:"who"` // "" where nobody was known
	Role   Role      `json:"role" show:"role"`
	Source string    `json:"source" show:"from"` // "unix socket", "192.0.2.7"
	Action string    `json:"action" show:"action"`
	Status int       `json:"status,omitzero" show:"status,right,blank"` // of HTTP; absent where there was no request
	Result string    `json:"result" show:"result"`                      // "done", or why not
}

// Audit remembers the latest entries. It is safe for concurrent use.
type Audit struct {
	mu   sync.Mutex
	ring [AuditSize]Entry
	next uint64 // number of the next entry, less 1
	tell func(Entry)
}

// NewAudit returns an Audit that passes each entry on, in order; nil does not.
// What it calls must not wait, and must not call the Audit.
func NewAudit(tell func(Entry)) *Audit { return &Audit{tell: tell} }

// Add gives an entry its number and remembers it.
func (a *Audit) Add(e Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.Time = e.Time.UTC()
	e.Number = a.next + 1
	a.ring[a.next%AuditSize] = e
	a.next++
	if a.tell != nil {
		a.tell(e)
	}
}

// Last returns the latest entries, at most n, the oldest first.
func (a *Audit) Last(n int) []Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Entry, min(uint64(max(n, 0)), a.next, AuditSize))
	for i := range list {
		list[i] = a.ring[(a.next-uint64(len(list))+uint64(i))%AuditSize]
	}
	return list
}
