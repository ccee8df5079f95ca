package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
	"routerd/routing/rib"
)

// settings are what the keys of a neighbour, or of a group of them, come to. A member has
// those of its group where it does not say otherwise.
type settings struct {
	bgp.NeighborConfig
	hasFamilies bool // it says which it has
	ofRange     bool // many neighbours, in the subnet of Address
	password    *decode.SecretFile
	bfd         *rib.Watch
}

// defaults are the settings of a neighbour that says nothing.
func defaults() settings {
	n := settings{NeighborConfig: bgp.NeighborConfig{
		Link: routing.NoInterface, Port: wire.Port, HoldTime: bgp.DefaultHoldTime, ConnectRetry: bgp.DefaultConnectRetry, Multihop: 1,
	}}
	for f := range n.Families {
		n.Families[f].LimitWarning = 75 // as in FRR
	}
	return n
}

// decodeNeighbors reads peer groups and neighbours.
func (d *decoder) decodeNeighbors(s *tomltext.Section) {
	groups := map[string]settings{}
	all := s.Section("peer-group")
	var names []string
	for _, name := range all.Names() {
		t := all.Section(name)
		if t.Table == nil {
			continue
		}
		groups[name] = d.decodeSettings(t, defaults())
		names = append(names, name)
		t.Done()
	}
	all = s.Section("neighbor")
	seen := map[string]tomltext.Path{}
	for _, name := range all.Names() {
		t := all.Section(name)
		if t.Table == nil {
			continue
		}
		n := d.decodeMember(t, groups, names)
		t.Done()
		if !d.decodeAddress(name, t, &n) {
			continue
		}
		at := n.Address.String() + "%" + n.Interface
		if before, twice := seen[at]; twice {
			d.WrongKey(t.At, fmt.Sprintf("%s is the same neighbor as %s", t.At, before), "each neighbor once")
			continue
		}
		seen[at] = t.At
		d.finish(t, &n)
		if n.password != nil {
			i := len(d.cfg.Neighbors)
			n.password.Use(func(secret []byte) { d.cfg.Neighbors[i].Password = string(secret) })
		}
		d.cfg.Neighbors = append(d.cfg.Neighbors, n.NeighborConfig)
	}
	if ranges := d.decodeRanges(s, groups, names); !ranges && len(all.Names()) == 0 {
		d.Odd(s.At, fmt.Sprintf("%s has no neighbor", s.At), fmt.Sprintf(`[%s.neighbor."192.0.2.2"]`, s.At))
	}
}

// decodeMember reads a neighbour, which may be of a group.
func (d *decoder) decodeMember(s *tomltext.Section, groups map[string]settings, names []string) settings {
	return d.decodeSettings(s, d.memberOf(s, groups, names))
}

// memberOf gives the settings of the group that a table names, or the defaults.
func (d *decoder) memberOf(s *tomltext.Section, groups map[string]settings, names []string) settings {
	of := defaults()
	if name := tomltext.Get(s, "peer-group", "", tomltext.Text("the name of a group: [bgp.peer-group.NAME]")); name != "" {
		group, known := groups[name]
		if known {
			of = group
		} else {
			at := s.At.With("peer-group")
			d.Wrong(at, fmt.Sprintf("%s is %q, and there is no [bgp.peer-group.%s]", at, name, name), "the name of a group that there is").
				Suggestion = tomltext.Suggest(name, names)
		}
	}
	return of
}

