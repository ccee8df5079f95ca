package ospf

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

// naive is a database that ticks: each LSA counts its age up four times a second.
type naive struct {
	entries map[wire.Identity]*naiveEntry
}

type naiveEntry struct {
	sequence       int32
	metric         uint32
	age, installed int // quarters of a second
	maxAge         bool
	wrapping       bool
	stands         int    // quarters of a second until it may be succeeded
	pending        uint32 // metric; 0 is none
	lists          int
}

const quarter = time.Second / 4

func (n *naive) tick() {
	for id, e := range n.entries {
		e.installed++
		if !e.maxAge {
			e.age++
		}
		switch {
		case e.pending != 0 && !e.wrapping && e.may():
			e.next(e.pending)
		case e.maxAge:
		case e.age >= 4*3600:
			e.maxAge = true
		case id.Router == self && e.age >= 4*1800:
			e.next(e.metric)
		}
	}
}

// next has e say the metric from now on.
func (e *naiveEntry) next(metric uint32) {
	if e.sequence == wire.MaxSequence {
		e.maxAge, e.wrapping, e.pending = true, true, metric
		return
	}
	*e = naiveEntry{sequence: e.sequence + 1, metric: metric, lists: e.lists, stands: e.afterwards()}
}

// afterwards is how long what succeeds e has to stand.
func (e *naiveEntry) afterwards() int {
	if e.installed >= 20 {
		return 5
	}
	return 20
}

// may reports whether e may be succeeded.
func (e *naiveEntry) may() bool { return e.installed >= e.stands }

func (n *naive) originate(id wire.Identity, metric uint32) {
	e := n.entries[id]
	switch {
	case e == nil:
		n.entries[id] = &naiveEntry{sequence: wire.InitialSequence, metric: metric, stands: 5}
	case !e.maxAge && e.metric == metric:
		e.pending = 0
	case e.maxAge && e.sequence == wire.MaxSequence:
		e.pending, e.wrapping = metric, true
	case !e.may():
		e.pending = metric
	default:
		e.next(metric)
	}
}

func (n *naive) reclaim(id wire.Identity, sequence int32, metric uint32) {
	e := n.entries[id]
	wanted := uint32(0)
	if e == nil {
		e = &naiveEntry{}
		n.entries[id] = e
	} else if wanted = e.pending; wanted == 0 && !e.maxAge {
		wanted = e.metric
	}
	if wanted != 0 && sequence < wire.MaxSequence {
		*e = naiveEntry{sequence: sequence + 1, metric: wanted, lists: e.lists}
		return
	}
	*e = naiveEntry{sequence: sequence, metric: metric, maxAge: true, pending: wanted, wrapping: wanted != 0, lists: e.lists, stands: 20}
}

func (n *naive) sweep() {
	for id, e := range n.entries {
		switch {
		case !e.maxAge || e.lists > 0 || e.pending != 0 && !e.wrapping:
		case e.pending != 0:
			*e = naiveEntry{sequence: wire.InitialSequence, metric: e.pending, stands: e.afterwards()}
		default:
			delete(n.entries, id)
		}
	}
}

func (n *naive) list() (lines []string) {
	for id, e := range n.entries {
		age := e.age / 4
		if e.maxAge {
			age = wire.MaxAge
		}
		lines = append(lines, fmt.Sprintf("%v/%v %x age %d metric %d usable %v", id.ID, id.Router, uint32(e.sequence), age, e.metric, !e.maxAge))
	}
	slices.Sort(lines)
	return lines
}

func list(d *Database, now time.Time) (lines []string) {
	for e := range d.All(wire.ExternalLSA) {
		id, h := e.LSA().Identity(), e.Header(now)
		lines = append(lines, fmt.Sprintf("%v/%v %x age %d metric %d usable %v", id.ID, id.Router, uint32(h.Sequence), h.Age, metric(e), e.Usable()))
	}
	slices.Sort(lines)
	return lines
}

