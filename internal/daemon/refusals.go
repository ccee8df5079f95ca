package daemon

import "time"

// How often it is looked at what limits have refused, and the least time between
// two lines of the log about one limit.
const (
	refusalsLook  = time.Second
	refusalsPause = time.Minute
)

// refusals is what has been told of the new flows that one limit has refused. The
// zero refusals has told nothing.
type refusals struct {
	total uint64 // refused when it was last told
	at    time.Time
}

// due gives how many refusals are to be told of now, given how many there have been
// in all; 0 for none.
func (r *refusals) due(now time.Time, total uint64) (since uint64) {
	r.total = min(r.total, total) // what was changed counts from 0
	if total == r.total || !r.at.IsZero() && now.Sub(r.at) < refusalsPause {
		return 0
	}
	since = total - r.total
	r.total, r.at = total, now
	return since
}
