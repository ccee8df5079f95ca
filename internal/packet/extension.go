package packet

// Action is what to do about an extension header that cannot be processed:
// the two highest bits of an unknown option's type (RFC 8200 §4.2), and the
// word for malformed headers too.
type Action uint8

const (
	ActionSkip          Action = iota // 00: carry on
	ActionDiscard                     // 01: discard silently
	ActionReport                      // 10: discard and send a parameter problem, even about a multicast packet
	ActionReportUnicast               // 11: the same, but never about a multicast packet
)

// Codes of the ICMPv6 parameter problem that a Problem carries (RFC 4443
// §3.4; the last one RFC 7112 §5).
const (
	ProblemField      = 0 // an erroneous header field
	ProblemNextHeader = 1 // an unrecognised next header
	ProblemOption     = 2 // an unrecognised option
	ProblemFirstChain = 3 // a first fragment without its whole header chain
)

// Problem says why a header cannot be processed. The zero Problem is none.
type Problem struct {
	Action  Action
	Code    uint8  // of the ICMPv6 parameter problem
	Pointer uint32 // offset of the offending byte from the start of the packet
}

// MaxExtensions is how many extension headers WalkExtensions steps over
// before it gives up (RFC 8504 §5.3 allows a limit).
const MaxExtensions = 16

// Extensions is what lies between an IPv6 header and its upper layer.
type Extensions struct {
	// Upper is the first next header value that is not an extension header:
	// a transport, ESP, no next header, or something unknown. Offset is
	// where its header starts, NextField where the byte that names it is;
	// both count from the start of the packet.
	Upper     uint8
	Offset    int
	NextField int
	// Fragment is the offset of the fragment header, -1 without one.
	Fragment int
	// NonFirst: the packet is a fragment other than the first. The walk
	// ends there: Upper is what the fragment header says and Offset is where
	// the piece starts; neither is a header.
	NonFirst bool
	// Truncated: the chain does not end inside the packet, or goes on for
	// more than MaxExtensions headers. Upper and Offset are those of the
	// header that the walk could not step over.
	Truncated bool
	// RouterAlert: the hop-by-hop options ask every router to look (RFC 2711).
	RouterAlert bool
	// HopByHop is the first problem with the hop-by-hop options: it concerns
	// every router on the path that processes them (RFC 8200 §4.3).
	HopByHop Problem
	// AtDestination is the first problem of any kind, the hop-by-hop options
	// included, that concerns the packet's destination. Headers behind a
	// fragment header are not judged until the packet is reassembled.
	AtDestination Problem
}

// WalkExtensions steps over the extension headers of p, which Valid accepted,
// and never reads outside p's total length.
func WalkExtensions(p IPv6) Extensions {
	e := Extensions{Upper: p[6], Offset: IPv6Header, NextField: 6, Fragment: -1}
	if IsExtension(e.Upper) {
		e.walk(p[:p.TotalLen()])
	}
	return e
}

func (e *Extensions) walk(p IPv6) {
	for range MaxExtensions {
		if !IsExtension(e.Upper) {
			return
		}
		h := p[e.Offset:]
		n, ok := ExtensionLen(e.Upper, h)
		if !ok {
			break
		}
		e.judge(e.Upper, h[:n])
		if e.Upper == ProtoFragment {
			f := FragmentHeader(h)
			if e.Fragment < 0 {
				e.Fragment = e.Offset
			}
			e.NonFirst = f.Offset() != 0
		}
		e.Upper, e.NextField = h[0], e.Offset
		e.Offset += n
		if e.NonFirst {
			return
		}
	}
	if !IsExtension(e.Upper) {
		return
	}
	e.Truncated = true
	e.atDestination(Problem{ActionReportUnicast, ProblemField, uint32(e.NextField)})
}

// judge looks for problems in the extension header h of type next.
func (e *Extensions) judge(next uint8, h []byte) {
	switch next {
	case ProtoHopByHop:
		if e.Offset != IPv6Header {
			// RFC 8200 §4: zero anywhere but in the IPv6 header is an
			// unrecognised next header.
			e.atDestination(Problem{ActionReportUnicast, ProblemNextHeader, uint32(e.NextField)})
			return
		}
		e.HopByHop, e.RouterAlert = walkTLV(h, e.Offset)
		e.atDestination(e.HopByHop)
	case ProtoDestOptions:
		problem, _ := walkTLV(h, e.Offset)
		e.atDestination(problem)
	case ProtoRouting:
		// RFC 8200 §4.4: a routing header with segments left and of a type
		// that the node does not know is refused. The router knows none:
		// type 0 is deprecated (RFC 5095 §3).
		if h[3] != 0 {
			e.atDestination(Problem{ActionReportUnicast, ProblemField, uint32(e.Offset + 2)})
		}
	}
}

func (e *Extensions) atDestination(p Problem) {
	if e.Fragment < 0 && e.AtDestination.Action == ActionSkip {
		e.AtDestination = p
	}
}

// Option types of RFC 8200 §4.2 and RFC 2711 §2.1.
const (
	optionPad1        = 0
	optionPadN        = 1
	optionRouterAlert = 5
)

// walkTLV reads the options of a hop-by-hop or destination options header h
// that starts at offset at of its packet, up to the first problem.
func walkTLV(h []byte, at int) (problem Problem, routerAlert bool) {
	for i := 2; i < len(h); {
		t := h[i]
		if t == optionPad1 {
			i++
			continue
		}
		if i+1 >= len(h) {
			return Problem{ActionReportUnicast, ProblemField, uint32(at + i)}, routerAlert
		}
		end := i + 2 + int(h[i+1])
		if end > len(h) {
			return Problem{ActionReportUnicast, ProblemField, uint32(at + i + 1)}, routerAlert
		}
		switch {
		case t == optionPadN:
		case t == optionRouterAlert:
			if h[i+1] != 2 { // RFC 2711 §2.1
				return Problem{ActionReportUnicast, ProblemField, uint32(at + i + 1)}, routerAlert
			}
			routerAlert = true
		case Action(t>>6) != ActionSkip:
			return Problem{Action(t >> 6), ProblemOption, uint32(at + i)}, routerAlert
		}
		i = end
	}
	return Problem{}, routerAlert
}
