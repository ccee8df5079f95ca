package router

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/offload"
	"routerd/dataplane/offload/offloadtest"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
)

// twins are two routers of which all is the same, but that the kernel carries flows
// of the second. What leaves both is compared.
//
//	lan0 10.0.0.1/24, lan1 10.0.1.1/24, lan2 10.0.2.1/24, each with hosts .2 and .3,
//	and 2001:db8:0::/64 to 2001:db8:2::/64 likewise
type twins struct {
	rapid.TB
	now            time.Time
	cfg            Config
	plain, carried *twin
	macs           map[netip.Addr]arp.MAC // of the hosts
	flows          []*marked
	devices        [lans]int // their indexes
}

const lans = 3

var lanNames = [lans]string{"lan0", "lan1", "lan2"}

// twin is one of the routers.
type twin struct {
	*twins
	router  *Router
	ports   [lans]*memory.Port
	workers [lans]*dataplane.Worker
	before  [lans]dataplane.Counters // of workers of ports that are gone
	notices []arp.Effect
	kernel  *offloadtest.Kernel // nil: nothing is carried
	cache   *flowcache.Cache
	// asides are the packets and bytes of ARP that came in, of which each router
	// asks as many as it needs.
	asides [lans]dataplane.Traffic

	left   map[uint32][]left // by the number of the flow
	others [lans]int         // frames with no number of a flow that left: errors
}

// left is a frame that left.
type left struct {
	by      int
	data    string
	offload port.Offload
}

// marked is a flow whose packets have numbers.
type marked struct {
	offloadtest.Flow
	id   uint32 // and id+1 of the answers
	in   int
	sent uint32
	// back is where answers go to, and come in by: what its latest packet left as.
	back   netip.AddrPort
	backIn int
}

// kernelPort is a port whose packets the kernel's side may carry.
type kernelPort struct {
	station
	of  *twins
	lan int
}

func (c kernelPort) HardwareAddr() [6]byte      { return stationOf(c.lan) }
func (c kernelPort) Carry(port.FlowCache) error { return nil }
func (c kernelPort) Uncarry() error             { return nil }
func (c kernelPort) Check() error               { return nil }

func stationOf(lan int) [6]byte { return [6]byte{2, 0, 0, 0, 0, byte(lan)} }

func (t *twins) both() [2]*twin          { return [2]*twin{t.plain, t.carried} }
func (t *twins) clock() time.Time        { return t.now }
func (t *twins) advance(d time.Duration) { t.now = t.now.Add(d) }
func (w *twin) notice(e arp.Effect)      { w.notices = append(w.notices, e) }

// waiting is how many frames nobody has read.
func (w *twin) waiting() (n int) {
	for _, p := range w.ports {
		n += p.Waiting()
	}
	return n
}

// Carried says that packets may be handed at once to host .2 of the LAN.
func (c kernelPort) Carried() (port.Carried, bool) {
	return port.Carried{Device: c.of.devices[c.lan], Peer: true, PeerMAC: c.of.macs[hostOf(4, c.lan, 2)]}, true
}

// hostOf is the address of a host, and lanOf its LAN.
func hostOf(family, lan, number int) netip.Addr {
	if family == 6 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(lan), 15: byte(number)})
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(lan), byte(number)})
}

func lanOf(a netip.Addr) int {
	if a.Is6() {
		return int(a.As16()[5])
	}
	return int(a.As4()[2])
}

// lanBy is the LAN of a device.
func (t *twins) lanBy(device int) int { return slices.Index(t.devices[:], device) }

