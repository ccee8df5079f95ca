package control

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// checkHost accepts only requests whose Host is an address, localhost, a name
// without a dot, or one of names(). A web page whose own name has been made to
// resolve to the router (DNS rebinding) uses that name, and a browser would let
// it read the answers. Changes that a browser requests on behalf of another
// site are refused too.
func checkHost(h http.Handler, names func() []string) http.Handler {
	h = sameOrigin(h)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !ownName(req.Host, names()) {
			write(w, jsonReply(http.StatusMisdirectedRequest, &Error{
				Message: fmt.Sprintf("a request for host %q: wanted an address of the router, localhost, or a name that [metrics] host-names gives", req.Host),
			}))
			return
		}
		h.ServeHTTP(w, req)
	})
}

// ownName reports whether a Host header may name the router.
func ownName(host string, names []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(names, func(own string) bool { return strings.EqualFold(own, name) })
}

// sameOrigin refuses changes that a browser requests on behalf of another site.
func sameOrigin(h http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		write(w, jsonReply(http.StatusForbidden, &Error{
			Message: fmt.Sprintf("%s %s from a page of another site, %s: wanted no browser's request, or one of the router's own page", req.Method, req.URL.Path, req.Header.Get("Origin")),
		}))
	}))
	return p.Handler(h)
}
