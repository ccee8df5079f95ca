// Package control is the router's API: JSON over HTTP on unix sockets, over HTTPS on
// TCP addresses, and metrics for Prometheus.
//
//	GET  /v1                  all of these, with their parameters
//	GET  /v1/openapi.json     the same as an OpenAPI document, with the answers
//	GET  /v1/version          name and version of the router
//	GET  /v1/interface        interfaces, their ports and traffic
//	GET  /v1/route            all routes offered, and why some are not used
//	GET  /v1/fib              the forwarding table
//	GET  /v1/drops            dropped packets by verdict, and the latest ones
//	GET  /v1/neighbor         neighbours on Ethernet links
//	GET  /v1/topology         the network around the router; topology.svg as a drawing
//	GET  /v1/traffic          what the interfaces carry now
//	GET  /v1/PROTOCOL/...     the state of a routing protocol
//	GET  /v1/nat/...          session, host, rule, pool of address translation
//	GET  /v1/explain/packet   what each stage would do with a packet
//	POST /v1/probe            send a packet: what was predicted, and what was observed
//	GET  /v1/events           what happens, as it happens
//	GET  /v1/diff             what a reload would change
//	POST /v1/reload           apply the configuration file
//	POST /v1/clear/...        arp, nat/session, each protocol: delete learned state
//	GET  /v1/config           the text of the running configuration, with an ETag
//	GET  /v1/audit            who changed something, or tried to
//	GET  /v1/token            the tokens, without their secrets
//	POST /v1/token/add        make a token; /v1/token/revoke: end one
//	GET  /v1/whoami           the identity and the role of the caller
//	POST /v1/login/code       make a one-time code, which opens a browser's session
//	POST /v1/login            exchange it, or a token, for a cookie; /v1/logout: end that
//	GET  /v1/profile          a profile of the process: goroutine, heap, cpu
//	GET  /metrics             the Prometheus text format
//	GET  /healthz, /readyz    whether it serves, and whether it forwards
//
// Each noun takes a role (internal/access). Any process that can open the socket
// may read; root and the router's own user are admins, and the configuration
// gives roles to others. Over HTTPS a request is identified by a token (RFC 6750), the
// cookie of a session, or the client's certificate. A request with the cookie that
// changes something or opens a WebSocket has to come from the router's own page
// (Origin). The header Routerd-Role lowers the role. The status of an answer says what
// is wrong with the request: 401 it is not identified, 403 its role is too low, or it
// comes from another site's page, 412 another configuration runs (If-Match, RFC 9110
// §13.1.1), 413 its body is over 64 KiB, 421 it names another host, 422 the
// configuration cannot be applied, 429 too many wrong tokens, or probes. A POST with an
// Idempotency-Key is carried out once in an hour. The server uses the router only through the interface
// Router; Client is the other end of the same contract.
//
// The API is a list of nouns (noun.go): the router's own, which are described
// here with their tables, and those of the routing protocols, which are
// described in their packages below internal/protocols.
//
// /v1/events (events.go) is no noun but a stream of the frames that package
// events describes: by WebSocket, with the subprotocol routerd.v1, or without an
// Upgrade as lines of JSON, with one subscription in the URL's parameters topic,
// key (each may be repeated), snapshot and after. A client that reads nothing for
// 30 s is disconnected with the status 4408, one whose token or certificate is revoked
// with 4401, and all clients with 1001 when the server stops.
//
// The contract: fields are only ever added. Times are RFC 3339 in UTC,
// durations are seconds, counters are unsigned 64-bit numbers, a list is never
// null, and an ordered list has the same order in every answer. A field without
// a value is omitted if its comment says "absent". A list that may be long
// comes in pages: limit is how much of it to look at, and after, set to an
// answer's next, asks for the page after that. The answer without next is the
// last. With Accept: application/x-ndjson a whole list comes as lines of JSON, each a
// row, the last one an Ending; limit is then how much is looked at in one piece. An error
// is an HTTP error status with {"error": "..."}.
package control
