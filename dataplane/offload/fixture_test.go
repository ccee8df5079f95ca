package offload

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/icmp"
	pkt "routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The network of the tests, each host and the router in a namespace:
//
//	h0 198.18.0.2 -- r0 198.18.0.1 [ router ] r1 198.18.1.1 -- h1 198.18.1.2
//
// with 2001:db8:0::/64 and 2001:db8:1::/64 beside. Everything else is behind h1.
var (
	macR0 = arp.MAC{2, 0, 0, 0, 0, 1}
	macH0 = arp.MAC{2, 0, 0, 0, 0, 2}
	macR1 = arp.MAC{2, 0, 0, 0, 1, 1}
	macH1 = arp.MAC{2, 0, 0, 0, 1, 2}
)

const (
	lan0 routing.InterfaceID = iota
	lan1
)

// site is that network.
type site struct {
	cache               *Cache
	near, router, far   string // namespaces
	r0, r1              *packet.Port
	index0, index1, mtu int
}

func mac(a arp.MAC) string { return net.HardwareAddr(a[:]).String() }

func newCache(t testing.TB) *Cache {
	t.Helper()
	porttest.NeedRoot(t)
	c, err := New(Config{Flows: 1024, Causes: 8, Mark: packet.Mark})
	if errors.Is(err, ErrTooOld) || errors.Is(err, ErrNoRight) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := c.Lost(); n != 0 {
			t.Errorf("%d packets were lost for want of memory", n)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{cache: newCache(t), near: porttest.Namespace(t), router: porttest.Namespace(t), far: porttest.Namespace(t), mtu: 1500}
	s.lay(t)
	s.r0 = porttest.Open(t, packet.Open, packet.Config{Name: "lan0", Netns: s.router, Device: "r0"})
	s.r1 = porttest.Open(t, packet.Open, packet.Config{Name: "lan1", Netns: s.router, Device: "r1"})
	s.index0, s.index1 = s.carry(t, s.r0), s.carry(t, s.r1)
	return s
}

// lay connects the namespaces. The hosts' kernels say nothing by themselves, for
// want of an IPv6 address.
func (s *site) lay(t testing.TB) {
	t.Helper()
	for _, w := range []struct {
		r, h, netns string
		macR, macH  arp.MAC
	}{{"r0", "h0", s.near, macR0, macH0}, {"r1", "h1", s.far, macR1, macH1}} {
		porttest.IP(t, "-n", s.router, "link", "add", "name", w.r, "address", mac(w.macR), "type", "veth", "peer", "name", w.h, "netns", w.netns, "address", mac(w.macH))
		porttest.IP(t, "-n", w.netns, "link", "set", "dev", w.h, "addrgenmode", "none", "up")
	}
}

// carry attaches the cache to a port.
func (s *site) carry(t testing.TB, p *packet.Port) (index int) {
	t.Helper()
	if err := p.Carry(s.cache); err != nil {
		t.Fatal(err)
	}
	c, ok := p.Carried()
	if !ok || !c.Peer || c.Device == 0 {
		t.Fatalf("carried: %v, %+v", ok, c)
	}
	return c.Device
}

// ready has the packets of an entry carried from the first on, as if one had been
// in user space and were gone.
func (s *site) ready(f Flow) {
	number := 0
	if s.cache.keys[f].Ingress == s.index1 {
		number = 1
	}
	atomic.StoreUint64(&s.cache.kernel.entry(f).awaits, s.cache.kernel.hands.of(number).Finished.Load())
}

// hosts gives ports that play both hosts: their kernels send and receive nothing.
func (s *site) hosts(t testing.TB) (h0, h1 *packet.Port) {
	t.Helper()
	return porttest.Open(t, packet.Open, packet.Config{Name: "h0", Netns: s.near, Device: "h0"}),
		porttest.Open(t, packet.Open, packet.Config{Name: "h1", Netns: s.far, Device: "h1"})
}

// view is what the stages of the router see, with address translation if asked.
func (s *site) view(t testing.TB, translated bool) *dataplane.View {
	t.Helper()
	table := &dataplane.Table{Name: "main", FIB: fib.Empty()}
	v := &dataplane.View{
		Generation: 1, Tables: []*dataplane.Table{table},
		Martians:  dataplane.NewMartians(dataplane.DefaultMartianSources, dataplane.DefaultMartianDestinations),
		Limits:    dataplane.Limits{ICMP: icmp.Config{ErrorRate: 1000, ErrorBurst: 1000}, Reassembly: reassembly.Default},
		Neighbors: arp.NewTable(16, siphash.Key{1}),
	}
	for i, a := range []struct {
		name  string
		mac   arp.MAC
		p     *packet.Port
		addrs []netip.Prefix
	}{
		{"lan0", macR0, s.r0, porttest.Prefixes("198.18.0.1/24", "2001:db8::1/64", "fe80::1/64")},
		{"lan1", macR1, s.r1, porttest.Prefixes("198.18.1.1/24", "2001:db8:1::1/64", "fe80::1/64")},
	} {
		in := &dataplane.Interface{
			ID: routing.InterfaceID(i), Name: a.name, Kind: dataplane.KindPacket, Up: true, MTU: s.mtu,
			LinkHeader: arp.EthernetHeader, MAC: a.mac, Addresses: a.addrs, Offloads: port.OffloadAll,
		}
		if a.p != nil {
			in.Output = a.p.Queues()[0]
		} else {
			m := memory.New(a.name, s.mtu, memory.WithLinkHeader(arp.EthernetHeader))
			t.Cleanup(func() { m.Close() })
			in.Output = m.Queues()[0]
		}
		v.Interfaces = append(v.Interfaces, in)
		for _, p := range a.addrs[:2] {
			set(table, p.Masked(), routing.Forward, fib.NextHop{Interface: in.ID})
			set(table, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), routing.Local, fib.NextHop{Interface: in.ID})
		}
	}
	for gateway, all := range map[string]string{"198.18.1.2": "0.0.0.0/0", "2001:db8:1::2": "::/0"} {
		set(table, netip.MustParsePrefix(all), routing.Forward, fib.NextHop{Interface: lan1, Address: netip.MustParseAddr(gateway)})
	}
	for a, e := range map[string]*arp.Entry{
		"198.18.0.2": {Interface: lan0, MAC: macH0}, "2001:db8::2": {Interface: lan0, MAC: macH0},
		"198.18.1.2": {Interface: lan1, MAC: macH1}, "2001:db8:1::2": {Interface: lan1, MAC: macH1},
	} {
		e.State, e.Addr = arp.Reachable, netip.MustParseAddr(a)
		v.Neighbors.Apply(arp.Publish{Entry: e})
	}
	v.Own = dataplane.NewOwnAddresses(v.Interfaces)
	if translated {
		masquerade(t, v)
	}
	return v
}

