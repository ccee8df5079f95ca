package ospf

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/ospf/wire"
)

// Config is the configuration of one machine. Redistribution into it, with its
// metric, tag and policy, is configured in the RIB: see [protocol.Notices].
type Config struct {
	// RouterID is 0 to choose one: the highest address of a loopback interface,
	// else the highest of all (RFC 2328 §C.1 leaves the choice open). A chosen one
	// stays until the router restarts.
	RouterID wire.ID
	// ReferenceBandwidth in bits a second, divided by an interface's speed, is its
	// cost where none is configured.
	ReferenceBandwidth uint64
	// MaximumPaths is how many next hops of equal cost a route may have, at
	// least 1.
	MaximumPaths int
	// MaxLSA bounds the LSAs of other routers in all databases; 0 is no bound.
	MaxLSA int
	// Distance is the administrative distances of routes by path type.
	Distance Distances
	// RFC1583 has costs alone decide between several ways to an AS boundary
	// router (RFC 2328 §C.1).
	RFC1583 bool
	// StandardABR: a router with several areas is an area border router also
	// without a backbone (RFC 2328 §3.3); otherwise only with one (RFC 3509 §2.1).
	StandardABR bool
	// DefaultInformation, if not nil, originates a default route into the AS.
	DefaultInformation *Origination
	// Type1 is whether the redistributed routes of a source are external routes of
	// metric type 1; otherwise they are of type 2.
	Type1 [routing.NumSources]bool
	// Default is whether a default route of a source is redistributed as others are;
	// otherwise it counts for DefaultInformation alone.
	Default    [routing.NumSources]bool
	SPF        Throttle
	StubRouter StubRouter
	// PrefixSuppression leaves out the networks of links between routers (RFC
	// 6860) where the interface does not say otherwise.
	PrefixSuppression bool
	// FastReroute calculates loop-free alternates (RFC 5286).
	FastReroute bool
	Helper      Helper
	// Areas have the settings of areas; one that only interfaces name has
	// DefaultArea.
	Areas map[wire.ID]AreaConfig
	// Interfaces are those that speak the protocol, by name.
	Interfaces map[string]InterfaceConfig
	// Import filters routes on their way to the RIB; nil accepts all. LSAs are
	// not touched by it.
	Import Policy
}

// Distances are administrative distances.
type Distances struct{ IntraArea, InterArea, External uint8 }

// Origination is a default route that the router originates.
type Origination struct {
	// Always originates it whatever the RIB has; otherwise only while it is said to
	// have a default route of another source.
	Always bool
	Metric uint32 // at most wire.Infinity-1
	Type1  bool   // metric type 1; otherwise 2
	Tag    uint32
}

// Throttle has the delays of SPF calculations (RFC 8405 §3).
type Throttle struct {
	InitialDelay, ShortDelay, LongDelay time.Duration
	TimeToLearn, HoldDown               time.Duration
}

// StubRouter says when the router offers itself for no transit (RFC 6987).
type StubRouter struct {
	Always bool
	// OnStartup is for how long after the start, OnShutdown for how long before
	// the end; 0 is not at all.
	OnStartup, OnShutdown time.Duration
}

// Helper is how the router helps a neighbour that restarts (RFC 3623 §3).
type Helper struct {
	Off bool
	// LooseLSAChecking goes on helping when the topology has changed (RFC 3623
	// §3.2 (3) has the strict form).
	LooseLSAChecking bool
	// LongestGrace is the longest grace period that is granted.
	LongestGrace time.Duration
}

// Translator is a border router's part in translating the LSAs of an NSSA (RFC
// 3101 §3.1).
type Translator uint8

const (
	TranslatorCandidate Translator = iota
	TranslatorAlways
	TranslatorNever
)

var translators = [...]string{"candidate", "always", "never"}

// String gives the name used in configuration, tables and JSON.
func (t Translator) String() string {
	if int(t) >= len(translators) {
		return "unknown"
	}
	return translators[t]
}

// AreaConfig is the configuration of an area.
type AreaConfig struct {
	Type AreaType
	// NoSummaries of a Stub or NSSA: the border router sends nothing but a
	// default into it.
	NoSummaries bool
	// DefaultCost is the cost of that default route.
	DefaultCost uint32
	// DefaultInformation, of an NSSA: the router originates a default route into
	// it (RFC 3101 §2.4).
	DefaultInformation *Origination
	// Ranges put the area's networks together for other areas, NSSARanges its
	// externals when they are translated.
	Ranges, NSSARanges []Range
	Translator         Translator
	// Virtual are the virtual links through the area, by the router at the
	// other end.
	Virtual map[wire.ID]VirtualConfig
}

// Range is a prefix that stands for all prefixes within it.
type Range struct {
	Prefix netip.Prefix
	Hide   bool // nothing is advertised for it
	// Cost, if not 0, is advertised in place of the highest of what is within
	// (RFC 2328 §3.5).
	Cost uint32
	Tag  uint32 // of an NSSA range
}

// VirtualConfig is the configuration of a virtual link.
type VirtualConfig struct {
	Timers
	Auth Auth
}

