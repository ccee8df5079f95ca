package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// Config is the configuration of a [Machine]. Which routes of other sources it gets is
// configured in the RIB, see [protocol.Notices].
type Config struct {
	AS       uint32
	RouterID wire.RouterID
	// RouterIDChosen: nobody has configured it, so that it stays what it was first.
	RouterIDChosen bool
	// ClusterID is the cluster of this route reflector (RFC 4456), 0 = RouterID.
	ClusterID wire.RouterID
	Rules     Rules
	// Listen is where connections are accepted, of each family; invalid = nowhere.
	Listen [wire.NumFamilies]netip.AddrPort
	// Distance and InternalDistance are the administrative distances of routes from
	// other ASes and from this one; 0 = the default.
	Distance, InternalDistance uint8
	Networks                   []Network
	Aggregates                 []Aggregate
	ListenRanges               []ListenRange
	// GracefulShutdown says to all neighbours that the router is about to go, so that they
	// use other routes before it does (RFC 8326).
	GracefulShutdown bool
	Neighbors        []NeighborConfig // each address once on a link
}

// Network is a prefix that the router originates.
type Network struct {
	Prefix netip.Prefix // masked
	// Always originates it also while the RIB has no route for it.
	Always bool
}

// NeighborConfig is what the neighbour at Address is to the router. Keys of peer groups
// are resolved into those of their members before.
type NeighborConfig struct {
	Address netip.Addr // without a zone
	// Interface is the name of the link of a link-local Address, else "". The machine
	// finds out its Link, which is NoInterface as long as there is none, and else.
	Interface string
	Link      routing.InterfaceID
	Port      uint16 // that is dialled, 0 = 179
	AS        uint32
	// AnyExternal: it is of any AS but this one, as its OPEN says, and AS is 0.
	AnyExternal bool
	// Unnumbered: it is the router at the other end of the link, whatever its Address is;
	// it has none here.
	Unnumbered bool
	Local      netip.Addr // that it is spoken to from; invalid = by the route to it
	Families   [wire.NumFamilies]FamilyConfig

	Description string // for people
	// Shutdown: there is no session; ShutdownMessage is what the neighbour is told then, up
	// to 255 octets (RFC 9003).
	Shutdown        bool
	ShutdownMessage string
	// GracefulShutdown says to a neighbour of another AS that the session is about to end,
	// and has other routes than its used (RFC 8326).
	GracefulShutdown bool

	Passive bool // it is not dialled
	// Multihop is how many hops away a neighbour of another AS may be, 0 and 1 are that
	// it is on a link of the router's. TTLSecurity ignores what has come from further
	// away (RFC 5082).
	Multihop    uint8
	TTLSecurity bool
	Password    string // of RFC 2385
	BFD         *BFD   // nil: it is not watched
	HoldTime    uint16 // seconds, 0 = no end without KEEPALIVEs, else at least 3
	// Keepalive, ConnectRetry and DelayOpen are as in [SessionConfig].
	Keepalive, ConnectRetry, DelayOpen time.Duration
	// MRAI is how long after an UPDATE the next one is sent at the earliest (RFC 4271
	// §9.2.1.1). 0 is at once.
	MRAI time.Duration

	// The rest is as in [Terms] and [HopTerms].
	Client, ServerClient             bool
	LocalAS                          uint32
	LocalASNoPrepend, LocalASReplace bool
	AllowOwnAS                       int
	HasRole, RoleRequired            bool
	Role                             wire.Role
	RemovePrivate                    RemovePrivate
	ASOverride                       bool
	// NextHopSelf is for routes of other ASes and the router's own, and with
	// NextHopSelfReflected for those that it reflects too, whose next hop a reflector
	// leaves alone otherwise (RFC 4456 §10).
	NextHopSelf, NextHopSelfReflected bool
	NextHopUnchanged                  bool
	ExtendedNextHop                   bool // IPv4 routes with IPv6 next hops (RFC 8950)
	// AnyFirstAS takes paths that do not begin with the neighbour's AS, as those of a
	// route server.
	AnyFirstAS bool
}

