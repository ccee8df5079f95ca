package config

import (
	"net/netip"

	"routerd/acl"
)

// Ready lists: words that rules of the filter may use without defining them.

// readySets are the sets of addresses that rules may name where the configuration
// has no prefix-set of that name. They are the blocks of IANA's IPv4 and IPv6
// special-purpose address registries (RFC 6890, RFC 8190) as of October 2025 that
// are not globally reachable, so that no packet from the internet has them as its
// source. Multicast is in neither registry, and like IPv4-mapped addresses it is
// dropped as a source anyway.
// Blocks of which the registries do not say it (Teredo, 6to4) are left out. Of
// 192.0.0.0/24 and 2001::/23, which are not reachable but for what is registered
// as such, the parts in which nothing of that is stand here.
var readySets = map[string][]netip.Prefix{
	"bogons": parsePrefixes(
		"0.0.0.0/8",       // this network (RFC 791 §3.2)
		"10.0.0.0/8",      // private use (RFC 1918)
		"100.64.0.0/10",   // shared with a provider's translation (RFC 6598)
		"127.0.0.0/8",     // loopback (RFC 1122 §3.2.1.3)
		"169.254.0.0/16",  // link-local (RFC 3927)
		"172.16.0.0/12",   // private use (RFC 1918)
		"192.0.0.0/29",    // 192.0.0.0/24 is of protocols (RFC 6890 §2.1),
		"192.0.0.8/32",    // but for .9 and .10, which are anycast
		"192.0.0.11/32",   // addresses of PCP (RFC 7723) and TURN (RFC 8155)
		"192.0.0.12/30",   //
		"192.0.0.16/28",   //
		"192.0.0.32/27",   //
		"192.0.0.64/26",   //
		"192.0.0.128/25",  //
		"192.0.2.0/24",    // documentation (RFC 5737)
		"192.168.0.0/16",  // private use (RFC 1918)
		"198.18.0.0/15",   // benchmarking (RFC 2544)
		"198.51.100.0/24", // documentation (RFC 5737)
		"203.0.113.0/24",  // documentation (RFC 5737)
		"240.0.0.0/4",     // reserved (RFC 1112 §4), with the broadcast address
		"::/127",          // unspecified and loopback (RFC 4291)
		"64:ff9b:1::/48",  // local translation to IPv4 (RFC 8215)
		"100::/64",        // discard-only (RFC 6666)
		"100:0:0:1::/64",  // dummy (RFC 9780)
		"2001:2::/48",     // benchmarking (RFC 5180)
		"2001:40::/26",    // of 2001::/23 what nothing is registered in (RFC 2928)
		"2001:80::/25", "2001:100::/24",
		"2001:db8::/32", // documentation (RFC 3849)
		"3fff::/20",     // documentation (RFC 9637)
		"5f00::/16",     // segment routing identifiers (RFC 9602)
		"fc00::/7",      // unique local (RFC 4193)
		"fe80::/10",     // link-local (RFC 4291)
	),
	"documentation": parsePrefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
}

func parsePrefixes(texts ...string) (list []netip.Prefix) {
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// readySet gives the ready set of that name.
func readySet(name string) (acl.Set, bool) {
	prefixes, ok := readySets[name]
	return acl.Set{Name: name, Prefixes: prefixes}, ok
}

func allCodes(types ...uint8) (list []acl.ICMPType) {
	for _, t := range types {
		list = append(list, acl.ICMPType{Type: t, All: true})
	}
	return list
}

// readyICMP6 are the words for the types of ICMPv6 that a filter has to let pass,
// by RFC 4890: of forwarded packets (transit) and of those to the router itself
// (local). Errors about flows that exist pass without a rule.
var readyICMP6 = func() map[string][]acl.ICMPType {
	// RFC 4890 §4.3.1: destination unreachable, packet too big, time exceeded in
	// transit, parameter problem but for its pointer to a field, echo.
	transit := append(allCodes(1, 2), acl.ICMPType{Type: 3}, acl.ICMPType{Type: 4, Code: 1}, acl.ICMPType{Type: 4, Code: 2})
	transit = append(transit, allCodes(128, 129)...)
	errors := []acl.ICMPType{{Type: 3, Code: 1}, {Type: 4}}
	return map[string][]acl.ICMPType{
		"transit-must-pass": transit,
		// RFC 4890 §4.3.2: other errors, and Mobile IPv6.
		"transit-should-pass": append(errors[:2:2], allCodes(144, 145, 146, 147)...),
		// RFC 4890 §4.4.1: besides, router, neighbour and inverse discovery,
		// listeners, certificate paths, and the discovery of multicast routers.
		"local-must-pass": append(transit[:len(transit):len(transit)], allCodes(133, 134, 135, 136, 141, 142, 130, 131, 132, 143, 148, 149, 151, 152, 153)...),
		// RFC 4890 §4.4.2.
		"local-should-pass": errors,
	}
}()
