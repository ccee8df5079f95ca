package ports

// Want says which port a new mapping should get.
type Want struct {
	Port        uint16 // the inside endpoint's own
	First, Last uint16 // what may be chosen, both included
	// Classes keeps ports below 1024 and the rest apart: a high port never
	// becomes a low one, and a low one becomes a high one only if no low one is
	// free (RFC 4787 REQ-3a). Identifiers of ICMP queries have no classes.
	Classes bool
	// Parity prefers an even port for an even inside port, and an odd one for
	// an odd one (RFC 4787 REQ-4, for RTP over UDP).
	Parity bool
	// Other asks for another port than the inside one, which could not be used.
	Other bool
}

// Range is the ports that a mapping with such an inside port may get: those of
// its class, or all if there are no classes.
func (w *Want) Range() (first, last uint16) {
	if w.Classes && w.Port > system && w.Last > system {
		return max(w.First, system+1), w.Last
	}
	return w.First, w.Last
}

// Choice chooses a free port of s for want by the random number, or none. It
// does not take the port. It has no randomness or state of its own, so that a
// run can be repeated from its seed.
type Choice func(s *Set, want Want, random uint32) (port uint16, ok bool)

// system is the last of the well-known ports, REQ-3's low class.
const system = 1023

// Choose is the default Choice: the inside port if it is free, else the first
// free one after a random start in its class, preferably of its parity (RFC
// 6056 §3.3.1, Algorithm 1; RFC 7857 §9).
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
	if want.Last <= system { // a pool of low ports only serves all classes
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
