package offloadtest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"routerd/dataplane/offload"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	"routerd/internal/corpus"
	words "routerd/internal/packet"
)

// The bench of the comparison: h0 -- r0 [ cache ] r1 -- h1, three namespaces.
var (
	macR0 = [6]byte{2, 0, 0, 0, 0, 1}
	macH0 = [6]byte{2, 0, 0, 0, 0, 2}
	macR1 = [6]byte{2, 0, 0, 0, 1, 1}
	macH1 = [6]byte{2, 0, 0, 0, 1, 2}
)

type bench struct {
	cache           *offload.Cache
	model           *Kernel
	h0, r0, h1      *packet.Port
	ingress, egress int
	tried, went     int // frames; of them carried
}

func newBench(t *testing.T) *bench {
	t.Helper()
	porttest.NeedRoot(t)
	cfg := offload.Config{Flows: 1024, Causes: 8, Mark: packet.Mark}
	cache, err := offload.New(cfg)
	if errors.Is(err, offload.ErrTooOld) || errors.Is(err, offload.ErrNoRight) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	near, router, far := porttest.Namespace(t), porttest.Namespace(t), porttest.Namespace(t)
	for _, w := range []struct {
		r, h, netns string
		macR, macH  [6]byte
	}{{"r0", "h0", near, macR0, macH0}, {"r1", "h1", far, macR1, macH1}} {
		porttest.IP(t, "-n", router, "link", "add", "name", w.r, "mtu", "9000", "address", mac(w.macR), "type", "veth",
			"peer", "name", w.h, "mtu", "9000", "netns", w.netns, "address", mac(w.macH))
		porttest.IP(t, "-n", w.netns, "link", "set", "dev", w.h, "addrgenmode", "none", "up")
	}
	open := func(netns, device string) *packet.Port {
		return porttest.Open(t, packet.Open, packet.Config{Name: device, Netns: netns, Device: device})
	}
	b := &bench{cache: cache, model: New(cfg, func() int64 { return 1 }), h0: open(near, "h0"), r0: open(router, "r0"), h1: open(far, "h1")}
	open(router, "r1")
	b.ingress, b.egress = index(t, router, "r0"), index(t, router, "r1")
	if err := b.r0.Carry(cache); err != nil {
		t.Fatal(err)
	}
	return b
}

func mac(a [6]byte) string { return net.HardwareAddr(a[:]).String() }

func index(t *testing.T, netns, device string) int {
	t.Helper()
	return porttest.Inside(t, netns, func() (int, error) {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return 0, err
		}
		return i.Index, nil
	})
}

// arrival waits for a frame, and says whether it left by h1; else r0's socket
// has it.
func (b *bench) arrival(t rapid.TB) (p memory.Packet, left bool) {
	t.Helper()
	ports, fds := []*packet.Port{b.r0, b.h1}, make([]unix.PollFd, 2)
	for i, p := range ports {
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
		for i := range fds {
			if fds[i].Revents&unix.POLLIN != 0 {
				return read(t, ports[i]), i == 1
			}
			unix.GetsockoptInt(int(fds[i].Fd), unix.SOL_SOCKET, unix.SO_ERROR) // that the device was down
		}
	}
	t.Fatalf("no frame came in %v", porttest.Patience)
	return p, false
}

var buffers = porttest.Buffers(1)

func read(t rapid.TB, p *packet.Port) memory.Packet {
	t.Helper()
	q := p.Queues()[0]
	q.SetReadDeadline(time.Now().Add(porttest.Patience))
	if _, err := q.Read(buffers); err != nil {
		t.Fatal(err)
	}
	return memory.Packet{Data: append([]byte(nil), buffers[0].Bytes()...), Offload: buffers[0].Offload}
}

// send reports whether the sender's device takes the frame.
func (b *bench) send(p memory.Packet) bool {
	f := porttest.Frame(p.Data)
	f.Offload = p.Offload
	n, err := b.h0.Queues()[0].Write([]*port.Frame{f})
	return n == 1 && err == nil
}