func set(table *dataplane.Table, p netip.Prefix, a routing.Action, hop fib.NextHop) {
	e := &fib.Entry{Prefix: p, Action: a, Interface: hop.Interface}
	if a == routing.Forward {
		e.Group = fib.NewGroup([]fib.NextHop{hop})
	}
	table.FIB = table.FIB.Apply([]fib.Change{{Prefix: p, Entry: e}})
}

// masquerade has the view translate all that leaves by lan1.
func masquerade(t testing.TB, v *dataplane.View) {
	t.Helper()
	v.NAT = nat.New(nat.Options{Random: rand.NewPCG(1, 1)})
	v.Flows = flow.NewClock(time.Now().Add(-time.Hour))
	var list []nat.Interface
	for _, i := range v.Interfaces {
		list = append(list, nat.Interface{ID: i.ID, Name: i.Name, Addresses: i.Addresses})
	}
	rules, _, err := v.NAT.Prepare(nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"lan1"}}}}}, list)
	if err != nil {
		t.Fatal(err)
	}
	v.NAT.Commit(rules)
}

// frame is bytes and what the virtio-net header says of them.
type frame struct {
	data    []byte
	offload port.Offload
}

// stages is what the stages of the router make of a frame that comes in by an
// interface: the frame that leaves, if it is one and forwarded.
func stages(t rapid.TB, v *dataplane.View, in routing.InterfaceID, f frame) (out frame, fate verdict.Verdict) {
	t.Helper()
	b := dataplane.NewBatch(1, &dataplane.Counters{}, nil)
	to := &b.Frames()[0]
	to.Reset()
	to.End = to.Start + copy(to.Buf[to.Start:], f.data)
	to.Offload = f.offload
	b.Received(1, in)
	dataplane.Process(v, b, time.Now())
	n := 0
	b.Each(func(_ *dataplane.Interface, sent *port.Frame) bool {
		out = frame{append([]byte(nil), sent.Bytes()...), sent.Offload}
		n++
		return true
	})
	if fate = b.Packets()[0].Verdict; fate == verdict.Forwarded && n != 1 {
		fate = verdict.None // in pieces: no single frame to compare with
	}
	return out, fate
}

