package offload

import (
	"bytes"
	"net/netip"
	"testing"

	"routerd/dataplane"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
	"routerd/internal/verdict"
)

// probe is a packet of h0's in a frame for r0.
func probe(t testing.TB, dst string, proto uint8, size int) frame {
	t.Helper()
	p := dataplane.Probe{Src: netip.MustParseAddr("198.18.0.2"), Dst: netip.MustParseAddr(dst), Proto: proto, SrcPort: 4000, DstPort: 5000, Size: size}
	ethertype := uint16(porttest.EtherIPv4)
	at := pkt.IPv4MinHeader
	if p.Dst.Is6() {
		p.Src, ethertype, at = netip.MustParseAddr("2001:db8::2"), 0x86dd, pkt.IPv6Header
	}
	b, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	if proto == pkt.ProtoTCP {
		seg := pkt.TCP(b[at:])
		seg.SetFlags(pkt.TCPAck)
		seg.SetChecksum(0)
		seg.SetChecksum(^pkt.Sum(seg, pkt.PseudoHeaderSum(b, proto, len(seg))))
	}
	return frame{data: append(porttest.Ethernet(macR0, macH0, ethertype), b...)}
}

func TestCarries(t *testing.T) {
	for _, c := range []struct {
		name       string
		dst        string
		proto      uint8
		masquerade bool
		peer       bool
	}{
		{"udp4", "203.0.113.5", pkt.ProtoUDP, false, false},
		{"udp4 nat", "203.0.113.5", pkt.ProtoUDP, true, false},
		{"udp4 nat peer", "203.0.113.5", pkt.ProtoUDP, true, true},
		{"tcp4", "198.18.1.2", pkt.ProtoTCP, false, true},
		{"tcp4 nat", "198.18.1.2", pkt.ProtoTCP, true, false},
		{"udp6", "2001:db8:1::2", pkt.ProtoUDP, false, false},
		{"tcp6 peer", "2001:db8:7::2", pkt.ProtoTCP, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			h0, h1 := s.hosts(t)
			in := probe(t, c.dst, c.proto, 100)
			out, fate := stages(t, s.view(t, c.masquerade), lan0, in)
			if fate != verdict.Forwarded {
				t.Fatalf("the stages: %v", fate)
			}
			send(t, h0, in)
			if got, missed := either(t, s.r0, h1); !missed || !bytes.Equal(got.data, in.data) {
				t.Fatalf("without an entry: to the socket %v, % x, want it and\n% x", missed, got.data, in.data)
			}
			k, d, ok := s.decided(in, out)
			if !ok {
				t.Fatal("no flow")
			}
			d.Peer = c.peer
			f, err := s.cache.Put(k, d, s.cache.Ref(0))
			if err != nil {
				t.Fatal(err)
			}
			s.ready(f)
			send(t, h0, in)
			got, missed := either(t, s.r0, h1)
			if missed || !bytes.Equal(got.data, out.data) {
				t.Fatalf("with an entry: to the socket %v\n% x, want\n% x", missed, got.data, out.data)
			}
			if n := s.cache.Counters(f); n.Packets != 1 || n.Bytes != uint64(len(in.data)) || n.Supers != 0 || n.Last == 0 {
				t.Errorf("counted %+v, want 1 packet of %d bytes", n, len(in.data))
			}
			s.cache.End(0)
			send(t, h0, in)
			if _, missed := either(t, s.r0, h1); !missed {
				t.Error("carried by a decision that had ended")
			}
		})
	}
}

// Packets of another flow, of another device and of another network (802.1Q) are
// not carried.
func TestOthersPass(t *testing.T) {
	s := newSite(t)
	h0, h1 := s.hosts(t)
	in := probe(t, "198.18.1.2", pkt.ProtoUDP, 100)
	out, _ := stages(t, s.view(t, false), lan0, in)
	k, d, _ := s.decided(in, out)
	tagged := frame{data: append(append([]byte(nil), in.data[:12]...), 0x81, 0, 0, 7)}
	tagged.data = append(tagged.data, in.data[12:]...)
	for _, c := range []struct {
		name   string
		change func(*Key)
		sent   frame
		missed bool
	}{
		{"the flow's own", func(*Key) {}, in, false},
		{"tagged", func(*Key) {}, tagged, true},
		{"by another device", func(k *Key) { k.Ingress = s.index1 }, in, true},
		{"of another protocol", func(k *Key) { k.Proto = pkt.ProtoTCP }, in, true},
		{"of another port", func(k *Key) { k.Src = netip.AddrPortFrom(k.Src.Addr(), 4001) }, in, true},
		{"the other way", func(k *Key) { k.Src, k.Dst = k.Dst, k.Src }, in, true},
	} {
		of := k
		c.change(&of)
		d := d
		d.Src, d.Dst = of.Src, of.Dst
		f, err := s.cache.Put(of, d, s.cache.Ref(0))
		if err != nil {
			t.Fatal(err)
		}
		s.ready(f)
		send(t, h0, c.sent)
		if _, missed := either(t, s.r0, h1); missed != c.missed {
			t.Errorf("%s: to the socket %v, want %v", c.name, missed, c.missed)
		}
		if err := s.cache.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}
