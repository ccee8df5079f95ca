package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/dataplane"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/tap"
	"routerd/dataplane/port/tun"
	"routerd/dataplane/port/veth"
	"routerd/internal/tomltext"
)

// interfacePlaces has the places of an interface's values, for the checks
// across interfaces.
type interfacePlaces struct {
	name      string
	kind      dataplane.Kind
	at        tomltext.Path
	addresses []tomltext.Item[netip.Prefix]
	mtu       int
	ra        raPlaces

	// The kernel's side of a port.
	side       *tun.Host // nil on a loopback and a packet port
	bridge     string    // of a TAP or a veth
	packet     *packet.Config
	near       *tun.Host // the router's end of a veth
	host       []tomltext.Item[netip.Prefix]
	hostRoutes []tomltext.Item[netip.Prefix]
}

// longestName is the longest name of a device in Linux (IFNAMSIZ less one).
const longestName = 15

func (r *reader) decodeInterfaces(s *tomltext.Section, c *Config) []*interfacePlaces {
	var all []*interfacePlaces
	for _, name := range s.Names() {
		if i := r.decodeInterface(s, name, c); i != nil {
			all = append(all, i)
		}
	}
	slices.SortFunc(c.Dataplane.Interfaces, func(a, b dataplane.InterfaceConfig) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.TUN, func(a, b tun.Config) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.TAP, func(a, b tap.Config) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Veth, func(a, b veth.Config) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Packet, func(a, b packet.Config) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// The configuration's words for the kinds.
var (
	kinds    = []string{"loopback", "tun", "tap", "veth", "packet"}
	kindType = []dataplane.Kind{dataplane.KindLoopback, dataplane.KindTUN, dataplane.KindTAP, dataplane.KindVeth, dataplane.KindPacket}
)

var kindReading = tomltext.OneOf(kinds, kindType)

func (r *reader) decodeInterface(all *tomltext.Section, name string, c *Config) *interfacePlaces {
	s := all.Section(name)
	if s.Table == nil {
		return nil // not a table, reported already
	}
	i := &interfacePlaces{name: name, at: s.At}
	if !isName(name, longestName) {
		r.WrongKey(s.At, fmt.Sprintf("%q cannot name an interface", name), fmt.Sprintf("1 to %d letters, digits, '-', '_' and '.', beginning with a letter or digit", longestName))
	}
	if i.kind = tomltext.Get(s, "kind", "", kindReading); !s.Has("kind") {
		r.WrongKey(s.At, fmt.Sprintf("%s has no kind", s.At), "kind = one of "+tomltext.Quoted(kinds))
	}
	i.addresses = tomltext.List(s, "addresses", tomltext.InterfaceAddress)
	ic := dataplane.InterfaceConfig{Name: name, Kind: i.kind, Origin: r.origin(s.At)}
	for _, a := range i.addresses {
		ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: a.Value, Origin: r.valueOrigin(a.At)})
	}
	r.decodePort(s, c, i, &ic)
	ic.Offload = r.decodeOffload(s, i.kind)
	i.mtu = ic.MTU
	if i.kind != dataplane.KindLoopback {
		r.decodeACLNames(s, name, c)
	}
	s.Done()
	c.Dataplane.Interfaces = append(c.Dataplane.Interfaces, ic)
	i.addPort(c)
	return i
}

// decodePort reads the keys that depend on the kind of port.
func (r *reader) decodePort(s *tomltext.Section, c *Config, i *interfacePlaces, ic *dataplane.InterfaceConfig) {
	switch i.kind {
	case dataplane.KindLoopback:
		ic.MTU = 65535
		s.Default("mtu", "65535")
		r.senseless(s, "makes no sense on a loopback, which has no port",
			"mtu", "urpf", "mss", "acl-in", "acl-out", "host", "device", "netns", "take-over", "neighbor", "ra")
		return
	case dataplane.KindPacket:
		// The MTU is the device's.
		r.senseless(s, "makes no sense on a packet port: the device is there already, with its MTU and whatever is behind it", "mtu", "host")
		i.packet = r.decodePacket(s, i.name)
	case dataplane.KindVeth:
		r.senseless(s, "makes no sense on a veth: both its devices are made", "take-over")
		i.near = &tun.Host{}
		i.near.Netns, i.near.Device = decodeDevice(s, veth.DeviceName(c.Name, i.name))
	case dataplane.KindTAP:
		r.senseless(s, "makes no sense on a TAP: its device is described by host = { … }", "device", "netns", "take-over")
	case dataplane.KindTUN:
		r.senseless(s, "makes no sense on a TUN: its device is described by host = { … }, and it has no neighbours to find",
			"device", "netns", "take-over", "neighbor", "ra")
	default:
		// The kind is missing or unknown, which is reported. Keys of all kinds
		// may be meant, so those that mean the same in every kind are read.
		for _, key := range []string{"device", "netns", "take-over"} {
			s.Lookup(key)
		}
	}
	if i.packet == nil {
		ic.MTU = tomltext.Get(s, "mtu", 1500, tomltext.Whole(68, 65535))
		r.decodeHost(s.Section("host"), i)
	}
	ic.URPF = tomltext.Get(s, "urpf", dataplane.URPFOff, urpfReading)
	ic.MSS = tomltext.Get(s, "mss", dataplane.MSSOff, mssReading)
	if i.kind != dataplane.KindTUN {
		ic.Neighbor = r.decodeNeighbor(s, i)
	}
}

