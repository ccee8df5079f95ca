package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"routerd/internal/access"
	"routerd/internal/bucket"
	"routerd/internal/show"
)

// handler answers the identities in the contexts of requests, each as its role
// allows.
type handler struct {
	router    Router
	nouns     []Noun
	log       *slog.Logger
	metrics   http.Handler
	asked     *requests
	turns     turns
	long      func()
	events    *Events
	audit     *access.Audit
	repeats   repeats
	walks     places        // of lists that are sent as lines
	profiling sync.Mutex    // held while a profile is made
	stalled   time.Duration // after which a client that does not read is put out

	mu       sync.Mutex
	refusals bucket.Bucket // of the audit: see audited
}

func newHandler(r Router, o Options) *handler {
	o = o.filled()
	nouns := Nouns()
	asked := newRequests(nouns)
	return &handler{
		router: r, nouns: nouns, log: o.Log, asked: asked, turns: newTurns(), long: o.Long, metrics: metricsHandler(r, o.Events, asked), events: o.Events, audit: o.Audit,
		refusals: bucket.New(1, 100), stalled: stalled,
	}
}

// reply is a whole answer; the zero reply is for a client that is gone, or has all.
type reply struct {
	status int
	body   []byte
	tag    string // its ETag, "" for none
	answer any    // to be encoded when it is sent, in the place of the others; nil for none
}

func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	req, err := lowered(req)
	if err == nil {
		err = allowed(req, access.Read)
	}
	if err != nil {
		h.send(w, req, h.refusal(req, err))
		return
	}
	if req.URL.Path == "/metrics" {
		h.metrics.ServeHTTP(w, req)
		return
	}
	if req.URL.Path == drawingPath || req.URL.Path == drawingStyle {
		if err := h.serveDrawing(w, req); err != nil {
			h.send(w, req, h.refusal(req, err))
		}
		return
	}
	if req.URL.Path == "/v1/events" && h.events != nil {
		if err := h.serveEvents(w, req); err != nil {
			h.send(w, req, h.refusal(req, err))
		}
		return
	}
	if req.URL.Path == profilePath {
		if err := h.serveProfile(w, req); err != nil {
			h.send(w, req, h.refusal(req, err))
		}
		return
	}
	h.send(w, req, h.reply(w, req))
}

// reply makes the answer to a request.
func (h *handler) reply(w http.ResponseWriter, req *http.Request) reply {
	if err := drain(w, req); err != nil {
		return h.refusal(req, err)
	}
	if req.URL.Path == "/v1" || req.URL.Path == "/v1/" {
		answer, err := index(w, req, h.nouns)
		return h.encode(req, answer, err)
	}
	if req.URL.Path == openAPIPath {
		r, err := serveOpenAPI(w, req)
		if err != nil {
			return h.refusal(req, err)
		}
		return r
	}
	n, query, err := h.find(w, req)
	switch {
	case n != nil && n.Changes && (err == nil || statusOf(err) == http.StatusForbidden):
		return h.change(req, n, query, err)
	case err != nil:
		return h.refusal(req, err)
	case req.Method == http.MethodGet && takesLines(req, n):
		if err := h.serveLines(w, req, n, query); err != nil {
			return h.refusal(req, err)
		}
		return reply{} // it was sent
	}
	answer, err := h.ask(req.Context(), n, query)
	if err != nil {
		return h.refusal(req, err)
	}
	return reply{answer: answer}
}

// drain reads the body of a request, which no noun takes. An error says that it is
// too large.
func drain(w http.ResponseWriter, req *http.Request) error {
	if req.ContentLength <= maxBody {
		_, err := io.Copy(io.Discard, http.MaxBytesReader(w, req.Body, maxBody))
		var large *http.MaxBytesError
		if !errors.As(err, &large) {
			return nil // of another error the next write hears
		}
	}
	return &show.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body of the request is too large: wanted at most %d bytes, and none is needed: parameters are in the URL", maxBody)}
}

