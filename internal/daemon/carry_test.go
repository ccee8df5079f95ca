package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"go.uber.org/goleak"

	"routerd/dataplane/flowcache"
	"routerd/internal/control"
	inner "routerd/internal/packet"
)

// Flows of two hosts are carried, and counted as by the stages.
func TestCarried(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	for _, name := range []string{"lan0", "lan1", "lan2"} {
		if on, why := s.d.carriedBy(name); !on {
			t.Fatalf("%s: %s", name, why)
		}
	}
	for _, ends := range [][2]string{{"10.0.1.2:4000", "10.0.2.2:5000"}, {"[2001:db8:1::2]:4000", "[2001:db8:2::2]:5000"}} {
		x := s.newStream(t, ends[0], ends[1])
		before := x.carried()
		if before.In != "lan0" || before.Out != "lan1" || !before.Peer || before.NextHop != x.to.Addr() {
			t.Errorf("carried as %+v", before)
		}
		in, _ := s.traffic("lan0")
		_, out := s.traffic("lan1")
		const n = 500
		x.packets(n)
		after, _ := x.flow()
		if got := after.Packets - before.Packets; got != n {
			t.Errorf("%d of %d packets were carried", got, n)
		}
		// Discovery and reports of groups may come in between.
		in2, _ := s.traffic("lan0")
		_, out2 := s.traffic("lan1")
		if got := in2.Packets - in.Packets; got < n || got > n+20 {
			t.Errorf("lan0 has received %d packets, want %d", got, n)
		}
		if got := out2.Packets - out.Packets; got < n || got > n+20 {
			t.Errorf("lan1 has sent %d packets, want %d", got, n)
		}
	}
}