// try sends the frame, once without an entry so that it is seen as it comes in,
// and once with one. The kernel and the model do the same with it.
func (b *bench) try(t rapid.TB, sent memory.Packet, k offload.Key, d offload.Decision) {
	t.Helper()
	if !b.send(sent) {
		return // the sender's kernel does not take it
	}
	in, left := b.arrival(t)
	if left {
		t.Fatalf("without an entry it is carried: % x", in.Data)
	}
	real, err := b.cache.Put(k, d, b.cache.Ref(1))
	if err != nil {
		t.Fatalf("%+v: %v", k, err)
	}
	modelled, err := b.model.Put(k, d, b.model.Ref(1))
	if err != nil {
		t.Fatalf("%+v: the model: %v", k, err)
	}
	defer func() {
		if err := errors.Join(b.cache.Remove(real), b.model.Remove(modelled)); err != nil {
			t.Errorf("%v", err)
		}
		if b.tried++; b.tried%900 == 0 {
			b.reap(t)
		}
	}()
	b.send(sent)
	if got, left := b.arrival(t); left || !bytes.Equal(got.Data, in.Data) {
		t.Fatalf("the first one that finds the entry is carried: %v\n% x\nas it came: % x", left, got.Data, in.Data)
	}
	b.model.Finish(b.ingress, b.model.Passed(b.ingress))
	want, _, carried := b.model.Receive(b.ingress, in)
	if !carried {
		want = in
	}
	got, left := b.second(t, sent, carried)
	if want.Offload.GSO == port.GSONone {
		want.Offload.HeaderLength = got.Offload.HeaderLength // a hint that comes with super-packets alone
	}
	if left != carried || !bytes.Equal(got.Data, want.Data) || got.Offload != want.Offload {
		t.Fatalf("carried %v, %+v\n% x\nthe model: %v, %+v\n% x\nas it came: % x", left, got.Offload, got.Data, carried, want.Offload, want.Data, in.Data)
	}
	one, other := b.cache.Counters(real), b.model.Counters(modelled)
	if one.Last = min(one.Last, 1); one != other {
		t.Fatalf("counted %+v, the model %+v: % x", one, other, in.Data)
	}
	if carried {
		b.went++
	}
}

// second sends the frame again once the router's reader has seen that its socket
// is empty, which a loaded machine may keep it from.
func (b *bench) second(t rapid.TB, sent memory.Packet, carried bool) (got memory.Packet, left bool) {
	t.Helper()
	for pause := time.Millisecond; pause < time.Second; pause *= 8 {
		q := b.r0.Queues()[0]
		q.SetReadDeadline(time.Now().Add(pause))
		if _, err := q.Read(buffers); !errors.Is(err, port.ErrTimeout) {
			t.Fatalf("reading what should not be there: %v", err)
		}
		b.send(sent)
		if got, left = b.arrival(t); left == carried {
			break
		}
	}
	return got, left
}

func (b *bench) reap(t rapid.TB) {
	t.Helper()
	ignore := func(offload.Flow, offload.Key, offload.Counters) {}
	if err := errors.Join(b.cache.Reap(ignore), b.model.Reap(ignore)); err != nil {
		t.Fatalf("%v", err)
	}
}

// decision is what the test has the cache do with a flow.
func (b *bench) decision(src, dst netip.AddrPort, mtu int) offload.Decision {
	return offload.Decision{Src: src, Dst: dst, Station: macR0, From: macR1, To: macH1, Egress: b.egress, MTU: mtu}
}

