package wire

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"net/netip"
)

// Community is a community of RFC 1997.
type Community uint32

// Well-known communities.
const (
	GracefulShutdown  Community = 0xffff0000 // RFC 8326
	LLGRStale         Community = 0xffff0006 // RFC 9494
	NoLLGR            Community = 0xffff0007 // RFC 9494
	Blackhole         Community = 0xffff029a // RFC 7999
	NoExport          Community = 0xffffff01 // RFC 1997
	NoAdvertise       Community = 0xffffff02 // RFC 1997
	NoExportSubconfed Community = 0xffffff03 // RFC 1997
	NoPeer            Community = 0xffffff04 // RFC 3765
)

var communities = map[Community]string{
	GracefulShutdown: "graceful-shutdown", LLGRStale: "llgr-stale", NoLLGR: "no-llgr", Blackhole: "blackhole",
	NoExport: "no-export", NoAdvertise: "no-advertise", NoExportSubconfed: "local-as", NoPeer: "no-peer",
}

// String writes a well-known community by its name, others as "65000:1".
func (c Community) String() string {
	if word := communities[c]; word != "" {
		return word
	}
	return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff)
}

// WellKnown yields the communities that have names.
func WellKnown() iter.Seq2[Community, string] { return maps.All(communities) }

// Communities are communities as they are on the wire.
type Communities []byte

// Len is how many there are.
func (c Communities) Len() int { return len(c) / 4 }

// At is the community at i.
func (c Communities) At(i int) Community { return Community(binary.BigEndian.Uint32(c[4*i:])) }

// Has reports whether want is among them.
func (c Communities) Has(want Community) bool {
	for ; len(c) >= 4; c = c[4:] {
		if Community(binary.BigEndian.Uint32(c)) == want {
			return true
		}
	}
	return false
}

// ExtendedCommunity is a community of RFC 4360: a type of one or two octets, and a
// value.
type ExtendedCommunity uint64

// Transitive reports whether it leaves an AS.
func (c ExtendedCommunity) Transitive() bool { return c>>62&1 == 0 }

// Types of extended communities whose values have a form of their own.
const (
	extendedAS2  = 0x00
	extendedIPv4 = 0x01
	extendedAS4  = 0x02 // RFC 5668

	extendedRT = 0x02
	extendedRO = 0x03
)

// String writes it as "rt:65000:1" where people do, and else in hexadecimal.
func (c ExtendedCommunity) String() string {
	name := ""
	switch uint8(c >> 48) {
	case extendedRT:
		name = "rt"
	case extendedRO:
		name = "ro"
	}
	if name != "" {
		switch uint8(c >> 56) {
		case extendedAS2:
			return fmt.Sprintf("%s:%d:%d", name, uint16(c>>32), uint32(c))
		case extendedIPv4:
			a := netip.AddrFrom4([4]byte{byte(c >> 40), byte(c >> 32), byte(c >> 24), byte(c >> 16)})
			return fmt.Sprintf("%s:%v:%d", name, a, uint16(c))
		case extendedAS4:
			return fmt.Sprintf("%s:%d:%d", name, uint32(c>>16), uint16(c))
		}
	}
	return fmt.Sprintf("%#016x", uint64(c))
}

// ExtendedCommunities are extended communities as they are on the wire.
type ExtendedCommunities []byte

// Len is how many there are.
func (c ExtendedCommunities) Len() int { return len(c) / 8 }

// At is the community at i.
func (c ExtendedCommunities) At(i int) ExtendedCommunity {
	return ExtendedCommunity(binary.BigEndian.Uint64(c[8*i:]))
}

// LargeCommunity is a community of RFC 8092.
type LargeCommunity struct {
	Global uint32 // the AS that gives it its meaning
	Local1 uint32
	Local2 uint32
}

// String writes it as "65000:1:2".
func (c LargeCommunity) String() string {
	return fmt.Sprintf("%d:%d:%d", c.Global, c.Local1, c.Local2)
}

// LargeCommunities are large communities as they are on the wire.
type LargeCommunities []byte

// Len is how many there are.
func (c LargeCommunities) Len() int { return len(c) / 12 }

// At is the community at i.
func (c LargeCommunities) At(i int) LargeCommunity {
	b := c[12*i:]
	return LargeCommunity{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
}

// ClusterList is the clusters that a route has passed (RFC 4456 §8), the last of
// them first.
type ClusterList []byte

// Len is how many there are.
func (c ClusterList) Len() int { return len(c) / 4 }

// At is the cluster at i.
func (c ClusterList) At(i int) RouterID { return routerID(c[4*i:]) }

// Has reports whether a cluster is among them.
func (c ClusterList) Has(id RouterID) bool {
	for i := range c.Len() {
		if c.At(i) == id {
			return true
		}
	}
	return false
}
