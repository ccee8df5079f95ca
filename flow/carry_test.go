package flow

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Carried sessions are told of when they end, whatever ends them, and no others.
func TestOnEnd(t *testing.T) {
	for _, tt := range []struct {
		name  string
		proto uint8
		end   func(tab *Table, s *Session, packet func(from))
		keeps bool // the session is there still
	}{
		{"deleted", protoUDP, func(tab *Table, s *Session, _ func(from)) { tab.Delete(s.Number, nil) }, false},
		{"cleared", protoUDP, func(tab *Table, _ *Session, _ func(from)) { tab.Clear(func(*Session) bool { return true }, nil) }, false},
		{"idle", protoUDP, func(tab *Table, _ *Session, _ func(from)) { tab.Tick(600_000, 10, nil) }, false},
		{"reset", protoTCP, func(_ *Table, _ *Session, packet func(from)) { packet(rstR) }, true},
		{"closed by both sides", protoTCP, func(_ *Table, _ *Session, packet func(from)) { packet(finF); packet(r(fin|ack, isnR+1, isnF+2)) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab := New(Config{MaxSessions: 8})
			var told []uint32
			tab.OnEnd(func(session uint32) { told = append(told, session) })
			sessions := make([]*Session, 2)
			for i := range sessions { // of which the second is carried
				forward, reply := keys(tt.proto, i, 1000, uint16(2000+i))
				number := opened(t, tab, forward, reply)
				s, _ := tab.Session(number)
				sessions[i] = &s
			}
			hit := tab.Find(sessions[1].Forward)
			if !tab.Carry(&hit) {
				t.Fatal("the session is not there to be carried")
			}
			for _, s := range sessions {
				tt.end(tab, s, func(p from) { through(tab, s, p, 1) })
			}
			if !slices.Equal(told, []uint32{hit.Session}) {
				t.Errorf("told of the ends of %v, want %d", told, hit.Session)
			}
			if _, there := tab.Session(hit.Session); there != tt.keeps {
				t.Errorf("the session is there: %t, want %t", there, tt.keeps)
			}
			if tab.Carry(&hit) {
				t.Error("behind its end it may be carried")
			}
			if got := tab.Carried(&hit, 1, 1, 2); got != tt.keeps {
				t.Errorf("what was carried is counted: %t, want %t", got, tt.keeps)
			}
		})
	}
}

// opened makes a session, of TCP with the whole handshake, and gives its number.
func opened(t rapid.TB, tab *Table, forward, reply Key) uint32 {
	t.Helper()
	var first *Segment
	if forward.Proto == protoTCP {
		first = &synF.s
	}
	number, why := tab.Insert(forward, reply, 0, 0, forward.Src, first, 0)
	if why != Accepted {
		t.Fatalf("making the session: %v", why)
	}
	s, _ := tab.Session(number)
	if first != nil {
		through(tab, &s, synAckR, 0)
		through(tab, &s, ackF, 0)
	}
	return number
}

// through hands a segment of the session to the table, or a packet if it is not
// of TCP.
func through(tab *Table, s *Session, p from, now Time) {
	k := []Key{s.Forward, s.Reply}[p.d]
	hit := tab.Find(k)
	if hit.Session == NoSession {
		return
	}
	segment := &p.s
	if k.Proto != protoTCP {
		segment = nil
	}
	tab.Packet(&hit, segment, now)
}