// Timers are what an interface waits for. On the wire, HelloInterval and
// DeadInterval are in seconds.
type Timers struct {
	HelloInterval, DeadInterval time.Duration
	// Minimal of so many Hellos a second has DeadInterval 1 s and HelloInterval 0
	// on the wire; 0 is the usual way.
	Minimal            int
	RetransmitInterval time.Duration
	// TransmitDelay is InfTransDelay: what LSAs age on the link, whole seconds.
	TransmitDelay time.Duration
}

// InterfaceConfig is the configuration of one interface.
type InterfaceConfig struct {
	Area wire.ID
	// Network is the type of the network; NetworkByKind takes the one of the
	// interface's kind.
	Network NetworkType
	// Passive: its networks are advertised, and nothing is sent or heard.
	Passive bool
	// Cost is 1 to 65535; 0 has it found from the speed.
	Cost uint16
	// Priority 0 never becomes DR or BDR.
	Priority uint8
	Timers
	// MTUIgnore is adjacent to neighbours with larger MTUs (RFC 2328 §10.6).
	MTUIgnore bool
	// PrefixSuppression, if not nil, is in place of Config's.
	PrefixSuppression *bool
	// Neighbors are those of NBMA and point-to-multipoint, by address. With
	// none, point-to-multipoint finds its neighbours by multicast.
	Neighbors map[netip.Addr]NeighborConfig
	Auth      Auth
	// BFD, if not nil, has the neighbours watched.
	BFD *BFD
	// NoFastReroute leaves the interface out as a backup.
	NoFastReroute bool
}

// NeighborConfig is the configuration of a neighbour that is not found by
// multicast.
type NeighborConfig struct {
	Priority uint8 // above 0: it may become DR (RFC 2328 §C.5)
	// Poll is how often a neighbour that is down is greeted.
	Poll time.Duration
	Cost uint16 // of point-to-multipoint; 0 is the interface's
}

// BFD is how the neighbours on an interface are watched by BFD.
type BFD struct {
	Profile string // "" = the one for all
	// Strict forms no adjacency with a neighbour that is strict too until the
	// session is up (RFC 9355 §4.1).
	Strict bool
}

// Auth is how packets are authenticated. Each key has an algorithm, or has
// Algorithm.
type Auth struct {
	Type      wire.AuthType
	Algorithm keys.Algorithm
	Keys      keys.Chain
}

// Policy accepts or refuses one route at a time. Its decision depends on
// nothing but the route's values.
type Policy interface {
	// Same reports whether another policy decides the same about every route.
	Same(Policy) bool
	// Apply reports whether the route is accepted. It may change the tag, and
	// with it what the RIB is told as the metric.
	Apply(*Offer) bool
}

// Offer is a route on its way to the RIB, as a [Policy] sees it.
type Offer struct {
	Prefix   netip.Prefix
	Type     PathType
	Area     wire.ID
	NextHops []routing.NextHop // of the route; not to be changed
	Metric   uint32
	Tag      uint32
}

// DefaultConfig returns the defaults of Config. The delays of SPF are far below those
// that RFC 8405 §6 suggests, since a calculation takes some milliseconds at most:
// changes that go on for ten seconds are known half a second late, not five.
func DefaultConfig() Config {
	d := routing.SourceOSPF.DefaultDistance()
	return Config{
		ReferenceBandwidth: 100_000_000,
		MaximumPaths:       8,
		MaxLSA:             1 << 20,
		Distance:           Distances{d, d, d},
		RFC1583:            true, // RFC 2328 §C.1
		SPF: Throttle{
			InitialDelay: 5 * time.Millisecond, ShortDelay: 50 * time.Millisecond, LongDelay: 500 * time.Millisecond,
			TimeToLearn: 500 * time.Millisecond, HoldDown: 10 * time.Second,
		},
		StubRouter: StubRouter{OnShutdown: time.Second},
		Helper:     Helper{LongestGrace: 1800 * time.Second},
		Areas:      map[wire.ID]AreaConfig{},
		Interfaces: map[string]InterfaceConfig{},
	}
}

// DefaultArea returns the defaults of AreaConfig.
func DefaultArea() AreaConfig { return AreaConfig{DefaultCost: 1} }

// DefaultTimers returns the defaults of Timers: RFC 2328 §C.3 for a network of
// the type.
func DefaultTimers(t NetworkType) Timers {
	x := Timers{
		HelloInterval: 10 * time.Second, DeadInterval: 40 * time.Second,
		RetransmitInterval: 5 * time.Second, TransmitDelay: time.Second,
	}
	if t == NBMA || t == PointToMultipoint {
		x.HelloInterval, x.DeadInterval = 30*time.Second, 120*time.Second
	}
	return x
}

// DefaultInterface returns the defaults of InterfaceConfig on a network of the
// type.
func DefaultInterface(t NetworkType) InterfaceConfig {
	return InterfaceConfig{Network: t, Priority: 1, Timers: DefaultTimers(t)}
}

