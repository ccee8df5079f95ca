// Package tomltext reads TOML texts that people write, strictly: every key has
// a place, every value a reading, and every mistake is found at once.
//
//	text --BurntSushi--> values --+
//	  |                           +--> Sections --> the caller's own types
//	  +---unstable pass--> places-+       |
//	                                      +-------> Problems
//
// BurntSushi/toml decodes. It stops at its first type error and knows no
// position of a key that nobody asked for, so it decodes into plain values,
// and a second pass over the text by go-toml's parser notes where every key and
// value stands. The getters of a Section join the two: each names the key that
// it reads, what it wants there, and what applies when it is absent. A key that
// no getter has asked for is unknown.
//
// A syntax error or a key given twice ends the reading, for what follows can
// not be trusted. All other problems are found together and sorted by place.
//
// What a text means is its reader's matter: config's and lab's.
package tomltext
