// Package policy decides about routes: which are accepted, and what becomes of
// their metric, tag and next hop on the way.
//
// # Shape
//
// A policy is statements in order. A statement matches a route if each of its
// conditions holds; a condition with several values holds if one of them fits.
// What a matching statement sets is set at once, for later statements to see.
// Its action ends the matter; without one the next statement has its turn. A
// route about which no statement decides is passed on to the next policy of
// the chain, and rejected at the end of it, as FRR's and VyOS's route maps do.
//
// A statement that sets a next hop leaves routes of the other family alone, and
// one whose conditions or next hop are of different families is a mistake: IPv4
// routes by IPv6 next hops (RFC 8950) come with BGP.
//
// File map: config.go what the configuration says; prefix.go prefix sets;
// condition.go what statements match by; compile.go and family.go from the one to
// the other, and what is wrong with it; register.go the keys of protocols;
// evaluate.go the decision; depends.go and cache.go what it depends on, and how it
// is remembered; explain.go the decision in words.
//
// # Speed
//
// A policy is compiled once and then only read, by any number of goroutines.
// To apply one allocates nothing. A prefix set is a longest-prefix table in
// which each prefix knows the lengths that it and all that contain it accept:
// one lookup, however many entries there are.
//
// # Protocols' attributes
//
// A [Route] has what every protocol's routes have. A protocol whose routes have
// more (BGP: local preference, communities, the AS path) hangs a pointer to it
// in Attributes, and registers its conditions and changes, which look for it
// there ([Register]); they hold for no route without. A statement names them by
// their keys as it does those that are here.
//
// A compiled policy knows what of a route its verdicts depend on
// ([Chain.Depends]). Where that is not the prefix, one verdict serves all routes
// with the same attributes, and a [Cache] remembers it.
package policy