// Whatever is received, originated, withdrawn, acknowledged and whenever, the
// database is the one in which everything counts its age by ticks.
func TestDatabaseIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{}
		d, n, now := NewDatabase(self, &limit, NewPrefixes()), &naive{map[wire.Identity]*naiveEntry{}}, start
		anID := func(t *rapid.T, router wire.ID) wire.Identity {
			return identity(wire.ID(rapid.Uint32Range(1, 3).Draw(t, "id")), router)
		}
		aMetric := rapid.Uint32Range(1, 3)
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				for range rapid.OneOf(rapid.IntRange(1, 24), rapid.IntRange(1, 8000)).Draw(t, "quarters of a second") {
					now = now.Add(quarter)
					n.tick()
					if at := d.Deadline(); !at.IsZero() && at.Before(now) {
						t.Fatalf("deadline %v passed at %v", at, now)
					}
					for e, h := d.Due(now); e != nil; e, h = d.Due(now) {
						if h == Corrupt {
							t.Fatal("corrupt")
						}
					}
				}
			},
			"receive": func(t *rapid.T) {
				router := rapid.SampledFrom([]wire.ID{self, other}).Draw(t, "router")
				id, m := anID(t, router), aMetric.Draw(t, "metric")
				seq := rapid.SampledFrom([]int32{wire.InitialSequence, wire.InitialSequence + 1, wire.InitialSequence + 2, 0, wire.MaxSequence - 1, wire.MaxSequence}).Draw(t, "sequence")
				age := rapid.SampledFrom([]uint16{0, 1, 899, 901, 1799, 3599, 3600, 0x8005}).Draw(t, "age")
				l := external(id.ID, id.Router, seq, age, m)
				standing, _ := d.Judge(now, l, false)
				before := n.entries[id]
				if standing == Newer && before != nil && router == other && before.installed < 4 {
					t.Fatalf("newer %d quarters of a second after the last", before.installed)
				}
				switch {
				case standing == Newer && router == self:
					d.Reclaim(now, l)
					n.reclaim(id, seq, m)
				case standing == Newer:
					e, _ := d.Install(now, l)
					for ; e.lists > 0; e.Release() {
					}
					n.entries[id] = &naiveEntry{sequence: seq, metric: m, age: 4 * int(age), maxAge: age >= wire.MaxAge}
				}
			},
			"originate": func(t *rapid.T) {
				id, m := anID(t, self), aMetric.Draw(t, "metric")
				d.Originate(now, id, 0, &wire.External{Mask: 0xffffffff, Metric: m})
				n.originate(id, m)
			},
			"withdraw": func(t *rapid.T) {
				id := anID(t, self)
				d.Withdraw(id)
				if e := n.entries[id]; e != nil {
					e.maxAge, e.pending, e.wrapping = true, 0, false
				}
			},
			"put on a retransmission list, or off": func(t *rapid.T) {
				id := anID(t, rapid.SampledFrom([]wire.ID{self, other}).Draw(t, "router"))
				if e := d.Find(id); e != nil && e.lists == 0 {
					e.Hold()
					n.entries[id].lists++
				} else if e != nil {
					e.Release()
					n.entries[id].lists--
				}
			},
			"sweep": func(*rapid.T) {
				d.Sweep(now, false, func(*Entry) {})
				n.sweep()
			},
			"": func(t *rapid.T) {
				if got, want := list(d, now), n.list(); !slices.Equal(got, want) {
					t.Fatalf("database\n%q, want\n%q", got, want)
				}
				foreign := 0
				for id, e := range n.entries {
					if id.Router != self {
						foreign++
					}
					if got := d.Find(id); got.pending != nil != (e.pending != 0) || !got.LSA().Check().OK() {
						t.Fatalf("%v: waits %v, want %v", id, got.pending != nil, e.pending != 0)
					}
				}
				if limit.Used() != foreign {
					t.Fatalf("%d count, want %d", limit.Used(), foreign)
				}
			},
		})
	})
}
