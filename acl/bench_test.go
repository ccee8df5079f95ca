package acl

import (
	"fmt"
	"net/netip"
	"testing"

	"routerd/flow"
	"routerd/internal/packet"
)

// manyRules is a list of n rules such as a site has, for hosts and services, of
// which the last one alone accepts the packets of hitLast.
func manyRules(n int) Config {
	l := List{Name: "x", Default: Drop}
	for i := range n {
		host := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
		l.Rules = append(l.Rules, Rule{
			Name: fmt.Sprint("r", i), Protocols: []uint8{packet.ProtoTCP},
			Destinations:     []flow.AddressRange{flow.RangeOf(netip.PrefixFrom(host, 24))},
			DestinationPorts: []flow.PortRange{{First: uint16(1000 + i), Last: uint16(1000 + i)}},
		})
	}
	return Config{Lists: []List{l}, Interfaces: []Binding{{Interface: "lan0", In: "x"}}}
}

// BenchmarkDecide: what the decision about one new flow costs, by the number of
// rules. A thousand may cost three times as much as ten.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint("rules=", n), func(b *testing.B) {
			l := compiled(b, manyRules(n), nil).In(1)
			packets := make([]Packet, 256)
			for i := range packets {
				k := i * 7 % n
				p := &packets[i]
				p.Family, p.Protocol, p.In, p.DstPort = 4, packet.ProtoTCP, 1, uint16(1000+k)
				p.Addresses4(0xc0000200|uint32(i), 0x0a000000|uint32(k)<<8|9)
			}
			var hits []Hit
			i := 0
			for b.Loop() {
				_, hits = l.Decide(&packets[i&255], hits[:0])
				i++
			}
		})
	}
}
