package control

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"routerd/internal/events"
	"routerd/internal/show"
)

// Parameters of the URL of /v1/events without a WebSocket.
const (
	paramTopic    = "topic"    // of a topic, repeated for each
	paramKey      = "key"      // of a key, likewise
	paramSnapshot = "snapshot" // true for the objects first
	paramAfter    = "after"    // a cursor
)

// streamID is the id of the one subscription.
const streamID = 1

// readEventQuery reads the subscription from a URL's parameters.
func readEventQuery(req *http.Request) (q events.Request, err error) {
	q.ID = streamID
	for name, values := range req.URL.Query() {
		switch name {
		case paramTopic:
			q.Topics = values
		case paramKey:
			q.Keys = values
		case paramAfter:
			q.After = values[0]
		case paramSnapshot:
			if values[0] != "true" && values[0] != "false" {
				return q, show.BadRequest("snapshot is %.64q: wanted true or false", values[0])
			}
			q.Snapshot = values[0] == "true"
		default:
			return q, show.BadRequest("there is no parameter %.64q: wanted topic, key, snapshot or after", name)
		}
	}
	return q, nil
}

// stream follows events as lines of JSON, each a frame.
func (f *follower) stream(w http.ResponseWriter, req *http.Request) error {
	q, err := readEventQuery(req)
	if err != nil {
		return err
	}
	if err := f.session.Subscribe(q); errors.Is(err, events.ErrWithheld) {
		return &show.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("following events: %v", err)}
	} else if err != nil {
		return show.BadRequest("following events: %v", err)
	}
	setContents(w, LinesType)
	control := http.NewResponseController(w)
	// The request has no body to read, and its answer has no end. Not every writer
	// has deadlines; those of a server have.
	_ = control.SetReadDeadline(time.Time{})
	emitted, failed := false, error(nil)
	emit := func(frame []byte) {
		if failed != nil {
			return
		}
		if !emitted {
			emitted = true
			_ = control.SetWriteDeadline(time.Now().Add(f.events.stalled()))
		}
		if _, failed = w.Write(frame); failed == nil {
			_, failed = w.Write([]byte{'\n'})
		}
	}
	f.follow(nil, emit, func() reason {
		if emitted && failed == nil {
			failed = control.Flush()
		}
		emitted = false
		switch {
		case errors.Is(failed, os.ErrDeadlineExceeded):
			return reasonStalled
		case failed != nil:
			return reasonGone
		}
		return reasonNone
	})
	return nil
}
