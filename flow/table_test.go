package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// host is the inside host with the number n, 10.0.0.0 and on.
func host(n int) uint32 { return 10<<24 + uint32(n) }

const (
	server  = 203<<24 | 113<<8 | 80 // 203.0.113.80
	outside = 198<<24 | 51<<16 | 100<<8 | 2
)

// keys are those of a flow from inside host n, its port p, that becomes the
// outside address's port q.
func keys(proto uint8, n int, p, q uint16) (forward, reply Key) {
	forward = Key{Src: host(n), Dst: server, SrcPort: p, DstPort: 53, Proto: proto}
	reply = Key{Src: server, Dst: outside, SrcPort: 53, DstPort: q, Proto: proto}
	return forward, reply
}

func mustInsert(tb testing.TB, t *Table, forward, reply Key, host uint32, s *Segment, now Time) uint32 {
	tb.Helper()
	number, why := t.Insert(forward, reply, 7, 8, host, s, now)
	if why != Accepted || number == NoSession {
		tb.Fatalf("inserting %v: session %d, %v, want one", forward, number, why)
	}
	return number
}

func TestFind(t *testing.T) {
	tab := New(Config{MaxSessions: 100})
	forward, reply := keys(protoUDP, 1, 4000, 5000)
	number := mustInsert(t, tab, forward, reply, host(1), nil, 1000)

	got := tab.Find(forward)
	want := Hit{Session: number, Generation: got.Generation, Rule: 7, Owner: 8, Direction: Forward, Other: reply}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the packet of the side that began (-want +got):\n%s", diff)
	}
	want.Direction, want.Other = Reply, forward
	if diff := cmp.Diff(want, tab.Find(reply)); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	// Each field of the key tells flows apart.
	for _, change := range []func(*Key){
		func(k *Key) { k.Src++ },
		func(k *Key) { k.Dst++ },
		func(k *Key) { k.SrcPort++ },
		func(k *Key) { k.DstPort++ },
		func(k *Key) { k.Proto = protoTCP },
		func(k *Key) { k.Table = 1 },
		func(k *Key) { *k = k.Reverse() },
	} {
		for _, k := range []Key{forward, reply} {
			change(&k)
			if hit := tab.Find(k); hit != (Hit{}) {
				t.Errorf("%v gives %v, want no session", k, hit)
			}
		}
	}
	if !tab.Delete(number, nil) || tab.Delete(number, nil) {
		t.Error("the session can be deleted not once, or twice")
	}
	if tab.Find(forward) != (Hit{}) || tab.Find(reply) != (Hit{}) || tab.Len() != 0 || tab.Host(host(1)) != 0 {
		t.Errorf("of the deleted session is left: %v, %v, %d sessions, %d of the host", tab.Find(forward), tab.Find(reply), tab.Len(), tab.Host(host(1)))
	}
}

func TestInsertRefuses(t *testing.T) {
	tab := New(Config{MaxSessions: 4, MaxPerHost: 2})
	insert := func(n int, p, q uint16) Refusal {
		forward, reply := keys(protoUDP, n, p, q)
		_, why := tab.Insert(forward, reply, 0, 0, host(n), nil, 0)
		return why
	}
	for i, tt := range []struct {
		n    int
		p, q uint16
		want Refusal
	}{
		{1, 1, 1, Accepted},
		{1, 1, 2, KeyTaken}, // the forward key
		{1, 2, 1, KeyTaken}, // the reply key
		{1, 2, 2, Accepted},
		{1, 3, 3, HostFull},
		{2, 4, 4, Accepted},
		{3, 5, 5, Accepted},
		{4, 6, 6, TableFull},
	} {
		if got := insert(tt.n, tt.p, tt.q); got != tt.want {
			t.Errorf("insert %d: %v, want %v", i, got, tt.want)
		}
		if got := tab.Room(host(9)); (got == TableFull) != (tab.Len() == 4) {
			t.Errorf("with %d sessions there is room for host 9: %v", tab.Len(), got)
		}
	}
	if got := tab.Room(host(1)); got != TableFull {
		t.Errorf("room for host 1: %v, want %v", got, TableFull)
	}
	stats := tab.Stats()
	if diff := cmp.Diff(Stats{Sessions: 4, Limit: 4, PerHost: 2, Hosts: 3, Made: 4, KeyTaken: 2, TableFull: 1, HostFull: 1}, stats); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	// A higher limit needs a larger index, which has to know what the old one knew.
	tab.Configure(Config{MaxSessions: 1000, MaxPerHost: 3})
	if got := insert(1, 3, 3); got != Accepted {
		t.Errorf("after the limits were raised: %v, want %v", got, Accepted)
	}
	for q := range uint16(5) {
		n, p := []int{1, 1, 1, 2, 3}[q], q+1
		forward, reply := keys(protoUDP, n, p, p)
		if tab.Find(forward).Session == NoSession || tab.Find(reply).Session == NoSession {
			t.Errorf("session %d is not found after the limits were raised", p)
		}
	}
	// A lower one ends nothing.
	tab.Configure(Config{MaxSessions: 2})
	if tab.Len() != 5 || insert(9, 9, 9) != TableFull {
		t.Errorf("after the limit was lowered: %d sessions, want 5 and no more", tab.Len())
	}
}

