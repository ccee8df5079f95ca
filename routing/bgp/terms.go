package bgp

import (
	"encoding/binary"

	"routerd/routing/bgp/wire"
)

// RemovePrivate says what becomes of private AS numbers (RFC 6996) in paths that other
// ASes are sent.
type RemovePrivate uint8

const (
	KeepPrivate     RemovePrivate = iota
	RemoveIfAll                   // they are removed if the path has no others
	RemoveAll                     // they are removed
	ReplacePrivates               // each is replaced by the router's own AS
)

// Terms are what the attributes of routes from and to a neighbour depend on.
type Terms struct {
	OwnAS    uint32
	OwnID    wire.RouterID
	AS       uint32 // the neighbour's
	External bool   // it is another than OwnAS
	// LocalAS is the AS that the neighbour is shown instead of OwnAS, 0 if none. It is
	// put before paths from there too, unless LocalASNoPrepend, and OwnAS is not put
	// before paths to there, if LocalASReplace.
	LocalAS                          uint32
	LocalASNoPrepend, LocalASReplace bool
	AllowOwnAS                       int // how often OwnAS may be in a path
	// Client: the neighbour is a client of this route reflector (RFC 4456), whose
	// cluster is ClusterID, or OwnID if that is 0.
	Client    bool
	ClusterID wire.RouterID
	// ServerClient: the neighbour is a client of this route server (RFC 7947).
	ServerClient bool
	// Role is what the router is to the neighbour (RFC 9234), if HasRole.
	HasRole       bool
	Role          wire.Role
	RemovePrivate RemovePrivate
	ASOverride    bool // OwnAS replaces the neighbour's AS in paths that it is sent
	leaving       leaving
	LongLived     bool // it keeps stale routes, and may be sent some (RFC 9494 §4.3)
}

// leaving is what is about to end (RFC 8326): the session with a neighbour of another AS,
// or the router.
type leaving struct{ session, router bool }

// Denial is why a route is not taken from a neighbour, or not sent to one.
type Denial uint8

// The denials.
const (
	Permitted      Denial = iota
	OwnASInPath           // RFC 4271 §9.1.2
	OwnOriginator         // RFC 4456 §8
	OwnCluster            // RFC 4456 §8
	RouteLeak             // RFC 9234 §5
	NotReflected          // RFC 4456 §6: from a neighbour of this AS to another
	NoAdvertise           // RFC 1997
	NoExport              // RFC 1997
	OnlyToCustomer        // RFC 9234 §5
	StaleRoute            // RFC 9494 §4.3
	NoPolicy              // RFC 8212
	OwnNextHop            // RFC 4271 §6.3
	numDenials
)

var denials = [numDenials]struct{ word, text string }{
	Permitted:      {"permitted", "permitted"},
	OwnASInPath:    {"own-as", "the router's own AS is in its path"},
	OwnOriginator:  {"own-originator", "the router is its originator"},
	OwnCluster:     {"own-cluster", "it has passed the router's cluster"},
	RouteLeak:      {"route-leak", "it was for customers only, and comes from one who should not have had it or not passed it on (OTC)"},
	NotReflected:   {"not-reflected", "it comes from a neighbour of this AS, and neither is a client of this route reflector"},
	NoAdvertise:    {"no-advertise", "it has the community no-advertise"},
	NoExport:       {"no-export", "it has the community no-export or local-as, and the neighbour is of another AS"},
	OnlyToCustomer: {"only-to-customer", "it is for customers only (OTC)"},
	StaleRoute:     {"stale", "it is stale, and the neighbour does not keep such routes"},
	NoPolicy:       {"no-policy", "there is no policy, without which nothing passes between two ASes"},
	OwnNextHop:     {"own-next-hop", "its next hop is this router"},
}

// String gives the word used in JSON and metrics.
func (d Denial) String() string {
	if d >= numDenials {
		return "unknown"
	}
	return denials[d].word
}

// Words says it for people.
func (d Denial) Words() string {
	if d >= numDenials {
		return "unknown"
	}
	return denials[d].text
}

func (t *Terms) cluster() wire.RouterID {
	if t.ClusterID != 0 {
		return t.ClusterID
	}
	return t.OwnID
}

