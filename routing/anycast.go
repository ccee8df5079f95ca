package routing

import "net/netip"

// SubnetRouterAnycast is the subnet-router anycast address of a subnet: its
// prefix followed by zeros (RFC 4291 §2.6.1). Only IPv6 subnets have one,
// except those of 127 and 128 bits (RFC 6164 §6).
func SubnetRouterAnycast(subnet netip.Prefix) (netip.Addr, bool) {
	a := subnet.Masked().Addr()
	return a, a.Is6() && subnet.Bits() <= 126 && !a.IsUnspecified()
}
