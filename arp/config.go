package arp

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
)

// Config is what holds for the machine as a whole.
type Config struct {
	// MaxNeighbors bounds the table; MaxIncomplete those in it that have
	// never answered, apart from the rest (RFC 6583 §7.1).
	MaxNeighbors, MaxIncomplete int
	// Packets of so many bytes wait for one neighbour at most, and of
	// MaxHeldBytes for all together. A packet counts for some more than its
	// bytes.
	MaxHeldEach, MaxHeldBytes int
	// RequestRate bounds how many neighbours never heard of are asked for a
	// second on one link (RFC 6583 §7.2). Next hops of routes and the router's
	// own destinations do not count.
	RequestRate int
	// ReachableTime is the base of the random time that a confirmation
	// lasts (RFC 4861 §6.3.2), for both families.
	ReachableTime time.Duration
	// DADTransmits is how often an IPv6 address is asked for before it is
	// used (RFC 4862 §5.1); 0 uses it at once.
	DADTransmits int
	// Proxy reports whether packets for target that arrive by in would leave
	// by another interface. It is asked where proxy ARP is on; nil is never.
	Proxy func(in routing.InterfaceID, target netip.Addr) bool
	// Routed reports whether routes lead by a neighbour: one that does not
	// answer is kept an eye on then. Nil is never.
	Routed func(link routing.InterfaceID, a netip.Addr) bool
}

// DefaultConfig is what holds unless the configuration says otherwise.
func DefaultConfig() Config {
	return Config{
		MaxNeighbors:  8192,
		MaxIncomplete: 2048,
		MaxHeldEach:   212992, // Linux's unres_qlen_bytes
		MaxHeldBytes:  4 << 20,
		RequestRate:   10000,
		ReachableTime: 30 * time.Second, // RFC 4861 §10
		DADTransmits:  1,
	}
}

// DefaultTimeout is how long a neighbour that nobody sends to is remembered.
const DefaultTimeout = 20 * time.Minute

// StaticNeighbor is a neighbour that the configuration knows.
type StaticNeighbor struct {
	Addr netip.Addr
	MAC  MAC
}

// InterfaceConfig is what the machine has to know of one Ethernet interface.
type InterfaceConfig struct {
	MAC MAC
	// Addresses of both families, with host bits: 192.0.2.1/24. The
	// link-local address is formed from MAC unless one is among them.
	Addresses []netip.Prefix
	ProxyARP  bool
	// Kept are IPv6 addresses that the router used on the link a moment ago: such
	// an address is used at once, while it is asked for, if the interface begins to
	// have it now.
	Kept []netip.Prefix
	// Proxied are IPv4 addresses on the interface's subnets that ARP requests
	// are answered for although no interface has them: address translation's.
	Proxied []Range
	Timeout time.Duration // 0 = DefaultTimeout
	Static  []StaticNeighbor
	RA      *RAConfig // nil = no router advertisements
}

// Range is a range of addresses, both ends included.
type Range struct{ First, Last netip.Addr }

// Has reports whether a lies in the range.
func (r Range) Has(a netip.Addr) bool { return r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 }

// Bounds of the router advertisement's variables (RFC 4861 §6.2.1).
const (
	leastMaxRAInterval = 4 * time.Second
	mostMaxRAInterval  = 1800 * time.Second
	leastMinRAInterval = 3 * time.Second
	mostRALifetime     = 9000 * time.Second
	mostReachableTime  = time.Hour
	maxRAPrefixes      = 16
	maxRDNSS           = 8
)

// RAConfig is what an interface advertises to hosts; the names are those of
// RFC 4861 §6.2.1 without their Adv.
type RAConfig struct {
	MinInterval, MaxInterval time.Duration
	Managed, Other           bool
	Preference               Preference // of the router as a default router (RFC 4191 §2.2)
	LinkMTU                  uint32     // 0 = not said
	ReachableTime            time.Duration
	RetransTimer             time.Duration
	CurHopLimit              uint8
	DefaultLifetime          time.Duration // 0 = not a default router
	Prefixes                 []PrefixInformation
	RDNSS                    []netip.Addr
	RDNSSLifetime            time.Duration
}

// DefaultRA is RFC 4861's default for everything but what is advertised: the
// prefixes, for 30 days, a week of them preferred, and the servers.
func DefaultRA(prefixes []netip.Prefix, rdnss []netip.Addr) RAConfig {
	c := RAConfig{
		MinInterval:     198 * time.Second, // 0.33 * MaxInterval
		MaxInterval:     600 * time.Second,
		CurHopLimit:     64,
		DefaultLifetime: 1800 * time.Second, // 3 * MaxInterval
		RDNSS:           rdnss,
		RDNSSLifetime:   1800 * time.Second, // RFC 8106 §5.1: 3 * MaxInterval
	}
	for _, p := range prefixes {
		c.Prefixes = append(c.Prefixes, PrefixInformation{
			Prefix: p, OnLink: true, Autonomous: true,
			Valid: 2592000 * time.Second, Preferred: 604800 * time.Second,
		})
	}
	return c
}

// Check says what in the configuration RFC 4861 §6.2.1 forbids.
func (c *RAConfig) Check() error {
	switch {
	case c.MaxInterval < leastMaxRAInterval || c.MaxInterval > mostMaxRAInterval:
		return fmt.Errorf("router advertisements: max-interval %v is not between %v and %v", c.MaxInterval, leastMaxRAInterval, mostMaxRAInterval)
	case c.MinInterval < leastMinRAInterval || c.MinInterval > c.MaxInterval*3/4:
		return fmt.Errorf("router advertisements: min-interval %v is not between %v and three quarters of max-interval, %v", c.MinInterval, leastMinRAInterval, c.MaxInterval*3/4)
	case c.DefaultLifetime != 0 && (c.DefaultLifetime < c.MaxInterval || c.DefaultLifetime > mostRALifetime):
		return fmt.Errorf("router advertisements: lifetime %v is neither 0 nor between max-interval, %v, and %v", c.DefaultLifetime, c.MaxInterval, mostRALifetime)
	case c.ReachableTime < 0 || c.ReachableTime > mostReachableTime:
		return fmt.Errorf("router advertisements: reachable-time %v is not between 0 and %v", c.ReachableTime, mostReachableTime)
	case c.LinkMTU != 0 && c.LinkMTU < 1280:
		return fmt.Errorf("router advertisements: mtu %d is below the 1280 that IPv6 needs", c.LinkMTU)
	case len(c.Prefixes) > maxRAPrefixes: // so that one packet holds them, RFC 6980 §5
		return fmt.Errorf("router advertisements: %d prefixes, at most %d", len(c.Prefixes), maxRAPrefixes)
	case len(c.RDNSS) > maxRDNSS:
		return fmt.Errorf("router advertisements: %d DNS servers, at most %d", len(c.RDNSS), maxRDNSS)
	}
	for _, p := range c.Prefixes {
		if !p.Prefix.Addr().Is6() || p.Prefix.Addr().IsLinkLocalUnicast() || p.Prefix.Addr().IsMulticast() {
			return fmt.Errorf("router advertisements: prefix %v cannot be advertised, want a global IPv6 prefix", p.Prefix)
		}
		if p.Preferred > p.Valid {
			return fmt.Errorf("router advertisements: prefix %v is preferred for %v, longer than it is valid, %v", p.Prefix, p.Preferred, p.Valid)
		}
	}
	for _, a := range c.RDNSS {
		if !a.Is6() || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("router advertisements: DNS server %v, want an IPv6 address", a)
		}
	}
	return nil
}
