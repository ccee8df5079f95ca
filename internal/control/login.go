package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
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
	Role    access.Role `json:"role"` // of the session: that asked for, or that of who asks if it is lower
	Expires time.Time   `json:"expires"`
}

// Whoami is who sends a request, as the router knows him.
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
	Role roleParameter `query:"role" help:"what the session may do: <role> read, operate or admin (default that of who asks)"`
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

// RoleHeader lowers what a request may: its sender has no higher role for this once
// than the one that it names.
const RoleHeader = "Routerd-Role"

// lowered returns a request with the identity that RoleHeader leaves it.
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

// maxLogin is the most bytes of the body of a login.
const maxLogin = 4 << 10

// logins answers POST /v1/login and /v1/logout, which open and end the session of a
// browser, and passes other requests on. Nobody is known yet.
func (a *API) logins(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		path := req.URL.Path
		switch {
		case a.o.Logins == nil || a.o.Clients().Only || path != "/v1/login" && path != "/v1/logout":
			h.ServeHTTP(w, req)
		case req.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			write(w, jsonReply(http.StatusMethodNotAllowed, &Error{Message: req.Method + " " + path + ": wanted POST"}))
		case path == "/v1/login":
			a.login(w, req)
		default:
			a.logout(w, req)
		}
	})
}

// login opens a session for who has a one-time code, or a token. Both are taken from
// the body alone, since URLs are kept in many places.
func (a *API) login(w http.ResponseWriter, req *http.Request) {
	var with struct {
		Code  *string `json:"code"`
		Token *string `json:"token"`
	}
	from := remoteOf(req)
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxLogin))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		write(w, jsonReply(http.StatusRequestEntityTooLarge, &Error{Message: fmt.Sprintf("the body of the login is too large: wanted at most %d bytes", maxLogin)}))
		return
	}
	if err != nil || json.Unmarshal(body, &with) != nil || (with.Code == nil) == (with.Token == nil) {
		write(w, jsonReply(http.StatusBadRequest, &Error{Message: `the body of the login is not understood: wanted {"code": "..."} or {"token": "rtd_ID_SECRET"}`}))
		return
	}
	var cookie string
	var id access.Identity
	what := "the code"
	if with.Code != nil {
		cookie, id, err = a.o.Logins.Exchange(*with.Code)
	} else {
		what = "the token"
		by, ok := access.Identity{}, false
		if a.o.Tokens != nil {
			by, ok = a.o.Tokens.Identify(strings.TrimSpace(*with.Token), from.String())
		}
		if err = errWrongToken; ok {
			cookie, id, err = a.o.Logins.Open(by)
		}
	}
	if err != nil {
		a.loginFailed(w, req, from, what, err)
		return
	}
	id.Source = from.String()
	a.handler.noteEntry(entryOf(req.WithContext(access.With(req.Context(), id)), http.StatusNoContent))
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookie, Value: cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(access.SessionLife.Seconds()),
	})
	noContent(w)
}

// errWrongToken is what is said of a token that does not work.
var errWrongToken = errors.New("the token is none of this router's, or it was revoked or has expired")

// loginFailed answers a login that fails, of which an address has a few.
func (a *API) loginFailed(w http.ResponseWriter, req *http.Request, from netip.Addr, what string, err error) {
	if a.tooMany(w, from, "logins") {
		return
	}
	a.handler.noteEntry(access.Entry{
		Time: time.Now(), Source: from.String(), Action: actionOf(req), Status: http.StatusUnauthorized, Result: what + " does not work",
	})
	w.Header().Set("WWW-Authenticate", `Bearer realm="routerd", error="invalid_token"`)
	write(w, jsonReply(http.StatusUnauthorized, &Error{Message: err.Error()}))
}

// logout ends the session of a browser.
func (a *API) logout(w http.ResponseWriter, req *http.Request) {
	id, ok, err := a.byCookie(req)
	switch {
	case err != nil:
		write(w, a.handler.refusal(req, err))
		return
	case !ok:
		a.turnAway(w, req, remoteOf(req), false)
		return
	}
	c, _ := req.Cookie(SessionCookie)
	a.o.Logins.End(c.Value)
	a.handler.noteEntry(entryOf(req.WithContext(access.With(req.Context(), id)), http.StatusNoContent))
	http.SetCookie(w, &http.Cookie{Name: SessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	noContent(w)
}

// noContent answers with a status alone, which nobody may keep.
func noContent(w http.ResponseWriter) {
	write(w, reply{status: http.StatusNoContent})
}

// byCookie identifies who shows the cookie of a session; ok is false if nobody does.
// A browser adds the cookie by itself, so what changes something, or opens a
// WebSocket, has to say that it comes from the router's own page: 403 otherwise.
func (a *API) byCookie(req *http.Request) (id access.Identity, ok bool, err error) {
	if a.o.Logins == nil {
		return id, false, nil
	}
	given := req.CookiesNamed(SessionCookie)
	if len(given) != 1 {
		return id, false, nil
	}
	if id, ok = a.o.Logins.Identify(given[0].Value, remoteOf(req).String()); !ok {
		return id, false, nil
	}
	return id, true, FromOwnPage(req, "https")
}

// FromOwnPage returns an error for a request that a browser identifies by a cookie,
// unless it can come only from a page of the same origin, or from somebody who has
// typed its URL.
func FromOwnPage(req *http.Request, scheme string) error {
	site, origin := req.Header.Get("Sec-Fetch-Site"), req.Header.Get("Origin")
	reading := (req.Method == http.MethodGet || req.Method == http.MethodHead) && len(req.Header.Values("Upgrade")) == 0
	switch {
	case site != "" && site != "same-origin" && site != "none",
		origin == "" && !reading,
		origin != "" && !strings.EqualFold(origin, scheme+"://"+req.Host):
		return &show.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s %s by a browser's session, from a page of %q: wanted the router's own page, %s://%s", req.Method, req.URL.Path, origin, scheme, req.Host)}
	}
	return nil
}