// A connection's segments are carried whole, as super-packets, and nothing of it is lost.
func TestCarriedTCP(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	for _, to := range []string{"10.0.2.2:6000", "[2001:db8:2::2]:6000"} {
		l := listen(t, s.hosts[1], to)
		const size = 64 << 20
		got := received(l)
		c := dial(t, s.hosts[0], "tcp", to)
		if _, err := io.CopyN(c, zeros{}, size); err != nil {
			t.Fatal(err)
		}
		s.cache.Account(time.Now())
		f, is := s.cache.Find(s.d.router.View().Named("lan0"), inner.ProtoTCP, packetAddr(t, c.LocalAddr().String()), packetAddr(t, to))
		if !is || f.Bytes < size/2 || f.Supers == 0 {
			t.Errorf("carried %v: %+v, want most of %d bytes, in super-packets", is, f, size)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if n := <-got; n != size {
			t.Errorf("%d bytes have come, want %d", n, size)
		}
	}
}

var errNotYet = errors.New("not yet")

// passAll is a program that lets everything pass.
func passAll() asm.Instructions { return asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()} }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A session counts what both of its flows carry, lives by it, and ends both.
func TestCarriedSession(t *testing.T) {
	s := newCarrySite(t)
	const nat = "[nat.timeout]\nudp = \"2s\"\n[[nat.source]]\nname = \"out\"\noutbound-interface = \"lan1\"\ntranslation = \"masquerade\"\n"
	s.configure("always", "2", nat)
	s.begin()
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	f := x.carried()
	if f.NewSrc.Addr() != mustAddr("10.0.2.1") {
		t.Errorf("it leaves from %s, want 10.0.2.1", f.NewSrc)
	}
	x.packets(300)
	session := s.session()
	if session.Packets != 2*x.sent {
		t.Errorf("the session has %d packets, want %d", session.Packets, 2*x.sent)
	}
	if f, _ = x.flow(); f.Packets < 300 {
		t.Errorf("%d packets were carried, want 300 and more", f.Packets)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		x.packets(1)
	}
	if again := s.session(); again.Age < 5 || again.Packets != 2*x.sent {
		t.Errorf("after five seconds of use the session is %+v, want it as old, with %d packets", again, 2*x.sent)
	}
	if _, is := x.flow(); !is {
		t.Errorf("the flow is not carried any more: %+v", s.cache.Totals())
	}
	wait(t, "the idle session to end", func() error {
		if n := s.cache.Totals(); n.Ended[flowcache.EndSession] == 0 {
			return errNotYet
		}
		return nil
	})
	if n := s.d.router.View().NAT.Sessions().Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A change ends what it concerns before it is done, and the next packets go the new way.
func TestCarriedUntilChanged(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	x, other := s.newStream(t, "10.0.1.2:4000", "10.50.0.1:5000"), s.newStream(t, "10.0.1.2:4001", "10.0.2.2:5001")
	if f := x.carried(); f.Out != "lan1" {
		t.Fatalf("it leaves by %s, want lan1", f.Out)
	}
	stays := other.carried().Since
	s.configure("always", "3", "")
	s.reload()
	if _, is := x.flow(); is {
		t.Error("it is carried by the route before")
	}
	_, before := s.traffic("lan2")
	x.packets(1)
	if _, after := s.traffic("lan2"); after.Packets == before.Packets {
		t.Error("the packet behind the reload went by the route before")
	}
	if f := x.carried(); f.Out != "lan2" {
		t.Errorf("it leaves by %s, want lan2", f.Out)
	}
	if f := other.carried(); !f.Since.Equal(stays) {
		t.Error("another flow was ended by the route")
	}

	if r, err := s.client().ClearNeighbors(t.Context(), control.NeighborQuery{Interface: "lan2"}); err != nil || r.Cleared == 0 {
		t.Fatalf("cleared %+v (%v)", r, err)
	}
	if _, is := x.flow(); is {
		t.Error("it is carried to a neighbour that is not known any more")
	}
	x.carried()

	s.must("ip", "-n", s.core, "link", "set", "r2", "mtu", "1400")
	wait(t, "the MTU to be followed", func() error {
		if i := s.d.router.View().Named("lan2"); i.MTU != 1400 {
			return errNotYet
		}
		return nil
	})
	if n := s.cache.Totals(); n.Ended[flowcache.EndInterface] == 0 {
		t.Errorf("ended %v, want some by the interface", n.Ended)
	}
	x.carried()

	s.configure("off", "3", "")
	s.reload()
	x.packets(5)
	if n := s.cache.Totals().Flows; n != 0 {
		t.Errorf("%d flows are carried although it is switched off", n)
	}
	if on, why := s.d.carriedBy("lan0"); on || !strings.Contains(why, `offload = "off"`) {
		t.Errorf("carried %v: %q", on, why)
	}
	s.configure("always", "3", "[[nat.source]]\nname = \"out\"\noutbound-interface = \"lan2\"\ntranslation = \"masquerade\"\n")
	s.reload()
	if f := x.carried(); f.NewSrc.Addr() != mustAddr("10.0.3.1") {
		t.Errorf("it leaves from %s, want 10.0.3.1", f.NewSrc)
	}
	if n := s.cache.Clear(flowcache.Filter{}); n == 0 {
		t.Error("nothing was cleared")
	}
	x.carried()
}

// With another program on the device all works as without a cache, and it is said why.
func TestCarriedNotBeside(t *testing.T) {
	s := newCarrySite(t)
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: passAll(), License: "unspecified"})
	if err != nil {
		t.Skip(err)
	}
	defer p.Close()
	inNetns(t, s.core, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Interface: 101, Program: p, Attach: ebpf.AttachTCXIngress})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	s.begin()
	if on, why := s.d.carriedBy("lan0"); on || !strings.Contains(why, "another program is attached to the device's ingress") {
		t.Errorf("carried %v: %q", on, why)
	}
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.packets(20)
	if n := s.cache.Totals(); n.Flows != 0 {
		t.Errorf("%d flows are carried", n.Flows)
	}
}

