package ospf

import (
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

const (
	self  wire.ID = 1
	other wire.ID = 2
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// external is an LSA of network number id with a metric as content.
func external(id, router wire.ID, sequence int32, age uint16, metric uint32) wire.LSA {
	h := wire.Header{Identity: identity(id, router), Sequence: sequence, Age: age}
	return wire.AppendLSA(nil, &h, &wire.External{Mask: 0xffffffff, Metric: metric})
}

func identity(id, router wire.ID) wire.Identity {
	return wire.Identity{Type: wire.ExternalLSA, ID: id, Router: router}
}

func metric(e *Entry) uint32 { return wire.ExternalBody(e.LSA().Body()).Metric() }

// bench is a database under test; what it does by time is collected.
type bench struct {
	*testing.T
	db    *Database
	limit Limit
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t}
	b.db = NewDatabase(self, &b.limit, NewPrefixes())
	return b
}

// until lets time pass and gives what happened.
func (b *bench) until(now time.Time) (got []Happening) {
	for !b.db.Deadline().IsZero() && !b.db.Deadline().After(now) {
		when := b.db.Deadline()
		for e, h := b.db.Due(when); e != nil; e, h = b.db.Due(when) {
			got = append(got, h)
		}
	}
	return got
}

func (b *bench) judge(now time.Time, l wire.LSA, exchanging bool, want Standing) {
	b.Helper()
	if got, _ := b.db.Judge(now, l, exchanging); got != want {
		b.Errorf("%v: %v, want %v", l.Header(), got, want)
	}
}

func (b *bench) originate(now time.Time, metric uint32, flood bool) *Entry {
	b.Helper()
	e, got := b.db.Originate(now, identity(9, self), wire.OptionE, &wire.External{Mask: 0xffffffff, Metric: metric})
	if got != flood {
		b.Errorf("originated with metric %d: to be flooded %v, want %v", metric, got, flood)
	}
	return e
}

func (b *bench) wantEntry(e *Entry, now time.Time, sequence int32, age uint16, want uint32) {
	b.Helper()
	if h := e.Header(now); h.Sequence != sequence || h.Age != age || metric(e) != want || !e.LSA().Check().OK() {
		b.Errorf("%x at age %d with metric %d, want %x at %d with %d", uint32(h.Sequence), h.Age, metric(e), uint32(sequence), age, want)
	}
}

// Each step of RFC 2328 §13 that an LSA can end with.
func TestJudge(t *testing.T) {
	b := newBench(t)
	b.judge(at(0), external(7, other, 5, wire.MaxAge, 1), false, Gone)
	b.judge(at(0), external(7, other, 5, wire.MaxAge, 1), true, Newer)
	b.judge(at(0), external(7, other, 5, 0, 1), false, Newer)
	if e, changed := b.db.Install(at(0), external(7, other, 5, 10, 1)); !changed || e.Age(at(2.5)) != 12 {
		t.Errorf("installed, changed %v, of age %d", changed, e.Age(at(2.5)))
	}
	b.judge(at(0.9), external(7, other, 6, 0, 1), false, TooSoon)
	b.judge(at(1), external(7, other, 6, 0, 1), false, Newer)
	b.judge(at(1), external(7, other, 5, 11, 1), false, Same)
	b.judge(at(1), external(7, other, 4, 0, 1), false, Older)
	b.db.Find(identity(7, other)).Update(at(1), 1) // back, or by flooding
	b.judge(at(1.9), external(7, other, 4, 0, 1), false, OlderSent)
	b.judge(at(2), external(7, other, 4, 0, 1), false, Older)
	b.judge(at(2), external(7, other, 5, wire.MaxAge, 1), false, Newer)
	b.db.Install(at(3), external(7, other, wire.MaxSequence, wire.MaxAge, 1))
	b.judge(at(5), external(7, other, wire.InitialSequence, 0, 1), false, Wrapping)
}

// What is there is replaced, and what the router says itself installed, when the
// database is full; what is new is refused.
func TestLimit(t *testing.T) {
	b := newBench(t)
	b.limit.Max = 2
	second := NewDatabase(self, &b.limit, NewPrefixes()) // of another area
	b.db.Install(at(0), external(7, other, 5, 0, 1))
	second.Install(at(0), external(8, other, 5, 0, 1))
	b.judge(at(2), external(9, other, 5, 0, 1), false, NoRoom)
	b.judge(at(2), external(9, self, 5, 0, 1), false, Newer)
	b.judge(at(2), external(7, other, 6, 0, 1), false, Newer)
	b.originate(at(2), 1, true)
	if b.limit.Used() != 2 {
		t.Errorf("%d used, want 2", b.limit.Used())
	}
	second.Install(at(3), external(8, other, 6, wire.MaxAge, 1))
	if n := second.Sweep(at(3), false, nil); n != 1 || b.limit.Used() != 1 {
		t.Errorf("%d removed, %d used", n, b.limit.Used())
	}
	b.judge(at(3), external(9, other, 5, 0, 1), false, Newer)
}

func TestInstallChanged(t *testing.T) {
	b := newBench(t)
	for i, tt := range []struct {
		l    wire.LSA
		want bool
	}{
		{external(7, other, 5, 0, 1), true},
		{external(7, other, 6, 0, 1), false},
		{external(7, other, 7, 0, 2), true},
		{external(7, other, 8, wire.MaxAge, 2), true},
		{external(7, other, 9, wire.MaxAge, 2), false},
		{external(7, other, 10, 3599, 2), true},
	} {
		e, changed := b.db.Install(at(float64(i)), tt.l)
		if changed != tt.want || e.Usable() != (tt.l.Age() < wire.MaxAge) {
			t.Errorf("%d: changed %v, usable %v", i, changed, e.Usable())
		}
	}
}

// An LSA of others lives for MaxAge and then until it is acknowledged and nobody
// is in Exchange or Loading.
func TestExpiry(t *testing.T) {
	b := newBench(t)
	e, _ := b.db.Install(at(0), external(7, other, 5, 3000, 1))
	if got := b.until(at(599.9)); len(got) > 0 || !e.Usable() {
		t.Fatalf("happened early: %v", got)
	}
	if got := b.until(at(600)); len(got) != 1 || got[0] != Expired || e.Usable() || e.LSA().Age() != wire.MaxAge {
		t.Fatalf("happened: %v, usable %v", got, e.Usable())
	}
	e.Hold()
	if n := b.db.Sweep(at(601), false, nil); n != 0 {
		t.Error("removed before it was acknowledged")
	}
	e.Release()
	if n := b.db.Sweep(at(601), true, nil); n != 0 {
		t.Error("removed while a neighbour exchanges")
	}
	if n := b.db.Sweep(at(601), false, nil); n != 1 || b.db.Len(wire.ExternalLSA) != 0 || !b.db.Deadline().IsZero() {
		t.Errorf("%d removed, %d left, deadline %v", n, b.db.Len(wire.ExternalLSA), b.db.Deadline())
	}
}

// The age is checked against the checksum every five minutes.
func TestCorrupt(t *testing.T) {
	b := newBench(t)
	e, _ := b.db.Install(at(0), external(7, other, 5, 10, 1))
	e.LSA()[25] ^= 1
	if got := b.until(at(289)); len(got) > 0 {
		t.Errorf("happened early: %v", got)
	}
	if got := b.until(at(290)); len(got) != 1 || got[0] != Corrupt {
		t.Errorf("happened: %v", got)
	}
}

func TestOriginate(t *testing.T) {
	b := newBench(t)
	e := b.originate(at(0), 1, true)
	b.wantEntry(e, at(2), wire.InitialSequence, 2, 1)
	b.originate(at(1), 1, false)   // nothing new
	b.originate(at(1), 2, false)   // too soon
	b.originate(at(1.2), 3, false) // in its place
	b.originate(at(1.2), 1, false) // and back: nothing waits
	if got := b.until(at(10)); len(got) > 0 {
		t.Errorf("happened: %v", got)
	}
	// After it was quiet one more may follow as soon as it is let in, and what comes
	// next has to wait for MinLSInterval.
	b.originate(at(8.5), 9, true)
	b.originate(at(8.6), 4, false)
	if got := b.until(at(9.7)); len(got) > 0 {
		t.Errorf("happened before MinLSArrival: %v", got)
	}
	if got := b.until(at(9.75)); len(got) != 1 || got[0] != Originated {
		t.Errorf("happened: %v", got)
	}
	b.originate(at(11), 5, false)
	if got := b.until(at(14.7)); len(got) > 0 {
		t.Errorf("happened before MinLSInterval: %v", got)
	}
	if got := b.until(at(14.75)); len(got) != 1 || got[0] != Originated {
		t.Errorf("happened: %v", got)
	}
	b.wantEntry(e, at(14.75), wire.InitialSequence+3, 0, 5)
	b.originate(at(31.25), 8, true)
	if got := b.until(at(31.25 + lsRefreshTime)); len(got) != 1 || got[0] != Originated {
		t.Errorf("happened: %v, want a refresh", got)
	}
	b.wantEntry(e, at(31.25+lsRefreshTime), wire.InitialSequence+5, 0, 8)
	if w, flood := b.db.Withdraw(identity(9, self)); w != e || !flood || e.Usable() {
		t.Errorf("withdrawn: %v, to be flooded %v", w, flood)
	}
	if _, flood := b.db.Withdraw(identity(9, self)); flood {
		t.Error("withdrawn twice")
	}
	if _, flood := b.db.Withdraw(identity(8, self)); flood {
		t.Error("withdrawn what was never said")
	}
	b.originate(at(5000), 6, true) // not gone yet: its sequence goes on
	b.wantEntry(e, at(5000), wire.InitialSequence+6, 0, 6)
	if n := b.db.Sweep(at(5000), false, nil); n != 0 {
		t.Error("removed what is said again")
	}
	// Withdrawn and said again within MinLSInterval: it waits, and stays.
	b.db.Withdraw(identity(9, self))
	b.originate(at(5000.5), 7, false)
	if n := b.db.Sweep(at(5000.5), false, nil); n != 0 {
		t.Error("removed what waits to be said again")
	}
	if got := b.until(at(5001.25)); len(got) != 1 || got[0] != Originated {
		t.Errorf("happened: %v", got)
	}
	b.wantEntry(e, at(5001.25), wire.InitialSequence+7, 0, 7)
}

// After the last number of the sequence the LSA is flushed everywhere before it
// begins again (RFC 2328 §12.1.6).
func TestSequenceWraps(t *testing.T) {
	b := newBench(t)
	b.originate(at(0), 1, true)
	e := b.db.Reclaim(at(1), external(9, self, wire.MaxSequence-1, 0, 8))
	b.wantEntry(e, at(1), wire.MaxSequence, 0, 1)
	e.Hold()
	if w := b.originate(at(10), 2, true); w.Usable() {
		t.Error("not flushed")
	}
	b.originate(at(11), 3, false)
	if got := b.until(at(100)); len(got) > 0 {
		t.Errorf("happened: %v", got)
	}
	var flooded []*Entry
	flood := func(e *Entry) { flooded = append(flooded, e) }
	if b.db.Sweep(at(100), false, flood); len(flooded) > 0 {
		t.Error("begins again before it was acknowledged")
	}
	e.Release()
	if n := b.db.Sweep(at(100), false, flood); n != 0 || len(flooded) != 1 {
		t.Errorf("removed %d, flooded %d", n, len(flooded))
	}
	b.wantEntry(e, at(100), wire.InitialSequence, 0, 3)

	// The refresh wraps too.
	b.db.Reclaim(at(101), external(9, self, wire.MaxSequence-1, 0, 8))
	if got := b.until(at(101 + lsRefreshTime)); len(got) != 1 || got[0] != Expired {
		t.Errorf("happened: %v", got)
	}
	b.db.Sweep(at(2000), false, flood)
	b.wantEntry(e, at(2000), wire.InitialSequence, 0, 3)
}

// LSAs from before a restart are outbid where the router still says them, and
// flushed where it does not (RFC 2328 §13.4).
func TestReclaim(t *testing.T) {
	b := newBench(t)
	e := b.originate(at(0), 1, true)
	b.originate(at(1), 2, false)
	if r := b.db.Reclaim(at(2), external(9, self, 77, 100, 8)); r != e || e.pending != nil {
		t.Errorf("another entry, or something waits still")
	}
	b.wantEntry(e, at(2), 78, 0, 2)
	gone := b.db.Reclaim(at(2), external(8, self, 77, 100, 8))
	b.wantEntry(gone, at(2), 77, wire.MaxAge, 8)
	// A network-LSA with an address of this router and the ID that it had.
	foreign := b.db.Reclaim(at(2), external(8, other, 77, 100, 8))
	b.wantEntry(foreign, at(2), 77, wire.MaxAge, 8)
	last := b.db.Reclaim(at(3), external(9, self, wire.MaxSequence, 100, 8))
	b.wantEntry(last, at(3), wire.MaxSequence, wire.MaxAge, 8)
	if n := b.db.Sweep(at(4), false, func(*Entry) {}); n != 2 {
		t.Errorf("%d removed, want 2", n)
	}
	b.wantEntry(e, at(4), wire.InitialSequence, 0, 2)
}

func TestUpdateAge(t *testing.T) {
	b := newBench(t)
	e, _ := b.db.Install(at(0), external(7, other, 5, 3590, 1))
	if u := e.Update(at(3.9), 2); u.Age != 3595 {
		t.Errorf("age %d, want 3595", u.Age)
	}
	if u := e.Update(at(9), 2); u.Age != wire.MaxAge {
		t.Errorf("age %d, want MaxAge", u.Age)
	}
	if b.db.Find(wire.Identity{Type: 999}) != nil || b.db.Find(wire.Identity{Type: wire.RouterLSA}) != nil {
		t.Error("found what is not there")
	}
	for s := Newer; s <= NoRoom+1; s++ {
		if (s.String() == "unknown") != (s > NoRoom) {
			t.Errorf("standing %d: %v", s, s)
		}
	}
}
