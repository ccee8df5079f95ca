package control

import (
	"context"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/verdict"
	"routerd/routing/rib"
)

// Router is what the API shows and changes. Every method returns a copy that
// the caller may keep and change, gives up when ctx is done, and is safe for
// concurrent use. An *Error chooses its own HTTP status; any other error is
// an internal one.
type Router interface {
	Version(ctx context.Context) (Version, error)
	// Interfaces gives all interfaces, sorted by name.
	Interfaces(ctx context.Context) ([]Interface, error)
	// Routes gives a page of the routing table: every route that a source
	// offered, in order of prefix, IPv4 first, and of preference.
	Routes(ctx context.Context, q RouteQuery) (RoutePage, error)
	// FIB gives a page of the forwarding table, in order of prefix.
	FIB(ctx context.Context, q FIBQuery) (FIBPage, error)
	// Drops gives what was dropped.
	Drops(ctx context.Context, q DropQuery) (Drops, error)
	// Neighbors gives the stations on Ethernet links, of both families, sorted
	// by interface and address.
	Neighbors(ctx context.Context, q NeighborQuery) (NeighborList, error)
	// ClearNeighbors forgets what was learned of the neighbours that q chooses.
	// Static ones stay, as do those still being asked for.
	ClearNeighbors(ctx context.Context, q NeighborQuery) (ClearResult, error)
	// ExplainPacket runs a packet through the live stages without sending it.
	ExplainPacket(ctx context.Context, q PacketQuery) (PacketExplanation, error)
	// ExplainRoute tells how the tables decide about packets for an address.
	ExplainRoute(ctx context.Context, a netip.Addr) (RouteExplanation, error)
	// ExplainPolicy has policies decide about a made-up route.
	ExplainPolicy(ctx context.Context, q PolicyQuery) (PolicyExplanation, error)
	// Reload applies the configuration file; a file that cannot be applied
	// changes nothing and comes back as Refused.
	Reload(ctx context.Context) (ReloadResult, error)
	// Diff says what Reload would change.
	Diff(ctx context.Context) (DiffResult, error)
	// Metrics reads every counter, for Prometheus.
	Metrics(ctx context.Context) (Snapshot, error)

	RIPRouter
	NATRouter
}

// Version is who answers. The binary knows the first three; the router fills
// in the rest.
type Version struct {
	Version    string    `json:"version"`            // "devel" where nobody gave one
	Revision   string    `json:"revision,omitempty"` // of the source; absent when unknown
	GoVersion  string    `json:"go_version"`
	Name       string    `json:"name"` // the router's own
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Uptime     float64   `json:"uptime"`                // seconds
	Generation uint64    `json:"generation"`            // of the tables that packets are forwarded by
	LocalStack string    `json:"local_stack,omitempty"` // network namespace of the router's own TCP/IP stack; absent without
}

// Traffic is one direction of an interface. A super-packet counts as the packets
// that it carries.
type Traffic = dataplane.Traffic

// InterfaceList is the answer to /v1/interface: an object, so that fields can
// be added beside the list.
type InterfaceList struct {
	Interfaces []Interface `json:"interfaces"`
}

// Interface is one interface of the router.
type Interface struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // loopback | tun
	Up   bool   `json:"up"`
	// State is StateUp or StateDown of what its port stands on, or why it has
	// none: StateMissing, StateGone or StateWaiting, of which Why says more.
	State     string         `json:"state"`
	Why       string         `json:"why,omitempty"`
	MTU       int            `json:"mtu"` // bytes of an IP packet
	Table     string         `json:"table"`
	Addresses []netip.Prefix `json:"addresses"` // host bits kept, in the configuration's order
	// Own says of each address, on an Ethernet interface that is up, whether
	// it may be used; duplicates are here and not among Addresses.
	Own []OwnAddress `json:"own_addresses,omitempty"`
	// Multicast says what groups the router listens to, and tells the switches
	// of the link so, on an Ethernet interface that is up.
	Multicast *Multicast `json:"multicast,omitempty"`
	URPF      string     `json:"urpf"`           // off | strict | loose
	MSS       string     `json:"mss,omitempty"`  // clamp, or bytes as text; absent = off
	Port      *Port      `json:"port,omitempty"` // absent on a loopback
	Received  Traffic    `json:"received"`
	Sent      Traffic    `json:"sent"`
	Drops     uint64     `json:"drops"` // packets that came in here and were dropped
	Origin    string     `json:"origin,omitempty"`
}

// Multicast is the router's part in the multicast groups of a link.
type Multicast struct {
	Groups  []netip.Addr `json:"groups"`       // those reported, in order
	IGMP    int          `json:"igmp_version"` // 1 to 3: that of the oldest querier heard of late
	MLD     int          `json:"mld_version"`  // 1 or 2
	Queries uint64       `json:"queries"`      // heard
	Refused uint64       `json:"refused"`      // messages that the RFCs have a listener ignore
	Reports uint64       `json:"reports"`      // packets sent
}

