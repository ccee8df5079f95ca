package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/internal/origin"
	"routerd/internal/packet"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/rib"
)

// check finds problems that only the whole configuration shows.
func (r *reader) check(c *Config, interfaces []*interfacePlaces, statics []*staticPlaces) {
	for _, i := range interfaces {
		r.checkInterface(i)
	}
	own := r.checkOwn(interfaces)
	r.checkListen(c, own)
	r.checkDevices(interfaces)
	r.checkHosts(interfaces, own)
	r.checkOverlap(interfaces)
	r.checkStatics(c, statics, interfaces, own)
	r.checkNAT(c, interfaces)
	r.checkACL(c)
	if !Failed(r.Problems()) && c.RouteFile == "" { // else when its routes are known
		r.checkReach(c, statics)
	}
}

func (r *reader) checkInterface(i *interfacePlaces) {
	six := false
	for _, a := range i.host {
		six = six || a.Value.Addr().Is6()
	}
	for _, a := range i.addresses {
		six = six || a.Value.Addr().Is6()
		if wrong, want := checkAddress(a.Value); wrong != "" {
			r.Wrong(a.At, fmt.Sprintf("%s is %s, %s", a.At, a.Value, wrong), want)
		}
	}
	r.checkRA(i)
	if six && i.mtu != 0 && i.mtu < packet.IPv6MinMTU { // 0: that of the device, not known here
		r.Wrong(i.at.With("mtu"), fmt.Sprintf("%s is %d on an interface with an IPv6 address", i.at.With("mtu"), i.mtu),
			fmt.Sprintf("%d or more (RFC 8200 §5)", packet.IPv6MinMTU))
	}
}

// owner is the first place of an address of the router.
type owner struct {
	at   tomltext.Path
	kind dataplane.Kind
	bits int
	name string
}

// checkOwn finds duplicate addresses. A host address (/32 or /128) may be
// repeated on point-to-point interfaces, which then are unnumbered, and a
// link-local one on every interface, since it is valid on its own link only.
func (r *reader) checkOwn(interfaces []*interfacePlaces) map[netip.Addr]owner {
	own := map[netip.Addr]owner{}
	for _, i := range interfaces {
		here := map[netip.Addr]bool{}
		for _, a := range i.addresses {
			addr := a.Value.Addr()
			first, twice := own[addr]
			borrowed := a.Value.IsSingleIP() && first.bits == addr.BitLen() &&
				(i.kind == dataplane.KindTUN || first.kind == dataplane.KindTUN)
			switch {
			case here[addr]:
				r.Wrong(a.At, fmt.Sprintf("%s is %s, which %s has already", a.At, a.Value, i.name), "each address once")
			case twice && !borrowed && !isLinkLocal(addr):
				r.Wrong(a.At, fmt.Sprintf("%s is %s, which %s has already (%s)", a.At, a.Value, first.name, r.ValuePlace(first.at)),
					"an address of its own, or the same /32 or /128 on point-to-point interfaces")
			case !twice:
				own[addr] = owner{a.At, i.kind, a.Value.Bits(), i.name}
			}
			here[addr] = true
		}
	}
	return own
}

// checkDevices finds conflicts between ports in the kernel: the same devices
// and routes in one network namespace.
func (r *reader) checkDevices(interfaces []*interfacePlaces) {
	type device struct{ netns, name string }
	type route struct {
		netns  string
		prefix netip.Prefix
	}
	devices, routes := map[device]string{}, map[route]string{}
	take := func(i *interfacePlaces, netns, name string, at tomltext.Path) {
		d := device{namespace(netns), name}
		switch first, taken := devices[d]; {
		case taken && first == i.name:
			r.Wrong(at, fmt.Sprintf("the device %s would be both ends of %s", d.name, i.name), "another name, or another namespace")
		case taken:
			r.Wrong(at, fmt.Sprintf("the device %s of %s is that of %s already", d.name, i.name, first), "a device of its own")
		}
		if d.name == "lo" {
			r.Wrong(at, fmt.Sprintf("the device of %s is lo, which every network namespace has already", i.name), "a device of its own")
		}
		devices[d] = i.name
	}
	for _, i := range interfaces {
		if i.side != nil {
			take(i, i.side.Netns, i.side.Device, i.at.With("host").With("device"))
		}
		if i.near != nil {
			take(i, i.near.Netns, i.near.Device, i.at.With("device"))
		}
		if i.packet != nil {
			take(i, i.packet.Netns, i.packet.Device, i.at.With("device"))
		}
		if i.side == nil {
			continue
		}
		for _, p := range i.hostRoutes {
			to := route{namespace(i.side.Netns), p.Value}
			if first, taken := routes[to]; taken {
				r.Wrong(p.At, fmt.Sprintf("%s is %s, which the host side of %s has in the same network namespace", p.At, p.Value, first),
					"each route by one device")
				continue
			}
			routes[to] = i.name
		}
	}
}