// find returns the noun that a request asks for, and its query.
func (h *handler) find(w http.ResponseWriter, req *http.Request) (n *Noun, query any, err error) {
	path, ok := strings.CutPrefix(req.URL.Path, "/v1/")
	if n = nounAt(h.nouns, path); !ok || n == nil {
		return nil, nil, h.unknown(req)
	}
	method := http.MethodGet
	if n.Changes {
		method = http.MethodPost
	}
	if req.Method != method && (n.Changes || req.Method != http.MethodHead) {
		return n, nil, wrongMethod(w, req, method)
	}
	if err := allowed(req, n.Role()); err != nil {
		return n, nil, err
	}
	query, err = n.Read(req.URL.Query())
	return n, query, err
}

// ask asks the router.
func (h *handler) ask(ctx context.Context, n *Noun, query any) (any, error) {
	timeout := showTimeout
	if n.Changes {
		timeout = changeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return n.Ask(ctx, h.router, query)
}

// change makes a change, once for an Idempotency-Key, and notes it. refused is why
// it is not to be made, or nil.
func (h *handler) change(req *http.Request, n *Noun, query any, refused error) reply {
	ctx := withMatch(req)
	once := func() (reply, bool) {
		var answer any
		err := refused
		if err == nil && matchFrom(ctx) != "" {
			err = h.expected(ctx)
		}
		made := err == nil
		if made {
			id := access.From(ctx)
			h.log.Info("an action was asked for", "action", actionOf(req), "who", id.Name, "from", id.Source)
			answer, err = h.ask(ctx, n, query)
		}
		r := h.encode(req, answer, err)
		h.note(req, r, err)
		return r, made && r.status != 0 && r.status < 500 && r.status != http.StatusTooManyRequests && r.status != http.StatusPreconditionFailed
	}
	key := req.Header.Get("Idempotency-Key")
	if key == "" || refused != nil {
		r, _ := once()
		return r
	}
	if len(key) > maxRepeatKey {
		return h.refusal(req, show.BadRequest("the Idempotency-Key has %d bytes: wanted at most %d", len(key), maxRepeatKey))
	}
	// A request that is repeated gets the answer, though the first one has been
	// given up meanwhile.
	waiting := req.Context()
	ctx = context.WithoutCancel(ctx)
	what := req.Method + " " + req.URL.RequestURI()
	r, err := h.repeats.do(waiting, repeatKey{access.From(waiting).Name, key}, what, time.Now(), once)
	if err != nil {
		return h.refusal(req, err)
	}
	return r
}

// expected returns an error if a change is meant for another configuration.
func (h *handler) expected(ctx context.Context) error {
	c, err := h.router.Config(ctx)
	if err != nil {
		return err
	}
	return Expected(matchFrom(ctx), c)
}

// note writes who did what into the audit and the log.
func (h *handler) note(req *http.Request, r reply, err error) {
	e := entryOf(req, r.status)
	if err != nil {
		e.Result = access.WithoutSecrets(err.Error())
	}
	h.noteEntry(e)
}

// entryOf begins an entry of the audit.
func entryOf(req *http.Request, status int) access.Entry {
	id := access.From(req.Context())
	return access.Entry{
		Time: time.Now(), Who: id.Name, Role: id.Role, Source: id.Source,
		Action: actionOf(req), Status: status, Result: "done",
	}
}

// actionOf says what a request is for, in few words and without a token that was
// put into the URL by mistake.
func actionOf(req *http.Request) string {
	const most = 300
	action := access.WithoutSecrets(req.Method + " " + req.URL.RequestURI())
	if len(action) > most {
		action = action[:most] + "..."
	}
	return action
}

// noteEntry notes what was done, and of what was refused so much that whoever is
// refused cannot drive the rest out of the audit.
func (h *handler) noteEntry(e access.Entry) {
	if e.Result == "done" {
		h.audit.Add(e)
		h.log.Info("an action was done", "action", e.Action, "who", e.Who, "role", e.Role.String(), "from", e.Source)
		return
	}
	h.mu.Lock()
	noted := h.refusals.Take(e.Time)
	h.mu.Unlock()
	if noted {
		what := "an action was not done"
		if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
			what = "the API has refused somebody"
		}
		h.audit.Add(e)
		h.log.Warn(what, "action", e.Action, "who", e.Who, "role", e.Role.String(), "from", e.Source, "why", e.Result)
	}
}

