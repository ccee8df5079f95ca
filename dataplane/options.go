package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/internal/packet"
)

// stampOptions fills the next slot of a record route or timestamp option (RFC
// 1812 §5.3.13.5, §5.3.13.6) with the address of the egress interface, and
// reports whether it wrote anything. The caller updates the header checksum.
func stampOptions(ip packet.IPv4, own netip.Addr, now time.Time) bool {
	o := packet.WalkOptions(ip)
	if o.BadPointer >= 0 || (o.RecordRoute < 0 && o.Timestamp < 0) {
		return false
	}
	wrote := false
	a := own.As4()
	if o.RecordRoute >= 0 {
		opt := ip[o.RecordRoute : o.RecordRoute+int(ip[o.RecordRoute+1])]
		// A pointer past the end means that the option is full (RFC 791 §3.1).
		if ptr := int(opt[2]); ptr+3 <= len(opt) {
			copy(opt[ptr-1:], a[:])
			opt[2] += 4
			wrote = true
		}
	}
	if o.Timestamp >= 0 {
		opt := ip[o.Timestamp : o.Timestamp+int(ip[o.Timestamp+1])]
		stampTime(opt, a, now)
		wrote = true
	}
	return wrote
}

// Flags of the timestamp option (RFC 791 §3.1).
const (
	stampTimeOnly  = 0
	stampAddress   = 1
	stampSpecified = 3 // only routers whose addresses are given fill in a time
)

// stampTime writes the time of day into a timestamp option, which is known to
// be well formed, or if that is full increments its overflow count.
func stampTime(opt []byte, own [4]byte, now time.Time) {
	ptr, flag := int(opt[2]), opt[3]&0x0f
	need := 4
	if flag != stampTimeOnly {
		need = 8
	}
	if ptr+need-1 > len(opt) {
		if opt[3]>>4 < 15 {
			opt[3] += 0x10 // RFC 791 §3.1: the overflow count
		}
		return
	}
	slot := opt[ptr-1:]
	switch flag {
	case stampSpecified:
		if [4]byte(slot[:4]) != own {
			return
		}
		slot = slot[4:]
	case stampAddress:
		copy(slot, own[:])
		slot = slot[4:]
	}
	// Milliseconds since midnight, universal time.
	u := now.UTC()
	midnight := time.Date(u.Year(), u.Month(), u.Day(), 0, 0, 0, 0, time.UTC)
	binary.BigEndian.PutUint32(slot, uint32(u.Sub(midnight).Milliseconds()))
	opt[2] += byte(need)
}

// copiedOptions appends the options of ip that every fragment has to carry
// (RFC 791 §3.1: those with the copied flag) to dst, padded to a multiple of
// four bytes, and returns their length. dst has room for 40 bytes.
func copiedOptions(dst []byte, ip packet.IPv4) int {
	n, opts := 0, ip.Options()
	for i := 0; i < len(opts) && opts[i] != packet.OptionEnd; {
		if opts[i] == packet.OptionNop {
			i++
			continue
		}
		size := int(opts[i+1]) // well formed: validate has checked it
		if opts[i]&0x80 != 0 {
			n += copy(dst[n:], opts[i:i+size])
		}
		i += size
	}
	for n%4 != 0 {
		dst[n] = packet.OptionEnd
		n++
	}
	return n
}
