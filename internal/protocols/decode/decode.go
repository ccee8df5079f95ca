// Package decode helps a protocol to read its own table of the configuration:
// it has the parts that are read before and that the protocol's keys may refer
// to (interfaces, policies, key chains), and the readings that all protocols
// share.
//
// A protocol reads its section with the getters of tomltext and reports errors
// and warnings through the Document in the Context. So config knows no
// protocol, and a protocol does not know config.
package decode

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/dataplane"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Context has what was read before the protocols' tables. It is used for one
// configuration, on one goroutine.
type Context struct {
	*tomltext.Document // its Wrong, WrongKey and Odd report problems

	Interfaces []Interface
	Policies   *policy.Policies
	Keys       map[string][]Key // key chains by name, without secrets
	Watches    Watches
	// RouterID is what the router is called by protocols that do not say otherwise; the
	// zero Addr is that each chooses.
	RouterID netip.Addr
	// Distance is the distance of each source by [rib], 0 if not given.
	Distance [routing.NumSources]uint8

	uses    map[string][]func([][]byte) // users of the secrets of a chain
	secrets []*SecretFile
}

// RouterID reads a router ID: four octets, not all of them zero.
var RouterID = tomltext.Reading[netip.Addr]{Read: func(v any) (netip.Addr, error) {
	s, _ := v.(string)
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() || a.IsUnspecified() {
		return netip.Addr{}, tomltext.ErrUnwanted
	}
	return a, nil
}, Want: `four numbers, like "192.0.2.1"`}

// Interface is an interface of the router.
type Interface struct {
	Name      string
	Kind      dataplane.Kind
	Addresses []netip.Prefix
}

// OnInterfaces reads the table interface, which has a table for each interface
// of the protocol, and calls one for each. It reports an unknown interface, and
// one without an address that the protocol can use.
func (c *Context) OnInterfaces(s *tomltext.Section, of router.Kind, one func(*tomltext.Section, string)) {
	all := s.Section("interface")
	spoken := 0
	for _, name := range all.Names() {
		table := all.Section(name)
		if table.Table == nil {
			continue
		}
		one(table, name)
		spoken++
		i, known := c.find(name)
		switch {
		case !known:
			c.WrongKey(table.At, fmt.Sprintf("%s shall speak %s, and there is no such interface", name, of.Name), "the name of an interface").
				Suggestion = tomltext.Suggest(name, c.names())
		case !i.speaks(of.Family):
			c.Odd(table.At, fmt.Sprintf("%s has no address to speak %s with", name, of.Name), map[int]string{
				0: "an address", 4: "an IPv4 address", 6: "an IPv6 address",
			}[of.Family])
		}
	}
	if spoken == 0 {
		c.Odd(s.At, fmt.Sprintf("%s is spoken on no interface", of.Name), fmt.Sprintf("[%s.interface.NAME]", of.Name))
	}
}

func (c *Context) find(name string) (Interface, bool) {
	n := slices.IndexFunc(c.Interfaces, func(i Interface) bool { return i.Name == name })
	if n < 0 {
		return Interface{}, false
	}
	return c.Interfaces[n], true
}

func (c *Context) names() (names []string) {
	for _, i := range c.Interfaces {
		names = append(names, i.Name)
	}
	return names
}

// speaks reports whether the interface has an address of the family, 0 for
// either. Ethernet interfaces form an IPv6 one by themselves.
func (i *Interface) speaks(family int) bool {
	return family != 4 && i.Kind.Ethernet() || slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool {
		return family == 0 || (family == 4) == p.Addr().Is4()
	})
}

// Chain reads the names of policies at key, in the order of evaluation. Without
// the key the chain is empty.
func (c *Context) Chain(s *tomltext.Section, key string) policy.Chain {
	var names []string
	last := "" // of the policies in the chain
	for _, v := range tomltext.Distinct(s, key, tomltext.Text("the name of a policy")) {
		if c.Policies.Named(v.Value) == nil {
			c.Wrong(v.At, fmt.Sprintf("%s is %q, and there is no [policy.definition.%s]", v.At, v.Value, v.Value), "the name of a policy that there is").
				Suggestion = tomltext.Suggest(v.Value, c.Policies.Names())
			continue
		}
		if last != "" {
			c.Odd(v.At, fmt.Sprintf("%s is %q, which is never asked: %s decides about every route", v.At, v.Value, last), "it before "+last)
		} else if c.Policies.Named(v.Value).DecidesAll() {
			last = v.Value
		}
		names = append(names, v.Value)
	}
	chain, _ := c.Policies.Chain(names...) // all exist
	return chain
}

// Redistributable are the sources whose routes can be redistributed, in the
// order in which they are listed.
var Redistributable = []routing.Source{
	routing.SourceConnected, routing.SourceStatic, routing.SourceOSPF, routing.SourceRIP,
	routing.SourceEBGP, routing.SourceIBGP,
}

// Redistribute reads the table redistribute, which has a table for each source
// except the protocol's own. one reads the table of a source and the policies
// for its routes.
func (c *Context) Redistribute(s *tomltext.Section, own []routing.Source, one func(*tomltext.Section) (rib.Redistribution, policy.Chain)) []rib.Redistribution {
	var list []rib.Redistribution
	words := map[string]routing.Source{}
	var names []string
	for _, source := range Redistributable {
		if !slices.Contains(own, source) {
			words[source.String()] = source
			names = append(names, source.String())
		}
	}
	for _, name := range s.NamesOf(names...) {
		t := s.Section(name)
		d, chain := one(t)
		d.Source = words[name]
		list = append(list, router.WithPolicy(d, chain))
		t.Done()
	}
	s.Done()
	return list
}

// Impact is the effect of a change of the configuration on traffic.
type Impact struct {
	Pattern string // of a key, or of a table for each of its keys: "rip.interface.*"
	Kind    string // added | removed | changed | moved, or "" for each
	Means   string // "its device is made"
}

// Known reports whether the router has an interface of the name.
func (c *Context) Known(name string) bool { _, known := c.find(name); return known }

// SuggestInterface gives the interface that may have been meant by a name, as a
// Problem suggests it.
func (c *Context) SuggestInterface(name string) string { return tomltext.Suggest(name, c.names()) }

// OnLink reports whether an interface's subnet has the address.
func (c *Context) OnLink(a netip.Addr) bool {
	return slices.ContainsFunc(c.Interfaces, func(i Interface) bool {
		return slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Contains(a) })
	})
}