// Frames of all kinds, and what any decision has become of them.
func TestLikeTheKernel(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(t *rapid.T) {
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
		f := Flow{Station: macR0, Host: macH0, Proto: []uint8{protoTCP, protoUDP}[choose(2)]}
		address := func() netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(choose(256)), byte(choose(256))}) }
		if choose(3) == 0 {
			address = func() netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(choose(256))}) }
		}
		end := func() netip.AddrPort { return netip.AddrPortFrom(address(), uint16(choose(65536))) }
		f.Src, f.Dst = end(), end()
		src, dst := f.Src, f.Dst
		if f.Src.Addr().Is4() {
			src, dst = []netip.AddrPort{src, end()}[choose(2)], []netip.AddrPort{dst, end()}[choose(2)]
		}
		d := b.decision(src, dst, []int{1500, 1400, 1454, 9000}[choose(4)])
		d.Peer = choose(2) == 0
		b.try(t, f.Any(choose), offload.Key{Ingress: b.ingress, Proto: f.Proto, Src: f.Src, Dst: f.Dst}, d)
	})
	if b.tried >= 90 && (b.went == 0 || b.went == b.tried) {
		t.Errorf("%d of %d frames were carried: want some and not all", b.went, b.tried)
	}
	t.Logf("%d frames, %d carried", b.tried, b.went)
}

// Captured packets of TCP and UDP, as they are and with the hop limit that those
// of one link lack, plain and translated.
func TestCorporaLikeTheKernel(t *testing.T) {
	b := newBench(t)
	list := corpus.Packets(t)
	for _, name := range []string{"ipv4-fragments", "ipv4-malformed", "ipv4-options", "ipv6-exthdr", "ipv6-malformed"} {
		list = append(list, corpus.Hex(t, name)...)
	}
	for i, raw := range list {
		if len(raw) < 24 || len(raw) > 8000 {
			continue
		}
		for hops := range 2 {
			p := memory.Packet{Data: porttest.Ethernet(macR0, macH0, etherIPv4)}
			p.Data = append(p.Data, raw...)
			if raw[0]>>4 == 6 {
				p.Data[12], p.Data[13] = 0x86, 0xdd
			}
			if hops > 0 {
				raise(p.Data[linkHeader:])
			}
			k, known := keyOf(p.Data)
			if !known {
				continue
			}
			k.Ingress = b.ingress
			src, dst := k.Src, k.Dst
			if src.Addr().Is4() && i%2 == 0 {
				src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), uint16(i*97))
			}
			b.try(t, p, k, b.decision(src, dst, 1500))
		}
	}
	t.Logf("%d frames, %d carried", b.tried, b.went)
	if b.went < 100 {
		t.Errorf("of %d frames %d were carried: too few to compare", b.tried, b.went)
	}
}

// raise gives a packet the usual hop limit.
func raise(b []byte) {
	if ip := words.IPv4(b); ip.Valid() && ip.HeaderChecksumOK() {
		ip.SetTTL(64)
		ip.FillChecksum()
	} else if b[0]>>4 == 6 {
		b[7] = 64
	}
}

// keyOf is the flow that a frame says to be of, however damaged it is.
func keyOf(frame []byte) (k offload.Key, known bool) {
	b := frame[linkHeader:]
	at := words.IPv6Header
	var src, dst netip.Addr
	switch {
	case b[0]>>4 == 4 && words.IPv4(b).Valid():
		ip := words.IPv4(b)
		k.Proto, src, dst, at = ip.Protocol(), ip.Src(), ip.Dst(), ip.HeaderLen()
	case b[0]>>4 == 6 && len(b) >= words.IPv6Header:
		ip := words.IPv6(b)
		k.Proto, src, dst = ip.NextHeader(), ip.Src(), ip.Dst()
	default:
		return k, false
	}
	if k.Proto != protoTCP && k.Proto != protoUDP || len(b) < at+4 {
		return k, false
	}
	p := b[at:]
	k.Src = netip.AddrPortFrom(src, uint16(p[0])<<8|uint16(p[1]))
	k.Dst = netip.AddrPortFrom(dst, uint16(p[2])<<8|uint16(p[3]))
	return k, true
}
