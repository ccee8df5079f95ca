package config

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"routerd/dataplane"
	"routerd/flow"
	"routerd/internal/protocols"
	"routerd/internal/tomltext"
	"routerd/nat"
	"routerd/routing"
)

// natCheck checks the rules of [nat] against the rest of the configuration and
// against each other.
type natCheck struct {
	*reader
	c          *Config
	nat        *nat.Config
	interfaces map[string]*dataplane.InterfaceConfig
}

var natPath = tomltext.Path(nil).With("nat")

// natRulePath is the path of a rule. Its index is the file's, since an array
// such as [[nat.source]] is read as a whole or not at all.
func natRulePath(kind nat.Kind, i int) tomltext.Path { return natPath.With(kind.String()).Element(i) }

// checkNAT checks the names and addresses in rules, and warns of rules and
// pools that have no effect. It refuses everything that compiling would refuse.
func (r *reader) checkNAT(c *Config, interfaces []*interfacePlaces) {
	k := &natCheck{reader: r, c: c, nat: &c.NAT, interfaces: map[string]*dataplane.InterfaceConfig{}}
	for _, i := range interfaces {
		k.interfaces[i.name] = &dataplane.InterfaceConfig{Name: i.name, Kind: i.kind} // it may have errors of its own
	}
	for i := range c.Dataplane.Interfaces {
		k.interfaces[c.Dataplane.Interfaces[i].Name] = &c.Dataplane.Interfaces[i]
	}
	k.names()
	k.pools()
	k.hosts()
	k.statics()
	if Failed(r.Problems()) {
		return // further problems would only be consequences
	}
	k.masquerade()
	k.destinations()
	k.reach()
	k.shadows()
	k.compile()
}

// names checks that the interfaces and pools in rules exist.
func (k *natCheck) names() {
	for i := range k.nat.Source {
		s, at := &k.nat.Source[i], natRulePath(nat.KindSource, i)
		k.known(at.With("inbound-interface"), s.Name, s.Match.Inbound)
		k.known(at.With("outbound-interface"), s.Name, s.Match.Outbound)
		if s.Method != nat.FromPool || slices.ContainsFunc(k.nat.Pools, func(p nat.PoolConfig) bool { return p.Name == s.Pool }) {
			continue
		}
		var pools []string
		for _, p := range k.nat.Pools {
			pools = append(pools, "pool:"+p.Name)
		}
		k.Wrong(at.With("translation"), fmt.Sprintf("the rule %q translates to the pool %q, and there is no such pool", s.Name, s.Pool),
			fmt.Sprintf("a pool that there is, or [nat.pool.%s]", s.Pool)).Suggestion = tomltext.Suggest("pool:"+s.Pool, pools)
	}
	for i := range k.nat.Destination {
		d := &k.nat.Destination[i]
		k.known(natRulePath(nat.KindDestination, i).With("inbound-interface"), d.Name, d.Match.Inbound)
	}
	for i := range k.nat.Static {
		s := &k.nat.Static[i]
		k.known(natRulePath(nat.KindStatic, i).With("interface"), s.Name, s.Interfaces)
	}
}

// known checks the interfaces in a rule.
func (k *natCheck) known(at tomltext.Path, rule string, names []string) {
	for n, name := range names {
		switch i := k.interfaces[name]; {
		case i == nil:
			k.Wrong(at.Element(n), fmt.Sprintf("the rule %q names the interface %q, and there is no such interface", rule, name), "the name of an interface").
				Suggestion = tomltext.Suggest(name, sortedKeys(k.interfaces))
		case i.Kind == dataplane.KindLoopback:
			k.Odd(at.Element(n), fmt.Sprintf("the rule %q names the loopback %s, which nothing comes in or leaves by", rule, name), "an interface with a port")
		}
	}
}

// mostPoolAddresses is the most addresses of a pool: a /16.
const mostPoolAddresses = 1 << 16

// pools finds pools that are too large or unused.
func (k *natCheck) pools() {
	for _, p := range k.nat.Pools {
		at := natPath.With("pool").With(p.Name)
		var size uint64
		for _, a := range p.Addresses {
			size += uint64(numberOf(a.Last)) - uint64(numberOf(a.First)) + 1
		}
		if size > mostPoolAddresses {
			k.Wrong(at.With("addresses"), fmt.Sprintf("the pool %s has %d addresses", p.Name, size), fmt.Sprintf("%d at most", mostPoolAddresses))
		}
		if !slices.ContainsFunc(k.nat.Source, func(s nat.SourceRule) bool { return s.Method == nat.FromPool && s.Pool == p.Name }) {
			k.Odd(at, fmt.Sprintf("no rule translates to the pool %s", p.Name), fmt.Sprintf(`a [[nat.source]] with translation = "pool:%s"`, p.Name))
		}
	}
}