// decodeAddress reads what a neighbour is called: its address, with the interface where it
// is link-local.
func (d *decoder) decodeAddress(name string, s *tomltext.Section, n *settings) bool {
	a, err := netip.ParseAddr(name)
	if err != nil && d.Known(name) {
		n.Unnumbered, n.Interface = true, name
		d.checkUnnumbered(name, s)
		return true
	}
	switch {
	case err != nil || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.Is4In6():
		d.WrongKey(s.At, fmt.Sprintf("%q is no neighbor's address", name), `an address, "192.0.2.2" or "fe80::2%core0", or the name of an interface`).
			Suggestion = d.SuggestInterface(name)
		return false
	case slices.ContainsFunc(d.Interfaces, func(i decode.Interface) bool {
		return slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
	}):
		d.WrongKey(s.At, fmt.Sprintf("%s is an address of this router's own", name), "the address of the router at the other end")
		return false
	case !a.IsLinkLocalUnicast() && a.Zone() != "":
		d.WrongKey(s.At, fmt.Sprintf("%s has an interface, which only link-local addresses need", name), fmt.Sprintf("%q", a.WithZone("")))
		return false
	case a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "":
		d.WrongKey(s.At, fmt.Sprintf("%s is link-local and means nothing without its interface", name), fmt.Sprintf("%q, say", name+"%core0"))
		return false
	case a.Zone() != "" && !d.Known(a.Zone()):
		d.WrongKey(s.At, fmt.Sprintf("%s is on interface %s, and there is no such interface", name, a.Zone()), "the name of an interface").
			Suggestion = d.SuggestInterface(a.Zone())
		return false
	}
	n.Interface, n.Address = a.Zone(), a.WithZone("")
	return true
}

// checkUnnumbered warns of an interface on which nobody can be found.
func (d *decoder) checkUnnumbered(name string, s *tomltext.Section) {
	for _, i := range d.Interfaces {
		if i.Name != name || i.Kind.Ethernet() {
			continue
		}
		if !slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() && (p.Bits() == 30 || p.Bits() == 31) }) {
			d.Odd(s.At, fmt.Sprintf("%s is an interface without Ethernet, by which its neighbor cannot be found", s.At), "an address with a /30 or /31 there, or the neighbor's address")
		}
	}
}

// decodeSettings reads the keys that groups and neighbours have. Without a key, what of
// has applies.
func (d *decoder) decodeSettings(s *tomltext.Section, of settings) settings {
	n := of
	n.Description = tomltext.Get(s, "description", of.Description, tomltext.Text("a text"))
	d.decodePeerAS(s, &n)
	d.decodeLocalAS(s, &n)
	n.Shutdown, n.ShutdownMessage = d.decodeShutdown(s, &of)
	n.GracefulShutdown = tomltext.Get(s, "graceful-shutdown", of.GracefulShutdown, tomltext.Bool)
	d.decodeTransport(s, &n)
	d.decodeTimers(s, &n)
	d.decodeTerms(s, &n)
	d.decodeFamilies(s, &n)
	if w := d.Watches.Read(s); s.Has("bfd") {
		n.bfd = w
	}
	return n
}

func (d *decoder) decodeLocalAS(s *tomltext.Section, n *settings) {
	n.LocalAS = tomltext.Get(s, "local-as", n.LocalAS, asReading)
	s.Default("local-as", "")
	n.LocalASNoPrepend = tomltext.Get(s, "local-as-no-prepend", n.LocalASNoPrepend, tomltext.Bool)
	n.LocalASReplace = tomltext.Get(s, "local-as-replace-as", n.LocalASReplace, tomltext.Bool)
}

// decodeShutdown reads whether a session is shut down: true, or what the neighbour is told
// of the reason (RFC 9003).
func (d *decoder) decodeShutdown(s *tomltext.Section, of *settings) (bool, string) {
	def := shutdown{of.Shutdown, of.ShutdownMessage}
	x := tomltext.Get(s, "shutdown", def, shutdownReading)
	return x.down, x.message
}

type shutdown struct {
	down    bool
	message string
}

// String is the value as the text has it.
func (x shutdown) String() string {
	if x.message != "" {
		return x.message
	}
	return fmt.Sprint(x.down)
}

var shutdownReading = tomltext.Reading[shutdown]{Read: func(v any) (shutdown, error) {
	switch v := v.(type) {
	case bool:
		return shutdown{down: v}, nil
	case string:
		if v != "" && len(v) <= wire.MaxShutdownMessage {
			return shutdown{true, v}, nil
		}
	}
	return shutdown{}, tomltext.ErrUnwanted
}, Want: fmt.Sprintf("true, false, or what the neighbor is told: at most %d bytes", wire.MaxShutdownMessage)}

