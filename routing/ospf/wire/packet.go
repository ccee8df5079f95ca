package wire

import (
	"encoding/binary"
	"slices"

	"routerd/internal/packet"
)

// Protocol is OSPF's number in IPv4 headers.
const Protocol = 89

// Every packet begins with this header (RFC 2328 §A.3.1; RFC 6549 §3 gives the
// first octet of the type of authentication to the instance).
//
//	+---------------+---------------+-------------------------------+
//	|   version 2   |   type (1)    |       packet length (2)       |
//	+---------------+---------------+-------------------------------+
//	|                         router ID (4)                         |
//	|                          area ID (4)                          |
//	+-------------------------------+---------------+---------------+
//	|         checksum (2)          | instance (1)  |  AuType (1)   |
//	+-------------------------------+---------------+---------------+
//	|                      authentication (8)                       |
//	+---------------------------------------------------------------+
const (
	HeaderSize = 24

	version    = 2
	checksumAt = 12
	authAt     = 16
)

// Sizes in octets of what follows the header.
const (
	HelloSize       = 20 // without neighbours, of 4 octets each
	DescriptionSize = 8  // without headers of LSAs
	RequestSize     = 12 // one request
	CountSize       = 4  // the number of LSAs in an Update
)

// Packet is one packet. Which of the parts it has, its Type says.
type Packet struct {
	Type   Type
	Router ID
	Area   ID
	Auth   Auth // what is said; [Sealer.Verify] finds out whether it is true

	Hello       Hello
	Description Description
	Headers     []Header   // of a Description and an Acknowledgement
	Requests    []Identity // of a Request
	Updates     []Update   // of an Update
	// Refused are the LSAs of an Update that are not among Updates. The others
	// are used (RFC 2328 §13 (1), (2)).
	Refused []Refused
	// LLS is of a Hello or a Description.
	LLS LLS
}

// Hello is what a Hello says (RFC 2328 §A.3.2).
type Hello struct {
	Mask          ID
	HelloInterval uint16 // seconds
	Options       Options
	Priority      uint8
	DeadInterval  uint32 // seconds
	DR, BDR       ID     // by their addresses; 0 is none
	Neighbors     []ID   // routers
}

// Compare says what keeps two routers from being neighbours: ours is the Hello
// that is sent on the interface. The mask counts on networks of more than two
// routers only (RFC 2328 §10.5).
func (h *Hello) Compare(ours *Hello, maskCounts bool) Refusal {
	theirsE, oursE := h.Options&OptionE, ours.Options&OptionE
	theirsN, oursN := h.Options&OptionNP, ours.Options&OptionNP
	switch {
	case maskCounts && h.Mask != ours.Mask:
		return refuse(NetworkMask, int(h.Mask), int(ours.Mask))
	case h.HelloInterval != ours.HelloInterval:
		return refuse(HelloInterval, int(h.HelloInterval), int(ours.HelloInterval))
	case h.DeadInterval != ours.DeadInterval:
		return refuse(DeadInterval, int(h.DeadInterval), int(ours.DeadInterval))
	case theirsE != oursE:
		return refuse(OptionEDiffers, int(theirsE/OptionE), int(oursE/OptionE))
	case theirsN != oursN: // RFC 3101 §2.4
		return refuse(OptionNDiffers, int(theirsN/OptionNP), int(oursN/OptionNP))
	}
	return Refusal{}
}

// Description is what a Database Description says beside its Headers (RFC 2328
// §A.3.3).
type Description struct {
	MTU      uint16 // octets; 0 over virtual links
	Options  Options
	Flags    DescriptionFlags
	Sequence uint32
}

