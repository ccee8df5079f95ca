package arp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
)

// beginND appends an IPv6 header and the type, code and checksum of a message;
// finishND fills in length and checksum.
func beginND(b []byte, src, dst netip.Addr, kind uint8) []byte {
	at := len(b)
	b = append(b, make([]byte, packet.IPv6Header+4)...)
	p := packet.IPv6(b[at:])
	p.SetVersion(0, 0)
	p.SetNextHeader(packet.ProtoICMPv6)
	p.SetHopLimit(255)
	p.SetSrc(src)
	p.SetDst(dst)
	packet.ICMP(b[at+packet.IPv6Header:]).SetType(kind)
	return b
}

func finishND(b []byte, at int) []byte {
	p := packet.IPv6(b[at:])
	body := packet.ICMP(b[at+packet.IPv6Header:])
	p.SetPayloadLen(len(body))
	sum := packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(body))
	body.SetChecksum(^packet.Sum(body, sum))
	return b
}

// AppendSolicitation appends an IPv6 packet with a neighbour solicitation
// (RFC 4861 §4.3). A zero source MAC and a nil nonce leave the option out; a
// nonce has 6 bytes.
func AppendSolicitation(b []byte, src, dst, target netip.Addr, source MAC, nonce []byte) []byte {
	at := len(b)
	b = append(beginND(b, src, dst, icmp.NeighborSolicitation6), 0, 0, 0, 0)
	b = appendAddr(b, target)
	b = appendLinkAddress(b, OptionSourceLinkAddress, source)
	if nonce != nil {
		b = append(append(b, OptionNonce, 1), nonce[:nonceLen]...)
	}
	return finishND(b, at)
}

// AppendAdvertisement appends an IPv6 packet with a neighbour advertisement
// (RFC 4861 §4.4). A zero target MAC leaves the option out.
func AppendAdvertisement(b []byte, src, dst, target netip.Addr, mac MAC, router, solicited, override bool) []byte {
	at := len(b)
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{router, flagRouter}, {solicited, flagSolicited}, {override, flagOverride}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(beginND(b, src, dst, icmp.NeighborAdvertisement6), flags, 0, 0, 0)
	b = appendAddr(b, target)
	b = appendLinkAddress(b, OptionTargetLinkAddress, mac)
	return finishND(b, at)
}

// AppendRouterSolicitation appends an IPv6 packet with a router solicitation
// (RFC 4861 §4.1). A zero source MAC leaves the option out.
func AppendRouterSolicitation(b []byte, src, dst netip.Addr, source MAC) []byte {
	at := len(b)
	b = append(beginND(b, src, dst, icmp.RouterSolicitation6), 0, 0, 0, 0)
	b = appendLinkAddress(b, OptionSourceLinkAddress, source)
	return finishND(b, at)
}

// RouterAdvertisement is the content of a router advertisement.
type RouterAdvertisement struct {
	RouterHeader
	Source        MAC    // zero = no option
	MTU           uint32 // 0 = no option
	Prefixes      []PrefixInformation
	RDNSS         []netip.Addr
	RDNSSLifetime time.Duration
}

// AppendRouterAdvertisement appends an IPv6 packet with a router
// advertisement (RFC 4861 §4.2, RFC 8106 §5.1).
func AppendRouterAdvertisement(b []byte, src, dst netip.Addr, a *RouterAdvertisement) []byte {
	at := len(b)
	var flags byte
	if a.Managed {
		flags |= flagManaged
	}
	if a.Other {
		flags |= flagOther
	}
	if a.Lifetime > 0 { // else it has to be zero (RFC 4191 §2.2)
		flags |= byte(a.Preference) & preferenceMask << preferenceShift
	}
	b = append(beginND(b, src, dst, icmp.RouterAdvertisement6), a.HopLimit, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(min(seconds(a.Lifetime), 0xffff)))
	b = binary.BigEndian.AppendUint32(b, uint32(a.ReachableTime/time.Millisecond))
	b = binary.BigEndian.AppendUint32(b, uint32(a.RetransTimer/time.Millisecond))
	b = appendLinkAddress(b, OptionSourceLinkAddress, a.Source)
	b = appendMTU(b, a.MTU)
	for _, p := range a.Prefixes {
		b = appendPrefix(b, p)
	}
	b = appendRDNSS(b, a.RDNSS, a.RDNSSLifetime)
	return finishND(b, at)
}

// AppendRedirect appends an IPv6 packet with a redirect (RFC 4861 §4.5): for
// destination, target is the better first hop, or destination itself if that is
// on the link. A zero MAC leaves the target's link-layer address out. The
// redirected packet is truncated so that the whole fits the minimum MTU of IPv6
// (§8.2).
func AppendRedirect(b []byte, src, dst, target, destination netip.Addr, mac MAC, redirected []byte) []byte {
	at := len(b)
	b = append(beginND(b, src, dst, icmp.Redirect6), 0, 0, 0, 0)
	b = appendAddr(b, target)
	b = appendAddr(b, destination)
	b = appendLinkAddress(b, OptionTargetLinkAddress, mac)
	room := (packet.IPv6MinMTU - (len(b) - at) - optionUnit) &^ (optionUnit - 1)
	if len(redirected) > room {
		redirected = redirected[:room]
	}
	units := 1 + (len(redirected)+optionUnit-1)/optionUnit
	end := len(b) + units*optionUnit
	b = append(b, OptionRedirectedHeader, byte(units), 0, 0, 0, 0, 0, 0)
	b = append(b, redirected...)
	b = append(b, make([]byte, end-len(b))...)
	return finishND(b, at)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	x := a.As16()
	return append(b, x[:]...)
}
