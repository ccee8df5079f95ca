// Package control is the router's API: what it shows and what can be asked of
// it, as JSON over HTTP on a unix socket, and as metrics for Prometheus.
//
//	GET  /v1                  all of these, with their parameters
//	GET  /v1/version          who answers, since when
//	GET  /v1/interface        interfaces, their ports and traffic
//	GET  /v1/route            every route offered, and why it lost
//	GET  /v1/fib              what packets are forwarded by
//	GET  /v1/drops            packets dropped per verdict, and the latest of them
//	GET  /v1/neighbor         stations on Ethernet links
//	GET  /v1/PROTOCOL/...     what a routing protocol knows, hears and says
//	GET  /v1/nat/...          session, host, rule, pool: who is translated, by what, into which ports
//	GET  /v1/explain/packet   what each stage would do with a packet
//	GET  /v1/diff             what a reload would change
//	POST /v1/reload           apply the configuration file
//	POST /v1/clear/...        arp, nat/session, each protocol: forget, or end
//	GET  /metrics             the Prometheus text format
//
// Whoever may open the socket may look; only root and the router's own user
// may change something. The server knows a Router by its interface and no
// more of the router than that; Client is the other end of the same contract.
//
// What there is to ask is a list of nouns (noun.go): the router's own, which are
// described here with their tables, and those of the routing protocols, which
// their packages below internal/protocols describe.
//
// The contract: fields are only ever added. Times are RFC 3339 in UTC,
// durations are seconds, counters are unsigned 64-bit numbers, a list is
// never null, and what has an order keeps it from one answer to the next. A
// field that would say nothing is left out where its comment says "absent".
// A list that may be long comes in pages: limit is how much of it to look at,
// and after, to which an answer's next is given, asks for the page behind. The
// list ends with the answer that has no next.
// An error is a fitting status and {"error": "..."}.
package control