// decodeTransport reads how the neighbour is reached.
func (d *decoder) decodeTransport(s *tomltext.Section, n *settings) {
	n.Local = tomltext.Get(s, "local-address", n.Local, tomltext.Address)
	n.Port = uint16(tomltext.Get(s, "port", int(n.Port), tomltext.Whole(1, 65535)))
	n.Passive = tomltext.Get(s, "passive", n.Passive, tomltext.Bool)
	n.Multihop = uint8(tomltext.Get(s, "multihop", int(n.Multihop), tomltext.Whole(1, 255)))
	n.TTLSecurity = tomltext.Get(s, "ttl-security", n.TTLSecurity, tomltext.Bool)
	if p := d.Secret(s, "auth-password-file", 80); p != nil { // octets, of RFC 2385's keys in Linux
		n.password = p
	}
}

func (d *decoder) decodeTimers(s *tomltext.Section, n *settings) {
	hold := time.Duration(n.HoldTime) * time.Second
	n.HoldTime = uint16(tomltext.Get(s, "hold-time", hold, holdReading) / time.Second)
	n.Keepalive = tomltext.Get(s, "keepalive-interval", n.Keepalive, tomltext.Duration(time.Second, 65535*time.Second))
	s.Default("keepalive-interval", "a third of the hold time")
	n.ConnectRetry = tomltext.Get(s, "connect-retry", n.ConnectRetry, tomltext.Duration(time.Second, time.Hour))
	n.DelayOpen = tomltext.Get(s, "delay-open", n.DelayOpen, tomltext.Duration(0, 4*time.Minute))
	n.MRAI = tomltext.Get(s, "advertisement-interval", n.MRAI, tomltext.Duration(0, 10*time.Minute))
}

// holdReading reads a hold time (RFC 4271 §4.2).
var holdReading = tomltext.Reading[time.Duration]{Read: func(v any) (time.Duration, error) {
	t, err := tomltext.Duration(0, 65535*time.Second).Read(v)
	if err == nil && (t%time.Second != 0 || t > 0 && t < 3*time.Second) {
		return 0, tomltext.ErrUnwanted
	}
	return t, err
}, Want: `a duration of whole seconds, like "90s", of 3s or more, or "0s" for none`}

// selfWord is a value of next-hop-self.
type selfWord struct{ on, reflected bool }

var selfReading = tomltext.Reading[selfWord]{Read: func(v any) (selfWord, error) {
	switch v {
	case true:
		return selfWord{on: true}, nil
	case false:
		return selfWord{}, nil
	case "all":
		return selfWord{true, true}, nil
	}
	return selfWord{}, tomltext.ErrUnwanted
}, Want: `true, false or "all"`}

// decodeTerms reads what becomes of routes from and to the neighbour.
func (d *decoder) decodeTerms(s *tomltext.Section, n *settings) {
	n.Client = tomltext.Get(s, "route-reflector-client", n.Client, tomltext.Bool)
	n.ServerClient = tomltext.Get(s, "route-server-client", n.ServerClient, tomltext.Bool)
	n.AllowOwnAS = tomltext.Get(s, "allow-own-as", n.AllowOwnAS, tomltext.Whole(0, 10))
	n.RemovePrivate = tomltext.Get(s, "remove-private-as", n.RemovePrivate, removeReading)
	s.Default("remove-private-as", "no")
	n.ASOverride = tomltext.Get(s, "as-override", n.ASOverride, tomltext.Bool)
	self := tomltext.Get(s, "next-hop-self", selfWord{n.NextHopSelf, n.NextHopSelfReflected}, selfReading)
	s.Default("next-hop-self", "false")
	n.NextHopSelf, n.NextHopSelfReflected = self.on, self.reflected
	n.NextHopUnchanged = tomltext.Get(s, "next-hop-unchanged", n.NextHopUnchanged, tomltext.Bool)
	n.ExtendedNextHop = tomltext.Get(s, "extended-next-hop", n.ExtendedNextHop, tomltext.Bool)
	n.AnyFirstAS = !tomltext.Get(s, "enforce-first-as", !n.AnyFirstAS, tomltext.Bool)
	role := tomltext.Get(s, "role", n.Role, roleReading)
	s.Default("role", "")
	if s.Has("role") {
		n.HasRole, n.Role = true, role
	}
	n.RoleRequired = tomltext.Get(s, "role-strict", n.RoleRequired, tomltext.Bool)
}

