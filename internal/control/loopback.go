package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// Loopback serves a router's page and its API, at an address of this host, to the user
// who runs the command. It passes the requests of that user's browser on to the router
// as Client does, with the rights of that user. It listens in the process of the command
// and ends with it.
//
// Programs of other users of this host can connect too. Without the cookie of a session
// they get only the files of the page. A one-time code opens a session. The command line
// of a browser, which all users can read, may have the code, so a login has to come by a
// connection of the user who runs the command, unless that user is root.
//
// The cookie has a name of its own. It has no attribute Secure, since browsers disagree
// on that attribute over http to a loopback address, and no request to such an address
// leaves the host.
type Loopback struct {
	site   http.Handler // in place of a router; nil for one
	client *Client
	user   *uint32 // the only user whose connections may log in; nil for every user
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
	uid := uint32(os.Geteuid())
	own := access.Roles{Own: uid}
	logins, err := access.OpenLogins(nil, func() *access.Roles { return &own }, nil, nil)
	if err != nil {
		return nil, err
	}
	logins.CodeLife = loopbackCodeLife
	open := func() bool { return false }
	l := &Loopback{door: door{logins: logins, cookie: loopbackCookie, scheme: "http", note: func(access.Entry) {}, closed: open}}
	if uid != 0 {
		// The browser of somebody who runs the command as root belongs to another user.
		l.user = &uid
	}
	return l, nil
}

// NewLoopbackSite serves a site of the command in place of a router. Its paths below
// /v1/ need a session; its other paths are files, which need none. Close ends it.
func NewLoopbackSite(site http.Handler) (*Loopback, error) {
	l, err := newLoopback()
	if err == nil {
		l.site = site
	}
	return l, err
}

// NewLoopback serves the page of a client's router. It does not close the client. The
// page has at most the given role, and never a higher role than the client; Nobody
// stands for the role of the client. Close ends it.
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

// Close stops the timers of all sessions.
func (l *Loopback) Close() { l.door.logins.Close() }

// Code makes the one-time code with which a browser opens a session.
func (l *Loopback) Code() (string, error) {
	uid := uint32(os.Geteuid())
	code, _, _, err := l.door.logins.Code(access.Identity{Role: access.Admin, Peer: &access.Peer{UID: uid}}, access.Admin)
	return code, err
}

// rewrite turns a request of the browser into a request of the client.
func (l *Loopback) rewrite(r *httputil.ProxyRequest, role access.Role) {
	base := l.client.base
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = base.Scheme, base.Host, base.Host
	for name := range r.Out.Header {
		// These say which page has sent the request. The door has checked that, and the
		// router has another address than the page.
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
	if req.URL.Path == "/v1/login" && l.user != nil {
		if err := l.ofUser(req); err != nil {
			refuse(w, &show.Error{Status: http.StatusForbidden, Message: err.Error()})
			return
		}
	}
	l.door.serve(http.HandlerFunc(l.pass)).ServeHTTP(w, req)
}

// ofUser returns an error unless the connection of a request belongs to the user who
// runs the command.
func (l *Loopback) ofUser(req *http.Request) error {
	client, _ := netip.ParseAddrPort(req.RemoteAddr) // net/http gives what the kernel said
	var server netip.AddrPort
	if a, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		server = a.AddrPort()
	}
	uid, err := userOf(client, server)
	if err == nil && uid != *l.user {
		err = fmt.Errorf("a login by the user %d: wanted the user %d, who runs the command", uid, *l.user)
	}
	return err
}

// pass passes a request with a session on to the router. A request for a file of the
// page needs no session.
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
		// The answer has no end.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // without one, it ends sooner
	}
	l.proxy.ServeHTTP(w, req.WithContext(ctx))
}

// ofPage reports whether a request is for a file of the page, which is no secret.
func ofPage(req *http.Request) bool {
	path := req.URL.Path
	return reads(req) && len(req.Header.Values("Upgrade")) == 0 &&
		path != "/v1" && !strings.HasPrefix(path, "/v1/") && path != "/metrics"
}

// Serve answers browsers until ctx is done, then closes the listener and returns nil.
// It returns an error if the listener fails before.
func (l *Loopback) Serve(ctx context.Context, at net.Listener) error {
	return serve(ctx, newServer(sameOrigin(l), slog.New(slog.DiscardHandler), writeTimeout, maxConns), at)
}