// reads reports whether a request only reads.
func reads(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// wrongMethod returns the error of a request whose path takes another method. The answer
// says which one (RFC 9110 §15.5.6).
func wrongMethod(w http.ResponseWriter, req *http.Request, wanted string) *show.Error {
	w.Header().Set("Allow", wanted)
	return &show.Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s %s: wanted %s", req.Method, req.URL.Path, wanted)}
}

// allowed returns an error if the role of who sends a request does not do.
func allowed(req *http.Request, needed access.Role) error {
	id := access.From(req.Context())
	if id.Role.May(needed) {
		return nil
	}
	who := id.Name
	if who == "" {
		who = "nobody known"
	}
	return &show.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s %s as %s, who has the role %v: wanted the role %v", req.Method, req.URL.Path, who, id.Role, needed)}
}

// unknown returns the error for a path that is not a noun's.
func (h *handler) unknown(req *http.Request) error {
	e := &Error{Status: http.StatusNotFound, Message: "no such noun: " + req.URL.Path}
	for _, n := range h.nouns {
		if n.Ask != nil {
			e.Nouns = append(e.Nouns, "/v1/"+n.Path)
		}
	}
	slices.Sort(e.Nouns)
	return e
}

// encode makes a reply of an answer, or of the error that there is instead; the
// zero reply if the client is gone.
func (h *handler) encode(req *http.Request, answer any, err error) (r reply) {
	if err != nil {
		return h.refusal(req, err)
	}
	r = jsonReply(http.StatusOK, answer)
	if t, ok := answer.(tagged); ok {
		r.tag = t.ETag()
	}
	return r
}

func (h *handler) refusal(req *http.Request, err error) reply {
	var e *Error
	var s *show.Error
	switch {
	case errors.As(err, &e):
		e = &Error{e.Status, err.Error(), e.Problems, e.Nouns} // with what was wrapped around it
	case errors.As(err, &s):
		e = &Error{Status: s.Status, Message: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		e = &Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("the router did not answer in time: %v", err)}
	case errors.Is(err, context.Canceled):
		return reply{}
	default:
		h.log.Error("answering the API", "path", req.URL.Path, "err", err)
		e = &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	return jsonReply(e.Status, e)
}

// statusOf returns the status of an error that has one, or 0.
func statusOf(err error) int {
	var s *show.Error
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}

// noJSON is sent in the place of an answer that cannot be encoded.
var noJSON = reply{status: http.StatusInternalServerError, body: []byte(`{"error":"the answer has no JSON form"}` + "\n")}

func jsonReply(status int, answer any) reply {
	body, err := json.Marshal(tidy(answer))
	if err != nil {
		return noJSON
	}
	return reply{status: status, body: append(body, '\n')}
}

// send sends a reply, or only that it is the one that the client has.
func (h *handler) send(w http.ResponseWriter, req *http.Request, r reply) {
	if r.answer != nil {
		h.sendAnswer(w, req, r.answer)
		return
	}
	if r.status == 0 {
		return // the client is gone
	}
	if r.tag != "" {
		w.Header().Set("ETag", r.tag)
		if have := req.Header.Get("If-None-Match"); have != "" && listed(have, r.tag, true) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	write(w, r)
}

// setContents sets the headers of an answer of a media type. A browser neither shows the
// answer as a page nor keeps it.
func setContents(w http.ResponseWriter, mediaType string) {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
}

// write writes a reply as JSON.
func write(w http.ResponseWriter, r reply) {
	setContents(w, "application/json")
	if header := w.Header(); r.status == http.StatusTooManyRequests && header.Get("Retry-After") == "" {
		header.Set("Retry-After", "1") // s; what has no longer limit of its own
	}
	w.WriteHeader(r.status)
	w.Write(r.body) // an error means that the client is gone
}
