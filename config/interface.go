package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/dataplane"
	"routerd/dataplane/port/tun"
)

// interfacePlaces remembers where an interface's values stand, for the checks
// across interfaces.
type interfacePlaces struct {
	name      string
	kind      dataplane.Kind
	at        path
	addresses []item[netip.Prefix]
	mtu       int

	// The kernel's side, of what has a port.
	tun        *tun.Config
	host       []item[netip.Prefix]
	hostRoutes []item[netip.Prefix]
}

// longestName is what Linux allows the name of a device (IFNAMSIZ less one).
const longestName = 15

func (r *reader) decodeInterfaces(s *section, c *Config) []*interfacePlaces {
	var all []*interfacePlaces
	for _, name := range s.names() {
		if i := r.decodeInterface(s, name, c); i != nil {
			all = append(all, i)
		}
	}
	slices.SortFunc(c.Dataplane.Interfaces, func(a, b dataplane.InterfaceConfig) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.TUN, func(a, b tun.Config) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Words of the configuration for kinds; those without a value are not built.
var (
	kinds    = []string{"loopback", "tun"}
	kindType = []dataplane.Kind{dataplane.KindLoopback, dataplane.KindTUN}
)

var kindReading = func() reading[dataplane.Kind] {
	how := oneOf(kinds, kindType)
	read := how.read
	how.read = func(v any) (dataplane.Kind, error) {
		if s, ok := v.(string); ok && (s == "tap" || s == "packet") {
			return "", hint{message: "which is not built into this version of routerd"}
		}
		return read(v)
	}
	return how
}()

func (r *reader) decodeInterface(all *section, name string, c *Config) *interfacePlaces {
	s := all.section(name)
	if s.table == nil {
		return nil // no table, and reported
	}
	i := &interfacePlaces{name: name, at: s.at}
	if !isName(name, longestName) {
		p := r.problem(r.where(s.at).key, fmt.Sprintf("%q cannot name an interface", name))
		p.Want = fmt.Sprintf("1 to %d letters, digits, '-', '_' and '.', beginning with a letter or digit", longestName)
		r.problems = append(r.problems, p)
	}
	if i.kind = get(s, "kind", "", kindReading); !s.has("kind") {
		p := r.problem(r.where(s.at).key, fmt.Sprintf("%s has no kind", s.at))
		p.Want = "kind = one of " + quoted(kinds)
		r.problems = append(r.problems, p)
	}
	i.addresses = list(s, "addresses", interfaceAddress)
	ic := dataplane.InterfaceConfig{Name: name, Kind: i.kind, Origin: r.origin(s.at)}
	for _, a := range i.addresses {
		ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: a.value, Origin: r.valueOrigin(a.at)})
	}
	if i.kind == dataplane.KindLoopback {
		ic.MTU = 65535
		for _, key := range []string{"mtu", "urpf", "host"} {
			if _, given := s.lookup(key); given {
				p := r.problem(r.where(s.at.with(key)).key, fmt.Sprintf("%s makes no sense on a loopback, which has no port", s.at.with(key)))
				r.problems = append(r.problems, p)
			}
		}
	} else {
		ic.MTU = get(s, "mtu", 1500, whole(68, 65535))
		ic.URPF = get(s, "urpf", dataplane.URPFOff, oneOf([]string{"off", "strict", "loose"},
			[]dataplane.URPF{dataplane.URPFOff, dataplane.URPFStrict, dataplane.URPFLoose}))
		r.decodeHost(s.section("host"), i, ic.MTU)
	}
	i.mtu = ic.MTU
	s.done()
	c.Dataplane.Interfaces = append(c.Dataplane.Interfaces, ic)
	if i.tun != nil && i.kind == dataplane.KindTUN {
		c.TUN = append(c.TUN, *i.tun)
	}
	return i
}

func (r *reader) decodeHost(s *section, i *interfacePlaces, mtu int) {
	t := &tun.Config{Name: i.name, MTU: mtu}
	t.Host.Netns = get(s, "netns", "", text("the name of a network namespace, or a path to one"))
	t.Host.Device = get(s, "device", i.name, deviceName)
	i.host = once(r, list(s, "addresses", interfaceAddress))
	for _, a := range i.host {
		t.Host.Addresses = append(t.Host.Addresses, a.value)
	}
	i.hostRoutes = once(r, list(s, "routes", subnet))
	for _, p := range i.hostRoutes {
		t.Host.Routes = append(t.Host.Routes, p.value)
	}
	s.done()
	i.tun = t
}

var deviceName = reading[string]{func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > longestName || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n%") {
		return "", errOther
	}
	return s, nil
}, fmt.Sprintf("the name of a device, 1 to %d characters without '/', ':', '%%' and spaces", longestName)}

// checkAddress finds what is wrong with one address by itself, or "".
func checkAddress(p netip.Prefix) (wrong, want string) {
	a := p.Addr()
	single := p.Bits() == a.BitLen()
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "which no interface can have", "the address of one host"
	case a.Is4() && a.As4()[0] >= 240:
		return "which is reserved (class E)", "the address of one host"
	case single || p.Bits() == a.BitLen()-1: // RFC 3021, RFC 6164: both ends are hosts
		return "", ""
	case p.Masked().Addr() == a && a.Is4():
		return "the address of the subnet itself", "the address of a host in " + p.Masked().String()
	case p.Masked().Addr() == a:
		return "the anycast address of all routers of the subnet (RFC 4291 §2.6.1)", "the address of a host in " + p.Masked().String()
	case a.Is4() && lastOf(p) == a:
		return "the broadcast address of its subnet", "the address of a host in " + p.Masked().String()
	}
	return "", ""
}

// lastOf is the last address of an IPv4 prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}
