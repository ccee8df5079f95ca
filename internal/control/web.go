package control

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
	livepage "routerd/internal/web"
)

// webHandler is what stands before the handler of those who connect by TCP. With
// open set anybody may read and nobody may change anything, with any token.
//
// In this order: the request has to name the router (421) and must not come from
// another site's page (403); the live page's files need no login; any other request
// needs a token, the cookie of a session, or a certificate that works (401, 429); an
// open listener takes no changes (403).
func (a *API) webHandler(h http.Handler, open bool) http.Handler {
	if open {
		h = readOnly(h)
	}
	h = a.identifyWeb(h, open)
	if !open {
		h = a.door.serve(h)
	}
	h = health(h, a.o.Ready)
	return a.checkSite(livepage.Handler(h))
}

// checkSite refuses requests that a web page of somebody else may have caused.
// Unlike checkHost it takes no name without a dot but localhost: over TCP a browser
// may have been told one. An address cannot be made to lead somewhere else.
func (a *API) checkSite(h http.Handler) http.Handler {
	h = sameOrigin(h)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !webName(req.Host, a.o.WebHosts()) {
			write(w, jsonReply(http.StatusMisdirectedRequest, &Error{
				Message: fmt.Sprintf("a request for host %q: wanted an address of the router, its name, localhost, or a name that [api] hosts gives", req.Host),
			}))
			return
		}
		// A browser says where a request comes from that opens a WebSocket, too, and
		// lets any page open one.
		if origin := req.Header.Get("Origin"); origin != "" && !originOf(origin, req.Host) {
			write(w, jsonReply(http.StatusForbidden, &Error{
				Message: fmt.Sprintf("%s %s from a page of another site, %s: wanted no browser's request, or one of the router's own page", req.Method, req.URL.Path, origin),
			}))
			return
		}
		h.ServeHTTP(w, req)
	})
}

// webName reports whether a Host header names the router.
func webName(host string, names []string) bool {
	name := hostOf(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(names, func(own string) bool { return strings.EqualFold(own, name) })
}

// hostOf returns the name or address in a Host header, in lower case.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(strings.TrimSuffix(host, "."), "[]"))
}

// originOf reports whether an Origin header is that of a page from host.
func originOf(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// identifyWeb passes requests on with the identity of their token, of their session, or
// else of the certificate of their connection; of the certificate alone where only
// certificates count. With open set, requests without any of these may read.
func (a *API) identifyWeb(h http.Handler, open bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		from := remoteOf(req)
		id := access.Identity{Name: "anybody on this host", Role: access.Read, Source: from.String()}
		given := req.Header.Values("Authorization")
		only := !open && a.o.Clients().Only
		ok := open
		switch {
		case only:
		case len(given) > 0:
			if id, ok = a.byToken(given, from.String()); !ok {
				a.turnAway(w, req, from, true)
				return
			}
		case !open:
			var err *show.Error
			id, err = a.door.known(req)
			if err != nil && err.Status != http.StatusUnauthorized {
				refuse(w, err)
				return
			}
			ok = err == nil
		}
		if !ok {
			var release func()
			var err error
			id, release, err = a.byCertificate(req, from.String())
			defer release()
			if err != nil {
				a.turnUnknownAway(w, req, from, err)
				return
			}
		}
		h.ServeHTTP(w, req.WithContext(access.With(req.Context(), id)))
	})
}

// turnUnknownAway answers a request without a token or a session that no certificate
// identifies.
func (a *API) turnUnknownAway(w http.ResponseWriter, req *http.Request, from netip.Addr, shown error) {
	if a.o.Clients().Only || !errors.Is(shown, access.ErrNoCertificate) {
		a.refuseCertificate(w, req, from.String(), shown)
		return
	}
	a.turnAway(w, req, from, false)
}

// remoteOf returns the address that a request comes from.
func remoteOf(req *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(req.RemoteAddr) // net/http gives what the kernel said
	return from.Addr().Unmap()
}

// byToken identifies who shows a token (RFC 6750 §2.1).
func (a *API) byToken(authorization []string, source string) (access.Identity, bool) {
	if a.o.Tokens == nil || len(authorization) != 1 {
		return access.Identity{}, false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Identity{}, false
	}
	return a.o.Tokens.Identify(strings.TrimSpace(token), source)
}

// turnAway answers a request without a token, or with a wrong one. A wrong token
// counts as a failed login, of which an address has a few; a right one is never
// turned away for those.
func (a *API) turnAway(w http.ResponseWriter, req *http.Request, from netip.Addr, wrong bool) {
	if !wrong {
		refuse(w, &show.Error{Status: http.StatusUnauthorized, Message: "wanted a token, in the header Authorization: Bearer rtd_ID_SECRET; routerd token add, on the router's own host, makes one, and routerd --token-file shows it"})
		return
	}
	if a.door.tooMany(w, from, "tokens") {
		return
	}
	a.handler.noteEntry(access.Entry{
		Time: time.Now(), Source: from.String(), Action: actionOf(req), Status: http.StatusUnauthorized, Result: "a wrong token",
	})
	w.Header().Set("WWW-Authenticate", `Bearer realm="routerd", error="invalid_token"`)
	write(w, jsonReply(http.StatusUnauthorized, &Error{Message: errWrongToken.Error()}))
}

// readOnly refuses whatever is no reading, and lowers every role to that.
func readOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !reads(req) {
			write(w, jsonReply(http.StatusForbidden, &Error{Message: fmt.Sprintf("%s %s over http: wanted https or the unix socket for whatever is no GET", req.Method, req.URL.Path)}))
			return
		}
		id := access.From(req.Context())
		id.Role = min(id.Role, access.Read)
		h.ServeHTTP(w, req.WithContext(access.With(req.Context(), id)))
	})
}
