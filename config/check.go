package config

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/routing"
	"routerd/routing/rib"
)

// check looks at what only the whole configuration shows.
func (r *reader) check(c *Config, interfaces []*interfacePlaces) {
	for _, i := range interfaces {
		r.checkInterface(i)
	}
	own := r.checkOwn(interfaces)
	r.checkHosts(interfaces, own)
	r.checkOverlap(interfaces)
	r.checkStatics(c, own)
	if !Failed(r.problems) {
		r.checkReach(c)
	}
}

func (r *reader) checkInterface(i *interfacePlaces) {
	six := false
	for _, a := range i.addresses {
		six = six || a.value.Addr().Is6()
		if wrong, want := checkAddress(a.value); wrong != "" {
			r.wrong(a.at, fmt.Sprintf("%s is %s, %s", a.at, a.value, wrong), want)
		}
	}
	if six && i.mtu < packet.IPv6MinMTU {
		r.wrong(i.at.with("mtu"), fmt.Sprintf("%s is %d on an interface with an IPv6 address", i.at.with("mtu"), i.mtu),
			fmt.Sprintf("%d or more (RFC 8200 §5)", packet.IPv6MinMTU))
	}
}

// owner is where an address of the router's own was first given.
type owner struct {
	at   path
	kind dataplane.Kind
	bits int
	name string
}

// checkOwn finds addresses given twice. A host's address may repeat on
// point-to-point interfaces, which then are unnumbered, and a link-local one
// on every interface, for it means its link alone.
func (r *reader) checkOwn(interfaces []*interfacePlaces) map[netip.Addr]owner {
	own := map[netip.Addr]owner{}
	for _, i := range interfaces {
		here := map[netip.Addr]bool{}
		for _, a := range i.addresses {
			addr := a.value.Addr()
			first, twice := own[addr]
			borrowed := a.value.IsSingleIP() && first.bits == addr.BitLen() &&
				(i.kind == dataplane.KindTUN || first.kind == dataplane.KindTUN)
			linkLocal := addr.Is6() && addr.IsLinkLocalUnicast()
			switch {
			case here[addr]:
				r.wrong(a.at, fmt.Sprintf("%s is %s, which %s has already", a.at, a.value, i.name), "each address once")
			case twice && !borrowed && !linkLocal:
				r.wrong(a.at, fmt.Sprintf("%s is %s, which %s has already (%s)", a.at, a.value, first.name, r.problem(r.where(first.at).value, "").Place),
					"an address of its own, or the same /32 or /128 on point-to-point interfaces")
			case !twice:
				own[addr] = owner{a.at, i.kind, a.value.Bits(), i.name}
			}
			here[addr] = true
		}
	}
	return own
}

// checkHosts looks at the kernel's side of the ports.
func (r *reader) checkHosts(interfaces []*interfacePlaces, own map[netip.Addr]owner) {
	type device struct{ netns, name string }
	devices := map[device]string{}
	for _, i := range interfaces {
		if i.tun == nil {
			continue
		}
		d := device{i.tun.Host.Netns, i.tun.Host.Device}
		if first, taken := devices[d]; taken {
			r.wrong(i.at.with("host").with("device"), fmt.Sprintf("the device %s of %s is that of %s already", d.name, i.name, first), "a device of its own")
		}
		devices[d] = i.name
		for _, h := range i.host {
			if wrong, want := checkAddress(h.value); wrong != "" {
				r.wrong(h.at, fmt.Sprintf("%s is %s, %s", h.at, h.value, wrong), want)
				continue
			}
			if o, taken := own[h.value.Addr()]; taken && !h.value.Addr().IsLinkLocalUnicast() {
				r.wrong(h.at, fmt.Sprintf("%s is %s, which is the router's own on %s", h.at, h.value, o.name), "an address for the host at the other end")
			} else if !i.shares(h.value) {
				r.odd(h.at, fmt.Sprintf("%s is %s, in no subnet of %s: the router has no route to it", h.at, h.value, i.name),
					"an address in a subnet of the interface, or a static route")
			}
		}
	}
}

