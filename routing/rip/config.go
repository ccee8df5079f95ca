package rip

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/rip/wire"
)

// Protocol is either RIP or RIPng.
type Protocol = wire.Protocol

// The protocols. A [Machine] speaks one of them.
const (
	RIP   = wire.RIP
	RIPng = wire.RIPng
)

// Config is the configuration of one machine. Redistribution into it, with its
// metric, tag and policy, is configured in the RIB: see [protocol.Notices].
type Config struct {
	Protocol Protocol
	// Update is the mean time between two regular updates on an interface. A
	// route that no update repeats becomes unreachable after Invalid and is
	// deleted after Flush; both are counted from the last update. RFC 2453 §3.8
	// has 30 s, 180 s and 180+120 s.
	Update, Invalid, Flush time.Duration
	// MaximumPaths is how many next hops of equal metric a route may have, at
	// least 1.
	MaximumPaths int
	// MaxRoutes bounds the table, in case neighbours announce routes without
	// end.
	MaxRoutes int
	// Distance is the administrative distance of learned routes. A
	// redistributed route with a lower distance is never replaced by a learned
	// one.
	Distance uint8
	// DefaultInformation, if not nil, originates a default route.
	DefaultInformation *Origination
	// Interfaces are those that speak the protocol, by name. Their own subnets
	// are announced without redistribution.
	Interfaces map[string]InterfaceConfig
}

// Origination is a route that the machine originates itself.
type Origination struct {
	Metric uint8 // 1 to 15
	Tag    uint16
}

// InterfaceConfig is the configuration of one interface.
type InterfaceConfig struct {
	// Passive: the interface receives, but sends only to Neighbors.
	Passive bool
	// Neighbors are sent all updates by unicast, in addition to the multicast
	// group.
	Neighbors []netip.Addr
	// AllowedNeighbors are the sources whose packets, requests included, are
	// accepted; nil accepts every source on the link.
	AllowedNeighbors []netip.Prefix
	// MaximumPrefix is how many routes are accepted from each neighbour, at
	// least 1.
	MaximumPrefix int
	// Metric, 1 to 15, is added to the metric of routes received here (RFC 2453
	// §3.9.2: the cost of the network), and is the metric of the interface's
	// own subnets (RFC 2453 §3.5). OffsetOut, 0 to 15, is added to the metric
	// of routes sent here.
	Metric, OffsetOut uint8
	SplitHorizon      SplitHorizon
	// Receive are the RIP versions accepted; it has no meaning in RIPng. Only
	// version 2 is sent.
	Receive Versions
	Auth    Auth
	// BFD, where not nil, has the neighbours watched.
	BFD *BFD
	// Import filters the routes received here, Export those sent here; nil
	// accepts all.
	Import, Export Policy
}

// Versions are the RIP versions that an interface accepts (RFC 2453 §5.1).
type Versions uint8

const (
	Version2 Versions = iota // and above
	Version1
	AnyVersion
)

// String gives the name used in configuration, tables and JSON.
func (v Versions) String() string {
	switch v {
	case Version1:
		return "1"
	case AnyVersion:
		return "1 2"
	}
	return "2"
}

func (v Versions) has(version uint8) bool {
	return v == AnyVersion || (v == Version1) == (version == 1)
}

// SplitHorizon says how a route is announced on the interface where it was
// learned (RFC 2453 §3.4.3).
type SplitHorizon uint8

const (
	PoisonReverse SplitHorizon = iota // as unreachable
	Simple                            // not at all
	NoHorizon                         // like everywhere else
)

var horizons = [...]string{PoisonReverse: "poison-reverse", Simple: "simple", NoHorizon: "none"}

// String gives the name used in configuration, tables and JSON.
func (s SplitHorizon) String() string {
	if int(s) >= len(horizons) {
		return "unknown"
	}
	return horizons[s]
}

// ParseSplitHorizon reads what String gives.
func ParseSplitHorizon(name string) (SplitHorizon, error) {
	for s, n := range horizons {
		if n == name {
			return SplitHorizon(s), nil
		}
	}
	return 0, fmt.Errorf("split-horizon %q: want poison-reverse, simple or none", name)
}

// Policy accepts or refuses one route at a time. Its decision depends on
// nothing but the route's values.
type Policy interface {
	// Same reports whether another policy decides the same about every route,
	// so that a new configuration with that one changes nothing.
	Same(Policy) bool
	// Apply reports whether the route is accepted. It may change the route's
	// tag and metric; with a metric from 1 to 15 the route stays usable.
	Apply(*Offer) bool
}

func samePolicy(a, b Policy) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Same(b)
}

