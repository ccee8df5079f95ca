package tomltext

import (
	"fmt"
	"net/netip"
)

// Address reads an address without a zone that is not IPv4 in IPv6's clothes.
var Address = Reading[netip.Addr]{func(v any) (netip.Addr, error) {
	s, ok := v.(string)
	if !ok {
		return netip.Addr{}, ErrUnwanted
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		if p, err := netip.ParsePrefix(s); err == nil {
			return netip.Addr{}, Hint{Suggestion: fmt.Sprintf("without the length: %q?", p.Addr())}
		}
		return netip.Addr{}, ErrUnwanted
	}
	if a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, ErrUnwanted
	}
	return a, nil
}, `an IPv4 or IPv6 address, like "192.0.2.1" or "2001:db8::1"`}

// Subnet reads a prefix without host bits.
var Subnet = Reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := AnySubnet.Read(v)
	if err == nil && p.Addr().Is4In6() {
		return p, ErrUnwanted
	}
	return p, err
}, AnySubnet.Want}

// AnySubnet reads a prefix that may also be of IPv4-mapped addresses, which
// are for nothing but to be refused.
var AnySubnet = Reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := readPrefix(v)
	if err != nil {
		return p, err
	}
	if m := p.Masked(); m != p {
		return p, Hint{"which has bits set behind its length", fmt.Sprintf("did you mean %q?", m)}
	}
	return p, nil
}, `a prefix, like "192.0.2.0/24" or "2001:db8::/32"`}

// HostOrSubnet reads an address as the prefix of itself alone.
var HostOrSubnet = Reading[netip.Prefix]{Read: func(v any) (netip.Prefix, error) {
	if a, err := Address.Read(v); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return Subnet.Read(v)
}, Want: "an address or a prefix"}

// InterfaceAddress reads an address with the length of its subnet.
var InterfaceAddress = Reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := readPrefix(v)
	if err == nil && p.Addr().Is4In6() {
		return p, ErrUnwanted
	}
	return p, err
}, `an address with the length of its subnet, like "192.0.2.1/24" or "2001:db8::1/64"`}

func readPrefix(v any) (netip.Prefix, error) {
	s, ok := v.(string)
	if !ok {
		return netip.Prefix{}, ErrUnwanted
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.Prefix{}, Hint{"which has no length", fmt.Sprintf("did you mean \"%s/%d\"?", a, a.BitLen())}
		}
		return netip.Prefix{}, ErrUnwanted
	}
	return p, nil
}
