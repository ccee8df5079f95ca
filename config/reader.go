package config

import (
	"fmt"
	"slices"

	"routerd/internal/origin"
	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
)

// reader is the text of a configuration, with a number for each place that
// the rooms are told of.
type reader struct {
	*tomltext.Document
	origins origin.Table
	paths   map[origin.ID]tomltext.Path    // of those that are complained of by number
	context *decode.Context                // of the protocols
	watches decode.Watches                 // what is watched by BFD, static next hops included
	keys    map[string][]*tomltext.Section // the tables of each chain
}

// origin numbers the place of a key.
func (r *reader) origin(at tomltext.Path) origin.ID { return r.origins.Add(r.KeyPlace(at)) }

// policyOrigin numbers the place of a value that policies may complain of.
func (r *reader) policyOrigin(at tomltext.Path) origin.ID {
	id := r.valueOrigin(at)
	if r.paths == nil {
		r.paths = map[origin.ID]tomltext.Path{}
	}
	r.paths[id] = at
	return id
}

// valueOrigin numbers the place of a value, for what has no key of its own.
func (r *reader) valueOrigin(at tomltext.Path) origin.ID { return r.origins.Add(r.ValuePlace(at)) }

// unbuilt are the keys of routerd's configuration language that this version
// does not serve, by the table that they would stand in: "*" is any name.
var unbuilt = map[string][]string{
	"":            {"router-id", "ospf", "bgp", "acl"},
	"log":         {"modules"},
	"interface.*": {"acl-in", "acl-out"},
}

// refuse says so of a key that belongs in the table at a path, once built.
func refuse(table tomltext.Path, key string) string {
	for pattern, keys := range unbuilt {
		if table.Matches(pattern) && slices.Contains(keys, key) {
			return fmt.Sprintf("%s is not built into this version of routerd", table.With(key))
		}
	}
	return ""
}
