package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port/packet"
	"routerd/internal/tomltext"
)

// decodePacket reads the keys of a packet port.
func (r *reader) decodePacket(s *tomltext.Section, name string) *packet.Config {
	p := &packet.Config{Name: name, TakeOver: tomltext.Get(s, "take-over", false, tomltext.Bool)}
	p.Netns, p.Device = decodeDevice(s, name)
	return p
}

// decodeDevice reads where the router's own device is, and its name.
func decodeDevice(s *tomltext.Section, name string) (netns, device string) {
	return tomltext.Get(s, "netns", "", tomltext.Text("the name of a network namespace, or a path to one")),
		tomltext.Get(s, "device", name, deviceName)
}

// decodeNeighbor reads the settings of ARP and neighbour discovery of an
// Ethernet interface.
func (r *reader) decodeNeighbor(s *tomltext.Section, i *interfacePlaces) dataplane.NeighborConfig {
	n := s.Section("neighbor")
	cfg := dataplane.NeighborConfig{
		Timeout:  tomltext.Get(n, "timeout", arp.DefaultTimeout, tomltext.Duration(time.Minute, 24*time.Hour)),
		ProxyARP: tomltext.Get(n, "proxy-arp", false, tomltext.Bool),
	}
	static := n.Section("static")
	for _, name := range static.Names() {
		at := static.At.With(name)
		a, err := netip.ParseAddr(name)
		if err != nil || a.Zone() != "" || a.Is4In6() || a.IsMulticast() || a.IsUnspecified() {
			r.WrongKey(at, fmt.Sprintf("%q is not the address of a neighbour", name), "the address of one host")
			continue
		}
		mac := tomltext.Get(static, name, arp.MAC{}, macReading)
		if mac.IsStation() {
			cfg.Static = append(cfg.Static, arp.StaticNeighbor{Addr: a, MAC: mac})
		}
	}
	n.Done()
	cfg.RA = r.decodeRA(s, i)
	return cfg
}

// macReading reads the Ethernet address of one station.
var macReading = tomltext.Reading[arp.MAC]{Read: func(v any) (arp.MAC, error) {
	var mac arp.MAC
	s, ok := v.(string)
	if !ok || len(s) != 17 {
		return mac, tomltext.ErrUnwanted
	}
	for i := range mac {
		b, err := strconv.ParseUint(s[3*i:3*i+2], 16, 8)
		if err != nil || i > 0 && s[3*i-1] != ':' {
			return arp.MAC{}, tomltext.ErrUnwanted
		}
		mac[i] = byte(b)
	}
	if !mac.IsStation() {
		return arp.MAC{}, tomltext.Hint{Message: "which is nobody's"}
	}
	return mac, nil
}, Want: `the Ethernet address of one station, like "02:00:00:00:00:09"`}