// MaxLongLived is how long neighbours may ask for (RFC 9494 §3.1).
const MaxLongLived = (1<<24 - 1) * time.Second

// FamilyConfig is what holds for one family of a neighbour's routes.
type FamilyConfig struct {
	Enabled        bool
	Import, Export Policy
	// KeepReceived keeps routes also as they came, before policies, so that the neighbour
	// need not send them again when the import policy changes, and what it refuses can be
	// seen. A route costs as much as one in the table once more.
	KeepReceived bool
	// ReceivePaths takes several paths of a prefix. SendPaths is how many the neighbour is
	// sent if it takes several, the best ones; AllPaths is all, 0 the best alone (RFC 7911).
	ReceivePaths bool
	SendPaths    int
	// LongLived is for how long routes are kept at most, after the restart time, if the
	// neighbour asks for that (RFC 9494); 0 = they are not.
	LongLived time.Duration
	// MaximumPrefixes is how many routes the neighbour may have accepted or, if
	// LimitReceived, sent, also those that policies reject; each of these costs about 80
	// octets then. 0 = any number. LimitAction is what happens when there is one more;
	// Restart is for LimitRestart.
	MaximumPrefixes int
	LimitReceived   bool
	LimitAction     LimitAction
	Restart         time.Duration
	// LimitWarning is a percentage of MaximumPrefixes from which on the log warns, 0 = none.
	LimitWarning int
	Default      DefaultOriginate
}

// Policy decides about the routes from or to a neighbour. Where none is Given, nothing is
// accepted from and sent to another AS (RFC 8212), and everything inside the AS.
type Policy struct {
	Given bool
	Chain policy.Chain // empty = everything is accepted
}

// refuses reports that no route passes because there is no policy.
func (p *Policy) refuses(external bool) bool { return external && !p.Given }

func (p *Policy) same(as *Policy) bool { return p.Given == as.Given && p.Chain.Same(as.Chain) }

// external reports whether the neighbour is of another AS.
func (n *NeighborConfig) external(c *Config) bool { return n.AnyExternal || n.AS != n.shown(c) }

// shown is the AS that the neighbour knows the router by.
func (n *NeighborConfig) shown(c *Config) uint32 {
	if n.LocalAS != 0 {
		return n.LocalAS
	}
	return c.AS
}

// Check reports what is wrong with the configuration, all of it; nil if nothing is.
func (c *Config) Check() error {
	var list []error
	wrong := func(format string, a ...any) { list = append(list, fmt.Errorf(format, a...)) }
	if c.AS == 0 || c.AS == asTrans {
		wrong("AS number %d, want 1 to 4294967295 but 23456", c.AS)
	}
	if c.RouterID == 0 {
		wrong("router ID 0.0.0.0, want another one")
	}
	networks := map[netip.Prefix]bool{}
	for _, n := range c.Networks {
		switch {
		case !n.Prefix.IsValid() || n.Prefix != n.Prefix.Masked() || !wire.Destination(n.Prefix):
			wrong("network %v, want a prefix that can be a destination, without host bits", n.Prefix)
		case networks[n.Prefix]:
			wrong("network %v is there twice", n.Prefix)
		}
		networks[n.Prefix] = true
	}
	aggregates := map[netip.Prefix]bool{}
	for _, a := range c.Aggregates {
		switch {
		case !a.Prefix.IsValid() || a.Prefix != a.Prefix.Masked() || !wire.Destination(a.Prefix):
			wrong("aggregate %v, want a prefix that can be a destination, without host bits", a.Prefix)
		case aggregates[a.Prefix]:
			wrong("aggregate %v is there twice", a.Prefix)
		}
		aggregates[a.Prefix] = true
	}
	seen := map[neighborKey]bool{}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		if seen[n.key()] {
			wrong("neighbour %v is there twice", n.Address)
		}
		seen[n.key()] = true
		for _, err := range n.check(c) {
			wrong("neighbour %v: %w", n.Address, err)
		}
	}
	ranges := map[netip.Prefix]bool{}
	for i := range c.ListenRanges {
		r := &c.ListenRanges[i]
		for _, err := range r.check(c) {
			wrong("range %v: %w", r.Prefix, err)
		}
		if ranges[r.Prefix] {
			wrong("range %v is there twice", r.Prefix)
		}
		ranges[r.Prefix] = true
	}
	return errors.Join(list...)
}

