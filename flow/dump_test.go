package flow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"routerd/internal/siphash"
)

// all gives every session of a table.
func all(tab *Table) []Session {
	page := make([]Session, tab.Len()+1)
	n, _ := tab.Walk(0, page)
	return page[:n]
}

// A table that was dumped and loaded is the same one, on another clock: the
// same sessions, found and expired alike.
func TestDumpLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{MaxSessions: 50, MaxPerHost: 20}
		before := New(cfg)
		now := Time(rapid.Uint32().Draw(t, "now"))
		var found []Key
		for i := range rapid.IntRange(0, 40).Draw(t, "sessions") {
			proto := rapid.SampledFrom([]uint8{protoUDP, protoTCP, protoICMP, 47}).Draw(t, "proto")
			forward, reply := keys(proto, i%4, uint16(i+1), uint16(i+1))
			way := ways[State(rapid.IntRange(int(SynForward), int(Reset)).Draw(t, "state"))]
			var s *Segment
			if proto == protoTCP {
				s = &way[0].s
			}
			inside := rapid.SampledFrom([]uint32{forward.Src, reply.Src}).Draw(t, "host")
			if _, why := before.Insert(forward, reply, uint32(i), ^uint32(i), inside, s, now); why != Accepted {
				continue
			}
			now += Time(rapid.Uint32Range(0, 3000).Draw(t, "ms"))
			for i := range way {
				hit := before.Find([]Key{forward, reply}[way[i].d])
				if proto == protoTCP {
					before.Packet(&hit, &way[i].s, now)
				}
			}
			found = append(found, forward, reply)
		}
		port := uint16(rapid.IntRange(0, 40).Draw(t, "port"))
		before.Clear(func(s *Session) bool { return s.Forward.SrcPort == port }, nil)

		var dump bytes.Buffer
		if err := before.Dump(&dump, now); err != nil {
			t.Fatal(err)
		}
		after := New(Config{MaxSessions: 50, MaxPerHost: 20, Key: siphash.Key{99}})
		const later = Time(123_456_789)
		if err := after.Load(bytes.NewReader(dump.Bytes()), now+later, nil); err != nil {
			t.Fatal(err)
		}
		want, got := all(before), all(after)
		for i := range want {
			want[i].Created += later
			want[i].Seen += later
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Session{}, "Generation")); diff != "" {
			t.Fatalf("the loaded table differs (-want +got):\n%s", diff)
		}
		for _, k := range found {
			want, got := before.Find(k), after.Find(k)
			want.Generation, got.Generation = 0, 0
			if want != got {
				t.Fatalf("%v is found as %+v, want %+v", k, got, want)
			}
		}
		for h := range 4 {
			if got, want := after.Host(host(h)), before.Host(host(h)); got != want {
				t.Fatalf("host %d has %d sessions, want %d", h, got, want)
			}
		}
		// What is known of windows is in the dump, word for word: one of the
		// loaded table is the same but for the time that it was made at.
		var again bytes.Buffer
		if err := after.Dump(&again, now+later); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(dump.Bytes(), again.Bytes()) {
			t.Fatal("a dump of the loaded table differs from the one that it was loaded from")
		}
		// Numbers left out are free, and those in use are not given again.
		for i := range 50 - after.Len() {
			forward, reply := keys(protoUDP, 100+i, 1000, uint16(1000+i))
			if _, why := after.Insert(forward, reply, 0, 0, host(100+i), nil, now+later); why != Accepted {
				t.Fatalf("inserting session %d into the loaded table: %v", i, why)
			}
		}
		if after.used > 51 {
			t.Fatalf("the loaded table has given numbers up to %d, want 50 at most", after.used-1)
		}
		end := now + later + Time(3*time.Hour/time.Millisecond)
		for after.Tick(end, 100, nil) == 100 {
		}
		if after.Len() != 0 {
			t.Fatalf("%d sessions of the loaded table are left after 3 hours", after.Len())
		}
	})
}

