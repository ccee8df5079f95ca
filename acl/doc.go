// Package acl is the rules of the packet filter: named lists, compiled, and
// which rule of a list decides about a packet. It reads no packet and knows
// nothing of translation or of the session table (of flow it has the ranges of
// addresses and ports); the dataplane tells it what the packet is and in which state
// of its flow it comes.
//
//	config.go     what the configuration says
//	compile.go    the configuration checked and turned into Rules
//	ranges.go     one value of a packet, looked up among the ranges of all rules
//	decide.go     the first rule of a list that a packet matches
//	zone.go       zones, and which list is for what goes from one to another
//	limit.go      limits on the flows that a rule lets begin
//	hosts.go      what is counted of each source host for them
//	shut.go       whether a list refuses every connection to a port
//	number.go     the numbers by which rules are counted and remembered
//	show.go       lists and rules by their names and numbers
//
// # How a list is decided
//
// The rules of a list are the bits of a bitmap, in their order. For each value
// that rules differ by (state, protocol, source, destination, ports) the cuts
// where some rule's range begins or ends are known, and between two cuts the
// same rules apply: they are one bitmap. A packet looks up its bitmap of each
// value; the first bit that is set in all of them is the first rule that
// matches so far. What rules seldom ask for (TCP flags, fragments, DSCP,
// lengths, interfaces) is compared after that. So a list of a thousand rules
// costs little more than one of ten.
//
// A Rules never changes once it is compiled, and any number of goroutines may
// read it. Deciding allocates nothing.
//
// A rule that only counts or logs is a bit as well: the loop over the set bits
// notes it and goes on, so it costs what it matches and nothing else. Whoever
// asks gets all rules that a packet matched, and which of them log.
//
// # Limits
//
// An accept rule may have limits, of all its flows and of each source host: new
// flows in a time with a burst, flows at once, half-open TCP connections at once.
// Like `limit rate` and `ct count` of nftables they are asked when the rule
// decides; what exceeds one is dropped, and no later rule is asked. Rates count
// all packets that the rule decides about, also those that make no session. Flows
// at once are counted from the decision to the end of the session (flow.Ticket), of
// TCP until both sides have closed it or one has reset it, as connlimit of iptables
// counts them. A host is an IPv4 address, or an IPv6 prefix of 64 bits or as the
// rule says, since one host may use all addresses of its prefix.
//
// Nothing here takes a lock: a rule's rate is one word, the time until which it is
// used up, and hosts are in tables of a fixed size; hosts.go says what happens when
// these are full. A reload keeps what is counted for a rule by its list and name,
// and the sessions of a rule that had no limits before are not counted.
//
// Against SYN floods there is the bound of half-open connections, each of which
// ends when it has waited ten seconds (flow.OpeningLife). There are no SYN cookies
// and no SYN proxy: a router that answers for a server has to translate sequence
// numbers for as long as the connection lives, knows neither the window scale nor
// the MSS nor the timestamps that the server would offer, and opens connections to
// ports that the server would have refused. So during a flood of made-up sources
// that fills a rule's bound, other new connections by that rule are dropped too:
// the server is protected, and what has been opened goes on.
//
// # Zones
//
// A zone is interfaces that are filtered alike. What is forwarded from one zone
// to another is decided about by the list of the policy of these two, and is
// dropped without one; so is what is forwarded between a zone and an interface
// in none. Within a zone packets pass, unless it has a policy with itself.
// Packets to the router itself and from it are no zone's: acl local decides
// about the former. The lists of interfaces are asked besides, acl-in before and
// acl-out behind that of the zones, and a packet has to pass all of them.
//
// # States
//
// A packet of a session never comes here: its flow was decided about when the
// session was made. What comes is new (it may begin a flow), related (it begins
// a flow that address translation expects) or invalid (it belongs to no session
// and can begin none). An accept rule that names no state matches new and
// related packets, all other rules without one match every packet: so a packet
// that belongs to nothing passes only where a rule, or the default action, says
// so of all packets or of invalid ones.
package acl
