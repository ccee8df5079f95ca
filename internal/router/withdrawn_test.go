package router

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/acl"
	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/offload/offloadtest"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/rib"
)

// TestNothingByWithdrawnDecisions: whatever changes under numbered traffic of many
// flows, nothing leaves by what was decided before, nothing twice, and nothing is
// lost or overtaken that would not be without the cache; and all counters are the
// same.
func TestNothingByWithdrawnDecisions(t *testing.T) {
	var carried, ended uint64
	rapid.Check(t, func(r *rapid.T) {
		x := newTwins(r)
		d := drawn{x, func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "choice") }}
		for range 6 {
			d.begin()
		}
		for range 25 {
			what := d.step()
			x.settle()
			x.same(what)
		}
		x.counted()
		n := x.carried.cache.Totals()
		carried += n.Carried.Packets
		for why, times := range n.Ended {
			if flowcache.End(why) != flowcache.EndCleared {
				ended += times
			}
		}
	})
	t.Logf("%d packets were carried; %d decisions were withdrawn", carried, ended)
	if carried < 200 || ended < 20 {
		t.Errorf("%d packets were carried and %d decisions withdrawn: too few to tell", carried, ended)
	}
}

// drawn is what happens to twins, by choices.
type drawn struct {
	*twins
	choose offloadtest.Choose
}

// destinations are where flows go, beside hosts on the LANs.
var destinations = []string{"198.51.100.1", "198.51.100.129", "203.0.113.9"}

// begin has a flow begin: between LANs, or from one to what is behind a gateway.
func (d *drawn) begin() {
	m := &marked{id: 2 * uint32(len(d.flows)), in: d.choose(lans)}
	family := []int{4, 4, 6}[d.choose(3)]
	dst := hostOf(family, (m.in+1+d.choose(2))%lans, 2+d.choose(2))
	if n := d.choose(5); n < len(destinations) && family == 4 {
		dst = netip.MustParseAddr(destinations[n])
	} else if n == 0 {
		dst = netip.MustParseAddr("2001:db8:99::9")
	}
	src := hostOf(family, m.in, 2+d.choose(2))
	m.Flow = offloadtest.Flow{
		Station: stationOf(m.in), Proto: []uint8{packet.ProtoTCP, packet.ProtoUDP}[d.choose(2)],
		Src: netip.AddrPortFrom(src, uint16(4000+len(d.flows))), Dst: netip.AddrPortFrom(dst, []uint16{53, 80, 443}[d.choose(3)]),
	}
	d.flows = append(d.flows, m)
	d.open(m)
}

// open has both ends of a flow send; TCP opens a connection.
func (d *drawn) open(m *marked) {
	for _, flags := range []uint8{packet.TCPSyn, packet.TCPSyn | packet.TCPAck, packet.TCPAck} {
		if back := flags == packet.TCPSyn|packet.TCPAck; !back {
			d.send(m, flags)
		} else if m.back.IsValid() {
			d.reply(m, flags)
		}
		d.settle()
		d.same("a flow begins")
	}
}

// send has the flow's sender send a packet with these flags of TCP, or 0.
func (d *drawn) send(m *marked, flags uint8) {
	m.Host = d.macs[m.Src.Addr()]
	d.arrives(m.in, d.sized(&m.Flow, m, m.id, flags))
}

// reply has the other end answer, to where the flow's latest packet came from.
func (d *drawn) reply(m *marked, flags uint8) {
	if !m.back.IsValid() {
		return
	}
	f := offloadtest.Flow{Station: stationOf(m.backIn), Host: d.macs[hostOf(4, m.backIn, 2)], Proto: m.Proto, Src: m.Dst, Dst: m.back}
	d.arrives(m.backIn, d.sized(&f, m, m.id+1, flags))
}

// sized is a packet of the flow, or of its answers, with its next number. Of a connection that is open
// some are super-packets.
func (d *drawn) sized(f *offloadtest.Flow, m *marked, id uint32, flags uint8) memory.Packet {
	s := offloadtest.Shape{Payload: m.payload(id, []int{0, 1, 100, 1300, 1440}[d.choose(5)]), Flags: flags, Partial: d.choose(3) == 0}
	if flags == 0 && d.choose(4) == 0 {
		s.Segment = 500 + d.choose(900)
		s.Payload = append(s.Payload, make([]byte, s.Segment*(1+d.choose(8)))...)
	}
	return f.Frame(s)
}

