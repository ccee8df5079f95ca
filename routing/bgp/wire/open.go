package wire

import "encoding/binary"

// An OPEN (RFC 4271 §4.2), and behind its length of optional parameters, if these
// are longer than 255 octets or the sender likes it, what RFC 9072 §2 has.
//
//	+---------------+
//	|  version 4    |
//	+---------------+---------------+
//	|     autonomous system (2)     |
//	|         hold time (2)         |
//	+-------------------------------+-------------------------------+
//	|                     BGP identifier (4)                        |
//	+---------------+---------------+-------------------------------+
//	|  length (1)   |     (255)     |     (extended length (2))     |
//	+---------------+---------------+-------------------------------+
const (
	paramCapabilities = 2
	paramExtended     = 255
)

// Open is what a neighbour says of itself.
type Open struct {
	// AS is the AS number, of four octets if Capabilities.FourOctetAS.
	AS           uint32
	HoldTime     uint16 // seconds, 0 = for ever
	ID           RouterID
	Capabilities Capabilities
}

// DecodeOpen reads the body of an OPEN into o, whose slices it uses again and which
// points into the message. It checks the form; whether the neighbour is the one that
// is expected, [Negotiate] finds out.
func DecodeOpen(body []byte, o *Open) Refusal {
	*o = Open{Capabilities: Capabilities{Unknown: o.Capabilities.Unknown[:0]}}
	if body[0] != Version {
		// RFC 4271 §6.2: the only version, higher or lower, in two octets.
		return refuse(OpenVersion, int(body[0]), Version, []byte{0, Version})
	}
	o.AS, o.HoldTime, o.ID = uint32(binary.BigEndian.Uint16(body[1:])), binary.BigEndian.Uint16(body[3:]), routerID(body[5:])
	params, extended := body[10:], false
	length := int(body[9])
	if length != 0 && len(params) > 0 && params[0] == paramExtended {
		// RFC 9072 §2: the type decides, whatever the length says.
		if len(params) < 3 {
			return refuse(OpenBody, length, len(params), nil)
		}
		extended, length, params = true, int(binary.BigEndian.Uint16(params[1:])), params[3:]
	}
	if length != len(params) {
		return refuse(OpenBody, length, len(params), nil)
	}
	for len(params) > 0 {
		head, size := 2, 0
		if extended {
			head = 3
		}
		if len(params) >= head {
			size = int(params[head-1])
			if extended {
				size = int(binary.BigEndian.Uint16(params[1:]))
			}
		}
		if len(params) < head+size {
			return refuse(OpenBody, head+size, len(params), nil)
		}
		if params[0] != paramCapabilities {
			return refuse(OpenParameter, int(params[0]), 0, nil)
		}
		if r := o.decodeCapabilities(params[head : head+size]); !r.OK() {
			return r
		}
		params = params[head+size:]
	}
	return Refusal{}
}

// maxParameters is how long the optional parameters are at most without RFC 9072.
const maxParameters = 255

// Append appends the message, with all capabilities in one parameter (RFC 5492 §4),
// and by RFC 9072 if they are longer than RFC 4271 has room for. The caller keeps
// unknown capabilities short enough for MaxMessage.
func (o *Open) Append(dst []byte) []byte {
	at := len(dst)
	as := o.AS
	if as > 0xffff {
		as = ASTrans
	}
	dst = append(appendHeader(dst, TypeOpen), Version)
	dst = binary.BigEndian.AppendUint16(dst, uint16(as))
	dst = binary.BigEndian.AppendUint16(dst, o.HoldTime)
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.ID))
	params := len(dst)
	// Room for the longer form, which is taken out again if the shorter one is enough.
	const head, longHead = 3, 7
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0)
	dst = o.Capabilities.append(dst, o.AS)
	n := len(dst) - params - longHead
	switch {
	case n == 0:
		dst = dst[:params+1]
	case 2+n <= maxParameters:
		copy(dst[params+head:], dst[params+longHead:])
		dst = dst[:params+head+n]
		dst[params], dst[params+1], dst[params+2] = byte(2+n), paramCapabilities, byte(n)
	default:
		dst[params], dst[params+1] = paramExtended, paramExtended
		binary.BigEndian.PutUint16(dst[params+2:], uint16(3+n))
		dst[params+4] = paramCapabilities
		binary.BigEndian.PutUint16(dst[params+5:], uint16(n))
	}
	return finish(dst, at)
}
