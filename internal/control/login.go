package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// SessionCookie is the name of a session's cookie. A browser takes one of that name
// only over HTTPS, for this host alone and all of its paths (RFC 6265bis §4.1.3.2).
const SessionCookie = "__Host-routerd"

// LoginCode is a one-time code, which a browser exchanges for a session.
type LoginCode struct {
	Code    string      `json:"code"`
	Role    access.Role `json:"role"` // of the session: the role in the request, or that of the caller if it is lower
	Expires time.Time   `json:"expires"`
}

// Whoami is the identity of the sender of a request.
type Whoami struct {
	Name    string      `json:"name"`
	Role    access.Role `json:"role"`
	Source  string      `json:"source"`           // "unix socket", "192.0.2.7"
	Expires time.Time   `json:"expires,omitzero"` // of the token or the session; absent if it does not expire
	Browser bool        `json:"browser"`          // it is a browser's session
}

var whoamiNoun = show.Spec[Router, nothing, Whoami]{
	Path: "whoami",
	Help: show.Help{Short: "Who you are to the router, and what you may do"},
	Ask: func(ctx context.Context, _ Router, _ nothing) (Whoami, error) {
		id := access.From(ctx)
		return Whoami{Name: id.Name, Role: id.Role, Source: id.Source, Expires: id.Expires, Browser: id.Browser}, nil
	},
	Draw: func(s *show.Screen, _ *nothing, w *Whoami) {
		fmt.Fprintf(s, "%s, by %s, with the role %v\n", w.Name, w.Source, w.Role)
	},
}.Noun()

type loginCodeQuery struct {
	Role roleParameter `query:"role" help:"the session has at most this <role>: read, operate or admin (default the role of the caller)"`
}

// loginCodeNoun has no command: routerd web is it.
var loginCodeNoun = show.Spec[Router, loginCodeQuery, LoginCode]{
	Path: "login/code", Changes: true, Takes: access.Read,
	Ask: func(ctx context.Context, r Router, q loginCodeQuery) (LoginCode, error) {
		role := q.Role.Role
		if role == access.Nobody {
			role = access.Admin
		}
		c, err := r.LoginCode(ctx, access.From(ctx), role)
		if errors.Is(err, access.ErrOpener) {
			err = &show.Error{Status: http.StatusForbidden, Message: err.Error()}
		}
		return c, err
	},
}.Noun()

// RoleHeader lowers the role of its sender for one request to the role that it names.
const RoleHeader = "Routerd-Role"

// lowered returns a request whose identity has the role that RoleHeader leaves.
func lowered(req *http.Request) (*http.Request, error) {
	text := req.Header.Get(RoleHeader)
	if text == "" {
		return req, nil
	}
	var role access.Role
	if err := role.Set(text); err != nil {
		return req, show.BadRequest("the header %s: %.40q: %v", RoleHeader, text, err)
	}
	id := access.From(req.Context())
	id.Role = min(id.Role, role)
	return req.WithContext(access.With(req.Context(), id)), nil
}

// door opens and ends the sessions of browsers, and identifies browsers by the cookies
// of sessions.
type door struct {
	logins *access.Logins // nil: there are no sessions
	tokens *access.Tokens // that open sessions, nil for none
	cookie string         // its name
	scheme string         // of the door's own page
	closed func() bool    // reports whether all sessions and logins are refused now
	// note records a login, and one that failed.
	note     func(access.Entry)
	failures access.Failures
}

// maxLogin is the most bytes of the body of a login.
const maxLogin = 4 << 10

