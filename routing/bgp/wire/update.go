package wire

import "encoding/binary"

// Reach is prefixes with their next hop.
type Reach struct {
	NLRI
	NextHop NextHop
}

// Update is an UPDATE (RFC 4271 §4.3). What it has points into the message, or into
// the Update itself, until the next one is decoded into it.
type Update struct {
	// Withdrawn are those of the message's own field, and of MP_UNREACH_NLRI. They come
	// first: what is among Reach too is not withdrawn (RFC 4271 §4.3).
	Withdrawn [2]NLRI
	// Reach are those of the message's own field, and of MP_REACH_NLRI. They are to
	// be withdrawn if Approach is TreatAsWithdraw.
	Reach [2]Reach
	// Attributes are those of Reach but for the next hop, which each has itself.
	Attributes Attributes

	// Approach is the strongest of those of Faults (RFC 7606 §3 (h)).
	Approach Approach
	Faults   []Refusal

	endOfRIB    Family // numFamilies: it is none
	seen        [4]uint64
	path        pathFaults
	narrowPath  []byte // AS_PATH of two-octet numbers
	as4Path     []byte
	as4         Aggregator
	hasAS4      bool
	others      bool   // there are attributes besides MP_UNREACH_NLRI
	mpUnreach   bool   // there is one of a family that was negotiated
	pathScratch []byte // of the path that both paths give
}

// Strongest is the fault that decides about the message; OK if there is none.
func (u *Update) Strongest() Refusal {
	for i := range u.Faults {
		if u.Faults[i].Approach == u.Approach {
			return u.Faults[i]
		}
	}
	return Refusal{}
}

// AppendSet appends the set of the attributes with the next hop of r, which is one of
// Reach.
func (u *Update) AppendSet(dst []byte, r *Reach) Set {
	u.Attributes.NextHop = r.NextHop
	u.Attributes.Set(AttrNextHop)
	return u.Attributes.AppendSet(dst)
}

// EndOfRIB reports that the message says that a family's routes have all come (RFC
// 4724 §2).
func (u *Update) EndOfRIB() (Family, bool) { return u.endOfRIB, u.endOfRIB != numFamilies }

func (u *Update) reset() {
	u.Attributes.reset()
	u.Withdrawn, u.Reach = [2]NLRI{}, [2]Reach{}
	u.Approach, u.Faults, u.endOfRIB = Accept, u.Faults[:0], numFamilies
	u.seen, u.path = [4]uint64{}, pathFaults{}
	u.narrowPath, u.as4Path, u.pathScratch = nil, nil, u.pathScratch[:0]
	u.as4, u.hasAS4, u.others, u.mpUnreach = Aggregator{}, false, false, false
}

// fault notes what is wrong.
func (u *Update) fault(r Refusal) {
	u.Faults = append(u.Faults, r)
	u.Approach = max(u.Approach, r.Approach)
}

// DecodeUpdate reads the body of an UPDATE into u, whose slices it uses again. After
// SessionReset the rest of u is not to be used.
func DecodeUpdate(body []byte, s *Session, u *Update) {
	u.reset()
	withdrawn, attrs, nlri, r := split(body)
	if !r.OK() {
		u.fault(r)
		return
	}
	ownPaths := s.ReceivePaths.Has(IPv4Unicast)
	u.Withdrawn[0] = NLRI{IPv4Unicast, ownPaths, withdrawn}
	u.Reach[0].NLRI = NLRI{IPv4Unicast, ownPaths, nlri}
	for _, n := range [...]NLRI{u.Withdrawn[0], u.Reach[0].NLRI} {
		if bad := n.check(); bad >= 0 {
			u.fault(refuse(NLRILength, bad, 0, nil))
			return
		}
	}
	u.decodeAttributes(attrs, s)
	if u.Approach == SessionReset {
		return
	}
	u.finishPath(s)
	u.finishAggregator()
	u.finish(s)
	switch {
	case len(u.Faults) > 0 || u.others:
	case len(body) == 4: // RFC 4724 §2: the smallest message
		u.endOfRIB = IPv4Unicast
	case len(withdrawn) == 0 && len(nlri) == 0 && u.mpUnreach && len(u.Withdrawn[1].Octets) == 0:
		u.endOfRIB = u.Withdrawn[1].Family
	}
	if !s.Families.Has(IPv4Unicast) {
		u.Withdrawn[0].Octets, u.Reach[0].Octets = nil, nil
	}
}