// ends reads protocol and ends of the packet in a frame.
func ends(f frame) (proto uint8, src, dst netip.AddrPort, ok bool) {
	raw := f.data[arp.EthernetHeader:]
	at := pkt.IPv6Header
	var a, b netip.Addr
	switch {
	case len(raw) >= pkt.IPv4MinHeader && raw[0]>>4 == 4 && pkt.IPv4(raw).Valid():
		ip := pkt.IPv4(raw)
		proto, a, b, at = ip.Protocol(), ip.Src(), ip.Dst(), ip.HeaderLen()
	case len(raw) >= pkt.IPv6Header && raw[0]>>4 == 6:
		ip := pkt.IPv6(raw)
		proto, a, b = ip.NextHeader(), ip.Src(), ip.Dst()
	default:
		return 0, src, dst, false
	}
	if proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_UDP || len(raw) < at+4 {
		return 0, src, dst, false
	}
	p := raw[at:]
	return proto, netip.AddrPortFrom(a, uint16(p[0])<<8|uint16(p[1])), netip.AddrPortFrom(b, uint16(p[2])<<8|uint16(p[3])), true
}

// decided is the key of a frame that came in by r0, and the decision that a
// frame that left says.
func (s *site) decided(in, out frame) (k Key, d Decision, ok bool) {
	proto, src, dst, ok := ends(in)
	_, asSrc, asDst, left := ends(out)
	return Key{s.index0, proto, src, dst}, Decision{
		Src: asSrc, Dst: asDst, Station: macR0, To: [6]byte(out.data[:6]), From: [6]byte(out.data[6:12]), Egress: s.index1, MTU: s.mtu,
	}, ok && left
}

// either waits until one of the ports has a frame, and gives it.
func either(t rapid.TB, a, b *packet.Port) (f frame, first bool) {
	t.Helper()
	fds := make([]unix.PollFd, 2)
	for i, p := range []*packet.Port{a, b} {
		if err := p.Sockets(func(fd int) error {
			fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for limit := time.Now().Add(porttest.Patience); time.Now().Before(limit); {
		if _, err := unix.Poll(fds, int(porttest.Patience.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatalf("waiting for a frame: %v", err)
		}
		for i, p := range []*packet.Port{a, b} {
			if fds[i].Revents&unix.POLLIN != 0 {
				return read(t, p), i == 0
			}
			unix.GetsockoptInt(int(fds[i].Fd), unix.SOL_SOCKET, unix.SO_ERROR) // that the device was down
		}
	}
	t.Fatalf("no frame came in %v", porttest.Patience)
	return f, false
}

// buffers are what read reads into.
var buffers = porttest.Buffers(1)

func read(t rapid.TB, p *packet.Port) frame {
	t.Helper()
	q := p.Queues()[0]
	q.SetReadDeadline(time.Now().Add(porttest.Patience))
	if _, err := q.Read(buffers); err != nil {
		t.Fatal(err)
	}
	return frame{append([]byte(nil), buffers[0].Bytes()...), buffers[0].Offload}
}

func send(t rapid.TB, p *packet.Port, f frame) {
	t.Helper()
	if !sends(p, f) {
		t.Fatalf("sending % x: the device did not take it", f.data[:min(len(f.data), 64)])
	}
}

// sends reports whether the device takes the frame.
func sends(p *packet.Port, f frame) bool {
	b := porttest.Frame(f.data)
	b.Offload = f.offload
	n, err := p.Queues()[0].Write([]*port.Frame{b})
	return n == 1 && err == nil
}