// serve answers POST /v1/login and /v1/logout, and passes other requests on. No request
// has been identified before.
func (d *door) serve(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		path := req.URL.Path
		switch {
		case d.logins == nil || d.closed() || path != "/v1/login" && path != "/v1/logout":
			h.ServeHTTP(w, req)
		case req.Method != http.MethodPost:
			refuse(w, wrongMethod(w, req, http.MethodPost))
		case path == "/v1/login":
			d.login(w, req)
		default:
			d.logout(w, req)
		}
	})
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, e *show.Error) {
	if e.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="routerd"`) // RFC 6750 §3
	}
	write(w, jsonReply(e.Status, &Error{Message: e.Message}))
}

// login opens a session for a one-time code or a token. Both are read from the body
// alone, since URLs end up in histories and logs.
func (d *door) login(w http.ResponseWriter, req *http.Request) {
	var with struct {
		Code  *string `json:"code"`
		Token *string `json:"token"`
	}
	from := remoteOf(req)
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxLogin))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(w, &show.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body of the login is too large: wanted at most %d bytes", maxLogin)})
		return
	}
	if err != nil || json.Unmarshal(body, &with) != nil || (with.Code == nil) == (with.Token == nil) {
		refuse(w, &show.Error{Status: http.StatusBadRequest, Message: `the body of the login is not understood: wanted {"code": "..."} or {"token": "rtd_ID_SECRET"}`})
		return
	}
	var cookie string
	var id access.Identity
	what := "the code"
	if with.Code != nil {
		cookie, id, err = d.logins.Exchange(*with.Code)
	} else {
		what = "the token"
		cookie, id, err = d.byToken(*with.Token, from)
	}
	if err != nil {
		d.loginFailed(w, req, from, what, err)
		return
	}
	id.Source = from.String()
	d.note(entryOf(req.WithContext(access.With(req.Context(), id)), http.StatusNoContent))
	d.setCookie(w, cookie, access.SessionLife)
	write(w, reply{status: http.StatusNoContent})
}

// errWrongToken answers a token that does not work.
var errWrongToken = errors.New("the token is not one of this router, was revoked, or has expired")

func (d *door) byToken(text string, from netip.Addr) (cookie string, id access.Identity, err error) {
	if d.tokens == nil {
		return "", id, errWrongToken
	}
	by, ok := d.tokens.Identify(strings.TrimSpace(text), from.String())
	if !ok {
		return "", id, errWrongToken
	}
	return d.logins.Open(by)
}

// setCookie gives a browser a cookie that no page can read and no other site's page
// can have sent. A life below 0 takes it away.
func (d *door) setCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookie, Value: value, Path: "/", Secure: d.scheme == "https", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(life / time.Second),
	})
}

// loginFailed answers a login that fails. Each address may have a few of these.
func (d *door) loginFailed(w http.ResponseWriter, req *http.Request, from netip.Addr, what string, err error) {
	if d.tooMany(w, from, "logins") {
		return
	}
	d.note(access.Entry{
		Time: time.Now(), Source: from.String(), Action: actionOf(req), Status: http.StatusUnauthorized, Result: what + " does not work",
	})
	w.Header().Set("WWW-Authenticate", `Bearer realm="routerd", error="invalid_token"`)
	refuse(w, &show.Error{Status: http.StatusUnauthorized, Message: err.Error()})
}

// tooMany counts a failed login, and answers it if its address has had too many.
func (d *door) tooMany(w http.ResponseWriter, from netip.Addr, what string) bool {
	wait := d.failures.Failed(from, time.Now())
	if wait <= 0 {
		return false
	}
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	refuse(w, &show.Error{Status: http.StatusTooManyRequests, Message: fmt.Sprintf("too many wrong %s from %s: wanted a right one, or a pause of %d s", what, from, seconds)})
	return true
}

// logout ends the session of a browser.
func (d *door) logout(w http.ResponseWriter, req *http.Request) {
	id, err := d.known(req)
	if err != nil {
		refuse(w, err)
		return
	}
	c, _ := req.Cookie(d.cookie)
	d.logins.End(c.Value)
	d.note(entryOf(req.WithContext(access.With(req.Context(), id)), http.StatusNoContent))
	d.setCookie(w, "", -time.Second)
	write(w, reply{status: http.StatusNoContent})
}

// known identifies the sender of a session's cookie. The error has the status 401 if
// there is no session. A browser adds the cookie to every request, also to one that
// another site's page has made it send. So a request that changes something or opens a
// WebSocket needs headers that show that it comes from the router's own page; without
// them the error has the status 403.
func (d *door) known(req *http.Request) (id access.Identity, refused *show.Error) {
	nobody := &show.Error{Status: http.StatusUnauthorized, Message: "no session: wanted the cookie that a login gives"}
	if d.logins == nil || d.closed() {
		return id, nobody
	}
	given := req.CookiesNamed(d.cookie)
	if len(given) != 1 {
		return id, nobody
	}
	id, ok := d.logins.Identify(given[0].Value, remoteOf(req).String())
	if !ok {
		return id, nobody
	}
	return id, d.ownPage(req)
}

// ownPage returns an error for a request that a browser identifies by a cookie,
// unless it can come only from the router's own page or from the browser's address bar.
func (d *door) ownPage(req *http.Request) *show.Error {
	site, origin := req.Header.Get("Sec-Fetch-Site"), req.Header.Get("Origin")
	reading := reads(req) && len(req.Header.Values("Upgrade")) == 0
	own := d.scheme + "://" + req.Host
	switch {
	case site != "" && site != "same-origin" && site != "none",
		origin == "" && !reading,
		origin != "" && !strings.EqualFold(origin, own):
		return &show.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s %s by a browser's session, from a page of %q: wanted the router's own page, %s", req.Method, req.URL.Path, origin, own)}
	}
	return nil
}
