package flow

// Key is one direction of an IPv4 flow as its packets stand on the wire.
//
// An ICMP query has its identifier as the port of the side that asks and 0 as
// the other one; protocols without ports have 0 for both.
type Key struct {
	Src, Dst         uint32 // addresses, most significant byte first
	SrcPort, DstPort uint16
	Proto            uint8
	Table            uint8 // the routing table of the interface, which keeps VRFs apart
}

// Reverse is the key of a packet that answers one with the key k.
func (k Key) Reverse() Key {
	k.Src, k.Dst = k.Dst, k.Src
	k.SrcPort, k.DstPort = k.DstPort, k.SrcPort
	return k
}

// SetReverse makes k the reverse of o, field by field: copying a key that was
// just written would wait for all earlier loads to complete.
func (k *Key) SetReverse(o *Key) {
	k.Src, k.Dst, k.SrcPort, k.DstPort = o.Dst, o.Src, o.DstPort, o.SrcPort
	k.Proto, k.Table = o.Proto, o.Table
}

// Is reports whether k and o are the same key. It compares field by field, for
// the reason that SetReverse gives, and first what differs most often.
func (k *Key) Is(o *Key) bool {
	return k.SrcPort == o.SrcPort && k.DstPort == o.DstPort && k.Src == o.Src && k.Dst == o.Dst && k.Proto == o.Proto && k.Table == o.Table
}

// Direction says which of a session's two keys a packet has.
type Direction uint8

const (
	Forward Direction = iota // from the initiator
	Reply                    // from the responder
)

// Other is the opposite direction.
func (d Direction) Other() Direction { return 1 - d }

// Segment is what a TCP header says of a connection's state.
type Segment struct {
	Flags uint8 // FIN 1, SYN 2, RST 4, ACK 16
	// Scale is, in a SYN, 1 + the shift of its window scale option (RFC 7323
	// §2.2), and 0 without that option. Other segments need not fill it.
	Scale  uint8
	Window uint16
	Seq    uint32
	Ack    uint32
	Len    uint32 // bytes of data, whole super-packets included
}

// The flags of a segment that matter here.
const (
	FlagFIN = 1 << iota
	FlagSYN
	FlagRST
	_
	FlagACK
)

// Begins reports whether s is a SYN that opens a connection.
func (s *Segment) Begins() bool { return s.Flags&(FlagFIN|FlagSYN|FlagRST|FlagACK) == FlagSYN }

// end is the sequence number after s. SYN and FIN count as one each.
func (s *Segment) end() uint32 {
	n := s.Seq + s.Len
	if s.Flags&FlagSYN != 0 {
		n++
	}
	if s.Flags&FlagFIN != 0 {
		n++
	}
	return n
}
