// Package tomltext reads TOML texts that people write, strictly: every key has
// a place, every value a reading, and every mistake is found at once.
//
//	text --go-toml's parser--> values + places --> Sections --> the caller's own types
//	                                                   |
//	                                                   +------> Problems
//
// One pass over what go-toml's parser yields makes plain values and notes where
// every key and value stands. The getters of a Section join the two: each names
// the key that it reads, what it wants there, and what applies when it is
// absent. A key that no getter has asked for is unknown. BurntSushi/toml reads
// the rare forms of numbers and the dates, and says what is wrong with a text
// that is no TOML: it has the better words, but of a text of a million keys it
// allocates fifty times the size, where the pass allocates sixteen.
//
// The getters also record what they read: of each key the value that applies,
// whether the text gives it, and where. Tables that have a name, or that mean
// something by being there, are objects of the Recording; tables that are mere
// parts, such as [interface.NAME.host], belong to the object around them. Two
// Recordings are compared by Compare, which finds what differs in effect,
// whatever the texts look like. All tables of one pattern, "interface.*", share
// their keys and defaults, so a Recording takes less memory than its text.
//
// How deep a text may nest is bounded, and so is the number of problems that
// are told of it.
//
// A syntax error or a key given twice ends the reading, for what follows can
// not be trusted. All other problems are found together and sorted by place.
//
// A text that a program wrote out of another one may say of each line where it
// comes from; see From.
//
// What a text means is its reader's matter: config's and lab's.
package tomltext