// Offer is a route received or about to be sent, as a [Policy] sees it.
type Offer struct {
	Prefix    netip.Prefix
	Interface routing.InterfaceID
	// Source is the route's source: SourceRIP for a route that was learned, in
	// both directions.
	Source  routing.Source
	NextHop netip.Addr // invalid if it is this router itself
	Metric  uint8
	Tag     uint16
}

// Auth is how an interface authenticates packets. Only RIP has it.
type Auth struct {
	// Algorithm applies to keys that do not name one.
	Algorithm keys.Algorithm
	Keys      keys.Chain
}

// DefaultConfig returns the defaults of Config.
func DefaultConfig(p Protocol) Config {
	return Config{
		Protocol: p,
		Update:   30 * time.Second, Invalid: 180 * time.Second, Flush: 300 * time.Second,
		MaximumPaths: 8,
		MaxRoutes:    1 << 18,
		Distance:     routing.SourceRIP.DefaultDistance(),
		Interfaces:   map[string]InterfaceConfig{},
	}
}

// DefaultInterface returns the defaults of InterfaceConfig.
func DefaultInterface() InterfaceConfig {
	return InterfaceConfig{Metric: 1, MaximumPrefix: 1 << 16}
}

// Check returns an error that says which part of the configuration is invalid.
func (c *Config) Check() error {
	switch {
	case c.Update < time.Second:
		return fmt.Errorf("%v: update-interval %v is shorter than 1s", c.Protocol, c.Update)
	case c.Invalid <= c.Update:
		return fmt.Errorf("%v: invalid-interval %v is not longer than update-interval, %v", c.Protocol, c.Invalid, c.Update)
	case c.Flush <= c.Invalid:
		return fmt.Errorf("%v: flush-interval %v is not longer than invalid-interval, %v", c.Protocol, c.Flush, c.Invalid)
	case c.MaximumPaths < 1:
		return fmt.Errorf("%v: maximum-paths %d, want at least 1", c.Protocol, c.MaximumPaths)
	case c.MaxRoutes < 1:
		return fmt.Errorf("%v: %d routes at most, want at least 1", c.Protocol, c.MaxRoutes)
	}
	if d := c.DefaultInformation; d != nil && (d.Metric < 1 || d.Metric >= Infinity) {
		return fmt.Errorf("%v: metric %d of the default route, want 1 to 15", c.Protocol, d.Metric)
	}
	for name, i := range c.Interfaces {
		if err := i.check(c.Protocol); err != nil {
			return fmt.Errorf("%v: interface %s: %w", c.Protocol, name, err)
		}
	}
	return nil
}

func (i *InterfaceConfig) check(p Protocol) error {
	if i.Metric < 1 || i.Metric >= Infinity {
		return fmt.Errorf("metric %d, want 1 to 15", i.Metric)
	}
	if i.OffsetOut >= Infinity {
		return fmt.Errorf("offset %d, want 0 to 15", i.OffsetOut)
	}
	for _, n := range i.Neighbors {
		if p == RIP && !n.Is4() || p == RIPng && !n.IsLinkLocalUnicast() {
			return fmt.Errorf("neighbor %v, want an IPv4 address for rip, an IPv6 link-local one for ripng", n)
		}
	}
	for _, n := range i.AllowedNeighbors {
		if n.Addr().Is4() != (p == RIP) {
			return fmt.Errorf("allowed neighbor %v, want IPv4 for rip, IPv6 for ripng", n)
		}
	}
	if i.MaximumPrefix < 1 {
		return fmt.Errorf("at most %d routes of a neighbor, want at least 1", i.MaximumPrefix)
	}
	return i.Auth.check(p)
}

// LongestKey is the maximum length in octets of a plain-text password (RFC 2453
// §4.1) and of a key for keyed MD5.
const LongestKey = 16

func (a *Auth) check(p Protocol) error {
	if a.Algorithm == keys.None && len(a.Keys) == 0 {
		return nil
	}
	if p == RIPng {
		return fmt.Errorf("authentication: ripng has none of its own, which RFC 2080 leaves to IPsec")
	}
	if len(a.Keys) == 0 {
		return fmt.Errorf("authentication %v without a key", a.Algorithm)
	}
	for i := range a.Keys {
		k := &a.Keys[i]
		switch {
		case a.of(k) == keys.None:
			return fmt.Errorf("key %d: no algorithm", k.ID) // RFC 4822 §3.1
		case (a.of(k) == keys.PlainText || a.of(k) == keys.KeyedMD5) && len(k.Secret) > LongestKey:
			return fmt.Errorf("key %d: %d octets, at most %d with %v", k.ID, len(k.Secret), LongestKey, a.of(k))
		}
	}
	return a.Keys.Check()
}

// of returns the algorithm of a key.
func (a *Auth) of(k *keys.Key) keys.Algorithm {
	if k.Algorithm != keys.None {
		return k.Algorithm
	}
	return a.Algorithm
}
