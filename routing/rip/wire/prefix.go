package wire

import "net/netip"

// never are the blocks in which no destination may be. A shorter prefix that
// contains one of them, such as the default route, is allowed.
var (
	never4 = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), // RFC 2453 §3.9.2, as is the next
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("224.0.0.0/3"), // not unicast: classes D and E
	}
	never6 = []netip.Prefix{
		netip.MustParsePrefix("ff00::/8"), // RFC 2080 §2.4.2, as is the next
		netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("::/128"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("::ffff:0:0/96"),
	}
)

// Destination reports whether RIP and RIPng may carry a route to the prefix.
func Destination(p netip.Prefix) bool {
	never := never6
	if p.Addr().Is4() {
		never = never4
	}
	for _, n := range never {
		if p.Bits() >= n.Bits() && n.Contains(p.Addr()) {
			return false
		}
	}
	return p.IsValid()
}