// Check returns an error that says which part of the configuration is invalid.
func (c *Config) Check() error {
	switch {
	case c.ReferenceBandwidth == 0:
		return fmt.Errorf("ospf: reference-bandwidth 0, want at least 1 bit a second")
	case c.MaximumPaths < 1 || c.MaximumPaths > routing.MaxNextHops:
		return fmt.Errorf("ospf: maximum-paths %d, want 1 to %d", c.MaximumPaths, routing.MaxNextHops)
	}
	if err := c.SPF.check(); err != nil {
		return fmt.Errorf("ospf: %w", err)
	}
	if err := c.DefaultInformation.check(); err != nil {
		return fmt.Errorf("ospf: %w", err)
	}
	for id, a := range c.Areas {
		if err := a.check(id); err != nil {
			return fmt.Errorf("ospf: area %v: %w", id, err)
		}
	}
	for name, i := range c.Interfaces {
		if err := i.check(); err != nil {
			return fmt.Errorf("ospf: interface %s: %w", name, err)
		}
	}
	return nil
}

func (o *Origination) check() error {
	if o != nil && o.Metric >= wire.Infinity {
		return fmt.Errorf("default route with metric %d, want at most %d", o.Metric, wire.Infinity-1)
	}
	return nil
}

func (t *Throttle) check() error {
	switch {
	case t.InitialDelay < 0 || t.ShortDelay < 0 || t.LongDelay < 0 || t.TimeToLearn < 0:
		return fmt.Errorf("a delay of SPF calculations below 0")
	case t.HoldDown <= t.TimeToLearn: // RFC 8405 §6
		return fmt.Errorf("hold-down %v of SPF calculations is not longer than the time to learn, %v", t.HoldDown, t.TimeToLearn)
	}
	return nil
}

func (a *AreaConfig) check(id wire.ID) error {
	switch {
	case id == backbone && a.Type != Normal:
		return fmt.Errorf("type %v, and the backbone is always normal", a.Type) // RFC 2328 §3.6
	case a.DefaultCost >= wire.Infinity:
		return fmt.Errorf("default-cost %d, want at most %d", a.DefaultCost, wire.Infinity-1)
	case len(a.Virtual) > 0 && (id == backbone || a.Type != Normal):
		return fmt.Errorf("virtual links through it, want a normal area that is not the backbone") // RFC 2328 §15
	}
	for _, ranges := range [][]Range{a.Ranges, a.NSSARanges} {
		for _, r := range ranges {
			if !r.Prefix.IsValid() || !r.Prefix.Addr().Is4() || r.Prefix != r.Prefix.Masked() {
				return fmt.Errorf("range %v, want an IPv4 prefix without host bits", r.Prefix)
			}
			if r.Cost >= wire.Infinity {
				return fmt.Errorf("range %v: cost %d, want at most %d", r.Prefix, r.Cost, wire.Infinity-1)
			}
		}
	}
	if err := a.DefaultInformation.check(); err != nil {
		return err
	}
	for peer, v := range a.Virtual {
		if err := v.check(); err != nil {
			return fmt.Errorf("virtual link to %v: %w", peer, err)
		}
		if err := v.Auth.check(); err != nil {
			return fmt.Errorf("virtual link to %v: %w", peer, err)
		}
	}
	return nil
}

func (t *Timers) check() error {
	switch {
	case t.Minimal == 0 && (t.HelloInterval < time.Second || t.HelloInterval > 65535*time.Second):
		return fmt.Errorf("hello-interval %v, want 1s to 65535s", t.HelloInterval)
	case t.Minimal < 0 || t.Minimal > 20:
		return fmt.Errorf("%d Hellos a second, want 1 to 20", t.Minimal)
	case t.Minimal == 0 && t.DeadInterval <= t.HelloInterval:
		return fmt.Errorf("dead-interval %v is not longer than hello-interval, %v", t.DeadInterval, t.HelloInterval)
	case t.RetransmitInterval < time.Second:
		return fmt.Errorf("retransmit-interval %v, want at least 1s", t.RetransmitInterval)
	case t.TransmitDelay < time.Second || t.TransmitDelay >= wire.MaxAge*time.Second:
		return fmt.Errorf("transmit-delay %v, want 1s to %ds", t.TransmitDelay, wire.MaxAge-1)
	}
	return nil
}

func (i *InterfaceConfig) check() error {
	if err := i.Timers.check(); err != nil {
		return err
	}
	return i.Auth.check()
}

func (a *Auth) check() error {
	if a.Type == wire.AuthNone {
		return nil
	}
	if len(a.Keys) == 0 {
		return fmt.Errorf("authentication %v without a key", a.Type)
	}
	for n := range a.Keys {
		k := &a.Keys[n]
		if _, err := a.sealer(k); err != nil {
			return fmt.Errorf("key %d: %w", k.ID, err)
		}
	}
	return a.Keys.Check()
}

// sealer makes what a key seals packets with.
func (a *Auth) sealer(k *keys.Key) (*wire.Sealer, error) {
	algorithm := k.Algorithm
	if algorithm == keys.None {
		algorithm = a.Algorithm
	}
	return wire.NewSealer(a.Type, algorithm, uint32(k.ID), k.Secret)
}
