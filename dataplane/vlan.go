package dataplane

import (
	"encoding/binary"
	"fmt"

	"routerd/arp"
	"routerd/internal/verdict"
)

// Types of frames with a VLAN tag (IEEE 802.1Q §9.6): of a customer's VLAN and
// of a provider's.
const (
	etherTypeVLAN        = 0x8100
	etherTypeServiceVLAN = 0x88a8
)

// Sizes of a tag: its ethertype and its control information, of which the
// lower twelve bits are the VLAN's number.
const (
	vlanTag    = 4
	vlanNumber = 0x0fff
	// maxPriorityTags is how many tags of VLAN 0 may lie in one frame: a
	// provider's and a customer's.
	maxPriorityTags = 2
)

// untag judges the VLAN tags of a frame: one that the device took out
// (Frame.VLAN) and those inside. A tag of VLAN 0 gives a priority and no VLAN
// (IEEE 802.1Q §6.9.1): it is removed, and the frame is the port's own. It
// returns None or why the frame is dropped; the tag that decided stays in the
// frame.
func (p *Packet) untag() verdict.Verdict {
	f := p.Frame
	if f.HasVLAN {
		if f.VLAN&vlanNumber != 0 {
			return verdict.VLANTagged
		}
		f.HasVLAN, f.VLAN = false, 0
	}
	for tags := 0; ; tags++ {
		e := arp.Ethernet(f.Bytes())
		if t := e.Type(); t != etherTypeVLAN && t != etherTypeServiceVLAN {
			return verdict.None
		}
		switch {
		case len(e) < arp.EthernetHeader+vlanTag:
			return verdict.BadLinkHeader
		case binary.BigEndian.Uint16(e[arp.EthernetHeader:])&vlanNumber != 0:
			return verdict.VLANTagged
		case tags == maxPriorityTags:
			return verdict.UnknownEtherType
		}
		// The two addresses move over the tag; what follows it stays.
		copy(e[vlanTag:], e[:arp.EthernetHeader-2])
		f.Start += vlanTag
		p.l3 = f.Start
		if off := &f.Offload; off.NeedsChecksum {
			off.ChecksumStart -= min(off.ChecksumStart, vlanTag)
			off.HeaderLength -= min(off.HeaderLength, vlanTag)
		}
	}
}

// appendFrame appends the bytes of a frame as they were on the wire, with the
// tag that the device took out put back, up to the capacity of b.
func (p *Packet) appendFrame(b []byte) []byte {
	raw, addresses := p.ip(), arp.EthernetHeader-2
	if !p.linked || !p.Frame.HasVLAN || len(raw) < addresses {
		return append(b, raw[:min(len(raw), cap(b)-len(b))]...)
	}
	b = append(b, raw[:addresses]...)
	b = binary.BigEndian.AppendUint16(b, etherTypeVLAN)
	b = binary.BigEndian.AppendUint16(b, p.Frame.VLAN)
	raw = raw[addresses:]
	return append(b, raw[:min(len(raw), cap(b)-len(b))]...)
}

// vlanSentence says of a dropped frame which VLAN it belongs to, which the
// verdict's own sentence cannot. header is its first bytes, in the name of its
// interface.
func vlanSentence(header []byte, in string) string {
	if len(header) < arp.EthernetHeader+2 {
		return verdict.VLANTagged.Sentence()
	}
	n := binary.BigEndian.Uint16(header[arp.EthernetHeader:]) & vlanNumber
	return fmt.Sprintf("it carries the tag of VLAN %d, and no interface stands on VLAN %d of %s", n, n, in)
}
