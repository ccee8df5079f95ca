package ports

// Want is what a new mapping asks of the choice of its port.
type Want struct {
	Port        uint16 // the inside endpoint's own
	First, Last uint16 // what may be chosen, both included
	// Classes has ports below 1024 and the rest apart: a high port never
	// becomes a low one, and a low one becomes a high one only when no low one
	// is free (RFC 4787 REQ-3a). Identifiers of ICMP queries have no classes.
	Classes bool
	// Parity prefers a port as even or odd as the inside one (RFC 4787 REQ-4,
	// for RTP over UDP).
	Parity bool
	// Other asks for another port than the inside one, because that was no
	// use.
	Other bool
}

// Range is the ports that a mapping with such an inside port can be given last
// of all: those of its class, or all where there are no classes.
func (w *Want) Range() (first, last uint16) {
	if w.Classes && w.Port > system && w.Last > system {
		return max(w.First, system+1), w.Last
	}
	return w.First, w.Last
}

// Choice picks a free port of s for want by the random number, or none. It
// does not take the port. It is a value's function: no randomness or state of
// its own, so that a run can be repeated from its seed.
type Choice func(s *Set, want Want, random uint32) (port uint16, ok bool)

// system is the last of the well-known ports, REQ-3's low class.
const system = 1023

// Choose is the Choice that a NAT makes by default: the inside port where it
// is free, else the first free one after a random start in its class, first
// of its parity (RFC 6056 §3.3.1, Algorithm 1; RFC 7857 §9).
func Choose(s *Set, want Want, random uint32) (uint16, bool) {
	if !want.Other && want.First <= want.Port && want.Port <= want.Last && !s.Has(want.Port) {
		return want.Port, true
	}
	if !want.Classes {
		return pick(s, want, want.First, want.Last, random)
	}
	if want.Port <= system && want.First <= system {
		if port, ok := pick(s, want, want.First, min(want.Last, system), random); ok {
			return port, true
		}
	}
	if want.Last <= system { // a pool of low ports alone serves all
		return pick(s, want, want.First, want.Last, random)
	}
	return pick(s, want, max(want.First, system+1), want.Last, random)
}

func pick(s *Set, want Want, first, last uint16, random uint32) (uint16, bool) {
	start := first + uint16(uint64(random)*(uint64(last)-uint64(first)+1)>>32)
	if want.Parity {
		if port, ok := s.Free(first, last, start, Parity(want.Port&1)); ok {
			return port, true
		}
	}
	return s.Free(first, last, start, Either)
}
