package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"routerd/internal/protocols"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
)

// Noun is one thing that the API shows or changes.
type Noun = show.Noun[Router]

// Nouns returns all nouns in the order in which they are listed: the router's
// own, and each protocol's. The list must not be changed.
var Nouns = sync.OnceValue(func() []Noun {
	list := []Noun{interfaceNoun, routeNoun, fibNoun, neighborNoun, clearNeighborNoun}
	for _, p := range protocols.All() {
		for _, n := range p.Nouns {
			list = append(list, show.On(n, func(ctx context.Context, r Router) (running.Protocol, error) {
				return r.Protocol(ctx, p.Name)
			}))
		}
	}
	list = append(list, natNouns...)
	list = append(list, aclNouns...)
	list = append(list, flowNouns...)
	list = append(list, dropsNoun, versionNoun, protocolNoun, configNoun, auditNoun, tokenNoun, tokenAddNoun, tokenRevokeNoun, whoamiNoun, loginCodeNoun)
	list = append(list, topologyNoun, trafficNoun)
	return append(list, explainNouns...)
})

// nothing is the query of a noun without parameters.
type nothing struct{}

// named returns the element of a list with the name, or the whole list if the
// name is "". If there is none it returns NotFound with the existing names;
// what is a format such as "rule %q of address translation".
func named[T any](list []T, name, what string, nameOf func(*T) string) ([]T, error) {
	if name == "" {
		return list, nil
	}
	var there []string
	for i := range list {
		if nameOf(&list[i]) == name {
			return list[i : i+1], nil
		}
		there = append(there, nameOf(&list[i]))
	}
	return nil, show.NotFound("there is no "+what+"; there are %s", name, strings.Join(there, ", "))
}

// allOrSome returns what is wrong with the flags of a clear, which has either
// --all or a filter.
func allOrSome(what string, all, filtered bool) error {
	switch {
	case all && filtered:
		return errors.New("--all and a filter: wanted one of them")
	case !all && !filtered:
		return fmt.Errorf("which %s? A filter chooses some, --all every one", what)
	}
	return nil
}

// allOrSomeAsked is allOrSome for a request.
func allOrSomeAsked(what string, all, filtered bool) error {
	switch {
	case all && filtered:
		return show.BadRequest("%s to clear: all=true, and a filter besides; wanted one of them", what)
	case !all && !filtered:
		return show.BadRequest("%s to clear: wanted a filter, or all=true", what)
	}
	return nil
}

// nounAt finds the noun of a path.
func nounAt(nouns []Noun, path string) *Noun {
	i := slices.IndexFunc(nouns, func(n Noun) bool { return n.Path == path && n.Ask != nil })
	if i < 0 {
		return nil
	}
	return &nouns[i]
}