// noHosts are addresses that no host has: this network, loopback, multicast and
// reserved ones (RFC 1122 §3.2.1.3).
var noHosts = []flow.AddressRange{
	flow.RangeOf(netip.MustParsePrefix("0.0.0.0/8")), flow.RangeOf(netip.MustParsePrefix("127.0.0.0/8")), flow.RangeOf(netip.MustParsePrefix("224.0.0.0/3")),
}

// hosts finds addresses that nothing can be translated to.
func (k *natCheck) hosts() {
	check := func(at tomltext.Path, what string, a flow.AddressRange) {
		if slices.ContainsFunc(noHosts, func(b flow.AddressRange) bool { return overlap(a, b) }) {
			k.Wrong(at, fmt.Sprintf("%s: %s, which no host can have", what, a), "addresses of hosts")
		}
	}
	for _, p := range k.nat.Pools {
		for n, a := range p.Addresses {
			check(natPath.With("pool").With(p.Name).With("addresses").Element(n), "the pool "+p.Name, a)
		}
	}
	for i := range k.nat.Static {
		s, at := &k.nat.Static[i], natRulePath(nat.KindStatic, i)
		for key, p := range map[string]netip.Prefix{"outside": s.Outside, "inside": s.Inside} {
			if p.IsValid() {
				check(at.With(key), fmt.Sprintf("the %s of the rule %q", key, s.Name), flow.RangeOf(p))
			}
		}
	}
	for i := range k.nat.Destination {
		if d := &k.nat.Destination[i]; d.Address.IsValid() {
			check(natRulePath(nat.KindDestination, i).With("translation"), fmt.Sprintf("the translation of the rule %q", d.Name), flow.AddressRange{First: d.Address, Last: d.Address})
		}
	}
}

// statics finds outside addresses that are used elsewhere.
func (k *natCheck) statics() {
	for i := range k.nat.Static {
		s := &k.nat.Static[i]
		if !s.Outside.IsValid() {
			continue // reported already
		}
		at := natRulePath(nat.KindStatic, i).With("outside")
		for _, name := range sortedKeys(k.interfaces) {
			own := k.interfaces[name].Addresses
			if n := slices.IndexFunc(own, func(a dataplane.Address) bool { return s.Outside.Contains(a.Prefix.Addr()) }); n >= 0 {
				k.Wrong(at, fmt.Sprintf("the outside %s of the rule %q has %s, the address of %s", text(s.Outside), s.Name, own[n].Prefix.Addr(), name),
					"addresses that no interface has; for what comes to an interface's own, a [[nat.destination]]")
			}
		}
		for _, p := range k.nat.Pools {
			if slices.ContainsFunc(p.Addresses, func(a flow.AddressRange) bool { return overlap(a, flow.RangeOf(s.Outside)) }) {
				k.Wrong(at, fmt.Sprintf("the outside %s of the rule %q has addresses of the pool %s", text(s.Outside), s.Name, p.Name), "addresses that no pool has")
			}
		}
		j := slices.IndexFunc(k.nat.Static[:i], func(t nat.StaticRule) bool { return t.Outside.IsValid() && t.Outside.Overlaps(s.Outside) })
		if j >= 0 {
			first := k.ValuePlace(natRulePath(nat.KindStatic, j).With("outside"))
			k.Wrong(at, fmt.Sprintf("the outside %s of the rule %q has addresses of the rule %q (%s)", text(s.Outside), s.Name, k.nat.Static[j].Name, first), "an outside address for each host")
		}
	}
	for i, s := range k.nat.Source {
		n := slices.IndexFunc(k.nat.Static, func(t nat.StaticRule) bool { return t.Outside.IsValid() && t.Outside.Contains(s.Address) })
		if s.Method == nat.FixedAddress && n >= 0 {
			k.Wrong(natRulePath(nat.KindSource, i).With("translation"),
				fmt.Sprintf("the rule %q translates to %s, which the static rule %q has to itself", s.Name, s.Address, k.nat.Static[n].Name), "another address")
		}
	}
}

// masquerade finds interfaces without an address for masquerading.
func (k *natCheck) masquerade() {
	any := slices.ContainsFunc(k.c.Dataplane.Interfaces, has4)
	for i := range k.nat.Source {
		s, at := &k.nat.Source[i], natRulePath(nat.KindSource, i)
		if s.Method != nat.Masquerade {
			continue
		}
		const want = "an interface with an IPv4 address, or another translation"
		for n, name := range s.Match.Outbound {
			if !has4(*k.interfaces[name]) {
				k.Wrong(at.With("outbound-interface").Element(n), fmt.Sprintf("the rule %q masquerades by %s, which has no IPv4 address", s.Name, name), want)
			}
		}
		if len(s.Match.Outbound) == 0 && !any {
			k.Wrong(at.With("translation"), fmt.Sprintf("the rule %q masquerades, and no interface has an IPv4 address", s.Name), want)
		}
	}
}

func has4(i dataplane.InterfaceConfig) bool {
	return slices.ContainsFunc(i.Addresses, func(a dataplane.Address) bool { return a.Prefix.Addr().Is4() })
}

