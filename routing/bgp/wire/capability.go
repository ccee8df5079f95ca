package wire

import "encoding/binary"

// Codes of capabilities (RFC 5492, and the RFC of each).
const (
	capMultiprotocol   = 1  // RFC 4760 §8
	capRouteRefresh    = 2  // RFC 2918 §2
	capExtendedNextHop = 5  // RFC 8950 §4
	capExtendedMessage = 6  // RFC 8654 §3
	capRole            = 9  // RFC 9234 §4.1
	capGracefulRestart = 64 // RFC 4724 §3
	capFourOctetAS     = 65 // RFC 6793 §3
	capAddPath         = 69 // RFC 7911 §4
	capEnhancedRefresh = 70 // RFC 7313 §3.1
	capLongLived       = 71 // RFC 9494 §3.1
	capBFDStrict       = 74 // draft-ietf-idr-bgp-bfd-strict-mode
)

// AddPath says who may send several paths of a prefix (RFC 7911 §4).
type AddPath uint8

// The values. Both is AddPathReceive and AddPathSend.
const (
	AddPathReceive AddPath = 1
	AddPathSend    AddPath = 2
)

// GracefulRestart is the capability of RFC 4724.
type GracefulRestart struct {
	Present    bool
	Restarting bool // R: the speaker has restarted
	// Notification: N of RFC 8538: routes are kept over a NOTIFICATION too.
	Notification bool
	Time         uint16   // seconds, 0 to 4095
	Families     Families // of which routes are kept
	Forwarding   Families // of which packets went on being forwarded (F)
}

// LongLived is the capability of RFC 9494.
type LongLived struct {
	Present    bool
	Families   Families
	Forwarding Families            // F
	Stale      [NumFamilies]uint32 // seconds, 0 to 16777215
}

// Capability is one that is not known here. Value points into the message.
type Capability struct {
	Code  uint8
	Value []byte
}

// Capabilities are what a speaker says that it can do.
type Capabilities struct {
	Families        Families // multiprotocol
	RouteRefresh    bool
	EnhancedRefresh bool
	ExtendedMessage bool
	// ExtendedNextHop are the families whose routes may have IPv6 next hops though
	// they are not IPv6 themselves.
	ExtendedNextHop Families
	// FourOctetAS: AS numbers have four octets, and that of the OPEN counts for
	// nothing.
	FourOctetAS bool
	AddPath     [NumFamilies]AddPath
	HasRole     bool
	Role        Role
	Restart     GracefulRestart
	LongLived   LongLived
	// BFDStrict: the speaker wants BFD up before the session.
	BFDStrict bool
	// Unknown are the others, families that are not spoken among them.
	Unknown []Capability
}

// capabilityLengths are what the values of known capabilities may be long: at least
// so many octets, and more by multiples.
var capabilityLengths = [...]struct{ least, more int }{
	capMultiprotocol:   {4, 0},
	capRouteRefresh:    {0, 0},
	capExtendedNextHop: {6, 6},
	capExtendedMessage: {0, 0},
	capRole:            {1, 0},
	capGracefulRestart: {2, 4},
	capFourOctetAS:     {4, 0},
	capAddPath:         {4, 4},
	capEnhancedRefresh: {0, 0},
	capLongLived:       {0, 7},
	capBFDStrict:       {0, 0},
}

func known(code uint8) bool {
	switch code {
	case capMultiprotocol, capRouteRefresh, capExtendedNextHop, capExtendedMessage, capRole,
		capGracefulRestart, capFourOctetAS, capAddPath, capEnhancedRefresh, capLongLived, capBFDStrict:
		return true
	}
	return false
}

// decode reads the capabilities of one optional parameter.
func (o *Open) decodeCapabilities(b []byte) Refusal {
	for len(b) > 0 {
		if len(b) < 2 || int(b[1]) > len(b)-2 {
			return refuse(OpenCapability, int(b[0]), 0, nil)
		}
		code, v := b[0], b[2:2+int(b[1])]
		b = b[2+len(v):]
		if known(code) {
			n := &capabilityLengths[code]
			if len(v) < n.least || n.more == 0 && len(v) != n.least || n.more != 0 && (len(v)-n.least)%n.more != 0 {
				return refuse(OpenCapability, int(code), 0, nil)
			}
		}
		if r := o.decodeCapability(code, v); !r.OK() {
			return r
		}
	}
	return Refusal{}
}

