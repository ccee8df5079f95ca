package nat

import (
	"net/netip"

	"routerd/flow"
	"routerd/internal/origin"
)

// Behavior is how far an endpoint's mapping or filter reaches: over all
// remote endpoints, over one remote address, over one remote address and port
// (RFC 4787 §4.1, §5).
type Behavior uint8

const (
	EndpointIndependent Behavior = iota
	AddressDependent
	AddressAndPortDependent
)

var behaviors = [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}

// String gives the configuration's word.
func (b Behavior) String() string {
	if int(b) >= len(behaviors) {
		return "unknown"
	}
	return behaviors[b]
}

// Pairing is how an inside host shares a pool of several addresses (RFC 4787
// REQ-2).
type Pairing uint8

const (
	Paired    Pairing = iota // all mappings of a host have one address
	Arbitrary                // each mapping may have another one
)

// String gives the configuration's word.
func (p Pairing) String() string {
	if p == Arbitrary {
		return "arbitrary"
	}
	return "paired"
}

// The default limits.
const (
	DefaultMaxSessions        = 262144
	DefaultMaxSessionsPerHost = 4096
)

// Config is what the configuration says of translation in one routing table. A
// rule is identified by its name: reordering rules, or moving them in the file,
// does not affect their sessions. The zero Config translates nothing.
type Config struct {
	MaxSessions        int      // in all; 0 = DefaultMaxSessions
	MaxSessionsPerHost int      // of one inside host; 0 = DefaultMaxSessionsPerHost, negative = no limit but MaxSessions
	NoFairShare        bool     // scarce sessions and ports go to the first who ask
	Mapping            Behavior // of the mappings that source rules make
	Filtering          Behavior // which remote endpoints may open a session on a mapping
	Pairing            Pairing
	NoHairpin          bool // no hairpinning: inside hosts cannot reach each other by mapped outside endpoints (RFC 4787 REQ-9 says they should)
	Timeouts           flow.Timeouts
	InboundRefresh     bool // packets from outside refresh a session too (RFC 4787 REQ-6a)
	// Track makes sessions of flows that are not translated too, for a filter
	// that has to know them.
	Track bool

	Pools       []PoolConfig
	Source      []SourceRule      // first match wins
	Destination []DestinationRule // first match wins
	Static      []StaticRule      // before the other two
}

// Enabled reports whether anything is translated at all.
func (c *Config) Enabled() bool {
	return len(c.Source)+len(c.Destination)+len(c.Static) > 0
}

// Used reports whether there are sessions at all: something is translated or
// flows are tracked.
func (c *Config) Used() bool { return c.Track || c.Enabled() }

// PoolConfig is a set of outside addresses, identified by its Name.
type PoolConfig struct {
	Name      string
	Addresses []flow.AddressRange
	Ports     flow.PortRange // zero = all but 0
	Origin    origin.ID
}

// Match says which packets a rule matches. An empty list matches all; of
// several values one has to match.
type Match struct {
	Inbound          []string // names of the interface it came in by
	Outbound         []string // names of the interface it leaves by; source rules only
	Protocols        []uint8
	Sources          []flow.AddressRange
	Destinations     []flow.AddressRange
	SourcePorts      []flow.PortRange // match TCP and UDP alone
	DestinationPorts []flow.PortRange // match TCP and UDP alone
}

// Method is where a source rule takes the outside address from.
type Method uint8

const (
	Masquerade Method = iota // the first address of the interface it leaves by
	FixedAddress
	FromPool
	Exempt // none: what matches is not translated
)

// SourceRule translates the source of flows that leave. It is identified by its
// Name.
type SourceRule struct {
	Name    string
	Match   Match
	Method  Method
	Address netip.Addr // of FixedAddress
	Pool    string     // of FromPool
	Origin  origin.ID
}

// DestinationRule translates the destination of flows that come in. It is
// identified by its Name.
type DestinationRule struct {
	Name    string
	Match   Match
	Address netip.Addr // the inside host
	// Ports are the inside host's ports, one for each of DestinationPorts,
	// which then is a single range; zero = the port stays.
	Ports flow.PortRange
	// Hairpin lets inside hosts use the rule too: packets to the rule's
	// outside address that came in by another interface match it, and have
	// their source translated (RFC 4787 REQ-9).
	Hairpin bool
	Origin  origin.ID
}

// StaticRule translates an inside address to an outside one and back, ports
// unchanged; prefixes of equal length host by host. It is identified by its
// Name.
type StaticRule struct {
	Name string
	// Interfaces are those that lead outside; empty = all. The destination of a
	// packet is translated if it comes in by one, the source if it leaves by
	// one.
	Interfaces []string
	Outside    netip.Prefix
	Inside     netip.Prefix
	Hairpin    bool // inside hosts reach the inside address by the outside one
	Origin     origin.ID
}

// number converts an IPv4 address to the form that flow keys have.
func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// addr is the inverse of number.
func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
