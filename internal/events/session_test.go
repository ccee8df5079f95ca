package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is the state of a router whose objects are numbers, and the ring that
// its changes are told by.
type world struct {
	ring    *Ring
	objects map[TopicID]map[string]int
}

func newWorld(r *Ring) *world {
	return &world{r, map[TopicID]map[string]int{link: {}, route: {}, drop: {}}}
}

// set changes an object; 0 removes it.
func (w *world) set(t TopicID, key string, value int) uint64 {
	e := Event{Topic: t, Time: began, Action: Changed, Key: key, Item: json.RawMessage(fmt.Sprint(value))}
	if w.objects[t][key] = value; value == 0 {
		delete(w.objects[t], key)
		e.Action, e.Item = Removed, nil
	}
	return w.ring.Publish(e)
}

// page has the objects of a topic, two at a time.
func (w *world) page(walk *Walk) (p Page) {
	id, _ := w.ring.Topic(walk.Topic)
	for _, key := range slices.Sorted(maps.Keys(w.objects[id])) {
		if key <= walk.After {
			continue
		}
		if len(p.Keys) == 2 {
			p.Next = p.Keys[1]
			break
		}
		p.Keys, p.Items = append(p.Keys, key), append(p.Items, json.RawMessage(fmt.Sprint(w.objects[id][key])))
	}
	return p
}

// reader is a client that stores what it is sent.
type reader struct {
	frames  []Frame
	objects map[string]map[string]int // by topic and key
	fresh   map[string]bool           // topics of which a snapshot is coming
	cursor  string
	epoch   string
}

func newReader() *reader {
	return &reader{objects: map[string]map[string]int{}, fresh: map[string]bool{}}
}

func (c *reader) take(t interface{ Fatalf(string, ...any) }, raw []byte) {
	var f Frame
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatalf("%v in the frame %s", err, raw)
	}
	c.frames = append(c.frames, f)
	if c.objects[f.Topic] == nil {
		c.objects[f.Topic] = map[string]int{}
	}
	switch f.Type {
	case typeHello:
		c.epoch = f.Epoch
	case typeSnapshot:
		if !c.fresh[f.Topic] {
			clear(c.objects[f.Topic])
		}
		c.fresh[f.Topic] = *f.More
		for i, item := range f.Items {
			var n int
			json.Unmarshal(item, &n)
			c.objects[f.Topic][f.Keys[i]] = n
		}
	case typeEvent:
		if f.Action == Removed {
			delete(c.objects[f.Topic], f.Key)
		} else {
			var n int
			json.Unmarshal(f.Item, &n)
			c.objects[f.Topic][f.Key] = n
		}
		c.cursor = f.Cursor
	case typeBookmark:
		c.cursor = f.Cursor
	}
}

// drain has the session emit all that it has.
func drain(t interface{ Fatalf(string, ...any) }, s *Session, w *world, c *reader) {
	for range 100_000 {
		wait := s.Next(began, func(raw []byte) { c.take(t, raw) })
		switch {
		case wait.Walk != nil:
			s.Page(w.page(wait.Walk), nil)
		case !wait.Now:
			return
		}
	}
	t.Fatalf("the session never comes to rest")
}

// Whatever happens in which order, between the pages of a snapshot and while the
// client sleeps through all that the ring holds, while it leaves and comes back
// and when the router restarts: in the end it has the objects that there are.
func TestSnapshotAndEventsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(smallRing(8, 1<<20))
		c := newReader()
		var s *Session
		epoch := w.ring.epoch
		connect := func() {
			s = NewSession(w.ring, "r1", began)
			if err := s.Subscribe(Request{ID: 1, Topics: []string{"link", "route"}, Snapshot: true, After: c.cursor}); err != nil {
				t.Fatalf("subscribing: %v", err)
			}
			c.fresh = map[string]bool{}
		}
		connect()
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				wait := s.Next(began, func(raw []byte) { c.take(t, raw) })
				if wait.Walk != nil {
					p := w.page(wait.Walk)
					if rapid.Bool().Draw(t, "late") { // something happens between the walk and its page
						w.set(link, "b", rapid.IntRange(0, 5).Draw(t, "value"))
					}
					s.Page(p, nil)
				}
			case 1:
				drain(t, s, w, c)
			case 2: // the connection is lost, and some frames with it
				s.Close(began)
				connect()
			case 3:
				w.ring.Skip(route, 1, TooMany)
				w.objects[route]["c"] = rapid.IntRange(1, 5).Draw(t, "value")
			case 4:
				if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
					s.Close(began)
					objects := w.objects
					w = newWorld(smallRing(8, 1<<20))
					epoch++
					w.ring.epoch = epoch
					w.objects = objects
					connect()
				}
			default:
				topic := rapid.SampledFrom([]TopicID{link, route}).Draw(t, "topic")
				w.set(topic, rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "key"), rapid.IntRange(0, 5).Draw(t, "value"))
			}
		}
		drain(t, s, w, c)
		for _, topic := range []TopicID{link, route} {
			if d := cmp.Diff(w.objects[topic], c.objects[testTopics[topic].Name]); d != "" {
				t.Fatalf("%s (-router +client):\n%s\nframes: %q", testTopics[topic].Name, d, types(c.frames))
			}
		}
	})
}

