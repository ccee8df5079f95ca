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
// A protocol's table is read by its own package below internal/protocols, in the
// same way; config ranges over the list of them and knows none.
//
// Identity is the name: an interface is its table's name, a static route its
// prefix and distance. While the getters read, they record what each key comes
// to and where it stands; Diff compares the recordings of two configurations,
// and says by the pattern of a path what a change means for traffic.
package config
