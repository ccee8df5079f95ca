package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"routerd/internal/access"
	"routerd/internal/origin"
	"routerd/internal/tomltext"
)

// API is the [api] table.
type API struct {
	// Listen has addresses of the forms "unix:///path", "https://192.0.2.1:8443",
	// "stack+https://10.0.1.1:8443" in the router's own stack and, of a loopback,
	// "http://127.0.0.1:8080". If it is empty, there is a socket that
	// is named after the router and is in the run directory.
	Listen  []string
	Origins []origin.ID     // of each
	paths   []tomltext.Path // likewise
	// Group is the name or number of the group that owns the sockets and so may
	// use the API; "" = the group of the process.
	Group       string
	GroupOrigin origin.ID
	// Roles are those of the peers of unix sockets, without the user that the
	// router runs as.
	Roles access.Roles
	// Hosts are the names that requests over TCP may use for the router besides its
	// addresses and its own name.
	Hosts []string
	TLS   TLS
}

// Metrics is the [metrics] table.
type Metrics struct {
	Listen string // "host:port"; "" = no listener of its own
	Origin origin.ID
	// HostNames are the names that requests may use for the router besides its
	// addresses.
	HostNames []string
}

func (r *reader) decodeListen(top *tomltext.Section, c *Config) {
	api := top.Section("api")
	for _, l := range tomltext.Distinct(api, "listen", listenAddress) {
		c.API.Listen = append(c.API.Listen, l.Value)
		c.API.Origins = append(c.API.Origins, r.valueOrigin(l.At))
		c.API.paths = append(c.API.paths, l.At)
	}
	c.API.Group = tomltext.Get(api, "group", "", groupName)
	if c.API.Group != "" {
		c.API.GroupOrigin = r.origin(api.At.With("group"))
	}
	for _, n := range tomltext.Distinct(api, "hosts", hostName) {
		c.API.Hosts = append(c.API.Hosts, n.Value)
	}
	r.decodeTLS(api.Section("tls"), c)
	role := api.Section("role")
	c.API.Roles.UID = r.decodeRoles(role.Section("uid"), "user")
	c.API.Roles.GID = r.decodeRoles(role.Section("gid"), "group")
	role.Done()
	api.Done()
	metrics := top.Section("metrics")
	c.Metrics.Listen = tomltext.Get(metrics, "listen", "", hostPort)
	if c.Metrics.Listen != "" {
		c.Metrics.Origin = r.origin(metrics.At.With("listen"))
	}
	for _, n := range tomltext.Distinct(metrics, "host-names", hostName) {
		c.Metrics.HostNames = append(c.Metrics.HostNames, n.Value)
	}
	metrics.Done()
}

// HTTPS reports whether one of the addresses is of HTTPS.
func (a *API) HTTPS() bool {
	return slices.ContainsFunc(a.Listen, func(l string) bool { return strings.HasPrefix(l, "https://") || strings.HasPrefix(l, StackScheme) })
}

// StackScheme is what an address in the router's own stack begins with.
const StackScheme = "stack+https://"

// inStack returns which of the addresses is in the router's own stack, -1 for none.
func (a *API) inStack() int {
	return slices.IndexFunc(a.Listen, func(l string) bool { return strings.HasPrefix(l, StackScheme) })
}

// checkListen finds addresses in the router's own stack that it does not have.
func (r *reader) checkListen(c *Config, own map[netip.Addr]owner) {
	for i, l := range c.API.Listen {
		address, stack := strings.CutPrefix(l, StackScheme)
		if !stack {
			continue
		}
		a, err := netip.ParseAddrPort(address)
		if _, ours := own[a.Addr()]; err == nil && !ours && !a.Addr().IsUnspecified() {
			r.Wrong(c.API.paths[i], fmt.Sprintf("%s is %q, and no interface of the router has that address", c.API.paths[i], l), `one that an interface has, or "https://" for an address of this host`)
		}
	}
}

// decodeRoles reads the roles of users or groups by their numbers.
func (r *reader) decodeRoles(s *tomltext.Section, what string) map[uint32]access.Role {
	roles := map[uint32]access.Role{}
	names := s.Names()
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != name || n == 1<<32-1 {
			option := map[string]string{"user": "id -u", "group": "getent group"}[what]
			r.WrongKey(s.At.With(name), fmt.Sprintf("%q is not the number of a %s", name, what), fmt.Sprintf("a number, such as \"1000\", which %s NAME says", option))
			continue
		}
		if role := tomltext.Get(s, name, access.Nobody, roleName); role != access.Nobody {
			roles[uint32(n)] = role
		}
	}
	return roles
}

var roleName = tomltext.OneOf(access.RoleNames(), []access.Role{access.Read, access.Operate, access.Admin})

var listenAddress = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", tomltext.ErrUnwanted
	}
	scheme, rest, hasScheme := strings.Cut(s, "://")
	switch {
	case !hasScheme && strings.HasPrefix(s, "/"):
		return "", tomltext.Hint{Suggestion: fmt.Sprintf("did you mean %q?", "unix://"+s)}
	case scheme == "unix":
		// sun_path has 108 bytes including the zero at the end (unix(7)).
		if !strings.HasPrefix(rest, "/") || len(rest) > 107 {
			return "", tomltext.ErrUnwanted
		}
		return s, nil
	case scheme != "https" && scheme != "http" && scheme != "stack+https":
		return "", tomltext.ErrUnwanted
	}
	a, err := netip.ParseAddrPort(rest)
	switch {
	case err != nil || a.Port() == 0 || a.Addr().Is4In6():
		return "", tomltext.ErrUnwanted
	case scheme == "stack+https" && (a.Addr().IsLoopback() || isLinkLocal(a.Addr())):
		return "", tomltext.Hint{Message: "which the router's own stack does not serve"}
	case scheme == "http" && !a.Addr().IsLoopback():
		return "", tomltext.Hint{Message: "which others could read and change on its way", Suggestion: fmt.Sprintf("did you mean %q?", "https://"+rest)}
	}
	return scheme + "://" + a.String(), nil
}, Want: `a unix socket with an absolute path of at most 107 bytes, "unix:///run/routerd/r1.sock", an address and port, "https://192.0.2.1:8443", those of the router itself, "stack+https://10.0.1.1:8443", or those of a loopback, "http://127.0.0.1:8080"`}

var hostPort = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", tomltext.ErrUnwanted
	}
	_, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", tomltext.ErrUnwanted
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: `an address and port: "127.0.0.1:9179"`}

// groupName reads the name (group(5)) or number of a group.
var groupName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	if n, ok := v.(int64); ok && n >= 0 && n < 1<<32-1 {
		return strconv.FormatInt(n, 10), nil
	}
	s, ok := v.(string)
	if !ok || s == "" || len(s) > 64 || strings.ContainsAny(s, ": \t\n,/") {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: `a group of this machine, by name or number: "adm"`}

// hostName reads a DNS name without a port.
var hostName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > 253 {
		return "", tomltext.ErrUnwanted
	}
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", tomltext.ErrUnwanted
		}
	}
	return s, nil
}, Want: `a host name without a port: "r1.example.net"`}
