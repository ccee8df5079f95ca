// Package config reads routerd's configuration: strict TOML in, the rooms'
// own Config types out, with every mistake of a file reported at once.
//
//	file --BurntSushi--> values --+
//	  |                           +--> section getters --> Config --> check
//	  +---unstable pass--> places-+          |                          |
//	                                         +------- problems ---------+
//
// BurntSushi/toml decodes. It stops at its first type error and knows no
// position of a key that nobody asked for, so it decodes into plain values,
// and a second pass over the text by go-toml's parser notes where every key and
// value stands. The getters of section join the two: each names the key that it
// reads, what it wants there, and what applies when it is absent. A key that
// no getter has asked for is unknown; one that belongs to what this version
// does not build is refused by name.
//
// A syntax error or a key given twice ends the reading, for what follows can
// not be trusted. All other problems are found together and sorted by place.
//
// Identity is the name: an interface is its table's name, a static route its
// prefix and distance. Diff compares two configurations so.
package config
