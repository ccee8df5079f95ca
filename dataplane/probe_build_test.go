package dataplane

import (
	"bytes"
	"testing"

	"routerd/internal/packet"
)

// A made-up packet has what it is described by, and sound checksums.
func TestProbeBuild(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Probe
		want []byte // behind the IP header, without checksums
		dscp uint8
	}{
		{
			"a SYN and ACK",
			Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: packet.ProtoTCP, SrcPort: 80, DstPort: 4000, TCPFlags: packet.TCPSyn | packet.TCPAck, DSCP: 46},
			[]byte{0, 80, 0x0f, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0},
			46,
		},
		{
			"a SYN over IPv6",
			Probe{Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"), Proto: packet.ProtoTCP, SrcPort: 80, DstPort: 4000, DSCP: 10},
			[]byte{0, 80, 0x0f, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0},
			10,
		},
		{"a timestamp request", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: packet.ProtoICMP, ICMP: &ICMPType{Type: 13, Code: 1}, Ident: 7}, []byte{13, 1, 0, 0, 0, 7, 0, 0}, 0},
		{"an echo reply over IPv6", Probe{Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"), Proto: packet.ProtoICMPv6, ICMP: &ICMPType{Type: 129}, Ident: 7}, []byte{129, 0, 0, 0, 0, 7, 0, 0}, 0},
		{"an echo request", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: packet.ProtoICMP, Ident: 7}, []byte{8, 0, 0, 0, 0, 7, 0, 0}, 0},
		{"GRE", Probe{Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Proto: 47}, make([]byte, 8), 0},
	} {
		raw, err := c.p.Build()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		header, class := packet.IPv4MinHeader, raw[1]
		if c.p.Dst.Is6() {
			header, class = packet.IPv6Header, packet.IPv6(raw).TrafficClass()
		} else if !packet.IPv4(raw).HeaderChecksumOK() {
			t.Errorf("%s: a wrong header checksum", c.name)
		}
		upper := raw[header:]
		sum := packet.PseudoHeaderSum(raw, c.p.Proto, len(upper))
		at := 2 // of the checksum
		switch c.p.Proto {
		case packet.ProtoICMP:
			sum = 0
		case packet.ProtoTCP:
			at = 16
		}
		if c.p.Proto != 47 && packet.Sum(upper, sum) != 0xffff {
			t.Errorf("%s: a wrong checksum", c.name)
		}
		upper[at], upper[at+1] = 0, 0
		if !bytes.Equal(upper, c.want) || class>>2 != c.dscp {
			t.Errorf("%s: % x, DSCP %d; want % x, %d", c.name, upper, class>>2, c.want, c.dscp)
		}
	}
}
