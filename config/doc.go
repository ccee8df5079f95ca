// Package config reads routerd's configuration: strict TOML in, the Config
// types of the other packages out, with all mistakes of a file reported at
// once.
//
//	text --internal/tomltext--> sections --> Config --> check
//	                               |                      |
//	                               +------ problems ------+
//
// Each getter of a section names the key that it reads, which values are valid,
// and the default. A key that no getter has asked for is unknown; one that is
// planned but not supported yet is refused with a message of its own. The
// checks then find mistakes that only the whole configuration shows.
//
// A protocol's table is read in the same way by the protocol's package below
// internal/protocols; config goes through the list of protocols and names none.
//
// Objects are identified by name: an interface by its table's name, a static
// route by its prefix and distance. While the getters read, they record each
// key's value and place; Diff compares the recordings of two configurations,
// and derives a change's effect on traffic from patterns of paths.
package config
