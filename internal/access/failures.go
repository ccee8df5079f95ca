package access

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of failed logins.
const (
	failureBurst    = 10              // that an address may make at once
	failureInterval = 6 * time.Second // after which it may make another one
	maxFailing      = 4096            // addresses that are remembered
)

// Failures limits how often those at an address may fail to say who they are. An
// IPv6 address counts by its /64, which is what one host may have. It is safe for
// concurrent use; the zero Failures is ready.
type Failures struct {
	mu sync.Mutex
	// at says when an address will have made up for its failures: the theoretical
	// arrival time of a leaky bucket.
	at map[netip.Addr]time.Time
}

// Failed notes a failure from an address at now. It returns 0, or, if there were
// too many, how long to wait before the next one.
func (f *Failures) Failed(from netip.Addr, now time.Time) time.Duration {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		p, _ := from.Prefix(64)
		from = p.Addr()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, known := f.at[from]
	if at.Before(now) {
		at = now
	}
	if wait := at.Sub(now) - (failureBurst-1)*failureInterval; wait > 0 {
		return wait
	}
	if !known && len(f.at) >= maxFailing {
		f.forget(now)
	}
	if f.at == nil {
		f.at = map[netip.Addr]time.Time{}
	}
	f.at[from] = at.Add(failureInterval)
	return 0
}

// forget makes room, at a bounded cost: of some entries, which a map gives in
// random order, all go that have made up for their failures, or, if all have yet
// to, the one that is nearest to that.
func (f *Failures) forget(now time.Time) {
	var nearest netip.Addr
	looked, gone := 0, false
	for a, at := range f.at {
		if !at.After(now) {
			delete(f.at, a)
			gone = true
		} else if !nearest.IsValid() || at.Before(f.at[nearest]) {
			nearest = a
		}
		if looked++; looked == 16 {
			break
		}
	}
	if !gone {
		delete(f.at, nearest)
	}
}