// asTrans stands for AS numbers of four octets where there is room for two (RFC 6793 §9).
const asTrans = 23456

// neighborKey is what a neighbour is known by: its address, and if that is link-local
// the name or the number of the link.
type neighborKey struct {
	hopKey
	name string
}

func (n *NeighborConfig) key() neighborKey {
	switch {
	case n.Unnumbered && n.Interface == "":
		return neighborKey{hopKey: hopKey{link: n.Link}}
	case n.Unnumbered:
		return neighborKey{hopKey{link: routing.NoInterface}, n.Interface}
	case n.Interface != "":
		return neighborKey{hopKey{n.Address, routing.NoInterface}, n.Interface}
	}
	return neighborKey{hopKey: hopKey{n.Address, n.Link}}
}

func (n *NeighborConfig) check(c *Config) (list []error) {
	wrong := func(format string, a ...any) { list = append(list, fmt.Errorf(format, a...)) }
	a := n.Address
	switch {
	case n.Unnumbered:
		if a.IsValid() || n.Local.IsValid() || n.Link == routing.NoInterface && n.Interface == "" {
			wrong("want an interface, and no address of it or of this router")
		}
	case !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6():
		wrong("want the address of a host, without a zone")
	case (a.IsLinkLocalUnicast() && a.Is6()) != (n.Link != routing.NoInterface || n.Interface != ""):
		wrong("a link-local address has a link, others have none")
	case n.Local.IsValid() && n.Local.Is4() != a.Is4():
		wrong("local address %v is of the other family", n.Local)
	}
	return append(list, n.checkTerms(c)...)
}

// checkTerms reports what is wrong besides the address.
func (n *NeighborConfig) checkTerms(c *Config) (list []error) {
	wrong := func(format string, a ...any) { list = append(list, fmt.Errorf(format, a...)) }
	external := n.external(c)
	switch {
	case n.AnyExternal && n.AS != 0:
		wrong("AS number %d, want none of a neighbour of any other AS", n.AS)
	case !n.AnyExternal && (n.AS == 0 || n.AS == asTrans):
		wrong("AS number %d, want 1 to 4294967295 but 23456", n.AS)
	case n.LocalAS != 0 && n.AS == c.AS:
		wrong("local AS %d, want none inside the AS", n.LocalAS)
	case external && n.Client:
		wrong("it is a client of this route reflector, and of AS %d", n.AS)
	case !external && (n.ServerClient || n.HasRole || n.ASOverride || n.RemovePrivate != KeepPrivate):
		wrong("it is of the own AS: want no role, no route server, and no AS numbers replaced or removed")
	case !external && n.Multihop > 1:
		wrong("multihop %d, want none inside the AS, where neighbours may be anywhere", n.Multihop)
	}
	if n.HoldTime == 1 || n.HoldTime == 2 { // RFC 4271 §4.2
		wrong("hold time %d s, want 0 or at least 3 s", n.HoldTime)
	}
	if n.BFD != nil && n.BFD.Multihop && !n.Local.IsValid() {
		wrong("BFD over several hops, want a local address")
	}
	if len(n.ShutdownMessage) > wire.MaxShutdownMessage {
		wrong("a shutdown message of %d octets, want at most %d", len(n.ShutdownMessage), wire.MaxShutdownMessage)
	}
	if n.BFD != nil && n.BFD.Hold < 0 {
		wrong("%v for BFD to find it, want no negative time", n.BFD.Hold)
	}
	if len(n.Password) > 80 {
		wrong("a password of %d octets, want at most 80", len(n.Password))
	}
	if n.families() == 0 {
		wrong("no family of routes, want IPv4 or IPv6")
	}
	for _, f := range n.Families {
		if f.MaximumPrefixes < 0 || f.Restart < 0 {
			wrong("maximum of %d prefixes, restart after %v: want no negative one", f.MaximumPrefixes, f.Restart)
		}
		if f.LongLived < 0 || f.LongLived > MaxLongLived {
			wrong("routes are kept for %v after the restart time, want 0 to %v", f.LongLived, MaxLongLived)
		}
		if f.SendPaths < AllPaths || f.SendPaths > 0xffff {
			wrong("%d paths of a prefix are sent, want 0 to 65535 or all", f.SendPaths)
		}
		if f.LimitWarning < 0 || f.LimitWarning > 100 {
			wrong("warning from %d %% of the maximum of prefixes, want 0 to 100", f.LimitWarning)
		}
	}
	if n.MRAI < 0 || n.MRAI > 10*time.Minute {
		wrong("an advertisement interval of %v, want 0 to 10 min", n.MRAI)
	}
	return list
}

