package arp

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
)

// Config is the configuration of the machine as a whole.
type Config struct {
	// MaxNeighbors bounds the table; MaxIncomplete bounds those neighbours in
	// it that have never answered (RFC 6583 §7.1).
	MaxNeighbors, MaxIncomplete int
	// MaxHeldEach bounds the bytes of packets that wait for one neighbour,
	// MaxHeldBytes those for all together. A packet counts for some more than
	// its bytes.
	MaxHeldEach, MaxHeldBytes int
	// RequestRate is how many unknown neighbours are requested in a second on
	// one link (RFC 6583 §7.2). Next hops of routes and destinations of the
	// router's own packets do not count.
	RequestRate int
	// ReachableTime is the base of the random time for which a confirmation is
	// valid (RFC 4861 §6.3.2), for both families.
	ReachableTime time.Duration
	// DADTransmits is how many probes duplicate address detection sends for an
	// IPv6 address (RFC 4862 §5.1); with 0 the address is used at once.
	DADTransmits int
	// Proxy reports whether packets for target that arrive by in would leave by
	// another interface. It is called if proxy ARP is on; nil means never.
	Proxy func(in routing.InterfaceID, target netip.Addr) bool
	// Routed reports whether routes have a neighbour as their next hop: if it
	// does not answer it is requested again from time to time. Nil means never.
	Routed func(link routing.InterfaceID, a netip.Addr) bool
	// Changed is called when the state or the MAC of a neighbour changes, also when
	// it is forgotten, before the machine has finished its Step: Find tells what it
	// is then. Nil means that nobody wants to know.
	Changed func(link routing.InterfaceID, a netip.Addr)
}

// DefaultConfig is the default.
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

// DefaultTimeout is how long an unused neighbour is kept.
const DefaultTimeout = 20 * time.Minute

// StaticNeighbor is a configured neighbour.
type StaticNeighbor struct {
	Addr netip.Addr
	MAC  MAC
}

// InterfaceConfig is the configuration of one Ethernet interface.
type InterfaceConfig struct {
	MAC MAC
	// Addresses of both families, with host bits: 192.0.2.1/24. The
	// link-local address is formed from MAC unless one is among them.
	Addresses []netip.Prefix
	ProxyARP  bool
	// Kept are IPv6 addresses that the router used on the link a moment ago. If
	// the interface gets such an address, it is used at once, while duplicate
	// address detection runs.
	Kept []netip.Prefix
	// Proxied are IPv4 addresses on the interface's subnets for which ARP
	// requests are answered although no interface has them: those of address
	// translation.
	Proxied []Range
	Timeout time.Duration // 0 = DefaultTimeout
	Static  []StaticNeighbor
	RA      *RAConfig // nil = no router advertisements
}

// Range is a range of addresses, both ends included.
type Range struct{ First, Last netip.Addr }

// Has reports whether a lies in the range.
func (r Range) Has(a netip.Addr) bool { return r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 }

// Bounds of the variables of router advertisements (RFC 4861 §6.2.1).
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

// DefaultRA has RFC 4861's defaults. Advertised are the prefixes, for 30 days,
// preferred for a week, and the servers.
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

// Check returns an error for values that RFC 4861 §6.2.1 forbids.
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