// A carried session that is unanswered is not evicted: it may be in use.
func TestCarriedIsNotEvicted(t *testing.T) {
	tab := New(Config{MaxSessions: 2, MaxPerHost: 1, FairShare: true})
	for i := range 2 {
		forward, reply := keys(protoUDP, i, 1000, uint16(2000+i))
		opened(t, tab, forward, reply)
	}
	first, _ := tab.Session(1)
	hit := tab.Find(first.Forward)
	tab.Carry(&hit)
	var gone []uint32
	for range 3 {
		tab.Evict(host(9), 60_000, false, func(s *Session) { gone = append(gone, s.Number) })
	}
	if !slices.Equal(gone, []uint32{2}) {
		t.Errorf("evicted %v, want 2 alone", gone)
	}
	if s, _ := tab.Session(1); s.Evictable(60_000, 5, 1) {
		t.Error("the carried session counts as one to evict")
	}
	tab.Uncarry(&hit)
	if s, _ := tab.Session(1); !s.Evictable(60_000, 5, 1) {
		t.Error("behind Uncarry it does not")
	}
}

// What is carried is counted to the packet, also where it is much.
func TestCarriedTraffic(t *testing.T) {
	tab := New(Config{MaxSessions: 2})
	forward, reply := keys(protoUDP, 0, 1000, 2000)
	number := opened(t, tab, forward, reply)
	hit := tab.Find(forward)
	var want Traffic
	for _, more := range []Traffic{{1, 100}, {1 << 15, 1 << 31}, {1 << 24, 1 << 42}, {0, 0}, {65535, 1<<32 - 1}} {
		for range 300 {
			if !tab.Carried(&hit, more.Packets, more.Bytes, 5) {
				t.Fatal("the session has ended")
			}
			want.Add(more)
		}
		if s, _ := tab.Session(number); s.Traffic != want {
			t.Fatalf("behind %v the session has %v, want %v", more, s.Traffic, want)
		}
	}
}

// twins are a table that sees every packet and one of a session whose packets
// somebody else carries at times.
type twins struct {
	whole, part *Table
	session     Session
	now         Time
	carrying    [2]bool
	unaccounted [2]uint64
	last        [2]Time
	// what the two sides have sent and received
	next, got [2]uint32
	closed    [2]bool
	reset     bool
}

// The session that is carried at times ends when its twin does, and is in the same
// state behind all that user space sees, whoever sends what and closes how.
func TestCarriedTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		proto := rapid.SampledFrom([]uint8{protoTCP, protoUDP}).Draw(t, "protocol")
		cfg := Config{MaxSessions: 4, InboundRefresh: rapid.Bool().Draw(t, "inbound")}
		w := &twins{whole: New(cfg), part: New(cfg), next: [2]uint32{isnF + 1, isnR + 1}, got: [2]uint32{isnR + 1, isnF + 1}}
		forward, reply := keys(proto, 0, 1000, 2000)
		opened(t, w.whole, forward, reply)
		number := opened(t, w.part, forward, reply)
		w.session, _ = w.part.Session(number)
		w.part.OnEnd(func(uint32) { w.carrying = [2]bool{} })
		steps := map[string]func(*rapid.T){
			"data":  func(t *rapid.T) { w.data(t) },
			"carry": func(t *rapid.T) { w.carry(t) },
			"pause": func(t *rapid.T) { w.pass(rapid.Uint32Range(0, 400_000).Draw(t, "ms")) },
			"soon":  func(t *rapid.T) { w.pass(rapid.Uint32Range(0, 900).Draw(t, "ms")) },
			"":      func(t *rapid.T) { w.compare(t) },
		}
		if proto == protoTCP {
			steps["close"] = func(t *rapid.T) { w.close(t) }
		}
		t.Repeat(steps)
		w.pass(30 * 60_000)
		w.compare(t)
		w.pass(8 * 3_600_000)
		w.compare(t)
	})
}

// data is a segment, or datagram, from one side, and the acknowledgement of the
// other.
func (w *twins) data(t *rapid.T) {
	d := Direction(rapid.IntRange(0, 1).Draw(t, "direction"))
	n := rapid.Uint32Range(0, 12_000).Draw(t, "bytes")
	if w.closed[d] {
		n = 0
	}
	w.send(t, d, n)
	if w.session.Forward.Proto == protoTCP {
		w.send(t, d.Other(), 0)
	}
}

