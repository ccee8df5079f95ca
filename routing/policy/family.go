package policy

import (
	"fmt"
	"net/netip"
)

// families is a set of IPv4 and IPv6, a bit for each.
type families uint8

const (
	ipv4 families = 1 << iota
	ipv6
	both = ipv4 | ipv6
)

func familyOf(a netip.Addr) families {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// String gives the families in words.
func (f families) String() string {
	return [...]string{0: "no family", ipv4: "IPv4", ipv6: "IPv6", both: "IPv4 and IPv6"}[f]
}

// checkFamilies finds a statement that can match no route, for its conditions
// are of different families, or that gives routes a next hop of the other one.
func (k *compiler) checkFamilies(s *statement, c *Statement) {
	matched := both
	for _, cond := range s.conditions {
		of := cond.families()
		if of != 0 && matched&of == 0 { // 0: nothing is in its set, which has been said
			k.wrong(s.origin, fmt.Sprintf("statement %s matches nothing: what it asks for is %s, and also %s", s.name, matched, of), "conditions of one family")
			return
		}
		if of != 0 {
			matched &= of
		}
	}
	if hop := c.Set.NextHop; hop.IsValid() && matched&familyOf(hop) == 0 {
		k.wrong(s.origin, fmt.Sprintf("statement %s gives routes of %s the next hop %s", s.name, matched, hop), "a next hop of the same family")
	}
}
