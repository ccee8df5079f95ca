package control

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"strings"
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

// rows returns how many elements the longest list of an answer has, and which of the
// answer's fields that is.
func rows(answer any) (most, at int) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	if v.Kind() != reflect.Struct {
		return 0, 0
	}
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() > most {
			most, at = f.Len(), i
		}
	}
	return most, at
}

// answerBuffers are used again for answers, up to keptBuffer bytes.
var answerBuffers = sync.Pool{New: func() any { return &bytes.Buffer{} }}

const keptBuffer = 1 << 20

// sendAnswer sends the answer to a question: a long list piece by piece, anything else
// as a whole.
func (h *handler) sendAnswer(w http.ResponseWriter, req *http.Request, answer any) {
	buf := answerBuffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= keptBuffer {
			answerBuffers.Put(buf)
		}
	}()
	if most, at := rows(answer); most >= longAnswer {
		h.long()
		if long, ok := h.cut(req.Context(), answer, at); ok {
			long.send(w, buf)
			return
		}
	}
	if json.NewEncoder(buf).Encode(tidy(answer)) != nil {
		write(w, noJSON)
		return
	}
	r := reply{status: http.StatusOK, body: buf.Bytes()}
	if t, ok := answer.(tagged); ok {
		r.tag = t.ETag()
	}
	h.send(w, req, r)
}

// longList is an answer with a long list. It is encoded piece by piece, each in a turn
// and sent before the next one, so that what is in memory of its text is a piece, and a
// client that does not read takes nobody's turn.
type longList struct {
	ctx           context.Context
	turns         turns
	list          reflect.Value
	before, after []byte // what the answer's text has around the list's elements
}

// cut takes the long list, which is its field number at, out of an answer; false if
// that cannot be done.
func (h *handler) cut(ctx context.Context, answer any, at int) (l longList, ok bool) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	if _, whole := answer.(tagged); whole || custom(v.Type()) {
		return l, false
	}
	name, options, _ := strings.Cut(v.Type().Field(at).Tag.Get("json"), ",")
	if name == "" || name == "-" || strings.Contains(options, "omit") {
		return l, false
	}
	rest := reflect.New(v.Type()).Elem()
	rest.Set(v)
	rest.Field(at).Set(reflect.MakeSlice(rest.Field(at).Type(), 0, 0))
	text, err := json.Marshal(tidy(rest.Interface()))
	empty := []byte(`"` + name + `":[]`) // in a string the quotes would not be bare
	if err != nil || bytes.Count(text, empty) != 1 {
		return l, false
	}
	place := bytes.Index(text, empty) + len(empty) - 1
	return longList{ctx, h.turns, v.Field(at), text[:place], append(text[place:len(text):len(text)], '\n')}, true
}

// custom reports whether values of a type make their JSON themselves.
func custom(t reflect.Type) bool {
	for _, by := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(by) || reflect.PointerTo(t).Implements(by) {
			return true
		}
	}
	return false
}

// send sends the answer. A client for whom the rest cannot be encoded is cut off.
func (l *longList) send(w http.ResponseWriter, buf *bytes.Buffer) {
	for from := 0; from < l.list.Len(); from += longAnswer {
		err := l.turn(buf, from, min(from+longAnswer, l.list.Len()))
		switch {
		case errors.Is(err, errGone):
			return
		case err != nil && from == 0:
			write(w, noJSON)
			return
		case err != nil:
			panic(http.ErrAbortHandler) // half of an answer must not pass for one
		case from == 0:
			write(w, reply{status: http.StatusOK, body: buf.Bytes()})
		default:
			if _, err := w.Write(buf.Bytes()); err != nil {
				return // the client is gone
			}
		}
	}
}

// errGone means that the client went while its answer waited for a turn.
var errGone = errors.New("the client is gone")

// turn waits for a turn and encodes a piece. The turn ends even if the encoding panics.
func (l *longList) turn(buf *bytes.Buffer, from, to int) error {
	done := l.turns.take(l.ctx)
	if done == nil {
		return errGone
	}
	defer done()
	return l.encode(buf, from, to)
}

// encode makes the text of a piece of the list, and of what stands before the first and
// behind the last one.
func (l *longList) encode(buf *bytes.Buffer, from, to int) error {
	buf.Reset()
	if from == 0 {
		buf.Write(l.before)
	}
	at := buf.Len()
	if err := json.NewEncoder(buf).Encode(tidy(l.list.Slice(from, to).Interface())); err != nil {
		return err
	}
	buf.Bytes()[at] = ',' // for the bracket that begins the piece
	if from == 0 {
		text := buf.Bytes()
		copy(text[at:], text[at+1:])
		buf.Truncate(len(text) - 1)
	}
	buf.Truncate(buf.Len() - len("]\n"))
	if to == l.list.Len() {
		buf.Write(l.after)
	}
	return nil
}
