// Package tomltext reads TOML texts written by people, strictly: every key has
// a place, every value is checked, and all mistakes are reported at once.
//
//	text --go-toml's parser--> values + places --> Sections --> the caller's own types
//	                                                   |
//	                                                   +------> Problems
//
// One pass over the output of go-toml's parser makes plain values and notes the
// place of every key and value. The getters of a Section combine the two: each
// names the key that it reads, which values are valid, and the default. A key
// that no getter has asked for is unknown. BurntSushi/toml reads the rare forms
// of numbers and the dates, and explains syntax errors: its messages are
// better, but for a text of a million keys it allocates fifty times the size of
// the text, and this pass sixteen times.
//
// The getters also record what they read: the value of each key, whether the
// text gives it, and where. Tables that have a name, or whose presence has a
// meaning, are objects of the Recording; tables that are only parts, such as
// [interface.NAME.host], belong to the object around them. Compare finds the
// differences in effect between two Recordings, however the texts are written.
// All tables of one pattern, such as "interface.*", share their keys and
// defaults, so a Recording takes less memory than its text.
//
// The depth of nesting and the number of reported problems are bounded.
//
// A syntax error or a duplicate key ends the reading, since the rest cannot be
// trusted. All other problems are found together and sorted by place.
//
// A text generated from another one may say for each line where it comes from;
// see From.
//
// The meaning of a text is up to its readers, config and lab.
package tomltext
