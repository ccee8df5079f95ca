package config

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/internal/origin"
	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
)

// reader is the text of a configuration and the numbers of the places that
// other packages refer to.
type reader struct {
	*tomltext.Document
	origins origin.Table
	paths   map[origin.ID]tomltext.Path    // of places that problems refer to by number
	context *decode.Context                // of the protocols
	watches decode.Watches                 // what is watched by BFD, static next hops included
	keys    map[string][]*tomltext.Section // the tables of each chain
	statics []*staticPlaces
	sets    map[string]map[string][]any // of values of registered keys, by table and name
	acl     aclPlaces
	zones   zonePlaces
	sources map[netip.Addr]netip.Addr // of next hops without an interface that are watched; invalid over one hop
	read    []Problem                 // in other files
	// Of the routes of a file: those that are looked at for all that lead alike,
	// and how many of those have a next hop that nothing reaches.
	examples      map[origin.ID]bool
	unreachedWays int
}

// origin numbers the place of a key.
func (r *reader) origin(at tomltext.Path) origin.ID { return r.origins.Add(r.KeyPlace(at)) }

// policyOrigin numbers the place of a value in which policies may find a
// problem.
func (r *reader) policyOrigin(at tomltext.Path) origin.ID {
	id := r.valueOrigin(at)
	if r.paths == nil {
		r.paths = map[origin.ID]tomltext.Path{}
	}
	r.paths[id] = at
	return id
}

// valueOrigin numbers the place of a value that has no key of its own.
func (r *reader) valueOrigin(at tomltext.Path) origin.ID { return r.origins.Add(r.ValuePlace(at)) }

// unbuilt are the planned keys that this version does not support, by the table
// that they belong to; "*" is any name.
var unbuilt = map[string][]string{
	"log": {"modules"},
}

// refuse returns the message for a planned key of the table at a path, "" for
// any other key.
func refuse(table tomltext.Path, key string) string {
	for pattern, keys := range unbuilt {
		if table.Matches(pattern) && slices.Contains(keys, key) {
			return fmt.Sprintf("%s is not built into this version of routerd", table.With(key))
		}
	}
	return ""
}