// send is a packet that is carried or seen.
func (w *twins) send(t *rapid.T, d Direction, n uint32) {
	if w.reset {
		return
	}
	p := from{d, Segment{Flags: ack, Seq: w.next[d], Ack: w.got[d], Window: offered, Len: n}}
	w.next[d] += n
	w.got[d.Other()] = w.next[d] // and it arrives
	through(w.whole, &w.session, p, w.now)
	if !w.carrying[d] || rapid.IntRange(0, 9).Draw(t, "seen") == 0 {
		through(w.part, &w.session, p, w.now)
		return
	}
	w.unaccounted[d]++
	w.last[d] = w.now
}

func (w *twins) carry(t *rapid.T) {
	d := Direction(rapid.IntRange(0, 1).Draw(t, "direction"))
	hit := w.part.Find([]Key{w.session.Forward, w.session.Reply}[d])
	if hit.Session == NoSession {
		return
	}
	if w.carrying[d] {
		w.account()
		w.part.Uncarry(&hit)
		w.carrying[d] = false
		return
	}
	s, _ := w.part.Session(hit.Session)
	if s.State == Idle || s.State.open() {
		w.carrying[d] = w.part.Carry(&hit)
	}
}

func (w *twins) account() {
	for d, k := range []Key{w.session.Forward, w.session.Reply} {
		if hit := w.part.Find(k); hit.Session != NoSession && w.unaccounted[d] > 0 {
			w.part.Carried(&hit, w.unaccounted[d], 100, w.last[d])
		}
		w.unaccounted[d] = 0
	}
}

// pass has time pass, behind an account of what was carried.
func (w *twins) pass(ms uint32) {
	w.account()
	for until := w.now + Time(ms); ; w.now = min(w.now+max(1000, Time(ms)/50), until) {
		w.whole.Tick(w.now, 10, nil)
		w.part.Tick(w.now, 10, nil)
		if w.now == until {
			return
		}
	}
}

// close is a FIN or an RST, or both sides' FINs, from who has not sent one.
func (w *twins) close(t *rapid.T) {
	d := Direction(rapid.IntRange(0, 1).Draw(t, "direction"))
	if w.closed[d] || w.reset {
		return
	}
	flags := rapid.SampledFrom([]uint8{fin | ack, fin | ack, rst, rst | ack}).Draw(t, "flags")
	p := from{d, Segment{Flags: flags, Seq: w.next[d], Ack: w.got[d], Window: offered}}
	w.closed[d] = true
	if flags&fin != 0 {
		w.next[d]++
		w.got[d.Other()] = w.next[d]
	} else {
		w.reset = true
	}
	through(w.whole, &w.session, p, w.now)
	through(w.part, &w.session, p, w.now)
}

func (w *twins) compare(t *rapid.T) {
	a, whole := w.whole.Session(w.session.Number)
	b, part := w.part.Session(w.session.Number)
	if whole != part {
		t.Fatalf("after %d ms the twin is there: %t (%v, seen %d), the session: %t (%v, seen %d)", w.now, whole, a.State, a.Seen, part, b.State, b.Seen)
	}
	if !whole {
		return
	}
	if a.State != b.State || a.Timeout != b.Timeout {
		t.Fatalf("the twin is %v for %v, the session %v for %v", a.State, a.Timeout, b.State, b.Timeout)
	}
	w.account()
	b, _ = w.part.Session(w.session.Number)
	if late := a.Seen.Sub(b.Seen).Abs(); late > 1<<tickBits*time.Millisecond {
		t.Fatalf("the twin was seen at %d, the session at %d", a.Seen, b.Seen)
	}
}