func newTwins(tb rapid.TB) *twins {
	t := &twins{TB: tb, now: now, macs: map[netip.Addr]arp.MAC{}}
	t.cfg = Config{Name: "r1", Dataplane: twoLANs().Dataplane}
	t.cfg.Dataplane.Interfaces = nil
	for lan, name := range lanNames {
		ic := interfaceConfig(name, dataplane.KindPacket, netip.PrefixFrom(hostOf(4, lan, 1), 24).String(), netip.PrefixFrom(hostOf(6, lan, 1), 64).String())
		ic.Offload = dataplane.OffloadAlways
		t.cfg.Dataplane.Interfaces = append(t.cfg.Dataplane.Interfaces, ic)
		t.devices[lan] = 10 + lan
		for host := 2; host < 4; host++ {
			for _, family := range []int{4, 6} {
				t.macs[hostOf(family, lan, host)] = arp.MAC{2, 0, 1, byte(lan), byte(host), 0}
			}
		}
	}
	t.plain, t.carried = t.newTwin(false), t.newTwin(true)
	for range 5 { // then no address is tentative any more
		t.settle()
		t.advance(time.Second)
	}
	t.settle()
	return t
}

func (t *twins) newTwin(carried bool) *twin {
	w := &twin{twins: t, router: New(rand.NewPCG(1, 1)), left: map[uint32][]left{}}
	w.router.BatchSize = 1 // so that nothing is coalesced, which the kernel does not do
	w.router.Neighbors().Owner = w.notice
	if carried {
		monotonic := func() int64 { return int64(t.now.Sub(now)) + 1 }
		w.kernel = offloadtest.New(offload.Config{Flows: 64, Causes: flowcache.NumCauses}, monotonic)
		w.cache = w.router.Carry(w.kernel, monotonic)
	}
	w.must(w.router.Commit(t.cfg, t.now))
	for lan := range lans {
		w.attach(lan)
	}
	return w
}

// attach gives a LAN a port.
func (w *twin) attach(lan int) {
	w.ports[lan] = memory.New(lanNames[lan], 1500, memory.WithLinkHeader(arp.EthernetHeader))
	list, err := w.router.Attach(lanNames[lan], kernelPort{station{w.ports[lan], map[[6]byte]bool{}}, w.twins, lan}, w.now)
	w.must(err)
	if old := w.workers[lan]; old != nil {
		w.before[lan].Add(old.Counters)
	}
	w.workers[lan] = list[0]
}

func (t *twins) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// settle has both routers do all there is to do now.
func (t *twins) settle() {
	t.Helper()
	for _, w := range t.both() {
		w.settle()
	}
}

func (w *twin) settle() {
	w.Helper()
	for range 10000 {
		worked := w.work()
		for _, m := range w.router.Machines() {
			worked = m.Poll(w.now) || worked
		}
		for _, e := range w.notices {
			w.must(w.router.AddressEvent(e, w.now))
			worked = true
		}
		w.notices = nil
		polled, err := w.router.Poll(w.now)
		w.must(err)
		if !worked && !polled && !w.router.Reviewing() && w.waiting() == 0 {
			return
		}
	}
	w.Fatalf("there is work without end")
}

// work has the workers read what has come.
func (w *twin) work() (worked bool) {
	for lan, p := range w.ports {
		for p.Waiting() > 0 {
			w.must(w.workers[lan].Once(w.clock))
			worked = true
		}
		if w.kernel != nil {
			w.kernel.Finish(w.devices[lan], w.kernel.Passed(w.devices[lan]))
		}
		w.collect()
	}
	return worked
}

// collect takes what has left, and has the hosts answer ARP.
func (w *twin) collect() {
	for lan, p := range w.ports {
		for _, f := range p.Take() {
			if ethertype := binary.BigEndian.Uint16(f.Data[12:]); ethertype == arp.EtherTypeARP {
				w.answer(lan, arp.Packet(f.Data[arp.EthernetHeader:]))
			} else if icmp := ofDiscovery(f.Data); icmp != nil {
				w.advertise(lan, packet.IPv6(f.Data[arp.EthernetHeader:]).Src(), icmp)
			} else {
				w.leaves(lan, f)
			}
		}
	}
}

// answer answers a request for a host's address.
func (w *twin) answer(lan int, p arp.Packet) {
	mac, here := w.macs[p.TargetAddr()]
	if !here || p.Op() != arp.OpRequest || lanOf(p.TargetAddr()) != lan {
		return
	}
	w.aside(lan, arp.AppendPacket(arp.AppendEthernet(nil, p.SenderMAC(), mac, arp.EtherTypeARP), arp.OpReply, mac, p.TargetAddr(), p.SenderMAC(), p.SenderAddr()))
}

