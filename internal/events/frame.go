package events

import (
	"encoding/json"
	"strconv"
	"time"
)

// Kinds of frames that clients are sent.
const (
	typeHello    = "hello"
	typeSnapshot = "snapshot"
	typeEvent    = "event"
	typeGap      = "gap"
	typeBookmark = "bookmark"
	typeSample   = "sample"
	typeError    = "error"
)

// Frame is any frame that a client is sent, for who reads them. Fields that a
// kind of frame does not have are empty.
type Frame struct {
	Type string `json:"type"` // hello | snapshot | event | gap | bookmark | sample | error
	// ID is the number that the client gave the subscription.
	ID     int64  `json:"id,omitzero"`
	Cursor string `json:"cursor,omitzero"`
	// Of hello.
	Router string   `json:"router,omitzero"`
	Epoch  string   `json:"epoch,omitzero"`
	Oldest string   `json:"oldest,omitzero"` // the first event that can be had
	Topics []string `json:"topics,omitzero"`
	// Of events, snapshots and samples.
	Topic string `json:"topic,omitzero"`
	// Of an event.
	Time   time.Time       `json:"time,omitzero"`
	Action Action          `json:"action,omitzero"`
	Key    string          `json:"key,omitzero"`
	Item   json.RawMessage `json:"item,omitzero"`
	Why    string          `json:"why,omitzero"` // also of a gap
	Cause  string          `json:"cause,omitzero"`
	Origin string          `json:"origin,omitzero"`
	// Of a snapshot: the objects, and the key of each; of a sample the items alone.
	Keys    []string          `json:"keys,omitzero"`
	Items   []json.RawMessage `json:"items,omitzero"`
	More    *bool             `json:"more,omitempty"` // pages of this topic follow
	Seconds float64           `json:"seconds,omitzero"`
	// Of a gap: the first and the last lost event, and how many; Lost is absent if
	// that is not known. Then is what follows: "snapshot" or "events".
	From string  `json:"from,omitzero"`
	To   string  `json:"to,omitzero"`
	Lost *uint64 `json:"lost,omitempty"`
	Then string  `json:"then,omitzero"`
	// Of an error.
	Error string `json:"error,omitzero"`
}

// marshal encodes what always can be.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("events: encoding a frame: " + err.Error()) // all fields have JSON forms
	}
	return b
}

// body is an event's frame behind its cursor.
type body struct {
	Time   time.Time       `json:"time"`
	Topic  string          `json:"topic"`
	Action Action          `json:"action"`
	Key    string          `json:"key"`
	Item   json.RawMessage `json:"item,omitempty"`
	Why    string          `json:"why,omitempty"`
	Cause  string          `json:"cause,omitempty"`
	Origin string          `json:"origin,omitempty"`
}

// sampleBody is a sample's frame behind its id.
type sampleBody struct {
	Topic   string            `json:"topic"`
	Seconds float64           `json:"seconds"`
	Items   []json.RawMessage `json:"items"`
}

// appendSample appends the frame of a sample for a subscription.
func appendSample(to []byte, id int64, s sample) []byte {
	to = append(to, `{"type":"sample","id":`...)
	to = strconv.AppendInt(to, id, 10)
	to = append(to, ',')
	return append(to, s.body...)
}

// tooLong is the reason of an event whose object is longer than MaxObject.
const tooLong = "the object is too long for an event: ask for it"

// encode encodes an event, but for what comes before its time.
func (r *Ring) encode(e Event) []byte {
	b := body{Time: e.Time.UTC(), Topic: r.topics[e.Topic].Name, Action: e.Action, Key: e.Key, Item: e.Item, Why: e.Why, Origin: e.Origin}
	if len(b.Item) > MaxObject {
		b.Item, b.Why = nil, tooLong
	}
	if e.Cause != 0 {
		b.Cause = Cursor{r.epoch, e.Cause}.String()
	}
	raw, err := json.Marshal(b)
	if err != nil { // the item is no JSON
		b.Item, b.Why = nil, "the object has no JSON form"
		raw = marshal(b)
	}
	return raw[1:] // without the brace, since more fields come before
}

// appendEvent appends the frame of an event for a subscription.
func (r *Ring) appendEvent(to []byte, id int64, s *slot) []byte {
	to = append(to, `{"type":"event","id":`...)
	to = strconv.AppendInt(to, id, 10)
	to = append(to, `,"cursor":"`...)
	to = Cursor{r.epoch, s.last}.append(to)
	to = append(to, `",`...)
	return append(to, s.body...)
}