// Decode reads b, which is what the IPv4 packet carries, into p, whose slices it
// uses again. LSAs and the LLS block in p point into b. After a refusal p is not
// to be used.
func Decode(b []byte, p *Packet) Refusal {
	*p = Packet{
		Hello:   Hello{Neighbors: p.Hello.Neighbors[:0]},
		Headers: p.Headers[:0], Requests: p.Requests[:0], Updates: p.Updates[:0], Refused: p.Refused[:0],
	}
	if len(b) < HeaderSize {
		return refuse(Short, len(b), HeaderSize)
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	p.Type = Type(b[1])
	switch {
	case b[0] != version:
		return refuse(Version, int(b[0]), version)
	case p.Type < TypeHello || p.Type > TypeAcknowledgement:
		return refuse(PacketType, int(p.Type), 0)
	case length < HeaderSize || length > len(b):
		return refuse(PacketLength, length, len(b))
	case b[14] != 0:
		return refuse(Instance, int(b[14]), 0)
	}
	p.Router, p.Area = id(b[4:]), id(b[8:])
	if r := p.Auth.decode(b, length); !r.OK() {
		return r
	}
	if !p.Auth.sealed() {
		// RFC 2328 §D.5.1, §D.5.2: without the authentication field.
		if want := headerChecksum(b[:length]); want != binary.BigEndian.Uint16(b[checksumAt:]) {
			return refuse(Checksum, int(binary.BigEndian.Uint16(b[checksumAt:])), int(want))
		}
	}
	if r := p.decodeBody(b[HeaderSize:length]); !r.OK() {
		return r
	}
	if p.options()&OptionL != 0 {
		p.LLS.decode(b[length+int(p.Auth.Length):], p.Auth)
	}
	return Refusal{}
}

// headerChecksum is the checksum of a packet up to its length. RFC 2328 §D.4
// leaves the authentication field out.
func headerChecksum(b []byte) uint16 {
	sum := packet.Sum(b[:checksumAt], 0)
	sum = packet.Sum(b[checksumAt+2:authAt], sum)
	return ^packet.Sum(b[HeaderSize:], sum)
}

func id(b []byte) ID { return ID(binary.BigEndian.Uint32(b)) }

// options are those of a Hello or a Description.
func (p *Packet) options() Options {
	switch p.Type {
	case TypeHello:
		return p.Hello.Options
	case TypeDescription:
		return p.Description.Options
	}
	return 0 // RFC 5613 §2: no other packet has a block
}

func (p *Packet) decodeBody(b []byte) Refusal {
	fixed, each := 0, LSAHeaderSize
	switch p.Type {
	case TypeHello:
		fixed, each = HelloSize, 4
	case TypeDescription:
		fixed = DescriptionSize
	case TypeRequest:
		each = RequestSize
	case TypeUpdate:
		return p.decodeUpdate(b)
	}
	if len(b) < fixed || (len(b)-fixed)%each != 0 {
		return refuse(BodyLength, HeaderSize+len(b), 0)
	}
	switch p.Type {
	case TypeHello:
		h := &p.Hello
		h.Mask, h.HelloInterval, h.Options, h.Priority = id(b), binary.BigEndian.Uint16(b[4:]), Options(b[6]), b[7]
		h.DeadInterval, h.DR, h.BDR = binary.BigEndian.Uint32(b[8:]), id(b[12:]), id(b[16:])
		for b = b[fixed:]; len(b) > 0; b = b[each:] {
			h.Neighbors = append(h.Neighbors, id(b))
		}
	case TypeRequest:
		for ; len(b) > 0; b = b[each:] {
			// A type beyond 16 bits is as unknown as its highest octets.
			t := min(binary.BigEndian.Uint32(b), 0xffff)
			p.Requests = append(p.Requests, Identity{LSType(t), id(b[4:]), id(b[8:])})
		}
	default:
		if p.Type == TypeDescription {
			p.Description = Description{binary.BigEndian.Uint16(b), Options(b[2]), DescriptionFlags(b[3]), binary.BigEndian.Uint32(b[4:])}
		}
		for b = b[fixed:]; len(b) > 0; b = b[each:] {
			p.Headers = append(p.Headers, LSA(b).Header())
		}
	}
	return Refusal{}
}

func (p *Packet) decodeUpdate(b []byte) Refusal {
	if len(b) < CountSize {
		return refuse(BodyLength, HeaderSize+len(b), 0)
	}
	count := binary.BigEndian.Uint32(b)
	b = b[CountSize:]
	for i := uint32(0); ; i++ {
		if len(b) == 0 || i == count {
			if len(b) != 0 || i != count {
				return refuse(LSACount, int(count), int(i)+min(len(b), 1))
			}
			return Refusal{}
		}
		if len(b) < LSAHeaderSize {
			return refuse(LSALength, len(b), LSAHeaderSize)
		}
		length := int(binary.BigEndian.Uint16(b[lengthAt:]))
		if length < LSAHeaderSize || length > len(b) {
			return refuse(LSALength, length, len(b))
		}
		l := LSA(b[:length:length])
		if r := l.Check(); r.OK() {
			p.Updates = append(p.Updates, Update{l, l.Age()})
		} else {
			p.Refused = append(p.Refused, Refused{r, l.Header()})
		}
		b = b[length:]
	}
}

// Append appends the packet to dst, sealed by s with a sequence number that AuthNone
// and AuthSimple have no use for. A nil s is no authentication. Source is the
// address that the packet is sent from, which AuthExtended protects. What p.Auth
// says does not count, and OptionL is set if there is an LLS block and not
// otherwise.
func (p *Packet) Append(dst []byte, s *Sealer, sequence uint64, source ID) []byte {
	at := len(dst)
	dst = slices.Grow(dst, p.size())
	dst = append(dst, version, byte(p.Type), 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.Router))
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.Area))
	dst = append(dst, 0, 0, 0, byte(s.kind()))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = p.appendBody(dst)
	binary.BigEndian.PutUint16(dst[at+2:], uint16(len(dst)-at))
	if !s.kind().digests() {
		binary.BigEndian.PutUint16(dst[at+checksumAt:], headerChecksum(dst[at:]))
	}
	dst = s.finish(dst, at, sequence, source)
	if p.LLS.Present && (p.Type == TypeHello || p.Type == TypeDescription) {
		dst = p.LLS.append(dst, s, sequence, source)
	}
	return dst
}