// Of all events a client gets some and is told of all others, each once, in
// order, however long it sleeps.
func TestGapsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(smallRing(8, 1<<20))
		s := NewSession(w.ring, "r1", began)
		c := newReader()
		if err := s.Subscribe(Request{ID: 1}); err != nil {
			t.Fatalf("subscribing: %v", err)
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				drain(t, s, w, c)
			case 1:
				w.ring.Skip(rapid.SampledFrom([]TopicID{route, drop}).Draw(t, "topic"), rapid.Uint64Range(1, 20).Draw(t, "skipped"), TooMany)
			default:
				w.set(link, "a", 1)
			}
		}
		drain(t, s, w, c)
		next := uint64(1)
		number := func(text string) uint64 {
			cursor, err := ParseCursor(text)
			if err != nil {
				t.Fatalf("%v", err)
			}
			return cursor.Number
		}
		for _, f := range c.frames {
			switch f.Type {
			case typeEvent:
				if n := number(f.Cursor); n != next {
					t.Fatalf("event %d, want %d", n, next)
				}
				next++
			case typeGap:
				if from, to := number(f.From), number(f.To); from != next || *f.Lost != to-from+1 || f.Then != thenEvents {
					t.Fatalf("gap %+v with %d lost, want it to begin at %d", f, *f.Lost, next)
				}
				next += *f.Lost
			}
		}
		if _, last := w.ring.ends(); next != last+1 {
			t.Fatalf("the client heard of events up to %d, and there were %d", next-1, last)
		}
	})
}

// types are the frames in short.
func types(frames []Frame) (list []string) {
	for _, f := range frames {
		text := f.Type
		switch f.Type {
		case typeEvent:
			text += " " + f.Topic + " " + f.Key
		case typeGap:
			text += ", " + f.Why + ", then " + f.Then
		case typeSnapshot:
			text += " " + f.Topic + " " + strings.Join(f.Keys, " ")
		case typeError:
			text += ": " + f.Error
		}
		list = append(list, text)
	}
	return list
}

