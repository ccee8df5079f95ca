package flow

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
)

// model is the table as one would write it without a thought for speed.
type model struct {
	byKey    map[Key]modelEntry
	sessions map[uint32]*modelSession
	hosts    map[uint32]int
}

type modelEntry struct {
	number uint32
	d      Direction
}

type modelSession struct {
	forward, reply    Key
	rule, owner, host uint32
	seen              Time
}

func (m *model) end(number uint32) {
	s := m.sessions[number]
	delete(m.byKey, s.forward)
	delete(m.byKey, s.reply)
	delete(m.sessions, number)
	if m.hosts[s.host]--; m.hosts[s.host] == 0 {
		delete(m.hosts, s.host)
	}
}

const (
	modelLimit   = 40
	modelPerHost = 12
)

// anyKey draws of few values, so that keys meet often.
func anyKey(t *rapid.T, proto uint8) Key {
	return Key{
		Src: host(rapid.IntRange(1, 5).Draw(t, "src")), Dst: host(rapid.IntRange(1, 5).Draw(t, "dst")),
		SrcPort: rapid.Uint16Range(1, 6).Draw(t, "sport"), DstPort: rapid.Uint16Range(1, 2).Draw(t, "dport"),
		Proto: proto, Table: rapid.Uint8Range(0, 1).Draw(t, "table"),
	}
}

// The table does what the model does, whatever is asked of it in which order.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{map[Key]modelEntry{}, map[uint32]*modelSession{}, map[uint32]int{}}
		now := Time(rapid.Uint32().Draw(t, "start"))
		tab := New(Config{MaxSessions: modelLimit, MaxPerHost: modelPerHost, Key: siphash.Key{rapid.Uint64().Draw(t, "seed")}, Timeouts: Timeouts{UDP: 2 * time.Minute}})
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) { m.insert(t, tab, now) },
			"packet": func(t *rapid.T) { m.packet(t, tab, now) },
			"delete": func(t *rapid.T) {
				number := rapid.Uint32Range(0, modelLimit+1).Draw(t, "number")
				_, want := m.sessions[number]
				if got := tab.Delete(number, nil); got != want {
					t.Fatalf("deleting %d: %t, want %t", number, got, want)
				}
				if want {
					m.end(number)
				}
			},
			"clear": func(t *rapid.T) {
				port := rapid.Uint16Range(1, 6).Draw(t, "port")
				tab.Clear(func(s *Session) bool { return s.Forward.SrcPort == port }, func(s *Session) { m.end(s.Number) })
				for _, s := range m.sessions {
					if s.forward.SrcPort == port {
						t.Fatalf("%v was not cleared", s.forward)
					}
				}
			},
			"time": func(t *rapid.T) { now = m.time(t, tab, now) },
			"":     func(t *rapid.T) { m.compare(t, tab) },
		})
	})
}

func (m *model) insert(t *rapid.T, tab *Table, now Time) {
	proto := rapid.SampledFrom([]uint8{protoUDP, protoICMP}).Draw(t, "proto")
	forward, reply := anyKey(t, proto), anyKey(t, proto)
	reply.Table = forward.Table
	_, taken := m.byKey[forward]
	_, replyTaken := m.byKey[reply]
	want := Accepted
	switch {
	case len(m.sessions) == modelLimit:
		want = TableFull
	case m.hosts[forward.Src] == modelPerHost:
		want = HostFull
	case taken || replyTaken:
		want = KeyTaken
	case forward == reply:
		return // never a flow
	}
	s := &modelSession{forward, reply, rapid.Uint32().Draw(t, "rule"), rapid.Uint32().Draw(t, "owner"), forward.Src, now}
	number, got := tab.Insert(forward, reply, s.rule, s.owner, s.host, nil, now)
	if got != want {
		t.Fatalf("inserting %v, %v: %v, want %v", forward, reply, got, want)
	}
	if got != Accepted {
		return
	}
	if m.sessions[number] != nil || number == NoSession {
		t.Fatalf("the new session has the number %d of another one", number)
	}
	m.sessions[number] = s
	m.byKey[forward], m.byKey[reply] = modelEntry{number, Forward}, modelEntry{number, Reply}
	m.hosts[s.host]++
}

func (m *model) packet(t *rapid.T, tab *Table, now Time) {
	k := anyKey(t, protoUDP)
	hit := tab.Find(k)
	if hit.Session == NoSession {
		return // compare looks after what is to be found
	}
	if !tab.Packet(&hit, nil, now) {
		t.Fatalf("the packet %v of session %d is not taken", k, hit.Session)
	}
	if hit.Direction == Forward {
		m.sessions[hit.Session].seen = now
	}
}

// time goes on, and sessions may end: each that is over by a second has to,
// and none that is not over may.
func (m *model) time(t *rapid.T, tab *Table, now Time) Time {
	now += Time(rapid.OneOf(rapid.Uint32Range(0, 5000), rapid.Uint32Range(0, 200_000)).Draw(t, "ms"))
	timeout := func(s *modelSession) time.Duration {
		if s.forward.Proto == protoICMP {
			return time.Minute
		}
		return 2 * time.Minute
	}
	for more := true; more; {
		more = tab.Tick(now, 8, func(s *Session) {
			if was := m.sessions[s.Number]; was == nil || now.Sub(was.seen) < timeout(was) {
				t.Fatalf("session %d ended too soon: %v", s.Number, was)
			}
			m.end(s.Number)
		}) == 8
	}
	for number, s := range m.sessions {
		if now.Sub(s.seen) > timeout(s)+time.Second {
			t.Fatalf("session %d has been idle for %v and is there", number, now.Sub(s.seen))
		}
	}
	return now
}

func (m *model) compare(t *rapid.T, tab *Table) {
	if tab.Len() != len(m.sessions) {
		t.Fatalf("%d sessions, want %d", tab.Len(), len(m.sessions))
	}
	for k, e := range m.byKey {
		s := m.sessions[e.number]
		want := Hit{Session: e.number, Rule: s.rule, Owner: s.owner, Direction: e.d, Other: s.reply}
		if e.d == Reply {
			want.Other = s.forward
		}
		got := tab.Find(k)
		got.Generation = 0
		if got != want {
			t.Fatalf("%v is found as %+v, want %+v", k, got, want)
		}
	}
	for h := range 6 {
		if got, want := tab.Host(host(h)), m.hosts[host(h)]; got != want {
			t.Fatalf("host %d has %d sessions, want %d", h, got, want)
		}
	}
	page := make([]Session, modelLimit+1)
	n, _ := tab.Walk(0, page)
	for _, s := range page[:n] {
		if want := m.sessions[s.Number]; want == nil || want.forward != s.Forward || want.reply != s.Reply || want.owner != s.Owner {
			t.Fatalf("walked by %+v, want %+v", s, want)
		}
	}
	if n != len(m.sessions) {
		t.Fatalf("walked by %d sessions, want %d", n, len(m.sessions))
	}
}