// destinations refuses a rule without any condition, and warns of addresses in
// an Ethernet's subnet that hosts there cannot resolve: no interface has them
// and ARP does not answer for them.
func (k *natCheck) destinations() {
	for i := range k.nat.Destination {
		d := &k.nat.Destination[i]
		if len(d.Match.Inbound)+len(d.Match.Destinations) == 0 {
			k.Wrong(natRulePath(nat.KindDestination, i).With("name"), fmt.Sprintf("the rule %q translates whatever passes", d.Name), "a destination or an inbound-interface")
		}
		for n, a := range d.Match.Destinations {
			if on := k.link(d.Match.Inbound, a); on != "" && !k.answered(a) {
				k.Odd(natRulePath(nat.KindDestination, i).With("destination").Element(n),
					fmt.Sprintf("the rule %q is for %s, which on %s nobody answers for", d.Name, a, on), "an address of the interface's own, or of a pool or static rule")
			}
		}
	}
}

// link returns the Ethernet interface, of those named or else of all, whose
// subnet has the addresses, or "".
func (k *natCheck) link(names []string, a flow.AddressRange) string {
	for _, i := range k.c.Dataplane.Interfaces {
		if !i.Kind.Ethernet() || len(names) > 0 && !slices.Contains(names, i.Name) {
			continue
		}
		for _, own := range i.Addresses {
			if own.Prefix.Contains(a.First) && own.Prefix.Contains(a.Last) {
				return i.Name
			}
		}
	}
	return ""
}

// answered reports whether an interface or translation has any of the
// addresses.
func (k *natCheck) answered(a flow.AddressRange) bool {
	for _, i := range k.c.Dataplane.Interfaces {
		for _, own := range i.Addresses {
			if own.Prefix.Addr().Is4() && overlap(a, flow.AddressRange{First: own.Prefix.Addr(), Last: own.Prefix.Addr()}) {
				return true
			}
		}
	}
	for _, p := range k.nat.Pools {
		if slices.ContainsFunc(p.Addresses, func(b flow.AddressRange) bool { return overlap(a, b) }) {
			return true
		}
	}
	return slices.ContainsFunc(k.nat.Static, func(s nat.StaticRule) bool { return overlap(a, flow.RangeOf(s.Outside)) }) ||
		slices.ContainsFunc(k.nat.Source, func(s nat.SourceRule) bool {
			return s.Method == nat.FixedAddress && overlap(a, flow.AddressRange{First: s.Address, Last: s.Address})
		})
}

// reach warns of inside hosts without a route, unless a protocol may learn an
// IPv4 route to them.
func (k *natCheck) reach() {
	for _, p := range protocols.All() {
		if _, spoken := k.c.Protocols[p.Name]; spoken && p.Family != 6 {
			return
		}
	}
	for i := range k.nat.Destination {
		d := &k.nat.Destination[i]
		k.reached(natRulePath(nat.KindDestination, i).With("translation"), d.Name, netip.PrefixFrom(d.Address, 32))
	}
	for i := range k.nat.Static {
		s := &k.nat.Static[i]
		k.reached(natRulePath(nat.KindStatic, i).With("inside"), s.Name, s.Inside)
	}
}

func (k *natCheck) reached(at tomltext.Path, rule string, host netip.Prefix) {
	for _, i := range k.c.Dataplane.Interfaces {
		for _, a := range i.Addresses {
			if a.Prefix.Masked().Overlaps(host) {
				return
			}
		}
	}
	if k.c.RouteFile != "" { // whose routes are not known here
		return
	}
	for _, s := range k.c.RIB.Static {
		if s.Prefix.Overlaps(host) {
			return
		}
	}
	k.Odd(at, fmt.Sprintf("the rule %q translates to %s, which no interface or static route leads to", rule, text(host)), "an address in a subnet of an interface, or a static route")
}

// compile compiles the rules as a reload does, so that a reload refuses nothing
// that the checks let pass.
func (k *natCheck) compile() {
	if Failed(k.Problems()) || !k.nat.Enabled() {
		return
	}
	var list []nat.Interface
	for n, i := range k.c.Dataplane.Interfaces {
		in := nat.Interface{ID: routing.InterfaceID(n), Name: i.Name}
		for _, a := range i.Addresses {
			in.Addresses = append(in.Addresses, a.Prefix)
		}
		list = append(list, in)
	}
	if _, _, err := nat.New(nat.Options{Random: rand.NewPCG(0, 0)}).Prepare(k.c.NAT, list); err != nil {
		k.Wrong(natPath, err.Error(), "")
	}
}

// text returns a prefix, or the address of one host.
func text(p netip.Prefix) string { return flow.RangeOf(p).String() }

func overlap(a, b flow.AddressRange) bool { return !a.Last.Less(b.First) && !b.Last.Less(a.First) }

// numberOf returns an IPv4 address as a number.
func numberOf(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