// step has something happen, and says what.
func (d *drawn) step() string {
	if d.choose(2) == 0 {
		return d.traffic()
	}
	changes := []func() string{
		d.routes, d.mtu, d.link, d.urpf, d.translation, d.filter, d.offload, d.hops, d.moves, d.replaced, d.clear, d.passes, d.ends,
		func() string { d.begin(); return "a flow begins" },
	}
	return changes[d.choose(len(changes))]()
}

// traffic is some packets of some flows, and between them the cache takes its
// steps and sockets are read, or not.
func (d *drawn) traffic() string {
	m := d.flows[d.choose(len(d.flows))]
	for range 3 + d.choose(12) {
		if d.choose(4) == 0 {
			d.reply(m, 0)
		} else {
			d.send(m, 0)
		}
		switch d.choose(4) {
		case 0:
			d.settle()
			d.advance(time.Duration(1+d.choose(120)) * time.Millisecond)
			fallthrough
		case 1:
			_, err := d.carried.cache.Step(d.now)
			d.must(err)
		case 2:
			m = d.flows[d.choose(len(d.flows))]
		}
	}
	return "traffic"
}

// commit has both take a changed configuration.
func (d *drawn) commit(change func(*Config)) {
	d.cfg.Dataplane.Interfaces = slices.Clone(d.cfg.Dataplane.Interfaces)
	change(&d.cfg)
	for _, w := range d.both() {
		d.must(w.router.Commit(d.cfg, d.now))
	}
}

// routes gives the destinations other routes: some, by one or two next hops.
func (d *drawn) routes() string {
	var list []rib.StaticRoute
	for _, p := range []string{"198.51.100.0/24", "198.51.100.128/25", "203.0.113.0/24", "0.0.0.0/0", "2001:db8:99::/48"} {
		s := rib.StaticRoute{Prefix: netip.MustParsePrefix(p), Action: routing.Forward}
		family := 4
		if s.Prefix.Addr().Is6() {
			family = 6
		}
		for range d.choose(3) {
			hop := rib.StaticNextHop{Address: hostOf(family, d.choose(lans), 2+d.choose(2))}
			if !slices.Contains(s.NextHops, hop) {
				s.NextHops = append(s.NextHops, hop)
			}
		}
		if len(s.NextHops) == 0 && d.choose(3) == 0 {
			s.Action = routing.Blackhole
		}
		if len(s.NextHops) > 0 || s.Action == routing.Blackhole {
			list = append(list, s)
		}
	}
	d.commit(func(c *Config) { c.RIB.Static = list })
	return fmt.Sprintf("routes %+v", list)
}

// mtu changes the MTU of a LAN.
func (d *drawn) mtu() string {
	lan, mtu := d.choose(lans), []int{1500, 1400, 1000}[d.choose(3)]
	d.device(lan, port.Event{Up: true, MTU: mtu})
	return fmt.Sprintf("lan%d has MTU %d", lan, mtu)
}

// device has a LAN's device change. No frame is in a socket of it.
func (d *drawn) device(lan int, e port.Event) {
	d.settle()
	for _, w := range d.both() {
		d.must(w.router.PortChanged(lanNames[lan], e, d.now))
	}
}

// link has a LAN go down, and up again.
func (d *drawn) link() string {
	lan := d.choose(lans)
	d.device(lan, port.Event{MTU: 1500})
	what := fmt.Sprintf("lan%d is down", lan)
	for range 3 {
		d.send(d.flows[d.choose(len(d.flows))], 0)
	}
	d.settle()
	d.same(what)
	d.device(lan, port.Event{Up: true, MTU: 1500})
	return fmt.Sprintf("lan%d is up again", lan)
}

func (d *drawn) urpf() string {
	lan, u := d.choose(lans), []dataplane.URPF{dataplane.URPFOff, dataplane.URPFStrict, dataplane.URPFLoose}[d.choose(3)]
	d.commit(func(c *Config) { c.Dataplane.Interfaces[lan].URPF = u })
	return fmt.Sprintf("lan%d has uRPF %v", lan, u)
}

// translation has other rules of address translation.
func (d *drawn) translation() string {
	var c nat.Config
	for lan, name := range lanNames[1:] {
		if d.choose(2) == 0 {
			c.Source = append(c.Source, nat.SourceRule{Name: "out-" + name, Match: nat.Match{Outbound: []string{name}}})
		}
		if d.choose(3) == 0 {
			c.Destination = append(c.Destination, nat.DestinationRule{Name: "in-" + name, Match: nat.Match{
				Inbound: []string{name}, Protocols: []uint8{packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 53, Last: 53}},
			}, Address: hostOf(4, lan, 3)})
		}
	}
	d.commit(func(cfg *Config) { cfg.NAT = c })
	return fmt.Sprintf("translation %+v", c)
}

