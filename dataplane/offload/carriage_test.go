package offload

import (
	"errors"
	"net"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
	"routerd/internal/verdict"
)

// While the cache is attached to a device and detached from it again and again
// no packet is lost and none comes twice.
func TestCarriageLosesNothing(t *testing.T) {
	s := newSite(t)
	h0, h1 := s.hosts(t)
	first := probe(t, "198.18.1.2", pkt.ProtoUDP, 100)
	out, fate := stages(t, s.view(t, false), lan0, first)
	k, d, ok := s.decided(first, out)
	if fate != verdict.Forwarded || !ok {
		t.Fatalf("the stages: %v", fate)
	}
	entry, err := s.cache.Put(k, d, s.cache.Ref(0))
	if err != nil {
		t.Fatal(err)
	}
	var f traffic
	f.begin(t, s, h0, h1, first)
	defer func() { f.stop.Store(true); f.sender.Wait(); h1.Close(); s.r0.Close(); f.wg.Wait() }()
	for range 10 {
		carried := s.cache.Counters(entry).Packets
		wait(t, "packets are carried", func() bool { return s.cache.Counters(entry).Packets >= carried+20 })
		if err := s.r0.Uncarry(); err != nil {
			t.Fatal(err)
		}
		after, carried := f.sending.Load(), s.cache.Counters(entry).Packets
		wait(t, "packets pass by the socket", func() bool { return f.flushed.Load() > after+20 })
		if n := s.cache.Counters(entry).Packets; n != carried {
			t.Errorf("%d packets were carried after Uncarry had returned", n-carried)
		}
		if err := s.r0.Carry(s.cache); err != nil {
			t.Fatal(err)
		}
	}
	f.finish(t, s, h1)
	for n := uint64(1); n <= f.sending.Load(); n++ {
		if f.carried[n]+f.missed[n] != 1 {
			t.Errorf("packet %d: h1 got it %d times, the socket %d", n, f.carried[n], f.missed[n])
		}
	}
}

// other loads a program that does nothing.
func other(t *testing.T, of ebpf.ProgramType) *ebpf.Program {
	t.Helper()
	verdict := int32(tcxNext)
	if of == ebpf.XDP {
		verdict = 2 // XDP_PASS
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: of, License: licence, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, verdict), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// What others do at the device is seen by Check, which takes the cache away where
// it would lose packets.
func TestCheck(t *testing.T) {
	s := newSite(t)
	in := probe(t, "198.18.1.2", pkt.ProtoUDP, 100)
	h0, h1 := s.hosts(t)
	passes := func(when string) {
		t.Helper()
		send(t, h0, in)
		if _, missed := either(t, s.r0, h1); !missed {
			t.Errorf("%s: the packet was carried", when)
		}
	}
	attach := func(at ebpf.AttachType) link.Link {
		t.Helper()
		return porttest.Inside(t, s.router, func() (link.Link, error) {
			return link.AttachTCX(link.TCXOptions{Interface: s.index0, Program: other(t, ebpf.SchedCLS), Attach: at, Anchor: link.Head()})
		})
	}
	out, _ := stages(t, s.view(t, false), lan0, in)
	k, d, _ := s.decided(in, out)
	if _, err := s.cache.Put(k, d, s.cache.Ref(0)); err != nil {
		t.Fatal(err)
	}
	peer := func(when string, want bool) {
		t.Helper()
		if err := s.r0.Check(); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if c, ok := s.r0.Carried(); !ok || c.Peer != want || c.Device != s.index0 {
			t.Errorf("%s: %v, %+v, want peer %v", when, ok, c, want)
		}
	}
	peer("with nothing beside it", true)
	l := attach(ebpf.AttachTCXEgress)
	peer("with a program at the egress", false)
	l.Close()
	peer("without it", true)

	if err := device.InNamespace(s.near, func() error {
		l, err := link.AttachXDP(link.XDPOptions{Interface: indexOf(t, "h0"), Program: other(t, ebpf.XDP)})
		if err != nil {
			return err
		}
		peer("with XDP at the other end", false)
		return l.Close()
	}); err != nil {
		t.Error(err)
	}
	peer("without XDP", true)

	l = attach(ebpf.AttachTCXIngress)
	if err := s.r0.Check(); !errors.Is(err, ErrOccupied) {
		t.Errorf("beside another program: %v", err)
	}
	passes("beside another program")
	if err := s.r0.Carry(s.cache); !errors.Is(err, ErrOccupied) {
		t.Errorf("attaching beside another program: %v", err)
	}
	l.Close()
	if err := s.r0.Carry(s.cache); err != nil {
		t.Fatal(err)
	}
	detached(t, s, s.index0)
	if err := s.r0.Check(); !errors.Is(err, ErrDetached) {
		t.Errorf("detached by somebody: %v", err)
	}
	passes("detached by somebody")
	if _, ok := s.r0.Carried(); ok {
		t.Error("still carried")
	}

	p := porttest.Open(t, packet.Open, packet.Config{Name: "far", Netns: s.far, Device: farDevice(t, s)})
	if err := p.Carry(s.cache); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a device of another namespace: %v", err)
	}
}

// detached detaches what is at the ingress of a device, as anybody may.
func detached(t *testing.T, s *site, index int) {
	t.Helper()
	r := porttest.Inside(t, s.router, func() (*link.QueryResult, error) {
		return link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
	})
	for _, p := range r.Programs {
		id, _ := p.LinkID()
		l, err := link.NewFromID(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Detach(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// farDevice makes one more device in the namespace of h1.
func farDevice(t *testing.T, s *site) string {
	t.Helper()
	porttest.IP(t, "-n", s.far, "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1")
	return "d0"
}

var _ port.FlowCache = (*Cache)(nil)

// indexOf is that of a device in the namespace of the calling thread.
func indexOf(t *testing.T, name string) int {
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Error(err)
		return 0
	}
	return i.Index
}