// Take judges the attributes of a route from the neighbour, and changes what has to be
// changed before policies see it. What is new in a is appended to room, which is given
// back; it must not be used again as long as a is.
func (t *Terms) Take(a *wire.Attributes, room []byte) (Denial, []byte) {
	switch {
	case t.OwnAS != 0 && a.ASPath.Count(t.OwnAS) > t.AllowOwnAS:
		return OwnASInPath, room
	case !t.External && a.Has(wire.AttrOriginatorID) && a.OriginatorID == t.OwnID:
		return OwnOriginator, room
	case !t.External && a.ClusterList.Has(t.cluster()):
		return OwnCluster, room
	}
	if !t.External {
		return Permitted, room
	}
	if t.HasRole {
		has := a.Has(wire.AttrOTC)
		switch t.Role { // the neighbour's is the other one
		case wire.RoleProvider, wire.RoleRS:
			if has {
				return RouteLeak, room
			}
		case wire.RolePeer:
			if has && a.OTC != t.AS {
				return RouteLeak, room
			}
		}
		if !has && t.Role != wire.RoleProvider && t.Role != wire.RoleRS {
			a.OTC = t.AS
			a.Set(wire.AttrOTC)
		}
	}
	if t.LocalAS != 0 && t.LocalAS != t.OwnAS && !t.LocalASNoPrepend {
		room = prepend(a, room, t.LocalAS)
	}
	if t.leaving.session {
		room = leave(a, room)
	}
	if a.Communities.Has(wire.GracefulShutdown) {
		// RFC 8326 §4: the neighbour is about to go.
		a.LocalPref = 0
		a.Set(wire.AttrLocalPref)
	}
	return Permitted, room
}

// Permit judges whether the neighbour may be sent a route that came from another one,
// from; nil if it is the router's own.
func (t *Terms) Permit(a *wire.Attributes, from *Terms) Denial {
	switch {
	case from != nil && !from.External && !t.External && !from.Client && !t.Client:
		return NotReflected
	case t.ServerClient: // RFC 7947 §2.2.4: communities are for the other clients
	case a.Communities.Has(wire.NoAdvertise):
		return NoAdvertise
	case t.External && (a.Communities.Has(wire.NoExport) || a.Communities.Has(wire.NoExportSubconfed)):
		return NoExport
	}
	if t.External && t.HasRole && a.Has(wire.AttrOTC) {
		switch t.Role {
		case wire.RoleCustomer, wire.RolePeer, wire.RoleRSClient:
			return OnlyToCustomer
		}
	}
	if !t.LongLived && a.Communities.Has(wire.LLGRStale) {
		return StaleRoute
	}
	return Permitted
}

// Sent is what is known of a route that is sent, besides its attributes.
type Sent struct {
	From     *Terms        // of the neighbour that it came from; nil: it is the router's own
	RouterID wire.RouterID // of that neighbour
	MEDSet   bool          // policies have set its MED
}

// Give changes the attributes of a route, after policies, to those that the neighbour is
// sent; the next hop is the caller's. Room is as for Take.
func (t *Terms) Give(a *wire.Attributes, s Sent, room []byte) []byte {
	if t.External && t.leaving.session || t.leaving.router && s.From == nil {
		room = leave(a, room)
	}
	if !t.External {
		return t.giveInternal(a, s, room)
	}
	for _, code := range [...]wire.Attribute{wire.AttrLocalPref, wire.AttrOriginatorID, wire.AttrClusterList} {
		a.Clear(code)
	}
	if t.HasRole && !a.Has(wire.AttrOTC) {
		switch t.Role {
		case wire.RoleProvider, wire.RolePeer, wire.RoleRS:
			a.OTC = t.shown()
			a.Set(wire.AttrOTC)
		}
	}
	if t.ServerClient {
		return room // RFC 7947 §2.2: the rest stays as it is
	}
	if s.From != nil && !s.MEDSet {
		a.Clear(wire.AttrMED) // RFC 4271 §5.1.4
	}
	room = t.transitive(a, room)
	return t.givePath(a, room)
}

// shown is the AS that the neighbour knows the router by.
func (t *Terms) shown() uint32 {
	if t.LocalAS != 0 {
		return t.LocalAS
	}
	return t.OwnAS
}