func (n *NeighborConfig) families() (s wire.Families) {
	for f := range wire.Family(wire.NumFamilies) {
		if n.Families[f].Enabled {
			s |= wire.Of(f)
		}
	}
	return s
}

// session is the configuration of the neighbour's session.
func (n *NeighborConfig) session(c *Config) SessionConfig {
	capabilities := wire.Capabilities{
		Families: n.families(), RouteRefresh: true, EnhancedRefresh: true, ExtendedMessage: true, FourOctetAS: true,
		AddPath: n.paths(),
		// RFC 9494 §3.1: without families it says that stale routes may come.
		LongLived: wire.LongLived{Present: true},
		HasRole:   n.HasRole, Role: n.Role,
		// RFC 4724 §3: without families it says that the router helps.
		// RFC 8538 §2: what it has sent is kept over NOTIFICATIONs too.
		Restart: wire.GracefulRestart{Present: true, Notification: true},
	}
	if n.BFD != nil {
		capabilities.BFDStrict = n.BFD.Strict
	}
	if n.ExtendedNextHop {
		capabilities.ExtendedNextHop = wire.Of(wire.IPv4Unicast)
	}
	port := n.Port
	if port == 0 {
		port = wire.Port
	}
	s := SessionConfig{
		Open:     wire.Open{AS: n.shown(c), ID: c.RouterID, HoldTime: n.HoldTime, Capabilities: capabilities},
		Expected: wire.Expected{AS: n.AS, External: n.AnyExternal, RoleRequired: n.RoleRequired},
		Local:    netip.AddrPortFrom(n.Local, 0), Remote: netip.AddrPortFrom(n.Address, port), Link: n.streamLink(),
		Options: n.options(c), Passive: n.Passive,
		DelayOpen: n.DelayOpen, ConnectRetry: n.ConnectRetry, Keepalive: n.Keepalive,
		CheckFirstAS: n.external(c) && !n.AnyFirstAS,
	}
	if n.BFD != nil {
		s.AwaitBFD, s.BFDHold = n.BFD.Strict, n.BFD.Hold
	}
	return s
}

// options are those of the segments of the session.
func (n *NeighborConfig) options(c *Config) protocol.StreamOptions {
	o := protocol.StreamOptions{TTL: 64, DSCP: protocol.CS6, Secret: n.Password}
	hops := max(n.Multihop, 1)
	switch {
	case n.TTLSecurity:
		o.TTL = 255
		if n.external(c) {
			o.MinTTL = 255 - hops + 1
		}
	case n.external(c):
		o.TTL = hops
	}
	return o
}

// terms are those of its routes.
func (n *NeighborConfig) terms(c *Config) Terms {
	return Terms{
		OwnAS: c.AS, OwnID: c.RouterID, AS: n.AS, External: n.external(c),
		LocalAS: n.LocalAS, LocalASNoPrepend: n.LocalASNoPrepend, LocalASReplace: n.LocalASReplace,
		AllowOwnAS: n.AllowOwnAS, Client: n.Client, ClusterID: c.ClusterID, ServerClient: n.ServerClient,
		HasRole: n.HasRole, Role: n.Role, RemovePrivate: n.RemovePrivate, ASOverride: n.ASOverride,
		leaving: leaving{session: n.GracefulShutdown || c.GracefulShutdown, router: c.GracefulShutdown},
	}
}
