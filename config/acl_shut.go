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

// warnShut warns of lists that refuse every connection to the API at an address of the
// router: the list for packets to the router itself, the lists of the interfaces that
// have the address or, for all addresses, those of all interfaces. Packets to a listener
// at an address of the host do not pass through the router.
func (r *reader) warnShut(c *Config) {
	for i, l := range c.API.Listen {
		address, stack := strings.CutPrefix(l, StackScheme)
		to, err := netip.ParseAddrPort(address)
		if !stack || err != nil {
			continue
		}
		if r.warnShutBy(c, c.API.paths[i], c.ACL.Local, "nobody", "local of [acl]", to) {
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
			_, _, shut := c.shutBy(c.listIn(name), to)
			return !shut
		})
		if !open && len(ways) > 0 {
			who := "nobody behind " + ways[0]
			if to.Addr().IsUnspecified() {
				who = "nobody"
			}
			r.warnShutBy(c, c.API.paths[i], c.listIn(ways[0]), who, "acl-in of "+ways[0], to)
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

// shutBy reports whether a list refuses every connection to a listener, and by which of
// its rules; rule is below 0 for the default action.
func (c *Config) shutBy(list string, to netip.AddrPort) (l *acl.List, rule int, shut bool) {
	n := slices.IndexFunc(c.ACL.Lists, func(l acl.List) bool { return l.Name == list })
	if n < 0 {
		return nil, 0, false
	}
	l = &c.ACL.Lists[n]
	rule, shut = l.Shuts(to.Addr(), to.Port())
	return l, rule, shut
}

// warnShutBy warns, with both places, if a list refuses every connection to the listener
// at a path. It reports whether that is so.
func (r *reader) warnShutBy(c *Config, listener tomltext.Path, list, who, use string, to netip.AddrPort) bool {
	l, rule, shut := c.shutBy(list, to)
	if !shut {
		return false
	}
	by, place := "the default action", r.KeyPlace(r.acl.lists[list])
	if rule >= 0 {
		by, place = fmt.Sprintf("the rule %q", l.Rules[rule].Name), r.ValuePlace(r.acl.lists[list].With("rule").Element(rule).With("name"))
	}
	r.Odd(listener, fmt.Sprintf("%s reaches the API at %s: %s of the list %s (%s), which is %s, refuses every connection to it", who, to, by, list, place, use),
		"a rule before it that accepts TCP to this port from where you manage the router")
	return true
}
