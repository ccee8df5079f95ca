package dataplane

import (
	"net/netip"
	"slices"
	"testing"

	"routerd/internal/packet"
	"routerd/routing"
)

// TestErrorSource: where the way back is not the way that a packet came, an
// ICMPv6 error names the interface that it came in by and an ICMP error the one
// that the error leaves by, as Linux has both (RFC 4443 §2.2, RFC 1812
// §4.3.2.4). A link-local address never speaks to another link.
func TestErrorSource(t *testing.T) {
	isGlobal := func(p netip.Prefix) bool { return p.Addr().Is6() && !p.Addr().IsLinkLocalUnicast() }
	for _, tt := range []struct {
		name   string
		change func(n *network)
		dst    string
		want   string
	}{
		{"IPv6", func(*network) {}, "2001:db8:2::2", "2001:db8:1::1"},
		{"IPv6 without a route", func(*network) {}, "2001:db8:99::2", "2001:db8:1::1"},
		{"IPv4", func(*network) {}, "10.0.2.2", "10.0.4.1"},
		{"to an address of the router's own", func(*network) {}, "2001:db8:2::1", "2001:db8:2::1"},
		{"link-local where it came in", func(n *network) {
			i := n.view.Interfaces[lan0]
			i.Addresses = slices.DeleteFunc(slices.Clone(i.Addresses), isGlobal)
		}, "2001:db8:2::2", "2001:db8:4::1"},
		{"link-local there and on the way back", func(n *network) {
			for _, id := range []routing.InterfaceID{lan0, bare0} {
				i := n.view.Interfaces[id]
				i.Addresses = append(slices.DeleteFunc(slices.Clone(i.Addresses), isGlobal), prefix("fe80::4/64"))
			}
		}, "2001:db8:2::2", "2001:db8:ff::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			n.forward("10.60.0.0/16", routing.SourceStatic, hopVia("10.0.4.2", bare0))
			n.forward("2001:db8:60::/48", routing.SourceStatic, hopVia("2001:db8:4::2", bare0))
			tt.change(n)
			p := Probe{Src: addr("10.60.0.1"), Dst: addr(tt.dst), Proto: packet.ProtoUDP, TTL: 1}
			if p.Dst.Is6() {
				p.Src = addr("2001:db8:60::1")
			}
			n.run(t, lan0, raw(build(t, p)))
			sent := n.ports[bare0].Take()
			if len(sent) != 1 {
				t.Fatalf("%d packets went back, want the error", len(sent))
			}
			got := packet.IPv4(sent[0].Data).Src()
			if p.Dst.Is6() {
				got = packet.IPv6(sent[0].Data).Src()
			}
			if got != addr(tt.want) {
				t.Errorf("the error comes from %s, want %s", got, tt.want)
			}
		})
	}
}