// States of an interface.
const (
	StateUp   = "up"
	StateDown = "down"
	// StateMissing: the device, its namespace or its bridge has not been there
	// yet. The interface is served when it comes.
	StateMissing = "missing"
	// StateGone: its device was there and was deleted, renamed or moved away, or
	// its namespace was deleted. It is served again when it is made anew.
	StateGone = "gone"
	// StateWaiting: the device is there and cannot be taken, which is tried
	// again.
	StateWaiting = "waiting"
)

// Port is what an interface reads from and writes to.
type Port struct {
	Kind   string `json:"kind"`
	Queues int    `json:"queues"`
	// LateCarrier: the kernel may tell up to a second late that the device has
	// lost its carrier, since it is a veth whose peer has the same index.
	LateCarrier bool `json:"late_carrier,omitempty"`
	// Host is the kernel's side; absent where there is none.
	Host *Host `json:"host,omitempty"`
}

// Host is where the kernel's side of a port is found.
type Host struct {
	Netns  string `json:"netns,omitempty"` // absent: the namespace routerd runs in
	Device string `json:"device"`
	// Lacks says what the kernel's side lacks of its configuration, because
	// whoever rules its namespace has taken it away or refuses it; absent when
	// nothing.
	Lacks []string `json:"lacks,omitempty"`
}

// RouteQuery chooses routes. The zero query is all of them.
type RouteQuery struct {
	Prefix netip.Prefix // only this very prefix
	For    netip.Addr   // only the prefix that packets for this address are forwarded by
	Source string       // only what this source offers: connected, static, ...
	Family int          // 4 or 6; 0 = both
	After  netip.Prefix // the page behind this prefix: RoutePage.Next
	Limit  int          // prefixes to look at, 1 to MaxPage; 0 leaves it to the router
}

// Bounds of what one answer holds.
const (
	MaxPage     = 10_000 // prefixes
	DefaultPage = 1_000
	MaxDrops    = 1_000
)

