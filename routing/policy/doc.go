// Package policy decides about routes: which are accepted, and how their
// metric, tag and next hop are changed.
//
// # Shape
//
// A policy is a list of statements. A statement matches a route if all of its
// conditions are met; a condition with several values is met if one of them
// matches. The changes of a matching statement are visible to later statements.
// Its action decides; without one the next statement follows. A route about
// which no statement decides goes to the next policy of the chain, and is
// rejected at the end of it, as with route maps in FRR and VyOS.
//
// A statement that sets a next hop does not change routes of the other family,
// and one whose conditions or next hop are of different families is an error:
// IPv4 routes with IPv6 next hops (RFC 8950) come with BGP.
//
// Files: config.go the configuration; prefix.go prefix sets; condition.go
// conditions and changes; compile.go and family.go compiling and checking;
// register.go the keys of protocols; evaluate.go the decision; depends.go and
// cache.go what it depends on, and its cache; explain.go the decision in words.
//
// # Speed
//
// A policy is compiled once and then only read, by any number of goroutines.
// Applying it allocates nothing. A prefix set is a longest-prefix table in
// which each prefix has the lengths that it and all prefixes that contain it
// accept: one lookup, however many entries there are.
//
// # Protocols' attributes
//
// A [Route] has what every protocol's routes have. A protocol whose routes have
// more (BGP: local preference, communities, the AS path) puts a pointer to that
// into Attributes, and registers its conditions and changes, which use it
// ([Register]); routes without it do not meet them. A statement names them by
// their keys, like those of this package.
//
// A compiled policy knows which properties of a route its verdicts depend on
// ([Chain.Depends]). If the prefix is not one of them, one verdict holds for
// all routes with the same attributes, and a [Cache] keeps it.
package policy