// checkHosts checks the addresses on the kernel's side of the ports.
func (r *reader) checkHosts(interfaces []*interfacePlaces, own map[netip.Addr]owner) {
	for _, i := range interfaces {
		for _, h := range i.host {
			a := h.Value.Addr()
			if wrong, want := checkAddress(h.Value); wrong != "" {
				r.Wrong(h.At, fmt.Sprintf("%s is %s, %s", h.At, h.Value, wrong), want)
				continue
			}
			on, ours := own[a].name, own[a].name != ""
			if isLinkLocal(a) { // whose it is depends on the link
				on, ours = i.name, i.has(a)
			}
			if ours {
				r.Wrong(h.At, fmt.Sprintf("%s is %s, which is the router's own on %s", h.At, h.Value, on), "an address for the host at the other end")
			} else if !i.shares(h.Value) {
				r.Odd(h.At, fmt.Sprintf("%s is %s, in no subnet of %s: the router has no route to it", h.At, h.Value, i.name),
					"an address in a subnet of the interface, or a static route")
			}
		}
	}
}

// shares reports whether the host's address is in a subnet of the interface, or
// the interface has no subnet.
func (i *interfacePlaces) shares(host netip.Prefix) bool {
	any := false
	for _, a := range i.addresses {
		if a.Value.Addr().Is4() != host.Addr().Is4() || a.Value.IsSingleIP() {
			continue
		}
		any = true
		if a.Value.Contains(host.Addr()) {
			return true
		}
	}
	return !any || host.IsSingleIP() || host.Addr().IsLinkLocalUnicast()
}

// namespace returns the same name for a network namespace however it is
// written.
func namespace(netns string) string {
	if !strings.Contains(netns, "/") {
		return netns
	}
	dir, name := filepath.Split(filepath.Clean(netns))
	if dir == "/run/netns/" || dir == "/var/run/netns/" { // where `ip netns` keeps them
		return name
	}
	return dir + name
}

// checkOverlap warns of subnets that two interfaces share, since the router can
// forward to one of them only.
func (r *reader) checkOverlap(interfaces []*interfacePlaces) {
	type subnet struct {
		netip.Prefix
		addr netip.Addr
		name string
	}
	var seen []subnet
	for _, i := range interfaces {
		for _, a := range i.addresses {
			p := a.Value.Masked()
			if a.Value.IsSingleIP() || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			for _, s := range seen {
				if s.name != i.name && s.Overlaps(p) && s.addr != a.Value.Addr() { // one address twice is an error already
					r.Odd(a.At, fmt.Sprintf("%s is %s, which overlaps %s on %s", a.At, a.Value, s.Prefix, s.name), "a subnet to each interface")
				}
			}
			seen = append(seen, subnet{p, a.Value.Addr(), i.name})
		}
	}
}