// addPort adds the port of the interface to the configuration.
func (i *interfacePlaces) addPort(c *Config) {
	var own []netip.Addr
	for _, a := range i.addresses {
		own = append(own, a.Value.Addr())
	}
	switch i.kind {
	case dataplane.KindTUN:
		c.TUN = append(c.TUN, tun.Config{Name: i.name, MTU: i.mtu, Host: *i.side})
	case dataplane.KindTAP:
		c.TAP = append(c.TAP, tap.Config{Router: c.Name, Name: i.name, MTU: i.mtu, Host: *i.side, Bridge: i.bridge, Via: own})
	case dataplane.KindVeth:
		c.Veth = append(c.Veth, veth.Config{
			Router: c.Name, Name: i.name, MTU: i.mtu, Netns: i.near.Netns, Device: i.near.Device, Host: *i.side, Bridge: i.bridge, Via: own,
		})
	case dataplane.KindPacket:
		c.Packet = append(c.Packet, *i.packet)
	}
}

var urpfReading = tomltext.OneOf([]string{"off", "strict", "loose"},
	[]dataplane.URPF{dataplane.URPFOff, dataplane.URPFStrict, dataplane.URPFLoose})

var mssReading = tomltext.Reading[dataplane.MSS]{Read: func(v any) (dataplane.MSS, error) {
	switch v := v.(type) {
	case int64:
		if v >= dataplane.MinMSS && v <= dataplane.MaxMSS {
			return dataplane.MSS(v), nil
		}
	case string:
		if v == dataplane.MSSClamp.String() {
			return dataplane.MSSClamp, nil
		}
		return 0, tomltext.Hint{Suggestion: tomltext.Suggest(v, []string{dataplane.MSSClamp.String()})}
	}
	return 0, tomltext.ErrUnwanted
}, Want: fmt.Sprintf("\"clamp\", or a whole number of bytes from %d to %d", dataplane.MinMSS, dataplane.MaxMSS)}

// senseless reports the keys that make no sense in an interface of this kind.
func (r *reader) senseless(s *tomltext.Section, why string, keys ...string) {
	for _, key := range keys {
		if !s.Has(key) {
			continue
		}
		s.Lookup(key) // so that it is not reported as unknown
		r.WrongKey(s.At.With(key), fmt.Sprintf("%s %s", s.At.With(key), why), "")
	}
}

func (r *reader) decodeHost(s *tomltext.Section, i *interfacePlaces) {
	t := &tun.Host{}
	t.Netns = tomltext.Get(s, "netns", "", tomltext.Text("the name of a network namespace, or a path to one"))
	t.Device = tomltext.Get(s, "device", i.name, deviceName)
	i.host = tomltext.Distinct(s, "addresses", tomltext.InterfaceAddress)
	for _, a := range i.host {
		t.Addresses = append(t.Addresses, a.Value)
	}
	i.hostRoutes = tomltext.Distinct(s, "routes", tomltext.Subnet)
	for _, p := range i.hostRoutes {
		t.Routes = append(t.Routes, p.Value)
	}
	if i.kind != dataplane.KindTUN {
		i.bridge = tomltext.Get(s, "bridge", "", deviceName)
		if i.bridge != "" && len(i.host)+len(i.hostRoutes) > 0 {
			r.WrongKey(s.At.With("bridge"), fmt.Sprintf("the device of %s has addresses or routes and belongs to a bridge", i.name),
				"either: the bridge itself has the addresses")
		}
	} else if s.Has("bridge") {
		s.Lookup("bridge")
		r.WrongKey(s.At.With("bridge"), "a TUN has no Ethernet to be bridged", `kind = "tap"`)
	}
	s.Done()
	i.side = t
}

var deviceName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > longestName || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n%") {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: fmt.Sprintf("the name of a device, 1 to %d characters without '/', ':', '%%' and spaces", longestName)}

// checkAddress returns what is wrong with one address by itself, or "".
func checkAddress(p netip.Prefix) (wrong, want string) {
	a := p.Addr()
	single := p.Bits() == a.BitLen()
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "which no interface can have", "the address of one host"
	case a.Is4() && a.As4()[0] >= 240:
		return "which is reserved (class E)", "the address of one host"
	case single || p.Bits() == a.BitLen()-1: // RFC 3021, RFC 6164: both addresses are hosts
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

// lastOf returns the last address of an IPv4 prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}
