// Package decode is what a protocol's own decoding of its table has to work
// with: the parts of the configuration that are read before it and that its
// keys may name (interfaces, policies, chains of keys), and the readings that
// every protocol shares.
//
// A protocol reads its section with the getters of tomltext and reports what is
// wrong or odd by the Document in the Context. So config, which calls it, knows
// no protocol, and a protocol knows nothing of config.
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

// Context is what has been read before the protocols' tables. It serves the
// decoding of one configuration, on one goroutine.
type Context struct {
	*tomltext.Document // its Wrong, WrongKey and Odd report what is amiss

	Interfaces []Interface
	Policies   *policy.Policies
	Keys       map[string][]Key // chains by name, without their secrets
	// Distance is what [rib] says of each source, 0 for nothing.
	Distance [routing.NumSources]uint8

	uses map[string][]func([][]byte) // of the secrets of a chain
}

// Interface is one of the router's.
type Interface struct {
	Name      string
	Kind      dataplane.Kind
	Addresses []netip.Prefix
}

// Interface gives the interface that is the last name of the path, and reports
// one that there is not; protocol is who shall be spoken on it.
func (c *Context) Interface(at tomltext.Path, protocol, name string) (i Interface, ok bool) {
	names := make([]string, len(c.Interfaces))
	for n, i := range c.Interfaces {
		if i.Name == name {
			return i, true
		}
		names[n] = i.Name
	}
	c.WrongKey(at, fmt.Sprintf("%s shall speak %s, and there is no such interface", name, protocol), "the name of an interface").
		Suggestion = tomltext.Suggest(name, names)
	return i, false
}

// Chain reads the names of policies at key, in the order in which they are
// asked; without the key there are none.
func (c *Context) Chain(s *tomltext.Section, key string) policy.Chain {
	var names []string
	last := "" // of the policies that are asked
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
	chain, _ := c.Policies.Chain(names...) // which have been found
	return chain
}

// Redistributable are the sources whose routes a protocol may pass on, in the
// order in which they are listed to people.
var Redistributable = []routing.Source{
	routing.SourceConnected, routing.SourceStatic, routing.SourceOSPF, routing.SourceRIP,
	routing.SourceEBGP, routing.SourceIBGP,
}

// Redistribute reads the table redistribute, which has a table for each source
// except the protocol's own. One reads what stands in that of a source, and
// the policies that are asked about its routes.
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

// Impact is what a change of the configuration means for traffic.
type Impact struct {
	Pattern string // of a key, or of a table for each of its keys: "rip.interface.*"
	Kind    string // added | removed | changed | moved, or "" for each
	Means   string // "its device is made"
}