// checkPolicies warns of a neighbour with which a session would be of no use (RFC 8212).
func (d *decoder) checkPolicies(s *tomltext.Section, n *settings) {
	for _, f := range n.Families {
		if f.Enabled && (f.Import.Given || f.Export.Given || f.Default.Enabled) {
			return
		}
	}
	d.Odd(s.At, fmt.Sprintf("%s is of another AS, and has neither an import-policy nor an export-policy: nothing is accepted from it, and nothing sent (RFC 8212)", s.At),
		"names of policies, or [] to let everything pass")
}

// finish looks at the keys of a neighbour together.
func (d *decoder) finish(s *tomltext.Section, n *settings) {
	external := n.AnyExternal || n.AS != d.cfg.AS && n.AS != n.LocalAS
	if n.Unnumbered && !s.Has("extended-next-hop") {
		n.ExtendedNextHop = true // the link may have no address of IPv4
	}
	switch {
	case n.hasFamilies:
	case n.Unnumbered:
		for f := range n.Families {
			n.Families[f].Enabled = true
		}
	default:
		n.Families[wire.FamilyFor(netip.PrefixFrom(n.Address, 0))].Enabled = true
	}
	if n.bfd != nil {
		n.BFD = &bgp.BFD{Profile: n.bfd.Profile, Strict: n.bfd.Strict, Multihop: n.Interface == "" && (n.Multihop > 1 || !d.OnLink(n.Address))}
	}
	wrong := func(key, message, want string) {
		at := s.At
		if s.Has(key) {
			at = at.With(key)
		}
		d.Wrong(at, message, want)
	}
	if n.AS == 0 && !n.AnyExternal {
		if !s.Has("peer-as") {
			d.WrongKey(s.At, fmt.Sprintf("%s has no peer-as", s.At), "peer-as = the number of its AS, here or in its peer-group")
		}
		return
	}
	if external && !n.Shutdown {
		d.checkPolicies(s, n)
	}
	switch {
	case n.Local.IsValid() && n.Unnumbered:
		wrong("local-address", fmt.Sprintf("local-address %s of %s, which is spoken to by the link's own", n.Local, s.At), "neighbors by their addresses for that")
	case n.Local.IsValid() && n.Local.Is4() != n.Address.Is4():
		wrong("local-address", fmt.Sprintf("local-address %s of %s is of the other family", n.Local, s.At), "an address of the neighbor's family")
	case n.LocalAS != 0 && n.AS == d.cfg.AS:
		wrong("local-as", fmt.Sprintf("%s is of this router's AS, and has a local-as", s.At), "a local-as for neighbors of other ASes alone")
	case external && n.Client:
		wrong("route-reflector-client", fmt.Sprintf("%s is of another AS, and a client of this route reflector", s.At), "clients of this router's AS alone")
	case !external && n.ServerClient:
		wrong("route-server-client", fmt.Sprintf("%s is of this router's AS, and a client of this route server", s.At), "clients of other ASes alone")
	case !external && n.HasRole:
		wrong("role", fmt.Sprintf("%s is of this router's AS, and this router has a role for it", s.At), "roles for neighbors of other ASes alone")
	case !external && n.ASOverride:
		wrong("as-override", fmt.Sprintf("%s is of this router's AS, and its AS is to be replaced", s.At), "as-override for neighbors of other ASes alone")
	case !external && n.RemovePrivate != bgp.KeepPrivate:
		wrong("remove-private-as", fmt.Sprintf("%s is of this router's AS, and private ASes are to be removed", s.At), "remove-private-as for neighbors of other ASes alone")
	case !external && n.Multihop > 1:
		wrong("multihop", fmt.Sprintf("%s is of this router's AS, whose neighbors may be anywhere", s.At), "multihop for neighbors of other ASes alone")
	case n.BFD != nil && n.BFD.Multihop && !n.Local.IsValid():
		wrong("bfd", fmt.Sprintf("%s is watched over several hops, and has no local-address", s.At), "local-address = one of this router's addresses")
	case external && n.Multihop <= 1 && n.Interface == "" && !n.ofRange && !d.OnLink(n.Address):
		d.Odd(s.At, fmt.Sprintf("%s is on no interface's subnet, and not several hops away", s.At), "multihop = 2, say")
	}
}
