package tun

import (
	"bytes"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
	"routerd/internal/packet"
)

// pingOnce has the kernel send an echo request and answers it.
func pingOnce(t *testing.T, p *Port, netns, target string) {
	t.Helper()
	if _, err := exec.LookPath("ping"); err != nil {
		t.Skip("needs ping(8)")
	}
	args := []string{"ping", "-n", "-c", "1", "-w", "5", target}
	if netns != "" {
		args = append([]string{"ip", "netns", "exec", netns}, args...)
	}
	var out bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dst := netip.MustParseAddr(target)
	q := p.Queues()[0]
	porttest.ReadUntil(t, q, "an echo request", func(f *port.Frame) bool {
		if !answerEcho(f.Bytes(), dst) {
			return false
		}
		if n, err := q.Write([]*port.Frame{f}); n != 1 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		return true
	})
	if err := cmd.Wait(); err != nil {
		t.Fatalf("ping: %v\n%s", err, &out)
	}
}

// answerEcho turns an echo request for dst into its reply. Swapping the
// addresses leaves checksums alone; the type is one known step.
func answerEcho(b []byte, dst netip.Addr) bool {
	if v4 := packet.IPv4(b); v4.Valid() && v4.Dst() == dst && v4.Protocol() == packet.ProtoICMP {
		src := v4.Src()
		v4.SetSrc(dst)
		v4.SetDst(src)
		m := packet.ICMP(v4.Payload())
		m.SetType(0)
		m.SetChecksum(packet.UpdateChecksum(m.Checksum(), 8<<8, 0))
		return true
	}
	if v6 := packet.IPv6(b); v6.Valid() && v6.Dst() == dst && v6.NextHeader() == packet.ProtoICMPv6 {
		src := v6.Src()
		v6.SetSrc(dst)
		v6.SetDst(src)
		m := packet.ICMP(v6.Payload())
		m.SetType(129)
		m.SetChecksum(packet.UpdateChecksum(m.Checksum(), 128<<8, 129<<8))
		return true
	}
	return false
}

func TestKernelPing(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	for _, target := range []string{"198.18.0.1", "203.0.113.9", "2001:db8::1", "2001:db8:ffff::9"} {
		t.Run(target, func(t *testing.T) { pingOnce(t, p, ns, target) })
	}
	if n := p.Malformed(); n != 0 {
		t.Errorf("%d malformed frames", n)
	}
}

func TestWriteReachesSocket(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	q := p.Queues()[0]
	c := porttest.ListenUDP(t, ns, "198.18.0.2:7000")
	build := func(payload string, partial bool) *port.Frame {
		return porttest.Frame(porttest.UDP4("198.18.0.1:5000", "198.18.0.2:7000", payload, partial))
	}

	whole, partial := build("whole checksum", false), build("partial checksum", true)
	partial.Offload = porttest.Partial
	wrong := build("wrong checksum", false)
	wrong.Bytes()[26] ^= 0x55
	refused := build("header refused", false)
	refused.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: 60000}
	bare := build("no headroom", false)
	bare.Start = device.HeaderLen - 1
	empty := build("empty", false)
	empty.End = empty.Start
	last := build("last", false)
	last.Failed = true

	n, err := q.Write([]*port.Frame{whole, partial, wrong, refused, bare, empty, last})
	if n != 4 || err != nil {
		t.Errorf("Write: %d, %v, want 4 taken", n, err)
	}
	for i, f := range []*port.Frame{whole, partial, wrong, refused, bare, empty, last} {
		if want := i >= 3 && i <= 5; f.Failed != want {
			t.Errorf("frame %d: Failed is %v", i, f.Failed)
		}
	}
	porttest.WantDatagrams(t, c, "whole checksum", "partial checksum", "last")
}

// A super-packet and a chain of coalesced frames both arrive as the datagrams
// they stand for.
func TestWriteUDPSuperPacket(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	if !p.Offloads().Has(port.OffloadUDP) {
		t.Skip("this kernel has no UDP segmentation on TUN devices (it came with 6.2)")
	}
	c := porttest.ListenUDP(t, ns, "198.18.0.2:7000")
	want := []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("c", 300)}
	super := porttest.Frame(porttest.UDP4("198.18.0.1:5000", "198.18.0.2:7000", strings.Join(want, ""), true))
	super.Offload = porttest.Partial
	super.Offload.GSO, super.Offload.SegmentSize = port.GSOUDPL4, 1000

	head := porttest.Frame(super.Bytes()[:28+1000])
	head.Offload = super.Offload
	for i, tail := 1, head; i < len(want); i++ {
		tail.Next = porttest.Frame([]byte("headers that stay" + want[i]))
		tail = tail.Next
		tail.Start += len("headers that stay")
	}
	for _, f := range []*port.Frame{super, head} {
		if n, err := p.Queues()[0].Write([]*port.Frame{f}); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		porttest.WantDatagrams(t, c, want...)
	}

	for tail, i := head, 0; i < device.MaxChain; i++ { // one part too many
		tail.Next = porttest.Frame([]byte("x"))
		tail = tail.Next
	}
	if n, err := p.Queues()[0].Write([]*port.Frame{head}); n != 0 || err != nil || !head.Failed {
		t.Errorf("a chain of more than %d parts: %d, %v", device.MaxChain, n, err)
	}
}