func TestSubscriptions(t *testing.T) {
	tests := []struct {
		name, frame string
		want        []string // after hello; the events set link b to 2
	}{
		{"events from now on", `{"op":"subscribe","id":1,"topics":["link"]}`, []string{"bookmark", "event link b"}},
		{"all topics", `{"op":"subscribe","id":1}`, []string{"bookmark", "event link b"}},
		{"another topic", `{"op":"subscribe","id":1,"topics":["log"]}`, []string{"bookmark"}},
		{"snapshot", `{"op":"subscribe","id":1,"topics":["link"],"snapshot":true}`, []string{"snapshot link a", "bookmark", "event link b"}},
		{"snapshot of a topic without objects", `{"op":"subscribe","id":1,"topics":["log"],"snapshot":true}`, []string{"bookmark"}},
		{"resumed", `{"op":"subscribe","id":1,"topics":["link"],"snapshot":true,"after":"7f3a9c21:1"}`, []string{"event link x", "event link x", "bookmark", "event link b"}},
		{"resumed at the end", `{"op":"subscribe","id":1,"topics":["link"],"after":"7f3a9c21:3"}`, []string{"bookmark", "event link b"}},
		{"resumed from the beginning", `{"op":"subscribe","id":1,"topics":["link"],"after":"7f3a9c21:0"}`, []string{"event link a", "event link x", "event link x", "bookmark", "event link b"}},
		{"ahead", `{"op":"subscribe","id":1,"topics":["link"],"after":"7f3a9c21:4"}`, []string{"gap, ahead of all events, then events", "bookmark", "event link b"}},
		{"garbage", `{"op":"subscribe","id":1,"topics":["link"],"snapshot":true,"after":"<script>"}`, []string{"gap, not a cursor, then snapshot", "snapshot link a", "bookmark", "event link b"}},
		{"another epoch", `{"op":"subscribe","id":1,"topics":["link"],"after":"7f3a9c20:2"}`, []string{
			"gap, the router was restarted, then events", "event link a", "event link x", "event link x", "bookmark", "event link b",
		}},
		{"keys", `{"op":"subscribe","id":1,"topics":["link"],"keys":["b"],"snapshot":true}`, []string{"snapshot link ", "bookmark", "event link b"}},
		{"other keys", `{"op":"subscribe","id":1,"topics":["link"],"keys":["x","a*"],"snapshot":true}`, []string{"snapshot link a", "bookmark"}},
		{"all keys", `{"op":"subscribe","id":1,"topics":["link"],"keys":["*"]}`, []string{"bookmark", "event link b"}},
		{"unknown topic", `{"op":"subscribe","id":1,"topics":["lnik"]}`, []string{`error: there is no topic "lnik": wanted some of link, route, drop, log, traffic`}},
		{"unknown operation", `{"op":"delete","id":1}`, []string{`error: op is "delete": wanted subscribe or unsubscribe`}},
		{"nothing to end", `{"op":"unsubscribe","id":1}`, []string{"error: there is no subscription 1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(smallRing(8, 1<<20))
			w.set(link, "a", 1)
			w.set(link, "x", 1)
			w.set(link, "x", 0)
			s := NewSession(w.ring, "r1", began)
			c := newReader()
			if err := s.Receive([]byte(test.frame), began); err != nil {
				t.Fatal(err)
			}
			drain(t, s, w, c)
			w.set(link, "b", 2)
			drain(t, s, w, c)
			if d := cmp.Diff(append([]string{"hello"}, test.want...), types(c.frames)); d != "" {
				t.Errorf("frames (-want +got):\n%s", d)
			}
		})
	}
}