// checkStatics checks the interfaces and next hops of static routes, and that
// no prefix has two routes with the same distance.
func (r *reader) checkStatics(c *Config, statics []*staticPlaces, interfaces []*interfacePlaces, own map[netip.Addr]owner) {
	byName := map[string]*interfacePlaces{}
	for _, i := range interfaces {
		byName[i.name] = i
	}
	type identity struct {
		prefix   netip.Prefix
		distance uint8
	}
	first := map[identity]tomltext.Path{}
	for _, s := range statics {
		id := identity{s.Prefix, c.staticDistance(s.StaticRoute)}
		at := s.at.With("prefix")
		if before, twice := first[id]; twice {
			r.Wrong(at, fmt.Sprintf("a second route to %s of the same distance, %d (the first: %s)", s.Prefix, id.distance, r.ValuePlace(before)),
				"another distance, or all next hops in one route")
		} else {
			first[id] = at
		}
		for _, h := range s.hops {
			r.checkNextHop(s.Prefix, h, byName, own)
		}
	}
}

func (r *reader) checkNextHop(to netip.Prefix, h tomltext.Item[rib.StaticNextHop], byName map[string]*interfacePlaces, own map[netip.Addr]owner) {
	by := byName[h.Value.Interface]
	switch {
	case h.Value.Interface == "":
	case by == nil:
		r.Wrong(h.At.With("interface"), fmt.Sprintf("the route to %s leads by %q, and there is no such interface", to, h.Value.Interface),
			"the name of an interface").Suggestion = tomltext.Suggest(h.Value.Interface, slices.Collect(maps.Keys(byName)))
		return
	case by.kind == dataplane.KindLoopback:
		r.Wrong(h.At.With("interface"), fmt.Sprintf("the route to %s leads by the loopback %s", to, by.name),
			`an interface with a port, or action = "blackhole"`)
		return
	}
	a := h.Value.Address
	o, ours := own[a]
	if isLinkLocal(a) { // whose it is depends on the link
		ours = by != nil && by.has(a)
		o.name = h.Value.Interface
	}
	if ours {
		r.Wrong(h.At.With("address"), fmt.Sprintf("next hop %s of %s is the router's own address on %s", a, to, o.name), "the address of a neighbour")
	}
}

func isLinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// has reports whether a is an address of the interface.
func (i *interfacePlaces) has(a netip.Addr) bool {
	return slices.ContainsFunc(i.addresses, func(b tomltext.Item[netip.Prefix]) bool { return b.Value.Addr() == a })
}

// staticDistance returns the distance of a static route.
func (c *Config) staticDistance(s *rib.StaticRoute) uint8 {
	return cmp.Or(s.Distance, c.RIB.Distance[routing.SourceStatic], routing.SourceStatic.DefaultDistance())
}

// checkReach warns of next hops that are unreachable even with every interface
// up. It asks the RIB itself.
func (r *reader) checkReach(c *Config, statics []*staticPlaces) {
	table := rib.New()
	now := time.Time{}
	for n, i := range c.Dataplane.Interfaces {
		in := rib.Interface{ID: routing.InterfaceID(n), Name: i.Name, Up: true}
		for _, a := range i.Addresses {
			in.Addresses = append(in.Addresses, rib.Address{Prefix: a.Prefix, Origin: a.Origin})
		}
		if err := table.Step(now, in); err != nil {
			return // cannot happen: the checks above refuse the same
		}
	}
	routes := c.RIB
	routes.Static, routes.List = r.withListed(c.RIB.Static, c.RIB.List), nil
	table.SetConfig(now, routes)
	table.Flush()
	byOrigin := map[origin.ID]*staticPlaces{}
	for _, s := range statics {
		byOrigin[s.Origin] = s
	}
	unreached := table.Unreached()
	lost := map[origin.ID]int{} // unreachable hops of each route
	for _, u := range unreached {
		lost[u.Origin]++
	}
	for _, u := range unreached {
		route := byOrigin[u.Origin]
		if route == nil { // a file has it
			r.unreached(c, &u)
			continue
		}
		message := fmt.Sprintf("in the route to %s, %s", u.Prefix, u.WhyNot) // its other hops are usable
		if lost[u.Origin] == len(route.hops) {
			message = fmt.Sprintf("the route to %s is not used: %s", u.Prefix, u.WhyNot)
		}
		for _, h := range route.hops {
			if h.Value == u.NextHop {
				r.Odd(h.At, message, "a next hop that an interface or another route reaches")
			}
		}
	}
}