func TestReadUDPSuperPacket(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		headers  uint16
	}{{"198.18.0.2:0", "198.18.0.1:7000", 28}, {"[2001:db8::2]:0", "[2001:db8::1]:7000", 48}} {
		t.Run(tt.to, func(t *testing.T) {
			ns := newNetns(t)
			p := openPort(t, lanConfig(ns))
			if !p.Offloads().Has(port.OffloadUDP) {
				t.Skip("this kernel has no UDP segmentation on TUN devices (it came with 6.2)")
			}
			c := porttest.ListenUDP(t, ns, tt.from)
			porttest.SegmentSize(t, c, 1200)
			if _, err := c.WriteToUDPAddrPort(make([]byte, 12000), netip.MustParseAddrPort(tt.to)); err != nil {
				t.Fatal(err)
			}
			porttest.ReadUntil(t, p.Queues()[0], "a UDP super-packet", func(f *port.Frame) bool {
				if f.Offload.GSO != port.GSOUDPL4 {
					return false
				}
				want := port.Offload{
					NeedsChecksum: true, GSO: port.GSOUDPL4, HeaderLength: tt.headers, SegmentSize: 1200,
					ChecksumStart: tt.headers - 8, ChecksumOffset: 6,
				}
				if f.Offload != want || f.Len() != 12000+int(tt.headers) {
					t.Errorf("%d bytes, %+v\nwant %+v", f.Len(), f.Offload, want)
				}
				// What NEEDS_CSUM means: the sum of the pseudo-header of the
				// whole super-packet, not complemented.
				var sum uint16
				if v4 := packet.IPv4(f.Bytes()); v4.Valid() {
					sum = packet.PseudoHeaderSum4(v4.SrcBytes(), v4.DstBytes(), packet.ProtoUDP, 12008)
				} else {
					v6 := packet.IPv6(f.Bytes())
					sum = packet.PseudoHeaderSum6(v6.SrcBytes(), v6.DstBytes(), packet.ProtoUDP, 12008)
				}
				if got := packet.UDP(f.Bytes()[want.ChecksumStart:]).Checksum(); got != sum {
					t.Errorf("partial checksum %#04x, want the pseudo-header's sum %#04x", got, sum)
				}
				return true
			})
		})
	}
}

func TestReadDeadline(t *testing.T) {
	cfg := lanConfig(newNetns(t))
	cfg.Host.Addresses, cfg.Host.Routes = nil, nil
	q := openPort(t, cfg).Queues()[0]
	q.SetReadDeadline(time.Now().Add(time.Millisecond))
	for fs := porttest.Buffers(8); ; { // past the kernel's own IPv6 chatter
		if _, err := q.Read(fs); err != nil {
			if err != port.ErrTimeout {
				t.Fatalf("Read: %v, want ErrTimeout", err)
			}
			break
		}
	}
	if _, err := q.Read(porttest.Buffers(1)); err != port.ErrTimeout {
		t.Errorf("a later Read: %v, want ErrTimeout", err)
	}
	if n, err := q.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of no frames: %d, %v", n, err)
	}
	if n, err := q.Write(nil); n != 0 || err != nil {
		t.Errorf("Write of no frames: %d, %v", n, err)
	}
}

// A device that is down takes nothing; the frames fail and the port lives.
func TestWriteWhileDown(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "down")
	f := porttest.Frame(porttest.UDP4("198.18.0.1:1", "198.18.0.2:1", "x", false))
	if n, err := p.Queues()[0].Write([]*port.Frame{f}); n != 0 || err != nil || !f.Failed {
		t.Errorf("Write: %d, %v, Failed %v", n, err, f.Failed)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	raw := porttest.UDP4("198.18.0.1:5000", "203.0.113.1:7000", strings.Repeat("x", 100), true)
	c := porttest.ListenUDP(t, ns, "198.18.0.2:0")
	porttest.AllocatesNothing(t, p.Queues()[0], raw, porttest.Partial, c, netip.MustParseAddrPort("198.18.0.1:9"))
}

func TestConcurrentWriters(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	c := porttest.ListenUDP(t, ns, "198.18.0.2:7000")
	porttest.WritersShare(t, p.Queues()[0], c, func(payload string) *port.Frame {
		return porttest.Frame(porttest.UDP4("198.18.0.1:5000", "198.18.0.2:7000", payload, false))
	})
}
