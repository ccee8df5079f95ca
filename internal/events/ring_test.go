package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The topics of the tests: "link" and "route" have objects, "route" and "drop"
// are recorded only while somebody listens.
var testTopics = []Topic{
	{Name: "link", Objects: true},
	{Name: "route", Objects: true, Heard: true},
	{Name: "drop", Heard: true},
	{Name: "log"},
	{Name: "traffic", Heard: true, Sampled: true},
}

const (
	link TopicID = iota
	route
	drop
	logged
	traffic
)

var began = time.Date(2026, 11, 29, 19, 0, 0, 100_000_000, time.UTC)

// smallRing makes a ring of fewer events, a power of two, and bytes.
func smallRing(maxEvents, maxBytes int) *Ring {
	r := NewRing(0x7f3a9c21, testTopics)
	r.maxEvents, r.maxBytes, r.slots = maxEvents, maxBytes, make([]slot, 2)
	return r
}

// all reads every slot behind a position.
func all(r *Ring, position uint64) (list []slot) {
	for {
		to := make([]slot, 7)
		n, _ := r.read(position, to)
		if n == 0 {
			return list
		}
		list = append(list, to[:n]...)
		position = to[n-1].last
	}
}

// A ring has what a list of all events has, but for the oldest, within its
// bounds; and the list of its slots has each number once.
func TestRingIsTheEndOfTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := smallRing(8, 2000)
		type logEntry struct {
			number uint64
			key    string // "" for one not recorded
		}
		var log []logEntry
		now := began
		listening := false
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				listening = !listening
				if listening {
					r.listen(1 << route)
				} else {
					r.leave(1<<route, now)
				}
			case 1:
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, Linger}).Draw(t, "passes"))
			case 2:
				n := rapid.Uint64Range(0, 4).Draw(t, "skipped")
				last := r.Skip(rapid.SampledFrom([]TopicID{link, drop}).Draw(t, "topic"), n, TooMany)
				for i := range n {
					log = append(log, logEntry{last - n + 1 + i, ""})
				}
			default:
				topic := rapid.SampledFrom([]TopicID{link, route}).Draw(t, "topic")
				key := fmt.Sprint("k", len(log))
				recorded := r.Wanted(topic, now)
				long := rapid.SampledFrom([]int{0, 0, 100, 900}).Draw(t, "long")
				n := r.Publish(Event{Topic: topic, Time: now, Action: Changed, Key: key, Item: json.RawMessage(`"` + strings.Repeat("x", long) + `"`)})
				if !recorded {
					key = ""
				}
				log = append(log, logEntry{n, key})
			}
		}
		if len(log) == 0 {
			return
		}
		first, last := r.ends()
		if last != log[len(log)-1].number || last != uint64(len(log)) {
			t.Fatalf("the ring ends at %d after %d events", last, len(log))
		}
		next := first
		for _, s := range all(r, 0) {
			if s.first != next || s.last < s.first {
				t.Fatalf("a slot from %d to %d, want one that begins at %d", s.first, s.last, next)
			}
			for ; next <= s.last; next++ {
				if e := log[next-1]; e.key != s.key {
					t.Fatalf("event %d has key %q, want %q", next, s.key, e.key)
				}
			}
		}
		if next != last+1 {
			t.Fatalf("the slots end at %d, want %d", next-1, last)
		}
		if list := all(r, 0); len(list) > 8 {
			t.Fatalf("the ring has %d events, want up to 8", len(list))
		}
		if r.bytes > 2000 {
			t.Fatalf("the ring has %d bytes, want up to 2000", r.bytes)
		}
	})
}

func TestRingBounds(t *testing.T) {
	t.Run("events", func(t *testing.T) {
		r := NewRing(1, testTopics)
		for i := range MaxEvents + 1000 {
			r.Publish(Event{Topic: link, Time: began, Action: Changed, Key: fmt.Sprint(i)})
		}
		if first, last := r.ends(); first != 1001 || last != MaxEvents+1000 {
			t.Errorf("the ring has %d to %d, want 1001 to %d", first, last, MaxEvents+1000)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		r := NewRing(1, testTopics)
		item := json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
		for i := range 1000 {
			r.Publish(Event{Topic: link, Time: began, Action: Changed, Key: fmt.Sprint(i), Item: item})
		}
		if r.bytes > MaxBytes || r.bytes < MaxBytes-200_000 {
			t.Errorf("the ring has %d bytes, want nearly %d", r.bytes, MaxBytes)
		}
	})
	t.Run("object", func(t *testing.T) {
		r := NewRing(1, testTopics)
		r.Publish(Event{Topic: link, Time: began, Action: Changed, Key: "a", Item: json.RawMessage(`"` + strings.Repeat("x", MaxObject) + `"`)})
		if body := string(all(r, 0)[0].body); !strings.Contains(body, tooLong) || strings.Contains(body, "item") {
			t.Errorf("the event is %.200s", body)
		}
	})
}

// Events that nobody wants to hear of take numbers and no room.
func TestUnheardEventsTakeNoRoom(t *testing.T) {
	r := NewRing(1, testTopics)
	for range 100_000 {
		r.Publish(Event{Topic: route, Time: began, Action: Changed, Key: "a"})
	}
	if list := all(r, 0); len(list) != 1 || list[0].first != 1 || list[0].last != 100_000 || list[0].body != nil {
		t.Errorf("the ring has %v", list)
	}
	if n := testing.AllocsPerRun(100, func() { r.Publish(Event{Topic: route, Time: began, Action: Changed, Key: "a"}) }); n != 0 {
		t.Errorf("an event that nobody hears of costs %v allocations", n)
	}
}
