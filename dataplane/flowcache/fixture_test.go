package flowcache

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/dataplane/offload/offloadtest"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/reassembly"
	sessions "routerd/flow"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The network of the tests: hosts on lan0, 10.0.1.0/24, and routers at the address 2
// of wan0, 10.0.2.0/24, and of wan1, 10.0.3.0/24; 2001:db8:N::/64 beside 10.0.N.0/24.
// By wan0 lead 10.20.0.0/16 and 2001:db8:20::/48, by wan1 10.21.0.0/16 and
// 2001:db8:21::/48, and by one of the two 10.22.0.0/16.
const (
	lan0 routing.InterfaceID = iota
	wan0
	wan1
	interfaces
)

// device is the index of an interface's device.
func device(i routing.InterfaceID) int { return 10 + int(i) }

var (
	start     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	macRouter = arp.MAC{2, 0, 0, 0, 0, 1}
)

// macOf is the link address of the neighbour on an interface.
func macOf(i routing.InterfaceID) arp.MAC { return arp.MAC{2, 0, 0, 0, 1, byte(i)} }

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// tb is what testing.TB and rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

type site struct {
	tb
	kernel *offloadtest.Kernel
	live   dataplane.Live
	view   *dataplane.View // the current one
	states *fib.States
	cache  *Cache
	now    time.Time
	used   []dataplane.Punt
	// carried is what a test has counted itself.
	carried uint64
}

// Punt implements dataplane.Punter.
func (s *site) Punt(list []dataplane.Punt) { s.used = append(s.used, list...) }

// newSite makes it with room for so many flows, all of which are carried that may be.
func newSite(t tb, flows int) *site {
	s := &site{tb: t, now: start, states: fib.NewStates()}
	s.kernel = offloadtest.New(offload.Config{Flows: flows, Causes: NumCauses}, func() int64 { return int64(s.now.Sub(start)) + 1 })
	s.view = &dataplane.View{
		Generation: 1,
		Tables:     []*dataplane.Table{{Name: "main", FIB: fib.Empty()}},
		Martians:   dataplane.NewMartians(dataplane.DefaultMartianSources, dataplane.DefaultMartianDestinations),
		Limits:     dataplane.Limits{ICMP: icmp.Config{ErrorRate: 1000, ErrorBurst: 1000}, Reassembly: reassembly.Default},
		Neighbors:  arp.NewTable(64, siphash.Key{1, 2}),
	}
	for i := range interfaces {
		n := string('1' + byte(i))
		s.view.Interfaces = append(s.view.Interfaces, &dataplane.Interface{
			ID: i, Name: []string{"lan0", "wan0", "wan1"}[i], Kind: dataplane.KindPacket, MTU: 1500, Up: true,
			Output: memory.New("", 1500).Queues()[0], Offloads: port.OffloadAll, LinkHeader: arp.EthernetHeader, MAC: macRouter,
			Addresses: []netip.Prefix{prefix("10.0." + n + ".1/24"), prefix("2001:db8:" + n + "::1/64")},
			Carried:   &dataplane.Carried{Device: device(i), Frames: 1, Bytes: 1},
		})
		s.neighbor(i, macOf(i), arp.Reachable)
	}
	s.view.Own = dataplane.NewOwnAddresses(s.view.Interfaces)
	v := s.view
	s.live.Publish(v)
	s.cache = New(Config{Kernel: s.kernel, Live: &s.live, Punter: s, Monotonic: func() int64 { return int64(s.now.Sub(start)) + 1 }})
	s.view.Offers = s.cache
	s.view.Neighbors.Observe(s.cache.NeighborChanged)
	s.states.Observe(func(*fib.State) { s.cache.HopChanged() })
	s.routes(
		"10.0.1.0/24 lan0", "10.0.2.0/24 wan0", "10.0.3.0/24 wan1", "2001:db8:1::/64 lan0",
		"10.20.0.0/16 wan0", "10.21.0.0/16 wan1", "10.22.0.0/16 wan0 wan1", "2001:db8:20::/48 wan0", "2001:db8:21::/48 wan1",
	)
	return s
}

