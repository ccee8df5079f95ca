package config

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/internal/tomltext"
)

// raPlaces has the places of the values of router advertisements, for the
// checks against their interface.
type raPlaces struct {
	at         tomltext.Path
	prefixes   []tomltext.Item[netip.Prefix]
	mtu        int
	autonomous bool
}

// longestLifetime means infinity (RFC 4861 §4.6.2).
const longestLifetime = math.MaxUint32 * time.Second

var preferenceReading = tomltext.OneOf([]string{"low", "medium", "high"}, []arp.Preference{arp.PreferenceLow, arp.PreferenceMedium, arp.PreferenceHigh})

// decodeRA reads the router advertisements; without the table there are none.
func (r *reader) decodeRA(s *tomltext.Section, i *interfacePlaces) *arp.RAConfig {
	given := s.Has("ra")
	ra := s.Optional("ra")
	i.ra.at, i.ra.prefixes = ra.At, tomltext.Distinct(ra, "prefix", tomltext.Subnet)
	var prefixes []netip.Prefix
	for _, p := range i.ra.prefixes {
		prefixes = append(prefixes, p.Value)
	}
	var servers []netip.Addr
	for _, a := range tomltext.Distinct(ra, "rdnss", tomltext.Address) {
		servers = append(servers, a.Value)
	}
	cfg := arp.DefaultRA(prefixes, servers)
	i.ra.mtu = tomltext.Get(ra, "mtu", 0, tomltext.Whole(1280, 65535))
	cfg.LinkMTU = uint32(i.ra.mtu)
	cfg.Managed = tomltext.Get(ra, "managed", false, tomltext.Bool)
	cfg.Other = tomltext.Get(ra, "other-config", false, tomltext.Bool)
	cfg.Preference = tomltext.Get(ra, "preference", arp.PreferenceMedium, preferenceReading)
	// The ranges and defaults are those of RFC 4861 §6.2.1.
	cfg.MaxInterval = tomltext.Get(ra, "max-interval", cfg.MaxInterval, tomltext.Duration(4*time.Second, 30*time.Minute))
	cfg.MinInterval = tomltext.Get(ra, "min-interval", max(cfg.MaxInterval*33/100, 3*time.Second), tomltext.Duration(3*time.Second, 1350*time.Second))
	cfg.DefaultLifetime = tomltext.Get(ra, "lifetime", 3*cfg.MaxInterval, tomltext.Duration(0, 9000*time.Second))
	cfg.RDNSSLifetime = 3 * cfg.MaxInterval // RFC 8106 §5.1
	i.ra.autonomous = tomltext.Get(ra, "autonomous", true, tomltext.Bool)
	valid := tomltext.Get(ra, "valid-lifetime", 30*24*time.Hour, tomltext.Duration(0, longestLifetime))
	preferred := tomltext.Get(ra, "preferred-lifetime", min(7*24*time.Hour, valid), tomltext.Duration(0, longestLifetime))
	for n := range cfg.Prefixes {
		p := &cfg.Prefixes[n]
		p.Autonomous, p.Valid, p.Preferred = i.ra.autonomous, valid, preferred
	}
	ra.Done()
	if !given {
		return nil
	}
	if err := cfg.Check(); err != nil {
		r.WrongKey(s.At.With("ra"), err.Error(), "")
		return nil
	}
	return &cfg
}

// checkRA warns of advertisements that hosts ignore or that mislead them.
func (r *reader) checkRA(i *interfacePlaces) {
	for _, p := range i.ra.prefixes {
		if !p.Value.Addr().Is6() {
			continue // an error already
		}
		if i.ra.autonomous && p.Value.Bits() != 64 {
			// RFC 4862 §5.5.3 (d): hosts with interface identifiers of 64 bits
			// use only a /64.
			r.Odd(p.At, fmt.Sprintf("%s is %s: hosts make themselves addresses out of a /64 alone", p.At, p.Value),
				"a /64, or autonomous = false")
		}
		if !i.holds(p.Value) {
			r.Odd(p.At, fmt.Sprintf("%s is %s, in which %s has no address", p.At, p.Value, i.name),
				"a subnet of the interface's own: hosts would take others for neighbours")
		}
	}
	if i.mtu != 0 && i.ra.mtu > i.mtu { // 0: that of the device, not known here
		at := i.ra.at.With("mtu")
		r.Odd(at, fmt.Sprintf("%s is %d, more than the link's %d", at, i.ra.mtu, i.mtu), "at most the interface's mtu: larger packets would be lost")
	}
}

// holds reports whether p is one of the interface's own subnets, or in one.
func (i *interfacePlaces) holds(p netip.Prefix) bool {
	for _, a := range i.addresses {
		if own := a.Value.Masked(); own.Bits() <= p.Bits() && own.Contains(p.Addr()) || p.Contains(a.Value.Addr()) {
			return true
		}
	}
	return false
}