// A router that is killed under load leaves nothing attached, and the next one forwards.
func TestCarriedKilled(t *testing.T) {
	s := newCarrySite(t)
	p := s.startProcess(nil)
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.packets(50)
	if s.attached(t) == 0 {
		t.Skip("the kernel carries nothing here")
	}
	load := packetConn(t, s.hosts[0], "10.0.1.2:4001")
	sink := packetConn(t, s.hosts[1], "10.0.2.2:5001")
	var arrived atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		for buf := make([]byte, 2048); ; arrived.Add(1) {
			if _, _, err := sink.ReadFromUDPAddrPort(buf); err != nil {
				return
			}
		}
	})
	running.Go(func() {
		for n := 0; ; n++ {
			if _, err := load.WriteToUDPAddrPort(make([]byte, 100), packetAddr(t, "10.0.2.2:5001")); errors.Is(err, net.ErrClosed) {
				return
			}
			if n%64 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	defer running.Wait()
	defer func() { load.Close(); sink.Close() }()
	flows := func(more int64, what string) {
		t.Helper()
		before := arrived.Load()
		wait(t, what, func() error {
			if arrived.Load() < before+more {
				return errNotYet
			}
			return nil
		})
	}
	flows(1000, "the load to pass")
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // killed, so an error
	wait(t, "nothing to be attached", func() error {
		if s.attached(t) != 0 {
			return errNotYet
		}
		return nil
	})
	began := time.Now()
	s.begin()
	flows(1, "the load to pass again")
	t.Logf("forwards again %v after the start of the next", time.Since(began).Round(time.Millisecond))
	flows(1000, "the load to go on")
	x.carried()
}

// Nothing of the cache is left after a stop: no goroutine, descriptor or program.
func TestCarriedStops(t *testing.T) {
	s := newCarrySite(t)
	s.begin()() // what is made once and kept is made now
	before, fds := goleak.IgnoreCurrent(), countFDs(t)
	for range 3 {
		stop := s.begin()
		x := s.newStream(t, "10.0.1.2:0", "10.0.2.2:0")
		x.packets(3)
		if s.attached(t) != 1 {
			t.Errorf("%d programs are attached to r0, want 1", s.attached(t))
		}
		x.close()
		stop()
	}
	goleak.VerifyNone(t, before)
	if got := countFDs(t); got > fds {
		t.Errorf("%d descriptors are open, %d before", got, fds)
	}
	if n := s.attached(t); n != 0 {
		t.Errorf("%d programs are attached to r0 still", n)
	}
}

// In auto a flow is carried from its second packet on, whatever it is.
func TestCarriedAuto(t *testing.T) {
	s := newCarrySite(t)
	s.configure("auto", "2", "")
	s.begin()
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.carried()
	if x.sent > 100 {
		t.Errorf("it took %d packets until the flow was carried", x.sent)
	}
}

// All ports that are carried are looked at in turn, and no other.
func TestCarriedInTurn(t *testing.T) {
	d := &Daemon{ports: map[string]*openPort{"tun0": {uncarried: errNoDevice}}}
	const ports = 2*checksAtOnce + 3
	for i := range ports {
		d.ports[fmt.Sprintf("lan%02d", i)] = &openPort{}
	}
	seen, last := map[string]int{}, ""
	for range 6 {
		for _, p := range d.carriedAfter(last) {
			last = p.name
			seen[last]++
		}
	}
	if len(seen) != ports || seen["tun0"] != 0 || seen["lan00"] != 2 || seen["lan34"] != 2 {
		t.Errorf("looked at %v, want all of %d twice", seen, ports)
	}
}

// A program that is attached later ends it, and the device works without.
func TestCarriedUntilOccupied(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	x := s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000")
	x.carried()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: passAll(), License: "unspecified"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	inNetns(t, s.core, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Interface: 101, Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Tail()})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	why := ""
	wait(t, "it to be noticed", func() error {
		on := true
		if err := s.d.ask(t.Context(), func() { on, why = s.d.carriedBy("lan0") }); err != nil {
			return err
		}
		if on {
			return errNotYet
		}
		return nil
	})
	if !strings.Contains(why, "another program is attached to the device's ingress") {
		t.Errorf("it is said that %q", why)
	}
	x.packets(20)
	if _, is := x.flow(); is || s.attached(t) != 1 {
		t.Errorf("carried %v, with %d programs attached", is, s.attached(t))
	}
}

// attached is how many programs are at the ingress of r0.
func (s *carrySite) attached(t *testing.T) (n int) {
	inNetns(t, s.core, func() error {
		q, err := link.QueryPrograms(link.QueryOptions{Target: 101, Attach: ebpf.AttachTCXIngress})
		if err == nil {
			n = len(q.Programs)
		}
		return err
	})
	return n
}