// gateway is the address of the neighbour on an interface.
func gateway(i routing.InterfaceID, six bool) netip.Addr {
	n := string('1' + byte(i))
	if six {
		return addr("2001:db8:" + n + "::2")
	}
	return addr("10.0." + n + ".2")
}

// neighbor publishes that of an interface; one without a link address is withdrawn.
func (s *site) neighbor(i routing.InterfaceID, mac arp.MAC, state arp.State) {
	for _, six := range []bool{false, true} {
		a := gateway(i, six)
		if mac == (arp.MAC{}) {
			s.view.Neighbors.Apply(arp.Unpublish{Interface: i, Addr: a})
		} else {
			s.view.Neighbors.Apply(arp.Publish{Entry: &arp.Entry{Interface: i, State: state, MAC: mac, Addr: a}})
		}
	}
}

// change publishes a View that differs in what f changes, and says so.
func (s *site) change(f func(*dataplane.View)) {
	before, v := s.view, *s.view
	v.Generation++
	v.Interfaces = nil
	for _, i := range before.Interfaces {
		c := *i
		v.Interfaces = append(v.Interfaces, &c)
	}
	f(&v)
	s.view = &v
	s.live.Publish(s.view)
	s.cache.ViewChanged(before, s.view)
}

// routes publishes routes, each a prefix and the interfaces by which it leads, none
// to withdraw it, and says so.
func (s *site) routes(list ...string) {
	changes, prefixes := s.changes(list)
	v := *s.view
	v.Generation++
	v.Tables = []*dataplane.Table{{Name: "main", FIB: v.Tables[0].FIB.Apply(changes)}}
	s.view = &v
	s.live.Publish(s.view)
	s.cache.RoutesChanged(prefixes, false)
}

// What is on the links has no gateway.
var onLink, onLink6 = prefix("10.0.0.0/22"), prefix("2001:db8::/44")

func (s *site) changes(list []string) (changes []fib.Change, prefixes []netip.Prefix) {
	for _, text := range list {
		fields := strings.Fields(text)
		p := prefix(fields[0])
		var hops []fib.NextHop
		var states []*fib.State
		for _, name := range fields[1:] {
			i := map[string]routing.InterfaceID{"lan0": lan0, "wan0": wan0, "wan1": wan1}[name]
			h := fib.NextHop{Interface: i, Weight: 1}
			if !onLink.Overlaps(p) && !onLink6.Overlaps(p) {
				h.Address = gateway(i, p.Addr().Is6())
			}
			hops, states = append(hops, h), append(states, s.states.Neighbor(h.Address, i))
		}
		c := fib.Change{Prefix: p}
		if len(hops) > 0 {
			c.Entry = &fib.Entry{Prefix: p, Action: routing.Forward, Source: routing.SourceStatic, Group: fib.NewSharedGroup(hops, states)}
		}
		changes, prefixes = append(changes, c), append(prefixes, p)
	}
	return changes, prefixes
}

// offer gives the offer of a flow of UDP that comes in by an interface.
func offer(in routing.InterfaceID, src, dst string) dataplane.Offer {
	return dataplane.Offer{
		In: in, Proto: packet.ProtoUDP, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), Length: 100,
		Now: dataplane.Usage{Frames: 1, Bytes: 100, Runs: 1},
	}
}

// step has the cache do what there is to do, now and a while later.
func (s *site) step() {
	s.Helper()
	if _, err := s.cache.Step(s.now); err != nil {
		s.Fatalf("%v", err)
	}
	s.now = s.now.Add(reapEvery)
}

// carry offers flows and has them carried.
func (s *site) carry(offers ...dataplane.Offer) {
	s.Helper()
	s.cache.Offer(offers)
	s.step()
	for i := range offers {
		if !s.passes(&offers[i]) {
			s.Fatalf("%s > %s is not carried: refused %v", offers[i].Src, offers[i].Dst, s.cache.Totals().Refused)
		}
	}
}