// small is a dump of two sessions.
func small(tb testing.TB) []byte {
	tab := New(Config{MaxSessions: 10})
	forward, reply := keys(protoUDP, 1, 1, 1)
	mustInsert(tb, tab, forward, reply, host(1), nil, 1000)
	forward, reply = keys(protoTCP, 2, 2, 2)
	mustInsert(tb, tab, forward, reply, host(2), &synF.s, 2000)
	var b bytes.Buffer
	if err := tab.Dump(&b, 3000); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestLoadAdopts(t *testing.T) {
	tab := New(Config{MaxSessions: 10})
	err := tab.Load(bytes.NewReader(small(t)), 0, func(s *Session) bool {
		s.Rule, s.Owner, s.Host = 70, 80, host(9)
		return s.Forward.Proto == protoTCP
	})
	if err != nil {
		t.Fatal(err)
	}
	got := all(tab)
	if len(got) != 1 || got[0].Rule != 70 || got[0].Owner != 80 || tab.Host(host(9)) != 1 || tab.Host(host(2)) != 0 {
		t.Errorf("loaded %+v, want the one TCP session with rule 70, owner 80, of host 9", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	whole := small(t)
	const first, second = dumpHeader, dumpHeader + dumpSession
	for _, tt := range []struct {
		name   string
		change func([]byte)
		want   string
	}{
		{"magic", func(b []byte) { b[0] = 'R' }, `the file begins with "RouterdF", want "routerdF"`},
		{"version", func(b []byte) { b[11] = 1 }, "version 1 of 92 bytes a session, want version 2 of 92"},
		{"size", func(b []byte) { b[15] = 80 }, "want version 2 of 92"},
		{"number twice", func(b []byte) { b[second+3] = 1 }, "session 2 of the dump, number 1: want numbers that rise, from 2"},
		{"number beyond the limit", func(b []byte) { b[second+3] = 11 }, "number 11: want numbers that rise, from 2 to the limit of the table, 10"},
		{"state beyond the last", func(b []byte) { b[second+4+8*wordCondition+4] = 0xf0 }, "state 15"},
		{"state of TCP without TCP", func(b []byte) { b[first+4+8*wordCondition+4] = 0x10 }, "state 1"},
		{"flags", func(b []byte) { b[first+4+8*wordHead+4] = 0x80 }, "head 0x800"},
		{"count", func(b []byte) { b[len(b)-dumpSession+7] = 3 }, "the dump has 2 sessions, want the 3"},
		{"keys of another session", func(b []byte) {
			copy(b[second+4:second+4+8*wordCondition], b[first+4:])
			b[second+4+8*wordCondition+4] = 0
		}, "its keys are another session's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(whole)
			tt.change(b)
			err := New(Config{MaxSessions: 10}).Load(bytes.NewReader(b), 0, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if errors.Is(err, ErrVersion) != (tt.name == "version" || tt.name == "size") {
				t.Errorf("%v is of the version: %t", err, errors.Is(err, ErrVersion))
			}
		})
	}
	for n := range whole {
		if err := New(Config{MaxSessions: 10}).Load(bytes.NewReader(whole[:n]), 0, nil); err == nil {
			t.Errorf("cut off after %d bytes of %d it loads", n, len(whole))
		}
	}
	used := New(Config{MaxSessions: 10})
	forward, reply := keys(protoUDP, 1, 1, 1)
	mustInsert(t, used, forward, reply, host(1), nil, 0)
	if err := used.Load(bytes.NewReader(whole), 0, nil); err == nil {
		t.Error("a table with a session in it loads")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestDumpFails(t *testing.T) {
	if err := New(Config{}).Dump(full{}, 0); err == nil || err.Error() != "dumping sessions: no space" {
		t.Errorf("onto a full disk: %v", err)
	}
}

// What loads is a table that works, whatever the bytes were.
func FuzzLoad(f *testing.F) {
	b := small(f)
	f.Add(b)
	f.Add(b[:len(b)-1])
	long := bytes.Clone(b)
	binary.BigEndian.PutUint32(long[dumpHeader+dumpSession:], 60)
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		tab := New(Config{MaxSessions: 64})
		if tab.Load(bytes.NewReader(b), 5000, nil) != nil {
			return
		}
		for _, s := range all(tab) {
			hit := tab.Find(s.Forward)
			if hit.Session != s.Number {
				t.Fatalf("%+v is found as %+v", s, hit)
			}
			if s.Forward.Proto == protoTCP {
				tab.Packet(&hit, &Segment{Flags: ack, Seq: 1, Ack: 2}, 6000)
			}
			tab.Delete(s.Number, nil)
		}
		if tab.Len() != 0 || tab.wheel.count != 0 {
			t.Fatalf("%d sessions left, %d on the wheel", tab.Len(), tab.wheel.count)
		}
	})
}