// shares reports whether the host's address lies in a subnet of the interface,
// or the interface has no subnet to lie in.
func (i *interfacePlaces) shares(host netip.Prefix) bool {
	any := false
	for _, a := range i.addresses {
		if a.value.Addr().Is4() != host.Addr().Is4() || a.value.IsSingleIP() {
			continue
		}
		any = true
		if a.value.Contains(host.Addr()) {
			return true
		}
	}
	return !any || host.IsSingleIP() || host.Addr().IsLinkLocalUnicast()
}

// checkOverlap warns of subnets that two interfaces share: the router can
// forward to one of them only.
func (r *reader) checkOverlap(interfaces []*interfacePlaces) {
	type subnet struct {
		netip.Prefix
		name string
	}
	var seen []subnet
	for _, i := range interfaces {
		for _, a := range i.addresses {
			p := a.value.Masked()
			if a.value.IsSingleIP() || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			for _, s := range seen {
				if s.name != i.name && s.Overlaps(p) {
					r.odd(a.at, fmt.Sprintf("%s is %s, which overlaps %s on %s", a.at, a.value, s.Prefix, s.name), "a subnet to each interface")
				}
			}
			seen = append(seen, subnet{p, i.name})
		}
	}
}

// checkStatics looks at what static routes name: interfaces, and no prefix
// twice with one distance.
func (r *reader) checkStatics(c *Config, own map[netip.Addr]owner) {
	names := map[string]dataplane.Kind{}
	var known []string
	for _, i := range c.Dataplane.Interfaces {
		names[i.Name] = i.Kind
		known = append(known, i.Name)
	}
	type identity struct {
		prefix   netip.Prefix
		distance uint8
	}
	first := map[identity]string{}
	for n := range c.RIB.Static {
		s := &c.RIB.Static[n]
		place := r.origins.Place(s.Origin)
		at := r.pathOf(place.Line, place.Column)
		id := identity{s.Prefix, s.Distance}
		if before, twice := first[id]; twice {
			r.wrong(at, fmt.Sprintf("a second route to %s of the same distance (the first: %s)", s.Prefix, before),
				"another distance, or all next hops in one route")
		} else {
			first[id] = place.String()
		}
		for _, h := range s.NextHops {
			kind, exists := names[h.Interface]
			switch {
			case h.Interface != "" && !exists:
				r.wrong(at, fmt.Sprintf("the route to %s leads by %q, and there is no such interface", s.Prefix, h.Interface),
					"the name of an interface").Suggestion = suggest(h.Interface, known)
			case kind == dataplane.KindLoopback && h.Interface != "":
				r.wrong(at, fmt.Sprintf("the route to %s leads by the loopback %s", s.Prefix, h.Interface), `an interface with a port, or action = "blackhole"`)
			}
			if o, ours := own[h.Address]; ours && (h.Interface == "" || o.name == h.Interface) {
				r.wrong(at, fmt.Sprintf("next hop %s of %s is the router's own address on %s", h.Address, s.Prefix, o.name), "the address of a neighbour")
			}
		}
	}
}

// pathOf finds the path of the key at a place.
func (r *reader) pathOf(line, column int) path {
	for id, p := range r.at {
		if q := r.problem(p.key, "").Place; q.Line == line && q.Column == column {
			return splitID(id)
		}
	}
	return nil
}

// checkReach warns of next hops that nothing in the configuration reaches,
// even with every interface up: it asks the RIB itself.
func (r *reader) checkReach(c *Config) {
	table := rib.New()
	now := time.Time{}
	for n, i := range c.Dataplane.Interfaces {
		in := rib.Interface{ID: routing.InterfaceID(n), Name: i.Name, Up: true}
		for _, a := range i.Addresses {
			in.Addresses = append(in.Addresses, rib.Address{Prefix: a.Prefix, Origin: a.Origin})
		}
		if err := table.Step(now, in); err != nil {
			return // the checks above have let nothing pass that it refuses
		}
	}
	table.SetConfig(now, c.RIB)
	table.Flush()
	for _, u := range table.Unreached() {
		place := r.origins.Place(u.Origin)
		r.odd(r.pathOf(place.Line, place.Column), fmt.Sprintf("the route to %s is not used: %s", u.Prefix, u.WhyNot),
			"a next hop that an interface or another route reaches")
	}
}
