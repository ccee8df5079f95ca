package control

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"runtime"
	"sync"
)

// longAnswer is how many rows an answer has, or more, that waits for its turn.
const longAnswer = 256

// turns bounds how many long answers are encoded at once: half of the processors are
// left to those who ask for little, and to packets.
type turns chan struct{}

func newTurns() turns { return make(turns, max(1, runtime.GOMAXPROCS(0)/2)) }

// take waits for a turn, and returns a function that ends it; nil if ctx is done.
func (t turns) take(ctx context.Context) func() {
	select {
	case t <- struct{}{}:
		return func() { <-t }
	case <-ctx.Done():
		return nil
	}
}

// rows returns how many elements the longest list of an answer has.
func rows(answer any) (most int) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	if v.Kind() != reflect.Struct {
		return 0
	}
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			most = max(most, f.Len())
		}
	}
	return most
}

// answerBuffers are used again for answers, up to keptBuffer bytes.
var answerBuffers = sync.Pool{New: func() any { return &bytes.Buffer{} }}

const keptBuffer = 8 << 20

// sendAnswer sends the answer to a question. It encodes the whole before it writes, so
// that a client that does not read takes nobody's turn.
func (h *handler) sendAnswer(w http.ResponseWriter, req *http.Request, answer any) {
	buf := answerBuffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= keptBuffer {
			answerBuffers.Put(buf)
		}
	}()
	if rows(answer) >= longAnswer {
		h.long()
		done := h.turns.take(req.Context())
		if done == nil {
			return // the client is gone
		}
		err := json.NewEncoder(buf).Encode(tidy(answer))
		done()
		if err != nil {
			write(w, noJSON)
			return
		}
	} else if json.NewEncoder(buf).Encode(tidy(answer)) != nil {
		write(w, noJSON)
		return
	}
	r := reply{status: http.StatusOK, body: buf.Bytes()}
	if t, ok := answer.(tagged); ok {
		r.tag = t.ETag()
	}
	h.send(w, req, r)
}
