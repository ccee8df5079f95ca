package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// Loopback shows a router's page, and its API, on an address of this host to the one
// user who has started it. What that user's browser asks it asks the router as Client
// does, with the user's own rights. It listens in the process of a command, and ends
// with that.
//
// A program of somebody else on this host can connect too, so nothing but the files of
// the page is had without the cookie of a session, which a one-time code opens. The
// cookie has a name of its own, and no Secure, since browsers disagree on that over
// http to a loopback's address; on such an address it never leaves the host.
type Loopback struct {
	site   http.Handler // in place of a router; nil for one
	client *Client
	door   door
	proxy  httputil.ReverseProxy
}

// loopbackCookie is the name of the cookie of a Loopback.
const loopbackCookie = "routerd-web"

// loopbackCodeLife is how long a user has to open the URL that was printed.
const loopbackCodeLife = 10 * time.Minute

// PageRole is the value of a flag for the most that a page may do; the zero PageRole
// is for all that its user may.
type PageRole struct{ roleParameter }

// Type is what flags call it.
func (*PageRole) Type() string { return "role" }

// newLoopback makes one that shows nothing yet.
func newLoopback() (*Loopback, error) {
	own := access.Roles{Own: uint32(os.Geteuid())}
	logins, err := access.OpenLogins(nil, func() *access.Roles { return &own }, nil, nil)
	if err != nil {
		return nil, err
	}
	logins.CodeLife = loopbackCodeLife
	open := func() bool { return false }
	return &Loopback{door: door{logins: logins, cookie: loopbackCookie, scheme: "http", note: func(access.Entry) {}, closed: open}}, nil
}

// NewLoopbackSite shows a site of the command's own in place of a router: its paths
// below /v1/ to who has a session, the others, which are its files, to anybody. Close
// ends it.
func NewLoopbackSite(site http.Handler) (*Loopback, error) {
	l, err := newLoopback()
	if err == nil {
		l.site = site
	}
	return l, err
}

// NewLoopback shows the router of a client, which is not closed. Role is the most that
// the page may do: a higher one than the client's own changes nothing, and Nobody
// stands for it. Close ends it.
func NewLoopback(c *Client, role access.Role) (*Loopback, error) {
	l, err := newLoopback()
	if err != nil {
		return nil, err
	}
	l.client = c
	l.proxy = httputil.ReverseProxy{
		Transport:     c.http.Transport,
		FlushInterval: -1, // events are passed on as they come
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		Rewrite:       func(r *httputil.ProxyRequest) { l.rewrite(r, role) },
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			if req.Context().Err() == nil {
				refuse(w, &show.Error{Status: http.StatusBadGateway, Message: c.failed(req.Context(), err).Error()})
			}
		},
	}
	return l, nil
}

// Close ends all sessions' timers.
func (l *Loopback) Close() { l.door.logins.Close() }

// Code makes the one-time code with which a browser opens a session.
func (l *Loopback) Code() (string, error) {
	uid := uint32(os.Geteuid())
	code, _, _, err := l.door.logins.Code(access.Identity{Role: access.Admin, Peer: &access.Peer{UID: uid}}, access.Admin)
	return code, err
}

// rewrite makes of a browser's request one of the client.
func (l *Loopback) rewrite(r *httputil.ProxyRequest, role access.Role) {
	base := l.client.base
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = base.Scheme, base.Host, base.Host
	for name := range r.Out.Header {
		// Where the page is from has been looked at, and is nothing to the router.
		if strings.HasPrefix(name, "Sec-Fetch-") {
			r.Out.Header.Del(name)
		}
	}
	for _, name := range []string{"Cookie", "Origin", "Referer", "Authorization", RoleHeader} {
		r.Out.Header.Del(name)
	}
	if role != access.Nobody {
		r.Out.Header.Set(RoleHeader, role.String())
	}
	if l.client.token != "" {
		r.Out.Header.Set("Authorization", "Bearer "+l.client.token)
	}
}

// ServeHTTP answers a browser.
func (l *Loopback) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !loopback(hostOf(req.Host)) {
		// A page whose name was made to lead here (DNS rebinding) uses that name.
		refuse(w, &show.Error{Status: http.StatusMisdirectedRequest, Message: fmt.Sprintf("a request for host %q: wanted a loopback's address", req.Host)})
		return
	}
	l.door.serve(http.HandlerFunc(l.pass)).ServeHTTP(w, req)
}

// pass asks the router for who has a session, and for files of the page for anybody.
func (l *Loopback) pass(w http.ResponseWriter, req *http.Request) {
	id, refused := l.door.known(req)
	if refused != nil && !(refused.Status == http.StatusUnauthorized && ofPage(req)) {
		refuse(w, refused)
		return
	}
	if l.site != nil {
		l.site.ServeHTTP(w, req)
		return
	}
	lasts := lastingOf(req.Context())
	lasts.answers.Add(1)
	defer lasts.answers.Done()
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	defer context.AfterFunc(lasts.until, cancel)()
	if id.Ended != nil {
		go func() {
			select {
			case <-id.Ended:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	if req.URL.Path == "/v1/events" {
		// It has no end, whoever reads it.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // without one, it ends sooner
	}
	l.proxy.ServeHTTP(w, req.WithContext(ctx))
}

// ofPage reports whether a request is for a file of the page, which is no secret.
func ofPage(req *http.Request) bool {
	path := req.URL.Path
	return (req.Method == http.MethodGet || req.Method == http.MethodHead) && len(req.Header.Values("Upgrade")) == 0 &&
		path != "/v1" && !strings.HasPrefix(path, "/v1/") && path != "/metrics"
}

// Serve answers browsers until ctx is done, then closes the listener and returns nil.
// It returns an error if the listener fails before.
func (l *Loopback) Serve(ctx context.Context, at net.Listener) error {
	return serve(ctx, newServer(sameOrigin(l), slog.New(slog.DiscardHandler), writeTimeout, maxConns), at)
}