// size is about how many octets the packet has, but for authentication and LLS.
func (p *Packet) size() (n int) {
	switch n = HeaderSize; p.Type {
	case TypeHello:
		n += HelloSize + 4*len(p.Hello.Neighbors)
	case TypeDescription, TypeAcknowledgement:
		n += DescriptionSize + LSAHeaderSize*len(p.Headers)
	case TypeRequest:
		n += RequestSize * len(p.Requests)
	case TypeUpdate:
		n += CountSize
		for i := range p.Updates {
			n += len(p.Updates[i].LSA)
		}
	}
	return n
}

func (p *Packet) appendBody(dst []byte) []byte {
	switch p.Type {
	case TypeHello:
		h := &p.Hello
		dst = binary.BigEndian.AppendUint32(dst, uint32(h.Mask))
		dst = binary.BigEndian.AppendUint16(dst, h.HelloInterval)
		dst = append(dst, byte(p.LLS.mark(h.Options)), h.Priority)
		dst = binary.BigEndian.AppendUint32(dst, h.DeadInterval)
		dst = binary.BigEndian.AppendUint32(dst, uint32(h.DR))
		dst = binary.BigEndian.AppendUint32(dst, uint32(h.BDR))
		for _, n := range h.Neighbors {
			dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		}
	case TypeDescription:
		d := &p.Description
		dst = binary.BigEndian.AppendUint16(dst, d.MTU)
		dst = append(dst, byte(p.LLS.mark(d.Options)), byte(d.Flags))
		dst = binary.BigEndian.AppendUint32(dst, d.Sequence)
		fallthrough
	case TypeAcknowledgement:
		for i := range p.Headers {
			dst = p.Headers[i].Append(dst)
		}
	case TypeRequest:
		for _, r := range p.Requests {
			dst = binary.BigEndian.AppendUint32(dst, uint32(r.Type))
			dst = binary.BigEndian.AppendUint32(dst, uint32(r.ID))
			dst = binary.BigEndian.AppendUint32(dst, uint32(r.Router))
		}
	case TypeUpdate:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Updates)))
		for _, u := range p.Updates {
			dst = binary.BigEndian.AppendUint16(dst, u.Age)
			dst = append(dst, u.LSA[2:]...)
		}
	}
	return dst
}
