package ospf

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/ospf"
)

// pollInterval is how often an NBMA neighbour that is down is greeted (RFC 2328
// §C.5).
const pollInterval = 120 * time.Second

func (d *decoder) decodeInterface(s *tomltext.Section, name string) ospf.InterfaceConfig {
	network := tomltext.Get(s, "network", ospf.NetworkByKind, networkReading)
	s.Default("network", "by the kind of the interface")
	i := ospf.DefaultInterface(network)
	i.Area = tomltext.Get(s, "area", 0, areaReading)
	s.Default("area", "") // it has to be said
	if !s.Has("area") {
		d.WrongKey(s.At, fmt.Sprintf("%s is in no area", s.At), "area = 0, say")
	}
	i.Passive = tomltext.Get(s, "passive", d.passive, tomltext.Bool)
	i.Cost = uint16(tomltext.Get(s, "cost", 0, tomltext.Whole(1, 65535)))
	i.Priority = uint8(tomltext.Get(s, "priority", int(i.Priority), tomltext.Whole(0, 255)))
	i.MTUIgnore = tomltext.Get(s, "mtu-ignore", false, tomltext.Bool)
	suppressed := tomltext.Get(s, "prefix-suppression", false, tomltext.Bool)
	if s.Default("prefix-suppression", "as for all"); s.Has("prefix-suppression") {
		i.PrefixSuppression = &suppressed
	}
	i.NoFastReroute = !tomltext.Get(s, "fast-reroute", true, tomltext.Bool)
	i.Timers = d.decodeTimers(s, i.Timers, deadReading)
	d.decodeMinimal(s, &i.Timers)
	i.Auth = d.decodeAuth(s.Optional("auth"))
	if w := d.Watches.Read(s); w != nil {
		i.BFD = &ospf.BFD{Profile: w.Profile, Strict: w.Strict}
	}
	i.Neighbors = d.decodeNeighbors(s.Section("neighbor"), network, name)
	s.Done()
	if s.Has("priority") && (network == ospf.PointToPoint || network == ospf.PointToMultipoint) {
		d.Odd(s.At.With("priority"), fmt.Sprintf("%s has a priority, and a %s network elects nobody", s.At, network), "no priority there")
	}
	if network == ospf.NBMA && len(i.Neighbors) == 0 && !i.Passive {
		d.Odd(s.At, fmt.Sprintf("%s has no neighbors, and on an NBMA network only those are found that are configured here or greet first", s.At),
			fmt.Sprintf(`[%s.neighbor."10.0.12.2"]`, s.At))
	}
	return i
}

// times is how many Hellos usually fit in a dead-interval.
const times = 4

// decodeTimers reads the timers of an interface or of a virtual link.
func (d *decoder) decodeTimers(s *tomltext.Section, t ospf.Timers, dead tomltext.Reading[deadInterval]) ospf.Timers {
	t.HelloInterval = tomltext.Get(s, "hello-interval", t.HelloInterval, seconds(1, 65535))
	t.DeadInterval = time.Duration(tomltext.Get(s, "dead-interval", deadInterval(min(times*t.HelloInterval, 65535*time.Second)), dead))
	t.RetransmitInterval = tomltext.Get(s, "retransmit-interval", t.RetransmitInterval, seconds(1, 65535))
	t.TransmitDelay = tomltext.Get(s, "transmit-delay", t.TransmitDelay, seconds(1, 3599))
	if t.DeadInterval > 0 && t.DeadInterval <= t.HelloInterval {
		at := s.At.With("dead-interval")
		if !s.Has("dead-interval") {
			at = s.At.With("hello-interval")
		}
		d.Wrong(at, fmt.Sprintf("the dead-interval is %v and the hello-interval %v", t.DeadInterval, t.HelloInterval), "a longer dead-interval")
	}
	return t
}

// decodeMinimal reads how many Hellos a second there are with a minimal
// dead-interval.
func (d *decoder) decodeMinimal(s *tomltext.Section, t *ospf.Timers) {
	hellos := tomltext.Get(s, "hello-multiplier", times, tomltext.Whole(2, 20))
	if t.DeadInterval > 0 {
		if s.Has("hello-multiplier") {
			d.Wrong(s.At.With("hello-multiplier"), fmt.Sprintf("%s has a hello-multiplier, and its dead-interval is %s", s.At, t.DeadInterval), `dead-interval = "minimal"`)
		}
		return
	}
	t.Minimal, t.DeadInterval, t.HelloInterval = hellos, time.Second, time.Second/time.Duration(hellos)
	if s.Has("hello-interval") {
		d.Wrong(s.At.With("hello-interval"), fmt.Sprintf("%s has a hello-interval, and a minimal dead-interval", s.At),
			"hello-multiplier, which says how many Hellos are sent a second")
	}
}

// decodeNeighbors reads the neighbours that multicast does not find.
func (d *decoder) decodeNeighbors(s *tomltext.Section, network ospf.NetworkType, on string) map[netip.Addr]ospf.NeighborConfig {
	var all map[netip.Addr]ospf.NeighborConfig
	for _, name := range s.Names() {
		t := s.Section(name)
		n := ospf.NeighborConfig{
			Priority: uint8(tomltext.Get(t, "priority", 0, tomltext.Whole(0, 255))),
			Poll:     tomltext.Get(t, "poll-interval", pollInterval, seconds(1, 65535)),
			Cost:     uint16(tomltext.Get(t, "cost", 0, tomltext.Whole(1, 65535))),
		}
		t.Done()
		a, err := netip.ParseAddr(name)
		if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			d.WrongKey(t.At, fmt.Sprintf("%q is no neighbor's address", name), `an IPv4 address, "10.0.12.2"`)
			continue
		}
		if all == nil {
			all = map[netip.Addr]ospf.NeighborConfig{}
		}
		all[a] = n
		switch {
		case network != ospf.NBMA && network != ospf.PointToMultipoint:
			d.Wrong(t.At, fmt.Sprintf("%s is a neighbor on %s, whose neighbors are found by multicast", name, on), `network = "nbma" or "point-to-multipoint"`)
		case t.Has("cost") && network == ospf.NBMA:
			d.Odd(t.At.With("cost"), fmt.Sprintf("%s has a cost of its own, which an NBMA network has for all", name), `network = "point-to-multipoint"`)
		case t.Has("priority") && network == ospf.PointToMultipoint:
			d.Odd(t.At.With("priority"), fmt.Sprintf("%s has a priority, and a point-to-multipoint network elects nobody", name), "no priority there")
		case !d.OnLink(a):
			d.Odd(t.At, fmt.Sprintf("%s is on no interface's subnet", name), "an address of "+on+"'s subnet")
		}
	}
	return all
}
