package packet

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
	"routerd/internal/packet"
)

func TestWriteReachesSocket(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:7000")
	build := func(payload string, partial bool) *port.Frame {
		return porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", payload, partial))
	}
	whole, partial := build("whole checksum", false), build("partial checksum", true)
	partial.Offload = partialUDP4
	wrong := build("wrong checksum", false)
	wrong.Bytes()[40] ^= 0x55
	refused := build("header refused", false)
	refused.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: 60000}
	bare := build("no headroom", false)
	bare.Start = device.HeaderLen - 1
	short := build("short", false)
	short.End = short.Start + linkHeader - 1
	long := build(strings.Repeat("longer than the MTU", 100), false)
	last := build("last", false)
	last.Failed = true

	all := []*port.Frame{whole, partial, wrong, refused, bare, short, long, last}
	n, err := p.Queues()[0].Write(all)
	if n != 4 || err != nil {
		t.Errorf("Write: %d, %v, want 4 taken", n, err)
	}
	for i, f := range all {
		if want := i >= 3 && i <= 6; f.Failed != want {
			t.Errorf("frame %d: Failed is %v", i, f.Failed)
		}
	}
	porttest.WantDatagrams(t, c, "whole checksum", "partial checksum", "last")
}

// More frames than one system call takes, and in order.
func TestLongBatches(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:7000")
	var want []string
	var fs []*port.Frame
	for i := range 3*batchFrames + 1 {
		want = append(want, fmt.Sprint("datagram ", i))
		fs = append(fs, porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", want[i], false)))
	}
	write(t, p, fs...)
	porttest.WantDatagrams(t, c, want...)

	for _, s := range want {
		if _, err := c.WriteToUDPAddrPort([]byte(s), netip.MustParseAddrPort("198.18.0.1:5000")); err != nil {
			t.Fatal(err)
		}
	}
	in := porttest.Buffers(2 * batchFrames)
	q := p.Queues()[0]
	q.SetReadDeadline(time.Now().Add(porttest.Patience))
	for len(want) > 0 {
		n, err := q.Read(in)
		if err != nil {
			t.Fatalf("Read: %v, %d datagrams are missing", err, len(want))
		}
		for i := range in[:n] {
			b := in[i].Bytes()
			if len(b) < 42 || packet.IPv4(b[14:]).Protocol() != packet.ProtoUDP {
				continue // the host's own IPv6 chatter
			}
			if got := string(b[42:]); got != want[0] {
				t.Fatalf("read %q, want %q", got, want[0])
			}
			want = want[1:]
		}
	}
}

// A super-packet and a chain of coalesced frames both arrive as the datagrams
// they stand for.
func TestWriteUDPSuperPacket(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	if !p.Offloads().Has(port.OffloadUDP) {
		t.Skip("this kernel may have no UDP segmentation for packet sockets (it came with 6.2)")
	}
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:7000")
	want := []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("c", 300)}
	super := porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", strings.Join(want, ""), true))
	super.Offload = partialUDP4
	super.Offload.GSO, super.Offload.SegmentSize = port.GSOUDPL4, 1000

	head := porttest.Frame(super.Bytes()[:42+1000])
	head.Offload = super.Offload
	for i, tail := 1, head; i < len(want); i++ {
		tail.Next = porttest.Frame([]byte("headers that stay" + want[i]))
		tail = tail.Next
		tail.Start += len("headers that stay")
	}
	small := porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", "small", false))
	write(t, p, super, small, head, small)
	porttest.WantDatagrams(t, c, append(append(want, "small"), append(want, "small")...)...)

	// Chains that fill the parts between them go in several batches.
	for tail, i := head, 0; i < maxChain-4; i++ {
		tail.Next = &port.Frame{Next: tail.Next}
		tail.Next.Buf, tail.Next.End = []byte("x"), 0
		tail = tail.Next
	}
	write(t, p, small, head, head, small)
	porttest.WantDatagrams(t, c, "small", want[0], want[1], want[2], want[0], want[1], want[2], "small")

	for tail, i := head, 0; i < maxChain; i++ { // one part too many
		tail.Next = porttest.Frame([]byte("x"))
		tail = tail.Next
	}
	if n, err := p.Queues()[0].Write([]*port.Frame{small, head, small}); n != 2 || err != nil || !head.Failed {
		t.Errorf("a chain of more than %d parts: %d, %v", maxChain, n, err)
	}
}

