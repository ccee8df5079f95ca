package flow

import (
	"fmt"
	"net/netip"
)

// AddressRange is a range of addresses of one family, both ends included.
type AddressRange struct{ First, Last netip.Addr }

// RangeOf is the range that a prefix covers, the zero AddressRange for an invalid one.
func RangeOf(p netip.Prefix) AddressRange {
	if !p.IsValid() {
		return AddressRange{}
	}
	first := p.Masked().Addr()
	b := first.AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return AddressRange{First: first, Last: last}
}

// String gives the shortest form: an address, a prefix or first-last.
func (r AddressRange) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	for bits := range r.First.BitLen() {
		if p, err := r.First.Prefix(bits); err == nil && RangeOf(p) == r {
			return p.String()
		}
	}
	return r.First.String() + "-" + r.Last.String()
}

// PortRange is a range of ports, both ends included. The zero PortRange is that of a
// rule which names no port.
type PortRange struct{ First, Last uint16 }

// String gives a port or first-last.
func (r PortRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Size is the number of ports in the range.
func (r PortRange) Size() int { return int(r.Last) - int(r.First) + 1 }

// Holds reports whether all ports of o are in r.
func (r PortRange) Holds(o PortRange) bool { return r.First <= o.First && o.Last <= r.Last }