// A session in a record used before is another one: packets that were found
// to belong to the old one must not touch it.
func TestGeneration(t *testing.T) {
	tab := New(Config{MaxSessions: 1})
	forward, reply := keys(protoUDP, 1, 1, 1)
	old := mustInsert(t, tab, forward, reply, host(1), nil, 0)
	hit := tab.Find(forward)
	if !tab.Packet(&hit, nil, 1000) {
		t.Error("the session's packet is not taken")
	}
	tab.Delete(old, nil)
	if tab.Packet(&hit, nil, 2000) {
		t.Error("a packet of a session that has ended is taken")
	}
	next := mustInsert(t, tab, forward, reply, host(1), nil, 3000)
	if next != old {
		t.Fatalf("the next session has number %d, want %d again", next, old)
	}
	if tab.Packet(&hit, nil, 90_000) {
		t.Error("a packet of the session before is taken")
	}
	if s, _ := tab.Session(next); s.Seen != 3000 {
		t.Errorf("the session's last packet was at %d, want 3000", s.Seen)
	}
	tab.Delete(next, nil)

	forward, reply = keys(protoTCP, 1, 1, 1)
	mustInsert(t, tab, forward, reply, host(1), &synF.s, 0)
	hit = tab.Find(reply)
	tab.Delete(hit.Session, nil)
	mustInsert(t, tab, forward, reply, host(1), &synF.s, 0)
	if tab.Packet(&hit, &synAckR.s, 0) {
		t.Error("a segment of the connection before is taken")
	}
	if s, _ := tab.Session(hit.Session); s.State != SynForward {
		t.Errorf("the connection is in state %v, want %v", s.State, SynForward)
	}
}

// RFC 4787 REQ-6: what the inside host sends refreshes, and what comes from
// outside only where that is wanted.
func TestRefresh(t *testing.T) {
	for _, tt := range []struct {
		name    string
		host    uint32 // whom the session counts for
		d       Direction
		inbound bool
		want    Time
	}{
		{"inside host's, which began", host(1), Forward, false, 10_000},
		{"answer to it", host(1), Reply, false, 0},
		{"answer to it, inbound refresh", host(1), Reply, true, 10_000},
		{"from outside, which began", server, Forward, false, 0},
		{"from outside, which began, inbound refresh", server, Forward, true, 10_000},
		{"inside host's answer", server, Reply, false, 10_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab := New(Config{InboundRefresh: tt.inbound})
			forward, reply := keys(protoUDP, 1, 1, 1)
			number := mustInsert(t, tab, forward, reply, tt.host, nil, 0)
			hit := tab.Find([]Key{forward, reply}[tt.d])
			if !tab.Packet(&hit, nil, 10_000) {
				t.Error("the packet is not taken")
			}
			s, _ := tab.Session(number)
			if s.Seen != tt.want {
				t.Errorf("last packet at %d, want %d", s.Seen, tt.want)
			}
			if got, want := s.Expires(60_000), 5*time.Minute-time.Duration(60_000-tt.want)*time.Millisecond; got != want {
				t.Errorf("it expires in %v, want %v", got, want)
			}
		})
	}
}

// Packets by way of the table, from the SYN to TIME_WAIT, and their timeouts.
func TestPacketTCP(t *testing.T) {
	tab := New(Config{})
	forward, reply := keys(protoTCP, 1, 1, 1)
	number := mustInsert(t, tab, forward, reply, host(1), &synF.s, 0)
	for i, tt := range []struct {
		from
		state   State
		timeout time.Duration
	}{
		{synF, SynForward, 4 * time.Minute},
		{synAckR, AckReply, 4 * time.Minute},
		{ackF, Established, 124 * time.Minute},
		{finF, FinForward, 4 * time.Minute},
		{r(fin|ack, isnR+1, isnF+2), TimeWait, 4 * time.Minute},
	} {
		now := Time(i * 1000)
		hit := tab.Find([]Key{forward, reply}[tt.d])
		if !tab.Packet(&hit, &tt.s, now) {
			t.Errorf("%v is not taken", tt.from)
		}
		s, _ := tab.Session(number)
		if s.State != tt.state || s.Timeout != tt.timeout || s.Seen != now {
			t.Errorf("after %v: %v, timeout %v, last packet at %d, want %v, %v, %d", tt.from, s.State, s.Timeout, s.Seen, tt.state, tt.timeout, now)
		}
	}
}

