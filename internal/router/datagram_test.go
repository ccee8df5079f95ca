package router

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"routerd/internal/packet"
)

func TestDatagram(t *testing.T) {
	for _, tt := range []struct{ src, dst string }{
		{"10.0.12.1:520", "224.0.0.9:520"},
		{"[fe80::1]:521", "[ff02::9]:521"},
	} {
		for _, payload := range [][]byte{{}, {1}, bytes.Repeat([]byte{2, 3}, 250)} {
			d := datagram{Src: netip.MustParseAddrPort(tt.src), Dst: netip.MustParseAddrPort(tt.dst), Protocol: packet.ProtoUDP, Hops: 7, ID: 99, Payload: payload}
			raw := d.append([]byte("before"))[len("before"):]
			first := gopacket.Decoder(layers.LayerTypeIPv4)
			if d.Dst.Addr().Is6() {
				first = layers.LayerTypeIPv6
			}
			p := gopacket.NewPacket(raw, first, gopacket.Default)
			if p.ErrorLayer() != nil {
				t.Fatalf("%s: %v", tt.dst, p.ErrorLayer().Error())
			}
			udp := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
			if netip.AddrPortFrom(netip.MustParseAddr(p.NetworkLayer().NetworkFlow().Src().String()), uint16(udp.SrcPort)) != d.Src ||
				netip.AddrPortFrom(netip.MustParseAddr(p.NetworkLayer().NetworkFlow().Dst().String()), uint16(udp.DstPort)) != d.Dst {
				t.Errorf("%s to %s was made", p.NetworkLayer().NetworkFlow(), udp.TransportFlow())
			}
			if !bytes.Equal(udp.Payload, payload) {
				t.Errorf("%s: payload %x, want %x", tt.dst, udp.Payload, payload)
			}
			switch ip := p.NetworkLayer().(type) {
			case *layers.IPv4:
				if ip.TTL != 7 || ip.TOS != 0xc0 || ip.Id != 99 || !packet.IPv4(raw).HeaderChecksumOK() {
					t.Errorf("IPv4 header %+v", ip)
				}
				if packet.Sum(raw[20:], packet.PseudoHeaderSum4(raw[12:16], raw[16:20], packet.ProtoUDP, len(raw)-20)) != 0xffff {
					t.Errorf("%s: wrong UDP checksum", tt.dst)
				}
			case *layers.IPv6:
				if ip.HopLimit != 7 || ip.TrafficClass != 0xc0 {
					t.Errorf("IPv6 header %+v", ip)
				}
				if packet.Sum(raw[40:], packet.PseudoHeaderSum6(raw[8:24], raw[24:40], packet.ProtoUDP, len(raw)-40)) != 0xffff {
					t.Errorf("%s: wrong UDP checksum", tt.dst)
				}
			}
		}
	}
}