func (o *Open) decodeCapability(code uint8, v []byte) Refusal {
	c := &o.Capabilities
	switch code {
	case capMultiprotocol:
		f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[3])
		if !ok {
			c.Unknown = append(c.Unknown, Capability{code, v})
			break
		}
		c.Families |= Of(f)
	case capRouteRefresh:
		c.RouteRefresh = true
	case capExtendedNextHop:
		for ; len(v) > 0; v = v[6:] {
			f, ok := FamilyOf(binary.BigEndian.Uint16(v), byte(min(binary.BigEndian.Uint16(v[2:]), 0xff)))
			if ok && f == IPv4Unicast && binary.BigEndian.Uint16(v[4:]) == families[IPv6Unicast].afi {
				c.ExtendedNextHop |= Of(f)
			}
		}
	case capExtendedMessage:
		c.ExtendedMessage = true
	case capRole:
		// RFC 9234 §4.2: several must be the same.
		if c.HasRole && c.Role != Role(v[0]) {
			return refuse(OpenRole, int(v[0]), int(c.Role), nil)
		}
		c.HasRole, c.Role = true, Role(v[0])
	case capGracefulRestart:
		c.Restart.decode(v)
	case capFourOctetAS:
		c.FourOctetAS, o.AS = true, binary.BigEndian.Uint32(v)
	case capAddPath:
		for ; len(v) > 0; v = v[4:] {
			f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[2])
			if p := AddPath(v[3]); ok && p >= AddPathReceive && p <= AddPathReceive|AddPathSend {
				c.AddPath[f] = p
			}
		}
	case capEnhancedRefresh:
		c.EnhancedRefresh = true
	case capLongLived:
		c.LongLived.decode(v)
	case capBFDStrict:
		c.BFDStrict = true
	default:
		c.Unknown = append(c.Unknown, Capability{code, v})
	}
	return Refusal{}
}

// Bits of the capability of graceful restart.
const (
	restartR    = 0x8000
	restartN    = 0x4000
	restartTime = 0x0fff
	forwardingF = 0x80
)

// decode reads the capability. RFC 4724 §3: of several the last counts.
func (g *GracefulRestart) decode(v []byte) {
	flags := binary.BigEndian.Uint16(v)
	*g = GracefulRestart{Present: true, Restarting: flags&restartR != 0, Notification: flags&restartN != 0, Time: flags & restartTime}
	for v = v[2:]; len(v) > 0; v = v[4:] {
		if f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[2]); ok {
			g.Families |= Of(f)
			if v[3]&forwardingF != 0 {
				g.Forwarding |= Of(f)
			}
		}
	}
}

func (g *GracefulRestart) append(dst []byte) []byte {
	flags := g.Time & restartTime
	if g.Restarting {
		flags |= restartR
	}
	if g.Notification {
		flags |= restartN
	}
	dst = binary.BigEndian.AppendUint16(dst, flags)
	for f := range numFamilies {
		if g.Families.Has(f) {
			dst = append(f.append(dst), families[f].safi, forwarding(g.Forwarding, f))
		}
	}
	return dst
}

func forwarding(s Families, f Family) byte {
	if s.Has(f) {
		return forwardingF
	}
	return 0
}

func (l *LongLived) decode(v []byte) {
	*l = LongLived{Present: true}
	for ; len(v) > 0; v = v[7:] {
		if f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[2]); ok {
			l.Families |= Of(f)
			if v[3]&forwardingF != 0 {
				l.Forwarding |= Of(f)
			}
			l.Stale[f] = uint32(v[4])<<16 | uint32(v[5])<<8 | uint32(v[6])
		}
	}
}

func (l *LongLived) append(dst []byte) []byte {
	for f := range numFamilies {
		if l.Families.Has(f) {
			s := l.Stale[f]
			dst = append(f.append(dst), families[f].safi, forwarding(l.Forwarding, f), byte(s>>16), byte(s>>8), byte(s))
		}
	}
	return dst
}

// append appends the capabilities, each with its code and length, in the order of
// their codes.
func (c *Capabilities) append(dst []byte, as uint32) []byte {
	each := func(code uint8, has bool, value func([]byte) []byte) {
		if !has {
			return
		}
		at := len(dst)
		dst = append(dst, code, 0)
		if value != nil {
			dst = value(dst)
		}
		dst[at+1] = byte(len(dst) - at - 2)
	}
	for f := range numFamilies {
		each(capMultiprotocol, c.Families.Has(f), func(b []byte) []byte { return append(f.append(b), 0, families[f].safi) })
	}
	each(capRouteRefresh, c.RouteRefresh, nil)
	each(capExtendedNextHop, c.ExtendedNextHop.Has(IPv4Unicast), func(b []byte) []byte {
		return IPv6Unicast.append(append(IPv4Unicast.append(b), 0, families[IPv4Unicast].safi))
	})
	each(capExtendedMessage, c.ExtendedMessage, nil)
	each(capRole, c.HasRole, func(b []byte) []byte { return append(b, byte(c.Role)) })
	each(capGracefulRestart, c.Restart.Present, c.Restart.append)
	each(capFourOctetAS, c.FourOctetAS, func(b []byte) []byte { return binary.BigEndian.AppendUint32(b, as) })
	each(capAddPath, c.AddPath != [NumFamilies]AddPath{}, func(b []byte) []byte {
		for f, p := range c.AddPath {
			if p != 0 {
				b = append(Family(f).append(b), families[f].safi, byte(p))
			}
		}
		return b
	})
	each(capEnhancedRefresh, c.EnhancedRefresh, nil)
	each(capLongLived, c.LongLived.Present, c.LongLived.append)
	each(capBFDStrict, c.BFDStrict, nil)
	for _, u := range c.Unknown {
		each(u.Code, true, func(b []byte) []byte { return append(b, u.Value...) })
	}
	return dst
}