func TestWalkAndClear(t *testing.T) {
	const n = 3*stride + 5
	tab := New(Config{})
	for i := range n {
		forward, reply := keys(protoUDP, i, 1, uint16(i+1))
		mustInsert(t, tab, forward, reply, host(i), nil, 0)
	}
	walk := func() map[uint32]int {
		seen := map[uint32]int{}
		page := make([]Session, 100)
		for cursor := uint32(0); ; {
			n, next := tab.Walk(cursor, page)
			for _, s := range page[:n] {
				seen[s.Forward.Src]++
			}
			if cursor = next; cursor == 0 {
				return seen
			}
		}
	}
	seen := walk()
	for i := range n {
		if seen[host(i)] != 1 {
			t.Fatalf("session %d was walked by %d times, want once", i, seen[host(i)])
		}
	}
	odd := func(s *Session) bool { return s.Forward.Src%2 == 1 }
	ended := 0
	if got := tab.Clear(odd, func(s *Session) {
		ended++
		if !odd(s) {
			t.Errorf("%v was ended", s.Forward)
		}
	}); got != n/2 || ended != n/2 {
		t.Errorf("%d sessions were cleared and %d told, want %d", got, ended, n/2)
	}
	for k := range walk() {
		if k%2 == 1 {
			t.Fatalf("%d is still there", k)
		}
	}
	if n, next := tab.Walk(0, nil); n != 0 || next != 0 {
		t.Errorf("a walk into nothing gives %d, then %d, want 0 and 0", n, next)
	}
}

func TestTimeouts(t *testing.T) {
	if err := (Timeouts{UDP: time.Millisecond}).Check(); err == nil || err.Error() != "udp timeout 1ms: want 1s to 240h0m0s" {
		t.Errorf("of a timeout too short: %v", err)
	}
	if err := (Timeouts{TCPReset: 11 * 24 * time.Hour}).Check(); err == nil {
		t.Error("a timeout too long passes")
	}
	if err := (Timeouts{}).Check(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if err := (Timeouts{}).Defaults().Check(); err != nil {
		t.Errorf("the defaults written out: %v", err)
	}
}

func TestClock(t *testing.T) {
	epoch := time.Unix(1_000_000, 0)
	c := NewClock(epoch)
	if got := c.At(epoch.Add(1500 * time.Millisecond)); got != 1500 {
		t.Errorf("1.5 s after the epoch it is %d, want 1500", got)
	}
	late := c.At(epoch.Add(1 << 32 * time.Millisecond))
	if got := (late + 10).Sub(late - 10); got != 20*time.Millisecond {
		t.Errorf("over the wrap lie %v, want 20ms", got)
	}
	if got := late.Sub(late + 10); got != -10*time.Millisecond {
		t.Errorf("backwards lie %v, want -10ms", got)
	}
}

// Packets of sessions allocate nothing, nor do new sessions in records that
// are there.
func TestAllocations(t *testing.T) {
	tab := New(Config{})
	forward, reply := keys(protoTCP, 1, 1, 1)
	mustInsert(t, tab, forward, reply, host(1), &synF.s, 0)
	now := Time(0)
	if n := testing.AllocsPerRun(100, func() {
		hash := tab.Hash(&reply)
		tab.Touch([]uint64{hash})
		var hit Hit
		tab.FindHashed(&reply, hash, &hit)
		tab.Packet(&hit, &synAckR.s, now)
		hit = tab.Find(forward)
		tab.Packet(&hit, &ackF.s, now)
		now += 1000
	}); n != 0 {
		t.Errorf("two packets make %v allocations, want none", n)
	}
	forward, reply = keys(protoUDP, 2, 2, 2)
	if n := testing.AllocsPerRun(100, func() {
		number, _ := tab.Insert(forward, reply, 0, 0, host(2), nil, now)
		tab.Delete(number, nil)
	}); n != 0 {
		t.Errorf("making and ending a session makes %v allocations, want none", n)
	}
}
