// Package show describes what a router can be asked for, and draws the answers.
//
// A Noun is one thing to ask: its path in the API, which is its words on the
// command line too, its help, its query and its answer. The query is a struct
// whose tagged fields are parameters of the URL and flags (query.go); the
// answer is a struct whose JSON is the API's contract. Where the answer is a
// list, its field is tagged show:",rows": its elements are the rows of the
// table, and tags beside the JSON names say how (row.go):
//
//	Metric  int     `json:"metric" show:"metric,right"`
//	Expires float64 `json:"expires,omitzero" show:"expires,seconds,blank"`
//	State   string  `json:"state" show:"state,good=learned,bad=dying"`
//
// A long list comes in pages. Pages asks for one after the other (stream.go),
// and has each printed as it comes, as a table or as one JSON document
// (print.go); none is kept.
//
// Nothing here knows what it shows, and nothing asks: who serves an answer and
// how it travels is the business of others.
package show