// RoutePage is a part of the routing table. A page may hold less than was
// asked for, even nothing: the table ends where Next is absent.
type RoutePage struct {
	Routes []Route      `json:"routes"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// Route is one route that a source offers, and what became of it.
type Route struct {
	Prefix    netip.Prefix `json:"prefix"`
	Source    string       `json:"source"`
	Action    string       `json:"action"` // forward | blackhole | unreachable | prohibit | local | broadcast
	Distance  int          `json:"distance"`
	Metric    uint32       `json:"metric"`
	Tag       uint32       `json:"tag"`
	Interface string       `json:"interface,omitempty"` // of connected, local and broadcast; absent otherwise
	NextHops  []NextHop    `json:"next_hops"`
	Selected  bool         `json:"selected"`
	Stale     bool         `json:"stale"`             // its source starts afresh and has not offered it again
	Installed bool         `json:"installed"`         // packets are forwarded by it
	WhyNot    string       `json:"why_not,omitempty"` // absent when selected
	Origin    string       `json:"origin,omitempty"`  // "file:line"; absent when no line made it
	Since     time.Time    `json:"since"`             // when its source offered it as it is
}

// NextHop is one way that a route leads, as it was given.
type NextHop struct {
	Address   netip.Addr   `json:"address,omitzero"`    // absent: directly on the interface
	Interface string       `json:"interface,omitempty"` // absent: through whatever route leads to the address
	Weight    int          `json:"weight"`              // at least 1
	Usable    bool         `json:"usable"`
	WhyNot    string       `json:"why_not,omitempty"` // absent when usable
	Via       netip.Prefix `json:"via,omitzero"`      // the route it was resolved through; absent where none was needed
	Resolved  []Hop        `json:"resolved"`          // where packets go
}

// Hop is one way out of the router.
type Hop struct {
	Address   netip.Addr `json:"address,omitzero"` // absent: the destination is on the link
	Interface string     `json:"interface"`
	Weight    int        `json:"weight"` // at least 1
}

// FIBQuery chooses entries of the forwarding table, as RouteQuery does.
type FIBQuery struct {
	Prefix netip.Prefix
	For    netip.Addr
	Family int
	After  netip.Prefix
	Limit  int
}

// FIBPage is a part of the forwarding table, with the size of the whole. Next
// is as in RoutePage.
type FIBPage struct {
	Generation uint64       `json:"generation"`
	IPv4       int          `json:"ipv4"` // entries in the whole table
	IPv6       int          `json:"ipv6"`
	Entries    []FIBEntry   `json:"entries"`
	Next       netip.Prefix `json:"next,omitzero"`
}

// FIBEntry is what packets for a prefix are forwarded by.
type FIBEntry struct {
	Prefix    netip.Prefix `json:"prefix"`
	Action    string       `json:"action"` // as in Route
	Source    string       `json:"source"`
	Distance  int          `json:"distance"`
	Metric    uint32       `json:"metric"`
	Interface string       `json:"interface,omitempty"` // as in Route
	NextHops  []Hop        `json:"next_hops"`
	Origin    string       `json:"origin,omitempty"`
}

// DropQuery chooses dropped packets. The zero query is all of them, counted.
type DropQuery struct {
	Last      int    // the latest so many packets besides, up to MaxDrops
	Interface string // only what came in by it
	Verdict   string // only what ended so
	// Src and Dst are prefixes that the addresses of the packets lie in. They
	// choose among the latest only: no address is kept of what is counted.
	Src, Dst netip.Prefix
}

// Drops is what became of the packets that went no further.
type Drops struct {
	// Verdicts has every verdict that is a drop, in the order of the stages,
	// those that never occurred included.
	Verdicts []VerdictCount `json:"verdicts"`
	// Last holds the latest dropped packets, newest first: a sample, a few
	// of each batch.
	Last []Drop `json:"last"`
}

// VerdictCount is how many packets ended in a verdict.
type VerdictCount struct {
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Packets  uint64 `json:"packets"`
}

// Drop is one dropped packet.
type Drop struct {
	Time      time.Time `json:"time"`
	Interface string    `json:"interface"` // it came in by; "" for one that the router made
	Header    string    `json:"header"`    // as Describe words it
	Length    int       `json:"length"`    // bytes of the packet
	Verdict   string    `json:"verdict"`
	Sentence  string    `json:"sentence"`
}

// PacketQuery describes a packet to explain.
type PacketQuery struct {
	In       string     // the interface it comes in by
	Src, Dst netip.Addr // of one family
	Protocol string     // "tcp", "udp" or "icmp", for IPv6 too; "" = icmp, an echo request
	SrcPort  uint16     // tcp and udp only
	DstPort  uint16
	Size     int   // bytes of the whole packet; 0 = as small as it can be
	DF       bool  // do not fragment
	TTL      uint8 // or hop limit; 0 = 64
}

// PacketExplanation is the way of one packet through the stages.
type PacketExplanation struct {
	In       string `json:"in"`
	Packet   string `json:"packet"` // as Describe words it
	Steps    []Step `json:"steps"`
	Verdict  string `json:"verdict"`
	Class    string `json:"class"` // passed | local | dropped
	Sentence string `json:"sentence"`
	Out      string `json:"out,omitempty"` // the interface it leaves by; absent when it does not
	// Answer is the packet that the router would make: an ICMP error or an
	// echo reply. Absent where it would make none.
	Answer *Answer `json:"answer,omitempty"`
}

// Step is what one stage decided.
type Step struct {
	Stage  string `json:"stage"`
	Text   string `json:"text"`
	Answer bool   `json:"answer"`           // it is about the router's answer, not the packet itself
	Origin string `json:"origin,omitempty"` // the configuration line that decided; absent when none did
}

// Answer is a packet that the router would make.
type Answer struct {
	Packet   string `json:"packet"`
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Out      string `json:"out,omitempty"` // absent when it would not leave
}

// ReloadResult is what a reload has changed.
type ReloadResult struct {
	Generation uint64    `json:"generation"` // of the tables now
	Changes    []Change  `json:"changes"`
	Warnings   []Problem `json:"warnings"`
}

// DiffResult is what a reload would change.
type DiffResult struct {
	Changes  []Change  `json:"changes"`
	Warnings []Problem `json:"warnings"`
}

// Change is one difference between the running configuration and the file.
type Change struct {
	Kind   string `json:"kind"`             // added | removed | changed
	Path   string `json:"path"`             // interface.lan0.mtu
	Old    string `json:"old,omitempty"`    // absent when added
	New    string `json:"new,omitempty"`    // absent when removed
	Impact string `json:"impact,omitempty"` // what it means for traffic; absent when nothing
	Origin string `json:"origin,omitempty"`
}

// Problem is something wrong or odd in the configuration file.
type Problem struct {
	Origin  string `json:"origin"`
	Warning bool   `json:"warning"`
	Message string `json:"message"`
	Text    string `json:"text"` // the whole of it for a terminal: several lines with a caret
}

// Snapshot is every counter at one moment, for Prometheus. It is not part of
// the JSON contract.
type Snapshot struct {
	Version    Version
	Workers    []WorkerSnapshot
	Interfaces []InterfaceSnapshot
	FIB4, FIB6 int // entries
	RIB4, RIB6 int // prefixes that a route is offered for
	RIB        rib.Stats
	Generation uint64
	// Reloads since the start; the start itself is none.
	ReloadsOK, ReloadsFailed uint64
	Applied                  time.Time // when the configuration that runs was
	Differs                  *bool     // from what the file says; nil where that is not known
	Hops, UnusableHops       int       // next hops of routes
	Neighbors                []NeighborCount
	NeighborEvents           arp.Counters
	RIP                      []RIPSnapshot // of the protocols that are spoken
	NAT                      *NATSnapshot  // nil where nothing is translated
}

// NeighborCount is how many neighbours of an Ethernet interface are in a state.
type NeighborCount struct {
	Interface string
	State     arp.State
	Count     int
}

// WorkerSnapshot is what one worker has counted. Interface and Queue, the
// number of its queue, are its name.
type WorkerSnapshot struct {
	Interface string
	Queue     int
	Batches   uint64
	Verdicts  [verdict.Count]uint64
	Answers   [dataplane.NumAnswers]uint64
}

// InterfaceSnapshot is what went through one interface.
type InterfaceSnapshot struct {
	Name           string
	Up             bool
	MTU            int
	Received, Sent Traffic
}
