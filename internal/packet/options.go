package packet

// Types of IPv4 options (RFC 791 §3.1, RFC 2113 §2.1).
const (
	OptionEnd         = 0
	OptionNop         = 1
	OptionRecordRoute = 7
	OptionTimestamp   = 68
	OptionLooseRoute  = 131
	OptionRouterAlert = 148
	OptionStrictRoute = 137
)

// Options4 is what the options of an IPv4 header ask for. Offsets count from
// the start of the packet and are -1 where there is no such thing.
type Options4 struct {
	SourceRoute bool // loose or strict, used up or not
	RouterAlert bool
	RecordRoute int // offset of the record route option
	Timestamp   int // offset of the timestamp option
	// BadPointer is the offset of the first malformed byte: the pointer of an
	// ICMP parameter problem.
	BadPointer int
}

// WalkOptions reads the options of p, which Valid accepted, up to the first
// malformed one.
func WalkOptions(p IPv4) Options4 {
	o := Options4{RecordRoute: -1, Timestamp: -1, BadPointer: -1}
	if h := p.HeaderLen(); h > IPv4MinHeader {
		o.walk(p[:h])
	}
	return o
}

func (o *Options4) walk(h []byte) {
	for i := IPv4MinHeader; i < len(h); {
		switch h[i] {
		case OptionEnd:
			return // RFC 791 §3.1: what follows is padding
		case OptionNop:
			i++
			continue
		}
		if i+1 >= len(h) {
			o.BadPointer = i
			return
		}
		n := int(h[i+1])
		if n < 2 || i+n > len(h) {
			o.BadPointer = i + 1
			return
		}
		if bad := o.read(h[i:i+n], i); bad >= 0 {
			o.BadPointer = i + bad
			return
		}
		i += n
	}
}

// read reads one option, which starts at offset at, and returns the index of
// its malformed byte or -1.
func (o *Options4) read(opt []byte, at int) int {
	switch opt[0] {
	case OptionLooseRoute, OptionStrictRoute:
		if o.SourceRoute {
			return 0 // RFC 1812 §5.2.4.1: at most one source route
		}
		o.SourceRoute = true
		return badRoute(opt)
	case OptionRecordRoute:
		if o.RecordRoute < 0 { // RFC 791 §3.1: appears at most once; later ones are ignored
			o.RecordRoute = at
		}
		return badRoute(opt)
	case OptionTimestamp:
		if o.Timestamp < 0 {
			o.Timestamp = at
		}
		return badTimestamp(opt)
	case OptionRouterAlert:
		if len(opt) != 4 { // RFC 2113 §2.1
			return 1
		}
		// RFC 2113 §2.1: only value 0 is defined.
		o.RouterAlert = o.RouterAlert || opt[2] == 0 && opt[3] == 0
	}
	return -1
}

// badRoute checks the pointer of a source or record route option: it counts
// from 1, is 4 at least, and leaves room for a whole address unless it points
// past the end (RFC 791 §3.1).
func badRoute(opt []byte) int {
	if len(opt) < 3 {
		return 1
	}
	if ptr := int(opt[2]); ptr < 4 || ptr <= len(opt) && ptr+3 > len(opt) {
		return 2
	}
	return -1
}

// badTimestamp does the same for a timestamp option (RFC 791 §3.1).
func badTimestamp(opt []byte) int {
	if len(opt) < 4 {
		return 1
	}
	entry := 4
	switch opt[3] & 0x0f {
	case 0:
	case 1, 3:
		entry = 8 // address and timestamp
	default:
		return 3
	}
	if ptr := int(opt[2]); ptr < 5 || ptr <= len(opt) && ptr+entry-1 > len(opt) {
		return 2
	}
	return -1
}