// The frames are as clients know them, octet by octet.
func TestFrames(t *testing.T) {
	w := newWorld(smallRing(8, 1<<20))
	s := NewSession(w.ring, "r1", began)
	var got []string
	run := func() {
		for range 100 {
			wait := s.Next(began, func(raw []byte) { got = append(got, string(raw)) })
			if wait.Walk != nil {
				s.Page(Page{Keys: []string{"lan0"}, Items: []json.RawMessage{json.RawMessage(`{"name":"lan0"}`)}}, nil)
			} else if !wait.Now {
				return
			}
		}
	}
	s.Receive([]byte(`{"op":"subscribe","id":7,"topics":["link","traffic"],"snapshot":true}`), began)
	run()
	n := w.ring.Publish(Event{Topic: logged, Time: began, Action: Added, Key: "info"})
	w.ring.Publish(Event{
		Topic: link, Time: began, Action: Changed, Key: "<b>lan0", Item: json.RawMessage(`{"name":"<b>lan0"}`),
		Why: "no carrier", Cause: n, Origin: "routerd.toml:12",
	})
	w.ring.Sample(traffic, 1, []json.RawMessage{json.RawMessage(`{"interface":"lan0"}`)})
	run()
	for range 8 {
		w.set(drop, "a", 1)
	}
	w.ring.Skip(link, 3, TooMany)
	run()
	want := []string{
		`{"type":"hello","router":"r1","epoch":"7f3a9c21","cursor":"7f3a9c21:0","oldest":"7f3a9c21:1","topics":["link","route","drop","log","traffic"]}`,
		`{"type":"snapshot","id":7,"topic":"link","cursor":"7f3a9c21:0","keys":["lan0"],"items":[{"name":"lan0"}],"more":false}`,
		`{"type":"bookmark","id":7,"cursor":"7f3a9c21:0"}`,
		`{"type":"event","id":7,"cursor":"7f3a9c21:2","time":"2026-11-29T19:00:00.1Z","topic":"link","action":"changed","key":"\u003cb\u003elan0","item":{"name":"\u003cb\u003elan0"},"why":"no carrier","cause":"7f3a9c21:1","origin":"routerd.toml:12"}`,
		`{"type":"sample","id":7,"topic":"traffic","seconds":1,"items":[{"interface":"lan0"}]}`,
		`{"type":"gap","id":7,"from":"7f3a9c21:11","to":"7f3a9c21:13","lost":3,"why":"too many at once","then":"snapshot"}`,
		`{"type":"snapshot","id":7,"topic":"link","cursor":"7f3a9c21:13","keys":["lan0"],"items":[{"name":"lan0"}],"more":false}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
}

// An idle client gets a bookmark every 10 s, with the position up to which it has
// missed nothing.
func TestBookmarks(t *testing.T) {
	w := newWorld(smallRing(8, 1<<20))
	s := NewSession(w.ring, "r1", began)
	if err := s.Subscribe(Request{ID: 1, Topics: []string{"log"}}); err != nil {
		t.Fatal(err)
	}
	drain(t, s, w, newReader())
	w.set(link, "a", 1)
	for _, after := range []time.Duration{0, BookmarkEvery - 1, BookmarkEvery, BookmarkEvery + 1, 2 * BookmarkEvery} {
		var got []string
		wait := s.Next(began.Add(after), func(raw []byte) { got = append(got, string(raw)) })
		want := []string(nil)
		if after == BookmarkEvery || after == 2*BookmarkEvery {
			want = []string{`{"type":"bookmark","cursor":"7f3a9c21:1"}`}
		}
		if !slices.Equal(got, want) || !wait.Until.After(began.Add(after)) {
			t.Errorf("after %v: %q and again at %v, want %q", after, got, wait.Until.Sub(began), want)
		}
	}
}

// A client that asks for more than it may have is told so, each time, and put out
// in the end. What it has goes on until then.
func TestTooManySubscriptions(t *testing.T) {
	w := newWorld(smallRing(8, 1<<20))
	s := NewSession(w.ring, "r1", began)
	c := newReader()
	var err error
	sent := 0
	for ; sent < 10_000 && err == nil; sent++ {
		err = s.Receive(fmt.Appendf(nil, `{"op":"subscribe","id":%d,"topics":["link"]}`, sent), began)
	}
	if err != ErrRefused || sent != MaxSubscriptions+MaxRefused {
		t.Errorf("after %d subscriptions: %v, want ErrRefused after %d", sent, err, MaxSubscriptions+MaxRefused)
	}
	drain(t, s, w, c)
	errors := 0
	for _, f := range c.frames {
		if f.Type == typeError {
			errors++
		}
	}
	if errors != MaxRefused || len(s.subs) != MaxSubscriptions {
		t.Errorf("%d errors and %d subscriptions, want %d and %d", errors, len(s.subs), MaxRefused, MaxSubscriptions)
	}
	s.Close(began)
	if w.ring.Wanted(route, began.Add(Linger)) {
		t.Error("somebody still listens after the session was closed")
	}
}

// No frame of a client, however odd, makes the session panic, or send what is not
// JSON, or more than a bounded answer.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`{"op":"subscribe","id":1,"topics":["link"],"snapshot":true,"after":"7f3a9c21:0","keys":["a*"]}`,
		`{"op":"unsubscribe","id":1}`, `{}`, `[]`, `null`, `"`, `{"op":"subscribe","id":1e99}`, `{"op":"subscribe","id":1}{}`,
		`{"op":"subscribe","topics":["\ud800"]}`, "\xff",
	} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		w := newWorld(smallRing(8, 1<<20))
		w.set(link, "a", 1)
		s := NewSession(w.ring, "r1", began)
		defer s.Close(began)
		c := newReader()
		for _, raw := range [][]byte{one, two, one} {
			if err := s.Receive(raw, began); err != nil {
				t.Fatal(err)
			}
			w.set(link, "b", 2)
			drain(t, s, w, c)
		}
		if len(c.frames) > 60 {
			t.Fatalf("%d frames", len(c.frames))
		}
	})
}