// split gives the three fields of the body.
func split(body []byte) (withdrawn, attrs, nlri []byte, r Refusal) {
	n := int(binary.BigEndian.Uint16(body))
	if 4+n > len(body) {
		return nil, nil, nil, refuse(UpdateLength, n, len(body)-4, nil)
	}
	withdrawn, body = body[2:2+n], body[2+n:]
	n = int(binary.BigEndian.Uint16(body))
	if 2+n > len(body) {
		return nil, nil, nil, refuse(UpdateLength, n, len(body)-2, nil)
	}
	return withdrawn, body[2 : 2+n], body[2+n:], Refusal{}
}

func (u *Update) decodeAttributes(b []byte, s *Session) {
	for len(b) > 0 {
		head := 3
		if b[0]&flagExtended != 0 {
			head = 4
		}
		if len(b) < head { // RFC 7606 §4, the second case
			u.others = true
			u.fault(Refusal{Reason: AttributesLength, Approach: TreatAsWithdraw, Theirs: uint32(head), Ours: uint32(len(b))})
			return
		}
		flags, code, n := b[0], Attribute(b[1]), int(b[2])
		if head == 4 {
			n = int(binary.BigEndian.Uint16(b[2:]))
		}
		u.others = u.others || code != AttrMPUnreach
		if n > len(b)-head { // RFC 7606 §4, the first case
			r := Refusal{Reason: AttributesLength, Approach: TreatAsWithdraw, Attribute: code, Theirs: uint32(n), Ours: uint32(len(b) - head)}
			if code == AttrMPReach || code == AttrMPUnreach { // §3 (j): prefixes are lost
				r.Approach = SessionReset
			}
			u.fault(r)
			return
		}
		u.attribute(s, flags, code, b[:head+n:head+n], head)
		if u.Approach == SessionReset {
			return
		}
		b = b[head+n:]
	}
}

// attribute checks and takes one attribute; raw is all of it, with a head of head
// octets.
func (u *Update) attribute(s *Session, flags byte, code Attribute, raw []byte, head int) {
	v := raw[head:]
	r := Refusal{Attribute: code, Data: raw}
	if word, bit := code/64, code%64; u.seen[word]>>bit&1 != 0 {
		// RFC 7606 §3 (g).
		r.Reason, r.Approach = AttributeTwice, AttributeDiscard
		if code == AttrMPReach || code == AttrMPUnreach {
			r.Approach, r.Data = SessionReset, nil
		}
		u.fault(r)
		return
	} else {
		u.seen[word] |= 1 << bit
	}
	if !code.known() {
		switch {
		case flags&flagOptional == 0:
			r.Reason, r.Approach = UnknownWellKnown, SessionReset
			u.fault(r)
		case flags&flagTransitive != 0:
			u.Attributes.takeUnknown(code, v)
		}
		return // RFC 4271 §5: the others are ignored quietly
	}
	row := &attributes[code]
	r.Approach = row.approach
	switch {
	case row.internal && s.External: // RFC 7606 §7.5, §7.9, §7.10
		r.Reason, r.Approach = NotExternal, AttributeDiscard
	case flags&kindFlags != row.flags: // RFC 7606 §3 (c), §5.3
		r.Reason, r.Theirs, r.Ours = AttributeFlags, uint32(flags), uint32(row.flags)
	case row.any:
	case row.multiple && (len(v) == 0 || len(v)%row.size != 0), !row.multiple && len(v) != row.size:
		r.Reason, r.Theirs = AttributeLength, uint32(len(v))
	}
	if r.Reason == Accepted {
		u.take(s, flags, code, v, &r)
	}
	if r.Reason != Accepted {
		u.fault(r)
	}
}

