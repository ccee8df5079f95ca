package wire

import (
	"encoding/binary"
	"net/netip"
)

// Metrics (RFC 2328 §B).
const (
	Infinity    = 0xffffff // LSInfinity: cannot be reached
	MaxLinkCost = 0xffff   // also of a stub router (RFC 6987 §2)
)

// RouterFlags are the bits of a Router-LSA.
type RouterFlags uint8

const (
	RouterB  RouterFlags = 0x01 // an area border router
	RouterE  RouterFlags = 0x02 // an AS boundary router
	RouterV  RouterFlags = 0x04 // the end of a virtual link through the area
	RouterNt RouterFlags = 0x10 // RFC 3101 §A: translates whatever others are there
)

// LinkType is the type of a link of a Router-LSA.
type LinkType uint8

const (
	LinkPointToPoint LinkType = 1 // to a router
	LinkTransit      LinkType = 2 // to a network
	LinkStub         LinkType = 3 // to a network with nobody else
	LinkVirtual      LinkType = 4 // to a router, through the area
)

// Link is a link of a Router-LSA (RFC 2328 §A.4.2): ID is the neighbour, the
// address of the DR, or the network; Data is the router's own address on the
// link, an interface index (unnumbered), or the mask of the network.
type Link struct {
	ID, Data ID
	Type     LinkType
	Cost     uint16
}

// Prefix is the network of a LinkStub, invalid where the mask has a gap.
func (l Link) Prefix() netip.Prefix { return prefix(l.ID, l.Data) }

const (
	routerSize   = 4 // flags and the number of links
	linkSize     = 12
	summarySize  = 8
	externalSize = 16
)

// RouterBody is the body of a Router-LSA that Check has found nothing wrong with.
type RouterBody []byte

// Flags are the router's bits.
func (b RouterBody) Flags() RouterFlags { return RouterFlags(b[0]) }

// Links calls yield with each link. Metrics by type of service are passed over
// (RFC 2328 §G.1 has them ignored).
func (b RouterBody) Links(yield func(Link) bool) {
	for b = b[routerSize:]; len(b) >= linkSize; {
		l := Link{id(b), id(b[4:]), LinkType(b[8]), binary.BigEndian.Uint16(b[10:])}
		b = b[linkSize+4*int(b[9]):]
		if !yield(l) {
			return
		}
	}
}

func (b RouterBody) fits() bool {
	if len(b) < routerSize {
		return false
	}
	left := b[routerSize:]
	for range binary.BigEndian.Uint16(b[2:]) {
		if len(left) < linkSize {
			return false
		}
		size := linkSize + 4*int(left[9])
		if len(left) < size {
			return false
		}
		left = left[size:]
	}
	return len(left) == 0
}

// NetworkBody is the body of a Network-LSA that Check has found nothing wrong
// with.
type NetworkBody []byte

// Mask is the network's mask.
func (b NetworkBody) Mask() ID { return id(b) }

// Routers calls yield with each router on the network.
func (b NetworkBody) Routers(yield func(ID) bool) {
	for b = b[4:]; len(b) >= 4; b = b[4:] {
		if !yield(id(b)) {
			return
		}
	}
}

// SummaryBody is the body of a SummaryLSA or an ASBRSummary that Check has found
// nothing wrong with.
type SummaryBody []byte

// Mask is the network's mask; of an ASBRSummary it means nothing.
func (b SummaryBody) Mask() ID { return id(b) }

// Metric is the cost, at most Infinity.
func (b SummaryBody) Metric() uint32 { return binary.BigEndian.Uint32(b[4:]) & Infinity }

// ExternalBody is the body of an ExternalLSA or an NSSALSA that Check has found
// nothing wrong with.
type ExternalBody []byte

// Mask is the network's mask.
func (b ExternalBody) Mask() ID { return id(b) }

// Type2 reports a metric of type 2, which is above any cost within the AS.
func (b ExternalBody) Type2() bool { return b[4]&0x80 != 0 }

// Metric is the cost, at most Infinity.
func (b ExternalBody) Metric() uint32 { return binary.BigEndian.Uint32(b[4:]) & Infinity }

// Forwarding is the address to send to instead of the advertising router, 0 for
// that router.
func (b ExternalBody) Forwarding() ID { return id(b[8:]) }

// Tag is the external route tag.
func (b ExternalBody) Tag() uint32 { return binary.BigEndian.Uint32(b[12:]) }

// Prefix is the network of an LSA that has a mask, not of a Router-LSA, an
// ASBRSummary or an opaque one. It is invalid where the mask has a gap. Bits of
// the link state ID beyond the mask only tell such LSAs apart (RFC 2328 §E).
func (l LSA) Prefix() netip.Prefix { return prefix(l.ID(), id(l.Body())) }

// Body is a body of an LSA to be built.
type Body interface {
	// AppendBody appends the body.
	AppendBody(dst []byte) []byte
}

// Router is the body of a Router-LSA to be built.
type Router struct {
	Flags RouterFlags
	Links []Link // at most 65535 octets in all
}

// AppendBody: see Body.
func (r *Router) AppendBody(dst []byte) []byte {
	dst = append(dst, byte(r.Flags), 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Links)))
	for _, l := range r.Links {
		dst = binary.BigEndian.AppendUint32(dst, uint32(l.ID))
		dst = binary.BigEndian.AppendUint32(dst, uint32(l.Data))
		dst = append(dst, byte(l.Type), 0)
		dst = binary.BigEndian.AppendUint16(dst, l.Cost)
	}
	return dst
}

// Network is the body of a Network-LSA to be built.
type Network struct {
	Mask    ID
	Routers []ID
}

// AppendBody: see Body.
func (n *Network) AppendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(n.Mask))
	for _, r := range n.Routers {
		dst = binary.BigEndian.AppendUint32(dst, uint32(r))
	}
	return dst
}

// Summary is the body of a SummaryLSA or an ASBRSummary to be built.
type Summary struct {
	Mask   ID     // 0 of an ASBRSummary
	Metric uint32 // at most Infinity
}

// AppendBody: see Body.
func (s *Summary) AppendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Mask))
	return binary.BigEndian.AppendUint32(dst, s.Metric)
}

// External is the body of an ExternalLSA or an NSSALSA to be built.
type External struct {
	Mask       ID
	Type2      bool
	Metric     uint32 // at most Infinity
	Forwarding ID
	Tag        uint32
}

// AppendBody: see Body.
func (e *External) AppendBody(dst []byte) []byte {
	metric := e.Metric
	if e.Type2 {
		metric |= 1 << 31
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Mask))
	dst = binary.BigEndian.AppendUint32(dst, metric)
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Forwarding))
	return binary.BigEndian.AppendUint32(dst, e.Tag)
}

// Opaque is the body of an opaque LSA to be built.
type Opaque []byte

// AppendBody: see Body.
func (o Opaque) AppendBody(dst []byte) []byte { return append(dst, o...) }

// AppendLSA appends an LSA with the header and the body; Checksum and Length of
// the header are found out.
func AppendLSA(dst []byte, h *Header, body Body) []byte {
	at := len(dst)
	dst = h.Append(dst)
	dst = body.AppendBody(dst)
	l := LSA(dst[at:])
	binary.BigEndian.PutUint16(l[lengthAt:], uint16(len(l)))
	binary.BigEndian.PutUint16(l[lsaChecksumAt:], fletcher(l))
	return dst
}
