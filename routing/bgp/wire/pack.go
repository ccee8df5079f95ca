package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Packer builds UPDATEs for neighbours with one [Session]: as many prefixes as there
// is room for in each, the attributes encoded once for all of them. Begin comes
// first, then Announce or Withdraw, each followed by an Add for each prefix, and
// Bytes in the end. Its buffers are used again; the zero Packer is ready.
//
// A message has prefixes of one kind, and MP_REACH_NLRI or MP_UNREACH_NLRI as its
// first attribute (RFC 7606 §5.1).
type Packer struct {
	session Session
	longest int
	dst     []byte
	at      int // where the open message begins, -1 if none is open
	room    int // how long dst may become until the message is full
	list    int // where the value of the open MP attribute begins, 0 if there is none

	family   Family
	paths    bool
	withdraw bool
	mp       bool
	attrs    []byte // encoded, without MP_REACH_NLRI
	hop      []byte // of MP_REACH_NLRI
	spare    []byte // room for others
}

// Sizes in octets: of an UPDATE without anything in its fields, of MP_REACH_NLRI before
// its next hop, and of MP_UNREACH_NLRI before its prefixes.
const (
	updateHead    = HeaderSize + 4
	mpReachHead   = 4 + 2 + 1 + 1
	mpUnreachHead = 4 + 2 + 1
)

// Begin begins messages that are appended to dst.
func (p *Packer) Begin(dst []byte, s *Session) {
	p.session, p.longest, p.dst, p.at = *s, s.Longest(), dst, -1
}

// Announce says that the prefixes that follow have the attributes, of which NextHop
// has to be present: IPv4 prefixes with an IPv6 next hop need a session that has
// agreed on it (RFC 8950). It reports false if there is no room for any prefix
// beside them, and then they must not be announced.
func (p *Packer) Announce(f Family, a *Attributes) bool {
	p.close()
	p.begin(f, false)
	p.mp = f != IPv4Unicast || !a.NextHop.is4()
	p.attrs = a.append(p.attrs[:0], form{narrow: !p.session.FourOctetAS, skipHops: p.mp})
	p.hop = p.hop[:0]
	if p.mp {
		p.hop = a.NextHop.append(p.hop)
	}
	return p.fixed()+p.largest() <= p.longest
}

// Continues reports whether prefixes with the attributes go on behind those of the last
// Announce, which has to be the last call but for Add, since what is sent is the same.
func (p *Packer) Continues(f Family, a *Attributes) bool {
	if p.withdraw || p.family != f || p.mp != (f != IPv4Unicast || !a.NextHop.is4()) {
		return false
	}
	p.spare = a.append(p.spare[:0], form{narrow: !p.session.FourOctetAS, skipHops: p.mp})
	if !bytes.Equal(p.spare, p.attrs) {
		return false
	}
	if p.mp {
		p.spare = a.NextHop.append(p.spare[:0])
		return bytes.Equal(p.spare, p.hop)
	}
	return true
}

// Withdraw says that the prefixes that follow are withdrawn.
func (p *Packer) Withdraw(f Family) {
	p.close()
	p.begin(f, true)
	p.mp = f != IPv4Unicast
	p.attrs, p.hop = p.attrs[:0], p.hop[:0]
}

func (p *Packer) begin(f Family, withdraw bool) {
	p.family, p.withdraw, p.paths = f, withdraw, p.session.SendPaths.Has(f)
}

// fixed is the length of a message without prefixes.
func (p *Packer) fixed() int {
	n := updateHead + len(p.attrs)
	switch {
	case p.mp && p.withdraw:
		n += mpUnreachHead
	case p.mp:
		n += mpReachHead + len(p.hop) + 1
	}
	return n
}

// largest is the most octets of a prefix.
func (p *Packer) largest() int {
	n := 1 + families[p.family].bits/8
	if p.paths {
		n += 4
	}
	return n
}

// Add adds a prefix of the family, masked. The path identifier counts if the
// neighbour takes several paths.
func (p *Packer) Add(path uint32, prefix netip.Prefix) {
	if p.at < 0 || len(p.dst)+p.largest() > p.room {
		p.close()
		p.open()
	}
	if p.paths {
		p.dst = binary.BigEndian.AppendUint32(p.dst, path)
	}
	p.dst = appendPrefix(p.dst, prefix)
}

// open begins a message.
func (p *Packer) open() {
	p.at, p.list = len(p.dst), 0
	p.dst = append(appendHeader(p.dst, TypeUpdate), 0, 0)
	p.room = p.at + p.longest
	switch {
	case p.mp:
		// What follows the list of prefixes has to have room too.
		p.room -= len(p.attrs)
		p.dst = append(p.dst, 0, 0)
		code := AttrMPReach
		if p.withdraw {
			code = AttrMPUnreach
		}
		p.dst = append(p.dst, optional|flagExtended, byte(code), 0, 0)
		p.list = len(p.dst)
		p.dst = append(p.family.append(p.dst), families[p.family].safi)
		if !p.withdraw {
			p.dst = append(append(append(p.dst, byte(len(p.hop))), p.hop...), 0)
		}
	case p.withdraw:
		p.room -= 2 // the length of no attributes
	default:
		p.dst = binary.BigEndian.AppendUint16(p.dst, uint16(len(p.attrs)))
		p.dst = append(p.dst, p.attrs...)
	}
}

// close ends the open message.
func (p *Packer) close() {
	if p.at < 0 {
		return
	}
	at := p.at
	switch {
	case p.mp:
		binary.BigEndian.PutUint16(p.dst[p.list-2:], uint16(len(p.dst)-p.list))
		p.dst = append(p.dst, p.attrs...)
		binary.BigEndian.PutUint16(p.dst[at+HeaderSize+2:], uint16(len(p.dst)-at-updateHead))
	case p.withdraw:
		binary.BigEndian.PutUint16(p.dst[at+HeaderSize:], uint16(len(p.dst)-at-HeaderSize-2))
		p.dst = append(p.dst, 0, 0)
	}
	p.dst, p.at = finish(p.dst, at), -1
}

// Bytes ends the last message and gives what Begin got with all of them appended.
func (p *Packer) Bytes() []byte {
	p.close()
	return p.dst
}

// Len is how many octets there are so far; the end of the open message may add its
// attributes.
func (p *Packer) Len() int { return len(p.dst) }

// AppendEndOfRIB appends the message that says that the routes of a family have all
// been sent (RFC 4724 §2).
func AppendEndOfRIB(dst []byte, f Family) []byte {
	at := len(dst)
	dst = append(appendHeader(dst, TypeUpdate), 0, 0, 0, 0)
	if f != IPv4Unicast {
		dst[len(dst)-1] = 6
		dst = append(f.append(append(dst, optional, byte(AttrMPUnreach), 3)), families[f].safi)
	}
	return finish(dst, at)
}
