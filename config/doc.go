// Package config reads routerd's configuration: strict TOML in, the rooms'
// own Config types out, with every mistake of a file reported at once.
//
//	text --internal/tomltext--> sections --> Config --> check
//	                               |                      |
//	                               +------ problems ------+
//
// The getters of a section each name the key that they read, what they want
// there, and what applies when it is absent. A key that no getter has asked for
// is unknown; one that belongs to what this version does not build is refused by
// name. The checks then look at what only the whole configuration shows.
//
// Identity is the name: an interface is its table's name, a static route its
// prefix and distance. Diff compares two configurations so.
package config
