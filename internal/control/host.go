package control

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// checkHost answers only requests that name the router by an address, by
// localhost, by a name without a dot or by one of names(). A page of the web
// whose own name has been made to lead here (DNS rebinding) names the router by
// that, and a browser would let it read the answers. Changes that a browser asks
// for on behalf of another site are refused too.
func checkHost(h http.Handler, names func() []string) http.Handler {
	h = http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !ownName(req.Host, names()) {
			write(w, http.StatusMisdirectedRequest, &Error{
				Message: fmt.Sprintf("a request for host %q: wanted an address of the router, localhost, or a name that [metrics] host-names gives", req.Host),
			})
			return
		}
		h.ServeHTTP(w, req)
	})
}

// ownName reports whether the value of a Host header may mean the router.
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