// The kernel of a veth's other end leaves checksums and segmentation to
// whoever puts a frame on a wire.
func TestReadOffloads(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		headers  uint16
	}{{"198.18.0.2:0", "198.18.0.1:7000", 42}, {"[2001:db8::2]:0", "[2001:db8::1]:7000", 62}} {
		t.Run(tt.to, func(t *testing.T) {
			w := newWire(t)
			p := openPort(t, w.config())
			c := porttest.ListenUDP(t, w.host, tt.from)
			to := netip.MustParseAddrPort(tt.to)
			if _, err := c.WriteToUDPAddrPort([]byte("small"), to); err != nil {
				t.Fatal(err)
			}
			want := port.Offload{NeedsChecksum: true, ChecksumStart: tt.headers - 8, ChecksumOffset: 6}
			porttest.ReadUntil(t, p.Queues()[0], "a datagram", func(f *port.Frame) bool {
				if !bytes.HasSuffix(f.Bytes(), []byte("small")) {
					return false
				}
				if f.Offload != want || [6]byte(f.Bytes()) != routerMAC || f.Start != port.Headroom {
					t.Errorf("%+v at %d, to % x\nwant %+v", f.Offload, f.Start, f.Bytes()[:6], want)
				}
				return true
			})
			porttest.SegmentSize(t, c, 1200)
			if _, err := c.WriteToUDPAddrPort(make([]byte, 12000), to); err != nil {
				t.Fatal(err)
			}
			want.GSO, want.HeaderLength, want.SegmentSize = port.GSOUDPL4, tt.headers, 1200
			porttest.ReadUntil(t, p.Queues()[0], "a UDP super-packet", func(f *port.Frame) bool {
				if f.Offload.GSO != port.GSOUDPL4 {
					return false
				}
				if f.Offload != want || f.Len() != 12000+int(tt.headers) {
					t.Errorf("%d bytes, %+v\nwant %+v", f.Len(), f.Offload, want)
				}
				return true
			})
		})
	}
}

// The kernel takes the tag out of a frame, and the port tells of it; an
// untagged frame in the same buffer afterwards has none.
func TestVLANTag(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	far := openPort(t, Config{Name: "far", Netns: w.host, Device: "h0", TakeOver: true})
	tagged := porttest.Frame(append(append(ethernet(0x8100, []byte{0xa0, 42}), 0x08, 0x00), "tagged payload"...))
	plain := porttest.Frame(ethernet(0x88b5, []byte("plain payload")))
	write(t, far, tagged, plain, tagged, plain)
	fs, q := porttest.Buffers(1), p.Queues()[0]
	q.SetReadDeadline(time.Now().Add(porttest.Patience))
	for seen := 0; seen < 4; {
		if _, err := q.Read(fs); err != nil {
			t.Fatalf("after %d frames: %v", seen, err)
		}
		f := &fs[0]
		switch b := f.Bytes(); {
		case bytes.HasSuffix(b, []byte("tagged payload")):
			if !f.HasVLAN || f.VLAN != 0xa02a || b[12] != 0x08 || b[13] != 0 || seen%2 != 0 {
				t.Errorf("frame %d has a tag %v, %#x, and is % x", seen, f.HasVLAN, f.VLAN, b)
			}
			seen++
		case bytes.HasSuffix(b, []byte("plain payload")):
			if f.HasVLAN || f.VLAN != 0 || seen%2 != 1 {
				t.Errorf("frame %d has a tag %v, %#x", seen, f.HasVLAN, f.VLAN)
			}
			seen++
		}
	}
}

func TestOwnFramesAreNotSeen(t *testing.T) {
	for _, queues := range []int{1, 2} {
		w := newWire(t)
		cfg := w.config()
		cfg.Queues = queues
		p := openPort(t, cfg)
		far := openPort(t, Config{Name: "far", Netns: w.host, Device: "h0", TakeOver: true})
		own, foreign := porttest.Frame(ethernet(0x88b5, []byte("own"))), porttest.Frame(ethernet(0x88b5, []byte("foreign")))
		for i, q := range p.Queues() {
			if n, err := q.Write([]*port.Frame{own}); n != 1 || err != nil {
				t.Fatalf("queue %d: %d, %v", i, n, err)
			}
		}
		write(t, far, foreign)
		got := make(chan string, 1)
		for _, q := range p.Queues() {
			go func() {
				for fs := porttest.Buffers(4); ; {
					n, err := q.Read(fs)
					if err != nil {
						return
					}
					for i := range fs[:n] {
						if b := fs[i].Bytes(); b[12] == 0x88 {
							got <- string(b[14:])
						}
					}
				}
			}()
		}
		select {
		case s := <-got:
			if s != "foreign" {
				t.Errorf("%d queues: read %q", queues, s)
			}
		case <-time.After(porttest.Patience):
			t.Errorf("%d queues: nothing read", queues)
		}
		p.Close()
	}
}

func TestReadDeadline(t *testing.T) {
	w := newWire(t)
	q := openPort(t, w.config()).Queues()[0]
	q.SetReadDeadline(time.Now().Add(time.Millisecond))
	for fs := porttest.Buffers(8); ; { // past the host's own IPv6 chatter
		if _, err := q.Read(fs); err != nil {
			if err != port.ErrTimeout {
				t.Fatalf("Read: %v, want ErrTimeout", err)
			}
			break
		}
	}
	if n, err := q.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of no frames: %d, %v", n, err)
	}
	if n, err := q.Write(nil); n != 0 || err != nil {
		t.Errorf("Write of no frames: %d, %v", n, err)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	raw := udp4("198.18.0.1:5000", "203.0.113.1:7000", strings.Repeat("x", 100), true)
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:0")
	porttest.AllocatesNothing(t, p.Queues()[0], raw, partialUDP4, c, netip.MustParseAddrPort("198.18.0.1:9"))
}

func TestConcurrentWriters(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:7000")
	porttest.WritersShare(t, p.Queues()[0], c, func(payload string) *port.Frame {
		return porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", payload, false))
	})
}