// take takes the value of a known attribute with the right flags and length, or
// says in r what else is wrong with it.
func (u *Update) take(s *Session, flags byte, code Attribute, v []byte, r *Refusal) {
	switch code {
	case AttrOrigin:
		if v[0] >= byte(numOrigins) {
			r.Reason, r.Theirs = OriginValue, uint32(v[0])
			return
		}
	case AttrNextHop:
		if h := readNextHop(v); !h.valid() {
			r.Reason = NextHopAddress
			return
		}
	case AttrASPath:
		width := 4
		if !s.FourOctetAS {
			width = 2
		}
		u.path = checkPath(v, width)
		if f := &u.path; f.reason != Accepted {
			r.Reason, r.Theirs, r.Ours = f.reason, uint32(f.theirs), uint32(f.ours)
			return
		}
		if width == 2 {
			u.narrowPath = v
		}
	case AttrAggregator:
		u.takeAggregator(s, flags, v, r)
		return
	case AttrAS4Path, AttrAS4Aggregator:
		u.takeAS4(s, code, v, r)
		return
	case AttrMPReach:
		u.takeReach(s, v, r)
		return
	case AttrMPUnreach:
		u.takeUnreach(s, v, r)
		return
	}
	u.Attributes.take(code, flags, v)
}

func (u *Update) takeAggregator(s *Session, flags byte, v []byte, r *Refusal) {
	want := 8
	if !s.FourOctetAS {
		want = 6
	}
	if len(v) != want { // RFC 7606 §7.7
		r.Reason, r.Theirs = AttributeLength, uint32(len(v))
		return
	}
	g := Aggregator{ID: routerID(v[want-4:])}
	if want == 6 {
		g.AS = uint32(binary.BigEndian.Uint16(v))
	} else {
		g.AS = binary.BigEndian.Uint32(v)
	}
	if g.AS == 0 { // RFC 7607 §2
		r.Reason = ASZero
		return
	}
	a := &u.Attributes
	a.Aggregator = g
	a.Set(AttrAggregator)
	if flags&flagPartial != 0 {
		a.partial |= 1 << AttrAggregator
	}
}

func (u *Update) takeAS4(s *Session, code Attribute, v []byte, r *Refusal) {
	if s.FourOctetAS { // RFC 6793 §6
		r.Reason = NotNew
		return
	}
	if code == AttrAS4Aggregator {
		if u.as4 = (Aggregator{binary.BigEndian.Uint32(v), routerID(v[4:])}); u.as4.AS == 0 {
			r.Reason = ASZero
			return
		}
		u.hasAS4 = true
		return
	}
	f := checkPath(v, 4)
	switch {
	case f.reason != Accepted:
		r.Reason, r.Theirs, r.Ours = f.reason, uint32(f.theirs), uint32(f.ours)
	case len(v) < 6:
		r.Reason, r.Theirs = AttributeLength, uint32(len(v))
	default:
		u.as4Path = v
	}
}

// takeReach reads MP_REACH_NLRI (RFC 4760 §3).
func (u *Update) takeReach(s *Session, v []byte, r *Refusal) {
	if len(v) < 5 {
		r.Reason, r.Theirs = AttributeLength, uint32(len(v))
		return
	}
	f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[2])
	if !ok || !s.Families.Has(f) {
		r.Reason, r.Approach = FamilyUnasked, AttributeDiscard
		return
	}
	r.Family, r.Approach = f, DisableFamily
	n := int(v[3])
	if 5+n > len(v) || !s.hopFits(f, n) { // RFC 7606 §7.11
		r.Reason, r.Theirs = NextHopLength, uint32(n)
		return
	}
	reach := Reach{NLRI{f, s.ReceivePaths.Has(f), v[5+n:]}, readNextHop(v[4 : 4+n])}
	if bad := reach.check(); bad >= 0 {
		r.Reason, r.Theirs = NLRILength, uint32(bad)
		return
	}
	u.Reach[1] = reach
	if !reach.NextHop.valid() {
		r.Reason, r.Approach = NextHopAddress, TreatAsWithdraw
	}
}

// hopFits reports whether next hops of a family may have so many octets (RFC 2545
// §3, RFC 8950 §3).
func (s *Session) hopFits(f Family, n int) bool {
	if f == IPv4Unicast {
		return n == 4 || s.ExtendedNextHop.Has(f) && (n == 16 || n == 32)
	}
	return n == 16 || n == 32
}

