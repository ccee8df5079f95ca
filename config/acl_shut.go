package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/tomltext"
)

// warnShut warns of lists that lock out who would reach the API at an address of
// the router: that of packets to the router itself, those of the interfaces that
// have the address or, for all addresses, those of all interfaces. Listeners
// on the host's own addresses are beyond the router.
func (r *reader) warnShut(c *Config) {
	for i, l := range c.API.Listen {
		address, stack := strings.CutPrefix(l, StackScheme)
		to, err := netip.ParseAddrPort(address)
		if !stack || err != nil {
			continue
		}
		if r.shuts(c, c.API.paths[i], c.ACL.Local, "nobody", "local of [acl]", to, true) {
			continue
		}
		var ways []string
		for n := range c.Dataplane.Interfaces {
			f := &c.Dataplane.Interfaces[n]
			has := slices.ContainsFunc(f.Addresses, func(a dataplane.Address) bool { return a.Prefix.Addr() == to.Addr() })
			if f.Kind != dataplane.KindLoopback && f.Kind != dataplane.KindStack && (has || to.Addr().IsUnspecified()) {
				ways = append(ways, f.Name)
			}
		}
		open := slices.ContainsFunc(ways, func(name string) bool {
			return !r.shuts(c, c.API.paths[i], c.listIn(name), "", "", to, false)
		})
		if !open && len(ways) > 0 {
			who := "nobody behind " + ways[0]
			if to.Addr().IsUnspecified() {
				who = "nobody"
			}
			r.shuts(c, c.API.paths[i], c.listIn(ways[0]), who, "acl-in of "+ways[0], to, true)
		}
	}
}

// listIn is the name of the list for what comes in by an interface, "" if it has
// none.
func (c *Config) listIn(name string) string {
	for _, b := range c.ACL.Interfaces {
		if b.Interface == name {
			return b.In
		}
	}
	return ""
}

// shuts reports whether a list locks out who would reach the listener at a path
// and, if it is to warn, says so with both places.
func (r *reader) shuts(c *Config, listener tomltext.Path, list, who, use string, to netip.AddrPort, warn bool) bool {
	n := slices.IndexFunc(c.ACL.Lists, func(l acl.List) bool { return l.Name == list })
	if n < 0 {
		return false
	}
	rule, shut := c.ACL.Lists[n].Shuts(to.Addr(), to.Port())
	if !shut || !warn {
		return shut
	}
	by, place := "the default action", r.KeyPlace(r.acl.lists[list])
	if rule >= 0 {
		by, place = fmt.Sprintf("the rule %q", c.ACL.Lists[n].Rules[rule].Name), r.ValuePlace(r.acl.lists[list].With("rule").Element(rule).With("name"))
	}
	r.Odd(listener, fmt.Sprintf("%s reaches the API at %s: %s of the list %s (%s), which is %s, refuses every connection to it", who, to, by, list, place, use),
		"a rule before it that accepts TCP to this port from where you manage the router")
	return true
}