// ofDiscovery gives the message of a frame of neighbour discovery or MLD.
func ofDiscovery(frame []byte) packet.ICMP {
	ip := packet.IPv6(frame[arp.EthernetHeader:])
	if !ip.Valid() {
		return nil
	}
	if next := ip.NextHeader(); next == packet.ProtoHopByHop { // MLD
		return packet.ICMP(ip.Payload())
	} else if m := packet.ICMP(ip.Payload()); next == packet.ProtoICMPv6 && m.Type() >= 130 {
		return m
	}
	return nil
}

// advertise answers a solicitation for a host's address.
func (w *twin) advertise(lan int, from netip.Addr, m packet.ICMP) {
	if m.Type() != 135 || len(m) < 24 || from.IsUnspecified() {
		return
	}
	target := netip.AddrFrom16([16]byte(m[8:24]))
	if mac, here := w.macs[target]; here && lanOf(target) == lan {
		w.aside(lan, arp.AppendAdvertisement(arp.AppendEthernet(nil, stationOf(lan), mac, arp.EtherTypeIPv6), target, from, target, mac, false, true, true))
	}
}

// aside has a frame come in that is not traffic.
func (w *twin) aside(lan int, frame []byte) {
	if w.kernel != nil {
		w.kernel.Receive(w.devices[lan], memory.Packet{Data: frame})
	}
	w.ports[lan].Inject(memory.Packet{Data: frame})
	w.asides[lan].Packets++
	w.asides[lan].Bytes += uint64(len(frame))
}

// leaves notes a frame that leaves.
func (w *twin) leaves(lan int, f memory.Packet) {
	m := mark(f.Data)
	if m == nil {
		w.others[lan]++
		return
	}
	if f.Offload.GSO == port.GSONone {
		f.Offload.HeaderLength = 0 // a hint that comes with super-packets alone
	}
	id := binary.BigEndian.Uint32(m[4:])
	w.left[id] = append(w.left[id], left{lan, string(f.Data), f.Offload})
}

// The mark of packets: four bytes, then the number of the flow and that of the packet.
const magic = 0x6d61726b

func (m *marked) payload(id uint32, size int) []byte {
	m.sent++
	b := make([]byte, 12, 12+size)
	binary.BigEndian.PutUint32(b, magic)
	binary.BigEndian.PutUint32(b[4:], id)
	binary.BigEndian.PutUint32(b[8:], m.sent)
	return b[:12+size]
}

// mark finds the mark of a packet that is no error.
func mark(frame []byte) []byte {
	b := frame[arp.EthernetHeader:]
	at, proto := packet.IPv4MinHeader, b[9]
	if b[0]>>4 == 6 {
		at, proto = packet.IPv6Header, b[6]
	}
	switch proto {
	case packet.ProtoTCP:
		at += packet.TCPMinHeader
	case packet.ProtoUDP:
		at += packet.UDPHeader
	default:
		return nil
	}
	if len(b) < at+12 || binary.BigEndian.Uint32(b[at:]) != magic {
		return nil
	}
	return b[at:]
}

// arrives has a frame come in at both routers, by a LAN. It waits in a socket if
// the kernel does not carry it.
func (t *twins) arrives(lan int, f memory.Packet) {
	t.plain.ports[lan].Inject(f)
	w := t.carried
	if out, by, carried := w.kernel.Receive(t.devices[lan], f); carried {
		to := t.lanBy(by.Device)
		if peer := t.macs[hostOf(4, to, 2)]; by.Peer && arp.MAC(out.Data[:6]) != peer {
			t.Fatalf("a frame for %s is handed to %s, at once", arp.MAC(out.Data[:6]), peer)
		}
		w.leaves(to, out)
		return
	}
	w.ports[lan].Inject(f)
}