// takeUnreach reads MP_UNREACH_NLRI (RFC 4760 §4).
func (u *Update) takeUnreach(s *Session, v []byte, r *Refusal) {
	if len(v) < 3 {
		r.Reason, r.Theirs = AttributeLength, uint32(len(v))
		return
	}
	f, ok := FamilyOf(binary.BigEndian.Uint16(v), v[2])
	if !ok || !s.Families.Has(f) {
		r.Reason, r.Approach = FamilyUnasked, AttributeDiscard
		return
	}
	n := NLRI{f, s.ReceivePaths.Has(f), v[3:]}
	if bad := n.check(); bad >= 0 {
		r.Reason, r.Theirs, r.Family, r.Approach = NLRILength, uint32(bad), f, DisableFamily
		return
	}
	u.Withdrawn[1], u.mpUnreach = n, true
}

// finishPath makes the AS path that the attributes say together, and looks for what
// must not be in it.
func (u *Update) finishPath(s *Session) {
	a := &u.Attributes
	if !a.Has(AttrASPath) {
		return
	}
	if !s.FourOctetAS {
		as4 := u.as4Path
		// RFC 6793 §4.2.3: an aggregator on the way did not know of AS4_PATH.
		if u.hasAS4 && a.Has(AttrAggregator) && a.Aggregator.AS != ASTrans && as4 != nil {
			as4 = nil
			u.fault(Refusal{Reason: OldAggregator, Approach: AttributeDiscard, Attribute: AttrAS4Path})
		}
		u.pathScratch = mergePaths(u.pathScratch[:0], u.narrowPath, as4)
		a.ASPath = u.pathScratch
		u.path = checkPath(a.ASPath, 4)
	}
	f := &u.path
	r := Refusal{Approach: TreatAsWithdraw, Attribute: AttrASPath}
	switch first := a.ASPath.First(); {
	case !a.Fits(): // it came with AS numbers of two octets
		r.Reason, r.Theirs, r.Ours = PathRoom, uint32(len(a.ASPath)), maxValue
	case f.set && !s.KeepASSets:
		r.Reason = ASSet
	case f.confed:
		r.Reason = ASConfed
	case s.External && s.FirstAS != 0 && first != s.FirstAS && u.reaches():
		r.Reason, r.Theirs, r.Ours = FirstAS, first, s.FirstAS // RFC 7606 §7.2
	default:
		return
	}
	u.fault(r)
}

// finishAggregator takes AS4_AGGREGATOR for AGGREGATOR where it says more.
func (u *Update) finishAggregator() {
	a := &u.Attributes
	switch {
	case !u.hasAS4 || !a.Has(AttrAggregator):
	case a.Aggregator.AS == ASTrans:
		a.Aggregator = u.as4
	default:
		u.fault(Refusal{Reason: OldAggregator, Approach: AttributeDiscard, Attribute: AttrAS4Aggregator})
	}
}

// reaches reports whether there are reachable prefixes.
func (u *Update) reaches() bool {
	return len(u.Reach[0].Octets) > 0 || len(u.Reach[1].Octets) > 0
}

// finish looks for what is missing, and for faults that are worse than they look.
func (u *Update) finish(s *Session) {
	a := &u.Attributes
	u.Reach[0].NextHop = a.NextHop
	if !u.reaches() {
		// RFC 7606 §5.2: there may have been prefixes that were not found. Those of a
		// family that is disabled were.
		if u.others && u.Approach == TreatAsWithdraw {
			r := u.Strongest()
			r.Approach = SessionReset
			u.fault(r)
		}
		return
	}
	for _, code := range [...]Attribute{AttrOrigin, AttrASPath, AttrNextHop, AttrLocalPref} {
		switch {
		case u.seen[0]>>code&1 != 0: // if it was refused, that was said
		case code == AttrNextHop && len(u.Reach[0].Octets) == 0:
		case code == AttrLocalPref && s.External: // RFC 4271 §5.1.5
		default:
			u.fault(Refusal{
				Reason: MissingAttribute, Approach: TreatAsWithdraw, Attribute: code, Data: everyOctet[code : code+1 : code+1],
			})
		}
	}
}
