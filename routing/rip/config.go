package rip

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/rip/wire"
)

// Protocol is RIP or RIPng.
type Protocol = wire.Protocol

// The protocols; a [Machine] speaks one of them.
const (
	RIP   = wire.RIP
	RIPng = wire.RIPng
)

// Config is what one machine is told. What is redistributed into it is the
// RIB's affair, metric, tag and policy included: see [protocol.Notices].
type Config struct {
	Protocol Protocol
	// Update is the mean time between two regular updates of an interface,
	// Invalid how long a route lives without being heard of, Flush when one
	// that died so is forgotten: Invalid and the time for which its death is
	// announced together. RFC 2453 §3.8 has 30 s, 180 s and 180+120 s.
	Update, Invalid, Flush time.Duration
	// MaximumPaths is how many equally good next hops a route has, at least 1.
	MaximumPaths int
	// MaxRoutes bounds the table against neighbours that never stop.
	MaxRoutes int
	// Distance is the administrative distance of what is learned. A
	// redistributed route of a lower one is never replaced by it.
	Distance uint8
	// DefaultInformation, where not nil, originates a default route.
	DefaultInformation *Origination
	// Interfaces are those that speak the protocol, by name; their own
	// subnets are announced without being redistributed.
	Interfaces map[string]InterfaceConfig
}

// Origination is a route of the machine's own.
type Origination struct {
	Metric uint8 // 1 to 15
	Tag    uint16
}

// InterfaceConfig is what holds on one interface.
type InterfaceConfig struct {
	// Passive interfaces listen, and speak to Neighbors alone.
	Passive bool
	// Neighbors are sent everything by unicast, besides the group.
	Neighbors []netip.Addr
	// AllowedNeighbors are those whose packets are used, requests included;
	// nil for everybody on the link.
	AllowedNeighbors []netip.Prefix
	// MaximumPrefix is how many routes each neighbor may have, at least 1.
	MaximumPrefix int
	// Metric is added to what is heard here, 1 to 15 (RFC 2453 §3.9.2: the
	// cost of the network), and is that of the interface's own subnets (RFC
	// 2453 §3.5); OffsetOut is added to what is said here, 0 to 15.
	Metric, OffsetOut uint8
	SplitHorizon      SplitHorizon
	// Receive are the versions that are listened to; always all of RIPng.
	// Version 2 is what is sent.
	Receive Versions
	Auth    Auth
	// BFD, where not nil, has the neighbours watched.
	BFD *BFD
	// Import and Export decide about routes heard and said here; nil accepts.
	Import, Export Policy
}

// Versions of RIP that an interface listens to (RFC 2453 §5.1).
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

// SplitHorizon is what is said about a route where it was heard (RFC 2453
// §3.4.3).
type SplitHorizon uint8

const (
	PoisonReverse SplitHorizon = iota // that it cannot be reached this way
	Simple                            // nothing
	NoHorizon                         // the same as everywhere
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

// Policy decides about one route at a time, by the same values always in the
// same way.
type Policy interface {
	// Same reports whether another policy decides the same about every route:
	// then a new configuration that has that one is no news.
	Same(Policy) bool
	// Apply reports whether the route is accepted, and may change its metric
	// (from 1 to 15 it stays usable) and tag.
	Apply(*Offer) bool
}

func samePolicy(a, b Policy) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Same(b)
}

// Offer is a route on its way in or out, as a [Policy] sees it.
type Offer struct {
	Prefix    netip.Prefix
	Interface routing.InterfaceID
	// Source is that of the route: SourceRIP of what is heard, and of what
	// was heard and is said again.
	Source  routing.Source
	NextHop netip.Addr // invalid: this router itself
	Metric  uint8
	Tag     uint16
}

// Auth is how an interface authenticates; only in RIP.
type Auth struct {
	// Algorithm is that of keys without one of their own.
	Algorithm keys.Algorithm
	Keys      keys.Chain
}

// DefaultConfig is what holds unless the configuration says otherwise.
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

// DefaultInterface is what holds on an interface unless the configuration
// says otherwise.
func DefaultInterface() InterfaceConfig {
	return InterfaceConfig{Metric: 1, MaximumPrefix: 1 << 16}
}

// Check says what of the configuration cannot be used.
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
	if d := c.DefaultInformation; d != nil && (d.Metric < 1 || d.Metric >= wire.Infinity) {
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
	if i.Metric < 1 || i.Metric >= wire.Infinity {
		return fmt.Errorf("metric %d, want 1 to 15", i.Metric)
	}
	if i.OffsetOut >= wire.Infinity {
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

// LongestKey is how many octets there is room for in plain text (RFC 2453
// §4.1), and what keyed MD5 takes.
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

// of is the algorithm of a key.
func (a *Auth) of(k *keys.Key) keys.Algorithm {
	if k.Algorithm != keys.None {
		return k.Algorithm
	}
	return a.Algorithm
}