// filter has another filter, or none.
func (d *drawn) filter() string {
	var c acl.Config
	if n := d.choose(3); n > 0 {
		c.Lists = []acl.List{{Name: "x", Default: []acl.Action{acl.Drop, acl.Accept}[d.choose(2)], Loose: true, Rules: []acl.Rule{{
			Name: "some", Protocols: []uint8{packet.ProtoTCP, packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 80, Last: 443}}, Action: acl.Accept,
		}}}}
		for _, name := range lanNames[:n] {
			c.Interfaces = append(c.Interfaces, acl.Binding{Interface: name, In: "x"})
		}
	}
	d.commit(func(cfg *Config) { cfg.ACL = c })
	return fmt.Sprintf("filter %+v", c)
}

// offload has the cache carry more or less of what comes in by a LAN.
func (d *drawn) offload() string {
	lan, o := d.choose(lans), []dataplane.Offload{dataplane.OffloadAlways, dataplane.OffloadAuto, dataplane.OffloadOff}[d.choose(3)]
	d.commit(func(c *Config) { c.Dataplane.Interfaces[lan].Offload = o })
	return fmt.Sprintf("lan%d has offload %v", lan, o)
}

// hops has a next hop die, or come back.
func (d *drawn) hops() string {
	hop, alive := hostOf([]int{4, 6}[d.choose(2)], d.choose(lans), 2+d.choose(2)), d.choose(2) == 0
	for _, w := range d.both() {
		w.router.HopStates().Neighbor(hop, w.router.View().Named(lanNames[lanOf(hop)]).ID).Set(routing.CauseBFD, alive)
	}
	return fmt.Sprintf("next hop %s lives %v", hop, alive)
}

// moves has a host get another link address, and say so.
func (d *drawn) moves() string {
	lan, number := d.choose(lans), 2+d.choose(2)
	host, host6 := hostOf(4, lan, number), hostOf(6, lan, number)
	mac := d.macs[host]
	mac[5]++
	d.macs[host], d.macs[host6] = mac, mac
	all, nodes := arp.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, arp.MAC{0x33, 0x33, 0, 0, 0, 1}
	for _, w := range d.both() {
		d.must(w.router.PortChanged(lanNames[lan], port.Event{Up: true}, d.now)) // as the port says of its other end
		w.aside(lan, arp.AppendPacket(arp.AppendEthernet(nil, all, mac, arp.EtherTypeARP), arp.OpRequest, mac, host, arp.MAC{}, host))
		w.aside(lan, arp.AppendAdvertisement(arp.AppendEthernet(nil, nodes, mac, arp.EtherTypeIPv6), host6, netip.MustParseAddr("ff02::1"), host6, mac, false, false, true))
	}
	return fmt.Sprintf("%s moves to %s", host, mac)
}

// replaced gives a LAN another device.
func (d *drawn) replaced() string {
	lan := d.choose(lans)
	for _, w := range d.both() {
		d.must(w.router.Detach(lanNames[lan], d.now))
	}
	d.settle()
	d.devices[lan] += lans
	for _, w := range d.both() {
		w.attach(lan)
	}
	return fmt.Sprintf("lan%d has another device", lan)
}

// clear ends sessions, or flows of the cache alone.
func (d *drawn) clear() string {
	if d.choose(2) == 0 {
		d.carried.cache.Clear(flowcache.Filter{})
		return "the cache is cleared"
	}
	for _, w := range d.both() {
		if n := w.router.NAT(); n != nil {
			n.Clear(nat.Filter{})
		}
	}
	return "sessions are cleared"
}

// passes has time pass: a little, or so much that sessions end.
func (d *drawn) passes() string {
	for range 10 {
		d.advance([]time.Duration{10 * time.Millisecond, time.Second, 40 * time.Second}[d.choose(3)])
		_, err := d.carried.cache.Step(d.now)
		d.must(err)
		d.settle()
	}
	return "time passes"
}

// ends has a connection end by a FIN or an RST.
func (d *drawn) ends() string {
	m := d.flows[d.choose(len(d.flows))]
	d.send(m, []uint8{packet.TCPFin | packet.TCPAck, packet.TCPRst, packet.TCPRst | packet.TCPAck}[d.choose(3)])
	if d.choose(2) == 0 {
		d.reply(m, packet.TCPFin|packet.TCPAck)
	}
	return fmt.Sprintf("%+v ends", m)
}
