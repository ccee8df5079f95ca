package acl

import (
	"net/netip"
	"time"

	"routerd/flow"
	"routerd/internal/origin"
	"routerd/internal/siphash"
)

// Config is what the configuration says of the filter. The zero Config filters
// nothing.
type Config struct {
	Lists      []List // sorted by name
	Sets       []Set
	Interfaces []Binding // of interfaces that have a list
	Local      string    // the list for packets to the router itself; "" = none
	Zones      []Zone
	Policies   []Policy // between zones
	// Secret keeps senders from choosing which of the hosts that are limited share
	// a place. It is drawn anew at each start.
	Secret siphash.Key
}

// Enabled reports whether anything is filtered.
func (c *Config) Enabled() bool { return len(c.Interfaces) > 0 || c.Local != "" || len(c.Zones) > 0 }

// Binding is the lists of one interface.
type Binding struct {
	Interface string
	In        string // for packets that come in by it; "" = none
	Out       string // for forwarded packets that leave by it; "" = none
}

// Set is a named set of addresses: those in its prefixes.
type Set struct {
	Name     string
	Prefixes []netip.Prefix
}

// List is an ordered list of rules, identified by its Name.
type List struct {
	Name    string
	Default Action // of packets that no rule decides about: Accept, Drop or Reject
	// LogDefault has the packets told that the default action is for.
	LogDefault bool
	// Loose takes a packet of a TCP connection, or an ICMP reply, for the
	// beginning of a flow although the router has not seen the beginning: for
	// paths of which it sees one direction alone.
	Loose  bool
	Rules  []Rule
	Origin origin.ID
}

// Rule is one step of a list, identified by its Name. An empty condition
// matches all; of several values of one condition one has to match.
type Rule struct {
	Name             string
	Family           uint8 // 4 or 6; 0 = both
	States           []State
	Protocols        []uint8
	Sources          []flow.AddressRange
	SourceSets       []string
	Destinations     []flow.AddressRange
	DestinationSets  []string
	SourcePorts      []flow.PortRange // of protocols with ports
	DestinationPorts []flow.PortRange // of protocols with ports
	ICMP             []ICMPType
	TCPFlags         Flags
	Fragments        bool // it arrived in fragments
	Inbound          []string
	Outbound         []string
	DSCPs            []uint8
	Lengths          []LengthRange
	Action           Action
	Log              bool // the packets that it matches are told
	// Limits are on the flows that an accept rule lets begin: of all together, and
	// of each source host.
	Limits, HostLimits Limits
	HostBits           uint8 // of an IPv6 address are one host's; 0 = DefaultHostBits
	Origin             origin.ID
}

// Action is what a rule does with a packet.
type Action uint8

const (
	Accept Action = iota
	Drop
	Reject // drop, and answer with an ICMP error or, to TCP, an RST
	Count  // count the packet and go on with the next rule
	Log    // count it, tell it, and go on with the next rule
)

var actions = [...]string{"accept", "drop", "reject", "count", "log"}

// String gives the configuration's word.
func (a Action) String() string { return actions[a] }

// decides reports whether no rule behind one with the action is asked.
func (a Action) decides() bool { return a <= Reject }

// State is the state of the flow that a packet belongs to.
type State uint8

const (
	New         State = iota // it may begin a flow
	Related                  // it begins a flow that address translation expects
	Invalid                  // it belongs to no session and can begin none
	Established              // it belongs to a session; no packet comes to a list in this state
	states
)

var stateNames = [...]string{"new", "related", "invalid", "established"}

// String gives the configuration's word.
func (s State) String() string { return stateNames[s] }

// Limits are bounds on flows; what exceeds one is dropped. The zero Limits has
// none.
type Limits struct {
	Every       time.Duration // on average, a flow may begin so often; 0 = no bound
	Burst       int           // flows that may begin at once, 1 or more with Every
	Connections int           // flows at once, of TCP until they are closed; 0 = no bound
	HalfOpen    int           // TCP connections at once that are not open yet; 0 = no bound
}

// DefaultHostBits are the bits of a prefix that one IPv6 host may have, and
// choose its addresses in (RFC 4291 §2.5.4).
const DefaultHostBits = 64

// The most of each Limits.
const (
	MaxBurst       = 65535
	MaxConnections = 1 << 24
	MaxOfHost      = 32767              // connections, and half-open ones, of one host
	MaxFill        = 7 * 24 * time.Hour // how long a burst may take to be allowed again
)

// LengthRange is a range of lengths of IP packets in bytes, both ends included.
type LengthRange struct{ First, Last uint32 }

// ICMPType is a type of ICMP or ICMPv6 messages, with one of its codes or all.
type ICMPType struct {
	Type uint8
	Code uint8
	All  bool // all codes
}

// Flags are TCP flags that are looked at, and those of them that have to be
// set; the others of them have to be clear. The zero Flags match all.
type Flags struct{ Of, Set uint8 }
