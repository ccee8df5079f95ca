package dataplane

import (
	"bytes"
	"strings"
	"testing"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/verdict"
)

// withTag puts an 802.1Q tag into a frame.
func withTag(p memory.Packet, etherType, control uint16) memory.Packet {
	tag := []byte{byte(etherType >> 8), byte(etherType), byte(control >> 8), byte(control)}
	p.Data = append(append(append([]byte(nil), p.Data[:12]...), tag...), p.Data[12:]...)
	if p.Offload.NeedsChecksum {
		p.Offload.ChecksumStart += 4
		p.Offload.HeaderLength += 4
	}
	return p
}

// The tags of VLAN 0 say a frame's priority and no VLAN: the frame is the
// port's own as if it had none (IEEE 802.1Q §6.9.1). A port may tell of the
// tag beside the frame or leave it inside, also one of each.
func TestPriorityTag(t *testing.T) {
	const priority5 = 5 << 13
	whole := fromH5(t, udp4("10.0.2.2"))
	super := whole
	super.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: 34, ChecksumOffset: 6, HeaderLength: 42}
	request := framed(arp.Broadcast, macH5, arp.EtherTypeARP, make([]byte, 46))
	for _, tt := range []struct {
		name   string
		in     memory.Packet // as it would be without tags
		tags   []uint16      // in the frame, the outermost first: their ethertypes
		beside bool
		want   verdict.Verdict
	}{
		{"beside an IPv4 frame", whole, nil, true, verdict.Forwarded},
		{"beside an ARP frame", request, nil, true, verdict.HandedToNeighbor},
		{"in an IPv4 frame", whole, []uint16{etherTypeVLAN}, false, verdict.Forwarded},
		{"in an IPv6 frame", fromH5(t, udp6("2001:db8:2::2")), []uint16{etherTypeVLAN}, false, verdict.Forwarded},
		{"in an ARP frame", request, []uint16{etherTypeVLAN}, false, verdict.HandedToNeighbor},
		{"in a frame with an unfinished checksum", super, []uint16{etherTypeVLAN}, false, verdict.Forwarded},
		{"a service tag", whole, []uint16{etherTypeServiceVLAN}, false, verdict.Forwarded},
		{"both in the frame", whole, []uint16{etherTypeServiceVLAN, etherTypeVLAN}, false, verdict.Forwarded},
		{"one beside, one in it", whole, []uint16{etherTypeVLAN}, true, verdict.Forwarded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, c := newEthernet(t)
			n.runIn(t, b, eth0, tt.in)
			want, wantPunts := n.ports[lan1].Take(), c.taken
			n, b, c = newEthernet(t)
			tagged := tt.in
			for i := len(tt.tags) - 1; i >= 0; i-- {
				tagged = withTag(tagged, tt.tags[i], priority5)
			}
			fill(b, eth0, tagged)
			b.frames[0].HasVLAN, b.frames[0].VLAN = tt.beside, priority5
			Process(n.view, b, testNow)
			b.Transmit(testNow)
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			sent := n.ports[lan1].Take()
			if len(sent) != len(want) || len(sent) == 1 && (!bytes.Equal(sent[0].Data, want[0].Data) || sent[0].Offload != want[0].Offload) {
				t.Errorf("sent %v, without a tag it is %v", sent, want)
			}
			if len(c.taken) != len(wantPunts) || len(c.taken) == 1 && !bytes.Equal(c.taken[0].Frame, wantPunts[0].Frame) {
				t.Errorf("handed over %v, without a tag it is %v", c.taken, wantPunts)
			}
		})
	}
}

// What is of another VLAN is dropped, and what is said of it names the VLAN
// and the port.
func TestOtherVLAN(t *testing.T) {
	const vlan42 = 3<<13 | 42
	whole := fromH5(t, udp4("10.0.2.2"))
	for _, tt := range []struct {
		name   string
		in     memory.Packet
		beside uint16 // control information that the device took out, 0 for none
		want   verdict.Verdict
	}{
		{"beside the frame", whole, vlan42, verdict.VLANTagged},
		{"in the frame", withTag(whole, etherTypeVLAN, vlan42), 0, verdict.VLANTagged},
		{"a service tag", withTag(whole, etherTypeServiceVLAN, vlan42), 0, verdict.VLANTagged},
		{"behind a priority tag", withTag(withTag(whole, etherTypeVLAN, vlan42), etherTypeVLAN, 5<<13), 0, verdict.VLANTagged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, _ := newEthernet(t)
			fill(b, eth0, tt.in)
			b.frames[0].HasVLAN, b.frames[0].VLAN = tt.beside != 0, tt.beside
			Process(n.view, b, testNow)
			b.Transmit(testNow)
			p := &b.Packets()[0]
			if p.Verdict != tt.want {
				t.Fatalf("verdict %s, want %s", p.Verdict, tt.want)
			}
			const says = "it carries the tag of VLAN 42, and no interface stands on VLAN 42 of eth0"
			d := b.drops.Last(1)
			if len(d) != 1 || d[0].Sentence("eth0") != says {
				t.Errorf("remembered as %+v, said as %q, want %q", d, d[0].Sentence("eth0"), says)
			}
			if f := explainLink(n.view, p); !strings.HasSuffix(f.Text, says) {
				t.Errorf("explained as %q, want %q", f.Text, says)
			}
		})
	}
	for name, data := range map[string][]byte{
		"a tag without a type behind it": whole.Data[:12:12],
	} {
		n, b, _ := newEthernet(t)
		cut := append(data, 0x81, 0, 0, 0)
		n.runIn(t, b, eth0, raw(cut))
		if got := b.Packets()[0].Verdict; got != verdict.BadLinkHeader {
			t.Errorf("%s: verdict %s, want bad_link_header", name, got)
		}
	}
	// A frame of nothing but priority tags ends, and costs no more than two.
	n, b, _ := newEthernet(t)
	many := whole
	for range 3 {
		many = withTag(many, etherTypeVLAN, 0)
	}
	n.runIn(t, b, eth0, many)
	if got := b.Packets()[0].Verdict; got != verdict.UnknownEtherType {
		t.Errorf("three priority tags: verdict %s, want unknown_ether_type", got)
	}
}
