package routing

import "net/netip"

// SubnetRouterAnycast is the address that all routers of a subnet have in
// common, and that each of them answers to: the subnet's prefix with zeros
// behind it (RFC 4291 §2.6.1). Only IPv6 has it, and subnets of 127 bits, which
// are links of two routers, and 128 do not (RFC 6164 §6).
func SubnetRouterAnycast(subnet netip.Prefix) (netip.Addr, bool) {
	a := subnet.Masked().Addr()
	return a, a.Is6() && subnet.Bits() <= 126 && !a.IsUnspecified()
}