// passes sends a packet of a flow of UDP with the payload of 72 bytes, and reports
// whether the kernel carries it.
func (s *site) passes(o *dataplane.Offer) bool {
	_, _, carried := s.send(o)
	return carried
}

func (s *site) send(o *dataplane.Offer) (memory.Packet, offloadtest.Egress, bool) {
	s.kernel.Finish(device(o.In), s.kernel.Passed(device(o.In))) // nothing is on its way
	return s.kernel.Receive(device(o.In), memory.Packet{Data: frame(o)})
}

// payload is what frame sends, and frameSize how long its frames are.
const payload = 72

func frameSize(o *dataplane.Offer) uint64 {
	if o.Src.Addr().Is6() {
		return arp.EthernetHeader + packet.IPv6Header + packet.UDPHeader + payload
	}
	return arp.EthernetHeader + packet.IPv4MinHeader + packet.UDPHeader + payload
}

// frame is a frame of the flow.
func frame(o *dataplane.Offer) []byte {
	raw, err := dataplane.Probe{
		Src: o.Src.Addr(), Dst: o.Dst.Addr(), Proto: o.Proto, SrcPort: o.Src.Port(), DstPort: o.Dst.Port(),
		Size: int(frameSize(o)) - arp.EthernetHeader, TTL: 64,
	}.Build()
	if err != nil {
		panic(err)
	}
	b := append(macRouter[:], 2, 0, 0, 0, 0, 9)
	etherType := uint16(arp.EtherTypeIPv4)
	if o.Src.Addr().Is6() {
		etherType = arp.EtherTypeIPv6
	}
	return append(binary.BigEndian.AppendUint16(b, etherType), raw...)
}

// masquerade has IPv4 flows that leave by wan0 translated to its address, and gives
// the table of sessions.
func (s *site) masquerade() *sessions.Table {
	n := nat.New(nat.Options{Random: rand.NewPCG(1, 1)})
	var list []nat.Interface
	for _, i := range s.view.Interfaces {
		list = append(list, nat.Interface{ID: i.ID, Name: i.Name, Addresses: i.Addresses})
	}
	rules, _, err := n.Prepare(nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"wan0"}}, Method: nat.Masquerade}}}, list)
	if err != nil {
		s.Fatalf("%v", err)
	}
	n.Commit(rules)
	s.change(func(v *dataplane.View) { v.NAT, v.Flows = n, sessions.NewClock(start) })
	return n.Sessions()
}

// begin has the stages forward a packet of a flow, and one of its answers, so that
// its session is one that may be carried.
func (s *site) begin(o *dataplane.Offer) {
	s.Helper()
	b := dataplane.NewBatch(1, &dataplane.Counters{}, nil)
	f := &b.Frames()[0]
	f.Reset()
	f.End = f.Start + copy(f.Buf[f.Start:], frame(o))
	b.Received(1, o.In)
	dataplane.Process(s.view, b, s.now)
	b.Transmit(s.now)
}

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, prefix(s))
	}
	return p
}

// keyOf is the key of a flow's session.
func keyOf(o *dataplane.Offer) sessions.Key {
	src, dst := o.Src.Addr().As4(), o.Dst.Addr().As4()
	return sessions.Key{
		Proto: o.Proto, Src: binary.BigEndian.Uint32(src[:]), Dst: binary.BigEndian.Uint32(dst[:]),
		SrcPort: o.Src.Port(), DstPort: o.Dst.Port(),
	}
}

// portOf is the port that a session's answers go to.
func portOf(k sessions.Key) string { return strconv.Itoa(int(k.DstPort)) }

// sourceOf is the source of an IPv4 packet that was sent.
func (s *site) sourceOf(p memory.Packet) netip.Addr {
	return packet.IPv4(p.Data[arp.EthernetHeader:]).Src()
}