// Only the numbers that are not seen cannot speak against a segment.
func TestCarriedWindow(t *testing.T) {
	const far = 1 << 30
	for _, tt := range []struct {
		carried []Direction
		last    from
		want    State
	}{
		{[]Direction{Forward, Reply}, r(rst, isnR+far, 0), Reset},
		{[]Direction{Forward}, r(rst, isnR+far, 0), Reset}, // F acknowledges unseen
		{[]Direction{Reply}, r(rst, isnR+far, 0), Established},
		{[]Direction{Reply}, f(rst, isnF+far, 0), Reset},
		{[]Direction{Forward, Reply}, f(fin|ack, isnF+far, isnR+far), FinForward},
		{[]Direction{Forward}, f(fin|ack, isnF+far, isnR+1), Established}, // R's window is seen
		{[]Direction{Forward}, f(fin|ack, isnF+far, isnR+far), Established},
		{[]Direction{Reply}, r(fin|ack, isnR+1, isnF+far), Established}, // acknowledges what F has not sent
		{[]Direction{Reply}, r(fin|ack, isnR+1, isnF+1), FinReply},
		{nil, r(rst, isnR+far, 0), Established},
	} {
		t.Run(fmt.Sprint(tt.carried, tt.last), func(t *testing.T) {
			tab := New(Config{MaxSessions: 2})
			forward, reply := keys(protoTCP, 0, 1000, 2000)
			number := opened(t, tab, forward, reply)
			s, _ := tab.Session(number)
			through(tab, &s, ackR, 0)
			for _, d := range tt.carried {
				hit := tab.Find([]Key{forward, reply}[d])
				tab.Carry(&hit)
			}
			through(tab, &s, tt.last, 1)
			if s, _ = tab.Session(number); s.State != tt.want {
				t.Errorf("the session is %v, want %v", s.State, tt.want)
			}
		})
	}
}

// The end of one who reset in vain: the connection goes on as soon as both sides
// acknowledge, though nothing of it was seen for long.
func TestCarriedRevives(t *testing.T) {
	tab := New(Config{MaxSessions: 2})
	forward, reply := keys(protoTCP, 0, 1000, 2000)
	number := opened(t, tab, forward, reply)
	s, _ := tab.Session(number)
	for _, k := range []Key{forward, reply} {
		hit := tab.Find(k)
		tab.Carry(&hit)
	}
	const later = 1 << 31
	for _, step := range []struct {
		from
		want State
	}{
		{r(rst, 99, 0), Reset},
		{f(ack, isnF+later, isnR+later).data(100), Reset},
		{r(ack, isnR+later, isnF+later+100), Established},
		{f(fin|ack, isnF+later+100, isnR+later), FinForward},
	} {
		through(tab, &s, step.from, 1)
		if s, _ = tab.Session(number); s.State != step.want {
			t.Fatalf("behind %v the session is %v, want %v", step.from, s.State, step.want)
		}
	}
}

// A dump keeps no numbers that are out of date, and a loaded session is carried by
// nobody.
func TestDumpOfCarried(t *testing.T) {
	tab := New(Config{MaxSessions: 2})
	forward, reply := keys(protoTCP, 0, 1000, 2000)
	number := opened(t, tab, forward, reply)
	for _, k := range []Key{forward, reply} {
		hit := tab.Find(k)
		tab.Carry(&hit)
	}
	var dump bytes.Buffer
	if err := tab.Dump(&dump, 1); err != nil {
		t.Fatal(err)
	}
	again := New(Config{MaxSessions: 2})
	if err := again.Load(&dump, 1, nil); err != nil {
		t.Fatal(err)
	}
	s, _ := again.Session(number)
	if s.Carried {
		t.Error("the loaded session is carried")
	}
	const later = 1 << 31
	through(again, &s, f(ack, isnF+later, isnR+1).data(10), 2)
	through(again, &s, r(ack, isnR+1, isnF+later+10), 2)
	through(again, &s, r(rst, isnR+1+later, 0), 3) // in no window any more
	through(again, &s, f(fin|ack, isnF+later+10, isnR+1), 3)
	if s, _ = again.Session(number); s.State != FinForward {
		t.Errorf("the loaded session is %v, want it to have learnt its numbers: %v", s.State, FinForward)
	}
}
