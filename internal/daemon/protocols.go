package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"routerd/routing"
	"routerd/routing/protocol"
)

// protocolOwner carries out those effects of a protocol that are the daemon's:
// saving and logging. It runs on the protocol's goroutine and never waits.
type protocolOwner struct {
	d       *Daemon
	name    string
	limit   *rate.Limiter // of lines below the level of a warning
	warned  map[protocolWarning]*warning
	known   map[protocolPeer]*rate.Limiter // of lines about neighbours of the configuration
	leaving chan time.Duration             // how long that may take from now
	stopped chan struct{}                  // closed when its neighbours have been told
}

// protocolWarning is the kind of a warning, for its rate limit. It does not
// contain the neighbour's address, which a sender can forge.
type protocolWarning struct {
	what string
	on   routing.InterfaceID
}

// protocolPeer is a neighbour of the configuration, and on which interface it is.
type protocolPeer struct {
	address netip.Addr
	on      routing.InterfaceID
}

// newLogLimit bounds log lines of one kind: 20 at once, and one a second over
// time.
func newLogLimit() *rate.Limiter { return rate.NewLimiter(1, 20) }

func newProtocolOwner(d *Daemon, name string) *protocolOwner {
	return &protocolOwner{d: d, name: name, limit: newLogLimit(), warned: map[protocolWarning]*warning{}, known: map[protocolPeer]*rate.Limiter{}, stopped: make(chan struct{}), leaving: make(chan time.Duration, 1)}
}

// carryOut carries out the effects that are the router's owner's.
func (o *protocolOwner) carryOut(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Save:
		o.d.keeper.keep(o.name, e.Data)
	case protocol.Event:
		o.d.teller.protocolEvent(o.name, e)
		o.log(e)
	case protocol.Leaving:
		o.leaving <- e.Within
	case protocol.Stopped:
		close(o.stopped)
	}
}

// log logs an event. Of warnings and errors, the first of a kind on an
// interface is logged at once, and the rest are counted in the next line. Those about
// neighbours of the configuration have a limit for each of these.
func (o *protocolOwner) log(e protocol.Event) {
	more := uint64(0)
	if e.Configured {
		l := o.known[protocolPeer{e.Neighbor, e.Link}]
		if l == nil {
			l = newLogLimit()
			o.known[protocolPeer{e.Neighbor, e.Link}] = l
		}
		if !l.Allow() {
			return
		}
	} else if e.Level >= slog.LevelWarn {
		w := o.warned[protocolWarning{e.What, e.Link}]
		if w == nil {
			w = &warning{}
			o.warned[protocolWarning{e.What, e.Link}] = w
		}
		var now bool
		if more, now = w.allow(time.Now()); !now {
			return
		}
	} else if !o.limit.Allow() {
		return
	}
	log := o.d.log.With("protocol", o.name)
	if e.Link != routing.NoInterface {
		log = log.With("interface", interfaceName(o.d.router.View(), e.Link))
	}
	if e.Neighbor.IsValid() {
		log = log.With("neighbor", e.Neighbor)
	}
	if e.Err != nil {
		log = log.With("err", e.Err)
	}
	if more > 0 {
		log = log.With("more_since_last_line", more)
	}
	log.Log(context.Background(), e.Level, e.What)
}

// warningEvery is the least time between two lines of one kind of warning.
const warningEvery = time.Minute

// warning is the rate limit of one kind of warning. One goroutine uses it.
type warning struct {
	last time.Time
	held uint64
}

// allow reports whether a line is due, and how many were held back since the
// last one.
func (w *warning) allow(now time.Time) (held uint64, due bool) {
	if !w.last.IsZero() && now.Sub(w.last) < warningEvery {
		w.held++
		return 0, false
	}
	held, w.held, w.last = w.held, 0, now
	return held, true
}
