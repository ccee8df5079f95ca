package reassembly

import (
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Add adds a fragment for the router itself or its address translation: p is an
// IPv4 or IPv6 packet that Valid accepted, and a fragment by its IPv4 header or
// an IPv6 fragment header. Nothing of p is kept by reference.
//
// The verdict is None when the packet is whole: whole has the first fragment's
// headers, is no fragment any more, and its IPv4 header checksum is filled in.
// It belongs to the table, may be changed, and is valid until the next Add or
// Expire. An IPv6 packet that is one fragment alone is returned at once,
// whatever else is held (RFC 6946 §4). Otherwise the verdict is final:
// FragmentHeld, FragmentMalformed, FragmentOverlap or FragmentTableFull.
func (t *Table) Add(p []byte, in routing.InterfaceID, now time.Time) (whole []byte, v verdict.Verdict) {
	t.problem = packet.Problem{}
	if p[0]>>4 == 4 {
		return t.add4(p, in, now)
	}
	x := packet.WalkExtensions(p)
	if x.Fragment < 0 {
		return nil, verdict.FragmentMalformed
	}
	return t.add6(p, &x, in, now)
}

// Problem gives, after an Add that returned FragmentMalformed, the ICMPv6
// parameter problem to send about the fragment. If its Action is ActionSkip no
// error is sent.
func (t *Table) Problem() packet.Problem { return t.problem }

// Largest is, after an Add that gave a whole packet, the length of the longest
// fragment that it came in, headers included, and whether that one had DF set:
// fragments of IPv4 may have DF (RFC 6864 §4.2).
func (t *Table) Largest() (length int, df bool) { return t.largest, t.dont }

func (t *Table) add4(p packet.IPv4, in routing.InterfaceID, now time.Time) ([]byte, verdict.Verdict) {
	f := fragment{
		key:    key{id: uint32(p.ID()), protocol: p.Protocol()},
		header: p[:p.HeaderLen()],
		data:   p.Payload(),
		offset: p.FragmentOffset(),
		more:   p.MoreFragments(),
		dont:   p.DontFragment(),
		in:     in,
	}
	copy(f.key.src[:], p.SrcBytes())
	copy(f.key.dst[:], p.DstBytes())
	// RFC 791 §3.1: offsets count in eight bytes, and a whole packet in 16 bits.
	if f.more && len(f.data)%unit != 0 || len(f.header)+f.end() > maxPayload {
		return nil, verdict.FragmentMalformed
	}
	place, d, v := t.add(&f, now)
	if v != verdict.None {
		return nil, v
	}
	if d.headerLen+d.total > maxPayload { // counts the options of the first fragment
		return nil, t.giveUp(place, verdict.FragmentMalformed)
	}
	whole := packet.IPv4(t.join(d, d.headerLen))
	whole.SetTotalLen(len(whole))
	whole.SetFragment(false, false, 0)
	whole.FillChecksum()
	t.largest, t.dont = d.largest, d.dont
	t.forget(place)
	return whole, verdict.None
}

func (t *Table) add6(p packet.IPv6, x *packet.Extensions, in routing.InterfaceID, now time.Time) ([]byte, verdict.Verdict) {
	at := x.Fragment
	h := packet.FragmentHeader(p[at:])
	f := fragment{
		key: key{
			src: [16]byte(p.SrcBytes()), dst: [16]byte(p.DstBytes()),
			id: h.ID(), six: true,
		},
		header: p[:at+packet.IPv6FragmentHeader],
		data:   p[at+packet.IPv6FragmentHeader : p.TotalLen()],
		offset: h.Offset(),
		more:   h.MoreFragments(),
		in:     in,
	}
	if t.problem = judge(p, x, &f); t.problem.Action != packet.ActionSkip {
		return nil, verdict.FragmentMalformed
	}
	if f.offset == 0 && !f.more { // RFC 6946 §4
		t.largest, t.dont = p.TotalLen(), false
		return unfragment(append(append(t.out(), p[:at]...), f.data...), at, h.NextHeader()), verdict.None
	}
	place, d, v := t.add(&f, now)
	if v != verdict.None {
		return nil, v
	}
	at = d.headerLen - packet.IPv6FragmentHeader
	if at-packet.IPv6Header+d.total > maxPayload { // counts the extension headers of the first fragment
		return nil, t.giveUp(place, verdict.FragmentMalformed)
	}
	next := packet.FragmentHeader(t.pages.at(d.header)[at:]).NextHeader()
	whole := unfragment(t.join(d, at), at, next)
	t.largest, t.dont = d.largest, false
	t.forget(place)
	return whole, verdict.None
}

// unfragment repairs a packet from which the fragment header at offset at was
// removed: its next header moves to the header before it (RFC 8200 §4.5).
func unfragment(p packet.IPv6, at int, next uint8) packet.IPv6 {
	p.SetPayloadLen(len(p) - packet.IPv6Header)
	field := 6
	for here := packet.IPv6Header; here < at; {
		n, _ := packet.ExtensionLen(p[field], p[here:]) // WalkExtensions has checked it
		field, here = here, here+n
	}
	p[field] = next
	return p
}

// judge checks one fragment for the errors of RFC 8200 §4.5 that are reported
// to its source.
func judge(p packet.IPv6, x *packet.Extensions, f *fragment) packet.Problem {
	const payloadLength = 4 // offset of that field
	problem := packet.Problem{Action: packet.ActionReportUnicast, Code: packet.ProblemField}
	switch {
	case f.more && len(f.data)%unit != 0:
		problem.Pointer = payloadLength
	case x.Fragment-packet.IPv6Header+f.end() > maxPayload:
		problem.Pointer = uint32(x.Fragment + 2)
	case f.offset == 0 && !wholeChain(p, x):
		problem.Code = packet.ProblemFirstChain // RFC 7112 §5: the pointer is zero
	default:
		return packet.Problem{}
	}
	return problem
}

// wholeChain reports whether a first fragment has all headers up to and
// including the upper layer's (RFC 8200 §4.5).
func wholeChain(p packet.IPv6, x *packet.Extensions) bool {
	if x.Truncated {
		return false
	}
	upper := 1 // of an unknown header, its first byte
	switch x.Upper {
	case packet.ProtoNoNextHeader:
		upper = 0
	case packet.ProtoTCP:
		upper = packet.TCPMinHeader
	case packet.ProtoUDP:
		upper = packet.UDPHeader
	case packet.ProtoICMPv6:
		upper = packet.ICMPHeader
	}
	return x.Offset+upper <= p.TotalLen()
}