func (t *Terms) giveInternal(a *wire.Attributes, s Sent, room []byte) []byte {
	if !a.Has(wire.AttrLocalPref) {
		a.LocalPref = DefaultLocalPref
		a.Set(wire.AttrLocalPref)
	}
	if t.leaving.router && s.From == nil { // RFC 8326 §4.2
		a.LocalPref = 0
	}
	if s.From == nil || s.From.External {
		return room
	}
	// RFC 4456 §8: it is reflected.
	if !a.Has(wire.AttrOriginatorID) {
		a.OriginatorID = s.RouterID
		a.Set(wire.AttrOriginatorID)
	}
	at := len(room)
	room = binary.BigEndian.AppendUint32(room, uint32(t.cluster()))
	if a.Has(wire.AttrClusterList) {
		room = append(room, a.ClusterList...)
	}
	a.ClusterList = room[at:len(room):len(room)]
	a.Set(wire.AttrClusterList)
	return room
}

// leave adds the community graceful-shutdown, in room.
func leave(a *wire.Attributes, room []byte) []byte { return mark(a, room, wire.GracefulShutdown) }

// mark adds a community, in room.
func mark(a *wire.Attributes, room []byte, c wire.Community) []byte {
	if a.Communities.Has(c) {
		return room
	}
	at := len(room)
	room = binary.BigEndian.AppendUint32(append(room, a.Communities...), uint32(c))
	a.Communities = room[at:len(room):len(room)]
	a.Set(wire.AttrCommunities)
	return room
}

// transitive leaves out the extended communities that stay inside an AS (RFC 4360 §6).
func (t *Terms) transitive(a *wire.Attributes, room []byte) []byte {
	if !a.Has(wire.AttrExtended) {
		return room
	}
	at := len(room)
	for i := range a.Extended.Len() {
		if c := a.Extended.At(i); c.Transitive() {
			room = binary.BigEndian.AppendUint64(room, uint64(c))
		}
	}
	a.Extended = room[at:len(room):len(room)]
	if len(a.Extended) == 0 {
		a.Clear(wire.AttrExtended)
	}
	return room
}

// Private reports whether an AS number is for private use (RFC 6996 §5).
func Private(as uint32) bool {
	return as >= 64512 && as <= 65534 || as >= 4200000000 && as <= 4294967294
}

// givePath makes the path as the neighbour is sent it, with the router's AS before it
// (RFC 4271 §5.1.2).
func (t *Terms) givePath(a *wire.Attributes, room []byte) []byte {
	if t.RemovePrivate != KeepPrivate || t.ASOverride {
		room = t.editPath(a, room)
	}
	if t.LocalAS == 0 || t.LocalAS == t.OwnAS || !t.LocalASReplace {
		room = prepend(a, room, t.OwnAS)
	}
	if t.LocalAS != 0 && t.LocalAS != t.OwnAS {
		room = prepend(a, room, t.LocalAS)
	}
	return room
}

// prepend gives a path with an AS before it, in room.
func prepend(a *wire.Attributes, room []byte, as uint32) []byte {
	at := len(room)
	room = a.ASPath.AppendPrepended(room, as, 1)
	a.ASPath = room[at:len(room):len(room)]
	a.Set(wire.AttrASPath)
	return room
}

// editPath leaves AS numbers of the path out or replaces them, in room.
func (t *Terms) editPath(a *wire.Attributes, room []byte) []byte {
	remove := t.RemovePrivate
	if remove == RemoveIfAll {
		for as := range a.ASPath.Numbers {
			if !Private(as) {
				remove = KeepPrivate
				break
			}
		}
	}
	at := len(room)
	for s := range a.ASPath.Segments {
		head := len(room)
		room = append(room, byte(s.Type), 0)
		for i := range s.Len() {
			as := s.AS(i)
			switch {
			case t.ASOverride && as == t.AS:
				as = t.OwnAS
			case as == t.AS: // it finds loops by it
			case remove == ReplacePrivates && Private(as):
				as = t.OwnAS
			case remove != KeepPrivate && Private(as):
				continue
			}
			room = binary.BigEndian.AppendUint32(room, as)
			room[head+1]++
		}
		if room[head+1] == 0 {
			room = room[:head]
		}
	}
	a.ASPath = room[at:len(room):len(room)]
	return room
}
