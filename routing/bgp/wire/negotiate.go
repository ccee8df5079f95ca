package wire

// Expected is what a neighbour's OPEN is held against beside one's own.
type Expected struct {
	AS uint32 // the neighbour's; 0 = any
	// External: any AS but one's own, if AS is 0. Internal: one's own.
	External, Internal bool
	// RoleRequired is RFC 9234 §4.2's strict mode: without a role there is no
	// session, if one's own OPEN has one.
	RoleRequired bool
}

// Session is what two speakers agree on, as far as decoding and building messages
// depends on it.
type Session struct {
	// External: the neighbour is of another AS.
	External        bool
	FourOctetAS     bool
	ExtendedMessage bool
	EnhancedRefresh bool
	RouteRefresh    bool
	Families        Families
	// ReceivePaths and SendPaths are the families whose prefixes come, and are
	// sent, with path identifiers (RFC 7911).
	ReceivePaths, SendPaths Families
	// ExtendedNextHop are the families of which IPv6 next hops are taken though
	// they are not IPv6 (RFC 8950).
	ExtendedNextHop Families
	HoldTime        uint16 // seconds, 0 = for ever

	// FirstAS is the AS that each path from an external neighbour has to begin
	// with, 0 if any (RFC 4271 §6.3; route servers do not put theirs there).
	FirstAS uint32
	// KeepASSets accepts AS_SET, which RFC 9774 has treated as withdrawn.
	KeepASSets bool
}

// Longest is the longest message of the session, in octets.
func (s *Session) Longest() int {
	if s.ExtendedMessage {
		return MaxExtendedMessage
	}
	return MaxMessage
}

// Negotiate gives what follows from both OPENs, or why there can be no session.
func Negotiate(ours, theirs *Open, want Expected) (Session, Refusal) {
	if r := want.check(ours, theirs); !r.OK() {
		return Session{}, r
	}
	a, b := &ours.Capabilities, &theirs.Capabilities
	s := Session{
		External:    ours.AS != theirs.AS,
		FourOctetAS: a.FourOctetAS && b.FourOctetAS,
		// RFC 8654 §4: it may be sent to whoever can receive it, which is what the
		// capability says; both are asked for, so that one length holds both ways.
		ExtendedMessage: a.ExtendedMessage && b.ExtendedMessage,
		RouteRefresh:    a.RouteRefresh && b.RouteRefresh,
		EnhancedRefresh: a.EnhancedRefresh && b.EnhancedRefresh,
		Families:        a.spoken() & b.spoken(),
		// RFC 4271 §4.2.
		HoldTime: min(ours.HoldTime, theirs.HoldTime),
	}
	s.ExtendedNextHop = a.ExtendedNextHop & b.ExtendedNextHop & s.Families
	for f := range numFamilies {
		if !s.Families.Has(f) {
			continue
		}
		if a.AddPath[f]&AddPathReceive != 0 && b.AddPath[f]&AddPathSend != 0 {
			s.ReceivePaths |= Of(f)
		}
		if a.AddPath[f]&AddPathSend != 0 && b.AddPath[f]&AddPathReceive != 0 {
			s.SendPaths |= Of(f)
		}
	}
	return s, Refusal{}
}

// spoken are the families of a speaker: IPv4 unicast if it names none (RFC 4760 §8
// leaves that to RFC 4271, which has no other).
func (c *Capabilities) spoken() Families {
	if c.Families == 0 && !c.otherFamilies() {
		return Of(IPv4Unicast)
	}
	return c.Families
}

func (c *Capabilities) otherFamilies() bool {
	for i := range c.Unknown {
		if c.Unknown[i].Code == capMultiprotocol {
			return true
		}
	}
	return false
}

func (e *Expected) check(ours, theirs *Open) Refusal {
	internal := ours.AS == theirs.AS
	switch {
	case theirs.AS == 0: // RFC 7607 §2
		return refuse(OpenAS, 0, int(e.AS), nil)
	case e.AS != 0 && theirs.AS != e.AS:
		return refuse(OpenAS, int(theirs.AS), int(e.AS), nil)
	case e.AS == 0 && e.Internal && !internal:
		return refuse(OpenAS, int(theirs.AS), int(ours.AS), nil)
	case e.AS == 0 && e.External && internal:
		return refuse(OpenAS, int(theirs.AS), 0, nil)
	case theirs.HoldTime == 1 || theirs.HoldTime == 2: // RFC 4271 §4.2
		return refuse(OpenHoldTime, int(theirs.HoldTime), 0, nil)
	case theirs.ID == 0 || internal && theirs.ID == ours.ID: // RFC 6286 §2.1, §2.2
		return refuse(OpenIdentifier, int(theirs.ID), int(ours.ID), nil)
	}
	a, b := &ours.Capabilities, &theirs.Capabilities
	switch {
	// RFC 9234 §4: roles are for sessions between ASes.
	case internal || !a.HasRole:
	case !b.HasRole && e.RoleRequired:
		return Refusal{Reason: OpenRoleMissing, Approach: SessionReset}
	case b.HasRole && !a.Role.Fits(b.Role):
		return refuse(OpenRole, int(b.Role), int(a.Role), nil)
	}
	return Refusal{}
}
