// Package show describes the queries to a router and draws their answers.
//
// A Noun is one thing to ask for: its path in the API, which is also its words
// on the command line, its help, its query and its answer. The query is a
// struct whose tagged fields are parameters of the URL and flags (query.go);
// the answer is a struct whose JSON is the API's contract. A list in the answer
// is tagged show:",rows": its elements are the rows of a table, formatted by
// tags beside the JSON names (row.go):
//
//	Metric  int     `json:"metric" show:"metric,right"`
//	Expires float64 `json:"expires,omitzero" show:"expires,seconds,blank"`
//	State   string  `json:"state" show:"state,good=learned,bad=dying"`
//
// A long list comes in pages. Pages requests one after the other (stream.go)
// and prints each as it arrives, as a table or as one JSON document (print.go),
// without keeping it.
//
// This package knows no particular noun and does not communicate: other
// packages answer queries and transport them.
package show
