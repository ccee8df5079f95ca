package dataplane

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// MSS is how an interface limits the maximum segment size that the ends of a
// TCP connection announce (RFC 9293 §3.7.1): not at all, to a number of bytes,
// or to what the MTUs of the two interfaces carry.
type MSS uint16

const (
	MSSOff   MSS = 0
	MSSClamp MSS = 0xffff // more than any packet has room for, so it is no number
)

// The range of MSS in bytes: what every IPv4 host takes (RFC 9293 §3.7.1), and
// what the largest packet has room for.
const (
	MinMSS = 536
	MaxMSS = 65535 - packet.IPv4MinHeader - packet.TCPMinHeader
)

// String gives the configuration's word, "" for MSSOff.
func (m MSS) String() string {
	switch m {
	case MSSOff:
		return ""
	case MSSClamp:
		return "clamp"
	}
	return strconv.Itoa(int(m))
}

// clampMSS lowers the segment size in SYNs to what their ingress and egress
// interfaces allow. It never raises it. It adds no option to a SYN without one:
// the other end then sends segments of the default size, which every path
// carries (RFC 9293 §3.7.1).
//
// The option limits what its sender receives. Looking at both interfaces limits
// both directions, whichever of them has the setting.
func clampMSS(v *View, b *Batch, _ time.Time) {
	if !v.ClampsMSS {
		return
	}
	for _, p := range b.work {
		if p.Verdict != verdict.None || !p.opensTCP() {
			continue
		}
		if limit, by := v.mssLimit(p); by != nil {
			p.mss = lowerMSS(p.ip()[p.l4:], limit, p.partial())
		}
	}
}

// opensTCP reports whether p is a SYN, with or without ACK, in one piece.
func (p *Packet) opensTCP() bool {
	if p.Proto != packet.ProtoTCP || p.Fragment || p.Made {
		return false
	}
	ip := p.ip()
	if p.l4 > len(ip) || !packet.TCP(ip[p.l4:]).Valid() {
		return false
	}
	return packet.TCP(ip[p.l4:]).Flags()&(packet.TCPSyn|packet.TCPRst|packet.TCPFin) == packet.TCPSyn
}

// mssLimit is the largest segment that p's ingress and egress interfaces allow,
// and the interface that limits it; nil if neither does.
func (v *View) mssLimit(p *Packet) (limit int, by *Interface) {
	headers := packet.IPv4MinHeader + packet.TCPMinHeader // without options, which count as part of the segment (RFC 9293 §3.7.1)
	if p.Family == 6 {
		headers = packet.IPv6Header + packet.TCPMinHeader
	}
	in, out := v.Interface(p.In), v.Interface(p.Out)
	mtu := maxMTU
	for _, i := range [...]*Interface{in, out} {
		if i != nil && i != v.Stack { // its MTU is not that of a link
			mtu = min(mtu, i.MTU)
		}
	}
	for _, i := range [...]*Interface{out, in} {
		if i == nil || i.MSS == MSSOff {
			continue
		}
		n := int(i.MSS)
		if i.MSS == MSSClamp {
			n = mtu - headers
		}
		if n > 0 && (by == nil || n < limit) {
			limit, by = n, i
		}
	}
	return limit, by
}

const maxMTU = 65535

// lowerMSS lowers every segment size above limit in the options of tcp, whose
// header is Valid. It returns the largest that it has lowered, 0 for none. A
// partial checksum does not cover the options, so it stays.
func lowerMSS(tcp packet.TCP, limit int, partial bool) (was uint16) {
	for at := nextMSS(tcp, packet.TCPMinHeader); at != 0; at = nextMSS(tcp, at+mssOptionLen) {
		old := binary.BigEndian.Uint16(tcp[at+2:])
		if int(old) <= limit {
			continue
		}
		was = max(was, old)
		binary.BigEndian.PutUint16(tcp[at+2:], uint16(limit))
		if partial {
			continue
		}
		from, to := old, uint16(limit)
		if at%2 != 0 { // across two words of the sum (RFC 1071 §2 B)
			from, to = bits.ReverseBytes16(from), bits.ReverseBytes16(to)
		}
		tcp.SetChecksum(packet.UpdateChecksum(tcp.Checksum(), from, to))
	}
	return was
}

// Kinds of options (RFC 9293 §3.1), and the length of the segment size's.
const (
	tcpOptionEnd  = 0
	tcpOptionNop  = 1
	tcpOptionMSS  = 2
	mssOptionLen  = 4
	tcpOptionHead = 2 // kind and length
)

// nextMSS is the offset of the first segment size among the options from offset
// at on, 0 for none. A malformed option ends the search; the receiver judges
// what follows it.
func nextMSS(tcp packet.TCP, at int) int {
	end := tcp.HeaderLen()
	for at < end {
		switch tcp[at] {
		case tcpOptionEnd:
			return 0
		case tcpOptionNop:
			at++
			continue
		}
		if at+tcpOptionHead > end {
			return 0
		}
		n := int(tcp[at+1])
		switch {
		case n < tcpOptionHead || at+n > end:
			return 0
		case tcp[at] == tcpOptionMSS && n == mssOptionLen:
			return at
		}
		at += n
	}
	return 0
}

func explainMSS(v *View, p *Packet) Finding {
	if !v.ClampsMSS || !p.opensTCP() {
		return Finding{}
	}
	limit, by := v.mssLimit(p)
	if by == nil {
		return Finding{}
	}
	rule := fmt.Sprintf("%d (mss = %s of %s)", limit, by.MSS, by.Name)
	if by.MSS == MSSClamp {
		rule = fmt.Sprintf("%d (mss = %q of %s)", limit, by.MSS, by.Name)
	}
	tcp := packet.TCP(p.ip()[p.l4:])
	at := nextMSS(tcp, packet.TCPMinHeader)
	switch {
	case p.mss != 0:
		return Finding{fmt.Sprintf("its maximum segment size, %d, becomes %s", p.mss, rule), by.Origin}
	case at == 0:
		return Finding{"it says no maximum segment size, and is given none; a larger one would become " + rule, by.Origin}
	}
	return Finding{fmt.Sprintf("its maximum segment size, %d, stays: at most %s is allowed", binary.BigEndian.Uint16(tcp[at+2:]), rule), by.Origin}
}
